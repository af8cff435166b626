import { optionError } from '../../options.ts';

const batchTexts = 4096;
/** UTF-16 units; a single text may be longer. */
const batchCharacters = 1 << 20;

/** Reads texts, some thousand at a time, from an iterable of whatever kind. */
export class TextBatches {
  /** Texts so far. */
  read = 0;
  readonly #iterator: Iterator<unknown> | AsyncIterator<unknown>;
  readonly #isAsync: boolean;
  #ended = false;

  /** @throws BertNativeError `ERR_OPTION` for what cannot be iterated, and for a string, which would be its characters */
  constructor(texts: Iterable<unknown> | AsyncIterable<unknown>) {
    const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = Object(texts);
    const iterate = asynchronous ?? synchronous;
    if (typeof texts === 'string' || typeof iterate !== 'function') {
      throw optionError('texts', texts, 'an array, an iterable or an async iterable of strings');
    }
    this.#isAsync = asynchronous !== undefined;
    this.#iterator = iterate.call(texts);
  }

  /** The next texts, or null at the end. @throws BertNativeError `ERR_OPTION` for an item that is no string */
  async next(): Promise<string[] | null> {
    if (this.#ended) return null;
    const texts: string[] = [];
    for (let characters = 0; texts.length < batchTexts && characters < batchCharacters; ) {
      const text = await this.#nextText();
      if (text === undefined) break;
      texts.push(text);
      characters += text.length;
      this.read++;
    }
    return texts.length > 0 ? texts : null;
  }

  /** Tells the source that no more is read, unless it has ended. A source that is silent is not waited for. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const closing = (async () => this.#iterator.return?.())();
    if (this.#isAsync) closing.catch(() => {});
    else await closing;
  }

  /** undefined: the source has ended. Does not wait where the source need not be waited for. */
  #nextText(): string | undefined | Promise<string | undefined> {
    if (!this.#isAsync) return this.#textOf(this.#step() as IteratorResult<unknown>);
    return (async () => this.#step())().then(
      (step) => this.#textOf(step),
      (error) => this.#fail(error),
    );
  }

  #step(): IteratorResult<unknown> | Promise<IteratorResult<unknown>> {
    try {
      return this.#iterator.next();
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** What threw has nothing left to release. */
  #fail(error: unknown): never {
    this.#ended = true;
    throw error;
  }

  #textOf({ done, value }: IteratorResult<unknown>): string | undefined {
    if (done) {
      this.#ended = true;
      return undefined;
    }
    if (typeof value !== 'string') throw optionError(`texts[${this.read}]`, value, 'a string');
    return value;
  }
}
