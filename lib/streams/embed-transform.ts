import { Transform, type TransformCallback } from 'node:stream';
import { checkOption, signalRule } from '../options.ts';
import { type EmbedItemsOptions, type EmbedStreamOptions, embedStream } from './embed-stream.ts';

/**
 * {@link embedStream} as a stream of Node, in object mode on both sides: texts are written, vectors (with `text`:
 * `{ item, vector, tokens, truncated }`) are read, in order, with back-pressure. Any error destroys it; destroying it
 * stops the work.
 *
 * @throws BertNativeError at the call, and emits as an error, what embedStream throws
 */
export function embedTransform<T>(options: EmbedStreamOptions | EmbedItemsOptions<T>): Transform {
  return new EmbedTransform(options as EmbedStreamOptions);
}

class EmbedTransform extends Transform {
  readonly #written = new Handover();
  readonly #abort = new AbortController();
  readonly #results: AsyncGenerator<unknown>;
  readonly #delivered: Promise<void>;
  #onRead: (() => void) | undefined;

  constructor(options: EmbedStreamOptions) {
    super({ objectMode: true });
    const outer = options?.signal;
    if (outer != null) checkOption('signal', outer, signalRule);
    this.#results = embedStream(this.#written as AsyncIterable<string>, { ...options, signal: this.#abort.signal });
    if (outer != null) forwardAbort(outer, this.#abort);
    this.#delivered = this.#deliver().catch((error) => {
      this.destroy(error);
    });
  }

  override _transform(item: unknown, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#written.offer(item, callback);
  }

  override _flush(callback: TransformCallback): void {
    this.#written.end();
    void this.#delivered.then(() => {
      if (!this.destroyed) callback();
    });
  }

  override _read(size: number): void {
    this.#wake();
    super._read(size);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#abort.abort(error ?? undefined);
    this.#wake();
    callback(error);
  }

  async #deliver(): Promise<void> {
    for await (const result of this.#results) {
      if (this.destroyed) return;
      if (this.push(result)) continue;
      await new Promise<void>((resolve) => {
        this.#onRead = resolve;
      });
    }
  }

  #wake(): void {
    this.#onRead?.();
    this.#onRead = undefined;
  }
}

/** Lets the inner controller abort with the outer signal, whose listener goes when the inner one has aborted. */
function forwardAbort(outer: AbortSignal, inner: AbortController): void {
  const forward = () => inner.abort(outer.reason);
  if (outer.aborted) forward();
  else outer.addEventListener('abort', forward, { once: true, signal: inner.signal });
}

/** Hands items from a writer to a reader one at a time: the writer hears when its item was taken. */
class Handover implements AsyncIterableIterator<unknown, void> {
  #offered: { readonly item: unknown; readonly taken: () => void } | undefined;
  #reader: ((step: IteratorResult<unknown, void>) => void) | undefined;
  #ended = false;

  offer(item: unknown, taken: () => void): void {
    this.#offered = { item, taken };
    this.#meet();
  }

  end(): void {
    this.#ended = true;
    this.#meet();
  }

  next(): Promise<IteratorResult<unknown, void>> {
    return new Promise((resolve) => {
      this.#reader = resolve;
      this.#meet();
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #meet(): void {
    const [reader, offered] = [this.#reader, this.#offered];
    if (reader === undefined || (offered === undefined && !this.#ended)) return;
    this.#reader = undefined;
    this.#offered = undefined;
    reader(offered === undefined ? { done: true, value: undefined } : { done: false, value: offered.item });
    offered?.taken();
  }
}
