import { Readable } from 'node:stream';
import { optionError } from '../options.ts';

/** Items that texts are read from, one after another. */
export type StreamSource<T> = AsyncIterable<T> | Iterable<T>;

/** Some consecutive items of a source with what was read from them. */
export interface TextWindow<T, V> {
  readonly items: readonly T[];
  readonly values: readonly V[];
  /** Nothing comes after these. */
  readonly ended: boolean;
  /** What the source failed with behind these. */
  readonly failure: { readonly error: unknown } | undefined;
}

export interface WindowLimits {
  readonly items: number;
  /** UTF-16 units; a single item may have more. */
  readonly characters: number;
}

/** What of an item a stream works on. */
export interface ItemReader<T, V> {
  /** @throws BertNativeError `ERR_OPTION` for an item that is not what the stream takes */
  read(item: T, index: number): V;
  /** UTF-16 units of its texts. */
  sizeOf(value: V): number;
}

/** @param textOf the text of an item */
export function textReader<T>(textOf: (item: T, index: number) => unknown): ItemReader<T, string> {
  return {
    read(item, index) {
      const text = textOf(item, index);
      if (typeof text !== 'string') throw optionError(`texts[${index}]`, text, 'a string');
      return text;
    },
    sizeOf: (text) => text.length,
  };
}

/** Reads a source window by window, and lets go of it properly however reading ends. */
export class TextSource<T, V> {
  readonly #source: StreamSource<T>;
  readonly #iterator: AsyncIterator<T> | Iterator<T>;
  readonly #reader: ItemReader<T, V>;
  #pending: Promise<IteratorResult<T>> | undefined;
  #count = 0;
  #finished = false;

  /** @throws BertNativeError `ERR_OPTION` for what cannot be iterated, and for a string, which would be its characters */
  constructor(source: StreamSource<T>, reader: ItemReader<T, V>) {
    const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = Object(source);
    const iterate: (() => AsyncIterator<T> | Iterator<T>) | undefined = asynchronous ?? synchronous;
    if (typeof source === 'string' || iterate === undefined) {
      throw optionError('texts', source, 'an iterable or async iterable of texts');
    }
    this.#source = source;
    this.#iterator = iterate.call(source);
    this.#reader = reader;
  }

  /**
   * The next items, as many as the limits allow. Fewer where the source makes us wait: `whenIdle` calls back when there is
   * nothing else to do, and then what has come by now is better than a full window later.
   */
  async read(limits: WindowLimits, whenIdle: (listener: (() => void) | undefined) => void): Promise<TextWindow<T, V>> {
    const items: T[] = [];
    const values: V[] = [];
    let characters = 0;
    try {
      while (!this.#finished && items.length < limits.items && characters < limits.characters) {
        const step = await this.#next(items.length > 0 ? whenIdle : undefined);
        if (step === undefined) return { items, values, ended: false, failure: undefined };
        if (step.done) {
          this.#finished = true;
          break;
        }
        const value = this.#reader.read(step.value, this.#count++);
        items.push(step.value);
        values.push(value);
        characters += this.#reader.sizeOf(value);
      }
      return { items, values, ended: this.#finished, failure: undefined };
    } catch (error) {
      return { items, values, ended: true, failure: { error } };
    }
  }

  /**
   * Tells the source that no more will be read, unless it ended by itself.
   *
   * @throws (rejects) what the source's own `return` throws
   */
  async close(): Promise<void> {
    if (this.#finished) return;
    this.#finished = true;
    if (this.#pending === undefined) {
      await this.#iterator.return?.();
      return;
    }
    // A generator answers return() only after the next() before it, which may take as long as it likes.
    this.#pending.catch(() => {});
    (async () => this.#iterator.return?.())().catch(() => {});
    if (this.#source instanceof Readable) this.#source.destroy();
  }

  /** The source's next step; undefined where it is not there yet and there is nothing else to do. */
  async #next(
    whenIdle: ((listener: (() => void) | undefined) => void) | undefined,
  ): Promise<IteratorResult<T> | undefined> {
    this.#pending ??= (async () => this.#iterator.next())();
    const pending = this.#pending;
    try {
      const step = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        pending.then(resolve, reject);
        // One turn of the event loop: a source that has more at hand is heard first.
        whenIdle?.(() => setImmediate(resolve, undefined));
      });
      if (step !== undefined) this.#pending = undefined;
      return step;
    } catch (error) {
      this.#pending = undefined;
      this.#finished = true; // as for-await sees it: what threw has nothing left to release
      throw error;
    } finally {
      whenIdle?.(undefined);
    }
  }
}
