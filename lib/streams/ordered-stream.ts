import { setTimeout } from 'node:timers/promises';
import { rejectOnAbort } from '../abort.ts';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { planBatches, TaskQueue } from './batches.ts';
import type { TextSource } from './text-source.ts';

/** A window of items as rows of tokens, which are computed in batches and in any order. */
export interface RowWork<Output, Result> {
  /** What each row takes in a batch: its tokens, or more where its output is large. */
  readonly costs: ArrayLike<number>;
  /** Item i's rows are those from `row_starts[i]` up to `row_starts[i + 1]`. */
  readonly row_starts: ArrayLike<number>;
  /** Runs the model on some of the rows. @returns one output for each of them */
  compute(rows: readonly number[]): Promise<readonly Output[]>;
  /** What becomes of an item, of its rows' outputs. */
  finish(item: number, outputs: readonly Output[]): Result;
}

/** How a stream does its work. */
export interface OrderedStreamOptions<T, V, Output, Result> {
  readonly source: TextSource<T, V>;
  /** The most items that are read and tokenized together. */
  readonly window: number;
  /** UTF-16 units of a window's items; default 4 Mi: what bounds memory where texts are long. */
  readonly window_characters?: number | undefined;
  /** Padded tokens of one call of the model. */
  readonly batch_tokens: number;
  readonly signal: AbortSignal | null | undefined;
  /** Tokenizes a window. */
  prepare(values: readonly V[], items: readonly T[]): Promise<RowWork<Output, Result>>;
}

/** Enough that the engine never waits for JavaScript, and fills its threads on a large machine. */
const batchesInFlight = 4;
const windowCharacters = 4 << 20;

/** How long a stream waits for room in a queue that is full. */
const retry_ms = 20;

/** The row starts of items with one row each. */
export function oneRowEach(items: number): Int32Array {
  return Int32Array.from({ length: items + 1 }, (_, i) => i);
}

interface Window<Output, Result> {
  /** Undefined: no item was left. */
  readonly work: RowWork<Output, Result> | undefined;
  readonly items: number;
  /** By row: the outputs of its batch, and its place among them. */
  readonly batches: readonly Promise<readonly Output[]>[];
  readonly places: Int32Array;
  readonly ended: boolean;
  readonly failure: { readonly error: unknown } | undefined;
}

/**
 * Items in, results out, one by one and in order, with memory that does not grow with their number: one window is computed
 * while the next is read and tokenized, and no more. A source that pauses does not hold results back; a queue of the engine
 * that others have filled (`env.maxQueuedTokens`) is waited for. Leaving the loop early stops the work and closes the source.
 */
export class OrderedStream<T, V, Output, Result> {
  readonly #options: OrderedStreamOptions<T, V, Output, Result>;
  readonly #queue = new TaskQueue(batchesInFlight);
  #closed = false;

  constructor(options: OrderedStreamOptions<T, V, Output, Result>) {
    this.#options = options;
  }

  /**
   * @throws BertNativeError after the results before it: what the source, `prepare`, `compute` and `finish` throw;
   *   `ERR_ABORTED`, at once, with the signal's reason as its cause
   */
  async *run(): AsyncGenerator<Result, void, undefined> {
    let failed = true;
    try {
      let upcoming = this.#startWindow();
      for (let ended = false; !ended; ) {
        const window = await this.#orAborted(upcoming);
        ended = window.ended;
        if (!ended) upcoming = this.#startWindow();
        for (let item = 0; item < window.items; item++) {
          const result = await this.#resultOf(window, item);
          failed = false; // a consumer that leaves does so at the yield
          yield result;
          failed = true;
        }
        if (window.failure !== undefined) throw window.failure.error;
      }
      failed = false;
    } finally {
      this.#closed = true;
      this.#queue.close();
      // As in for-await: what closing the source throws does not hide an error before it.
      await this.#options.source.close().catch((error) => {
        if (!failed) throw error;
      });
    }
  }

  /** Reads and tokenizes a window and queues its batches; does not wait for them. */
  #startWindow(): Promise<Window<Output, Result>> {
    const window = this.#readWindow();
    window.catch(() => {}); // reported when its turn comes, if it does
    return window;
  }

  async #readWindow(): Promise<Window<Output, Result>> {
    const { source, window, window_characters = windowCharacters, prepare } = this.#options;
    const limits = { items: window, characters: window_characters };
    const { items, values, ended, failure } = await source.read(limits, (idle) => this.#queue.whenIdle(idle));
    if (items.length === 0) {
      return { work: undefined, items: 0, batches: [], places: new Int32Array(0), ended, failure };
    }
    const work = await prepare(values, items);
    const batches = new Array<Promise<readonly Output[]>>(work.costs.length);
    const places = new Int32Array(work.costs.length);
    // What is more than the engine's queue may hold would never be accepted.
    for (const batch of planBatches(work.costs, Math.min(this.#options.batch_tokens, env.maxQueuedTokens))) {
      const outputs = this.#queue.add(() => this.#computeWhenThereIsRoom(work, batch));
      batch.forEach((row, place) => {
        batches[row] = outputs;
        places[row] = place;
      });
    }
    return { work, items: items.length, batches, places, ended, failure };
  }

  async #resultOf({ work, batches, places }: Window<Output, Result>, item: number): Promise<Result> {
    const { row_starts, finish } = work!;
    const outputs: Output[] = [];
    for (let row = row_starts[item]!; row < row_starts[item + 1]!; row++) {
      outputs.push((await this.#orAborted(batches[row]!))[places[row]!]!);
    }
    return finish(item, outputs);
  }

  /** Where others have filled the engine's queue, a stream waits; a batch that is more than the queue may hold fails. */
  async #computeWhenThereIsRoom(work: RowWork<Output, Result>, batch: readonly number[]): Promise<readonly Output[]> {
    const tokens = batch.reduce((sum, row) => sum + work.costs[row]!, 0);
    for (;;) {
      try {
        return await work.compute(batch);
      } catch (error) {
        const isFull = error instanceof BertNativeError && error.code === 'ERR_QUEUE_FULL';
        if (!isFull || tokens > env.maxQueuedTokens || this.#closed) throw error;
        await setTimeout(retry_ms);
      }
    }
  }

  async #orAborted<Value>(promise: Promise<Value>): Promise<Value> {
    const { signal } = this.#options;
    return signal ? rejectOnAbort(promise, signal) : promise;
  }
}
