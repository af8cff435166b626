/**
 * Groups rows into batches of at most `batch_tokens` padded tokens (rows × longest row; a longer row runs alone).
 *
 * The engine packs tokens without padding, and a row's result is the same to the bit whatever it runs with, so any order
 * would give the same vectors: sorting by length only keeps the padding of the arrays small. It is done in short runs, because
 * vectors are handed out in the order of the texts: the first is there once its run is.
 *
 * @param lengths tokens of each row
 * @returns indices of rows, batch by batch
 */
export function planBatches(lengths: ArrayLike<number>, batch_tokens: number): number[][] {
  return consecutiveRuns(lengths, batch_tokens).flatMap((run) => {
    const sorted = run.toSorted((a, b) => lengths[a]! - lengths[b]!);
    return splitWhere(sorted, (batch, row) => (batch.length + 1) * lengths[row]! > batch_tokens);
  });
}

/** Indices in their order, cut where a run would hold more than `limit` tokens. */
function consecutiveRuns(lengths: ArrayLike<number>, limit: number): number[][] {
  let tokens = 0;
  return splitWhere([...Array(lengths.length).keys()], (_, row) => {
    tokens += lengths[row]!;
    if (tokens <= limit) return false;
    tokens = lengths[row]!;
    return true;
  });
}

/** Cuts a list before each element of which `startsNext` says that it does not fit into the part before it. */
function splitWhere(
  rows: readonly number[],
  startsNext: (part: readonly number[], row: number) => boolean,
): number[][] {
  const parts: number[][] = [];
  for (const row of rows) {
    const part = parts.at(-1);
    const cut = startsNext(part ?? [], row);
    if (part === undefined || cut) parts.push([row]);
    else part.push(row);
  }
  return parts;
}

/** Runs tasks in the order they came, a fixed number at a time. */
export class TaskQueue {
  readonly #limit: number;
  #waiting: (() => Promise<void>)[] = [];
  #running = 0;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A rejection that nobody waits for does no harm. What has not started when the queue closes never settles. */
  add<T>(task: () => Promise<T>): Promise<T> {
    const result = new Promise<T>((resolve, reject) => {
      if (!this.#closed) this.#waiting.push(() => task().then(resolve, reject));
    });
    result.catch(() => {});
    this.#advance();
    return result;
  }

  /** Starts nothing more. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  /** Calls the listener once nothing runs or waits, which may be now. There is one listener: a new one replaces it. */
  whenIdle(listener: (() => void) | undefined): void {
    this.#onIdle = listener;
    this.#tellIdle();
  }

  #advance(): void {
    while (this.#running < this.#limit && this.#waiting.length > 0) {
      const start = this.#waiting.shift()!;
      this.#running++;
      void start().then(() => {
        this.#running--;
        this.#advance();
        this.#tellIdle();
      });
    }
  }

  #tellIdle(): void {
    if (this.#running > 0 || this.#waiting.length > 0) return;
    const listener = this.#onIdle;
    this.#onIdle = undefined;
    listener?.();
  }
}
