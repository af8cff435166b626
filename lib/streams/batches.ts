import type { EncoderInputs } from '../models/inputs.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';

/** A text's tokens, cut to what was allowed. */
export interface TokenRow {
  readonly input_ids: number[];
  /** Absent where the model takes none. */
  readonly token_type_ids: number[] | undefined;
  /** Whether tokens were cut off. */
  readonly truncated: boolean;
}

/**
 * Tokenizes on a thread of the library.
 *
 * @param max_length tokens per row, special ones included
 * @throws (rejects) BertNativeError `ERR_TRUNCATION`, `ERR_MEMORY`
 */
export async function tokenizeRows(
  tokenizer: PreTrainedTokenizer,
  texts: readonly string[],
  max_length: number,
): Promise<TokenRow[]> {
  const encoding = await tokenizer.encode_async(texts, {
    truncation: true,
    // One token more than fits tells a text that is too long from one that just fits.
    max_length: max_length + 1,
    return_tensor: false,
    return_attention_mask: false,
    return_special_tokens_mask: true,
    verbose: false,
  });
  return encoding.input_ids.map((input_ids, row) => {
    const token_type_ids = encoding.token_type_ids?.[row];
    const truncated = input_ids.length > max_length;
    if (truncated) {
      const special = encoding.special_tokens_mask![row]!;
      const at = tokenizer.truncation_side === 'left' ? special.indexOf(0) : special.lastIndexOf(0);
      input_ids.splice(at, 1);
      token_type_ids?.splice(at, 1);
    }
    return { input_ids, token_type_ids, truncated };
  });
}

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
export function planBatches(lengths: readonly number[], batch_tokens: number): number[][] {
  return consecutiveRuns(lengths, batch_tokens).flatMap((run) => {
    const sorted = run.toSorted((a, b) => lengths[a]! - lengths[b]!);
    return splitWhere(sorted, (batch, row) => (batch.length + 1) * lengths[row]! > batch_tokens);
  });
}

/** Indices in their order, cut where a run would hold more than `limit` tokens. */
function consecutiveRuns(lengths: readonly number[], limit: number): number[][] {
  let tokens = 0;
  return splitWhere([...lengths.keys()], (_, row) => {
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

/** Rows as a model's inputs, padded on the right to the longest of them. */
export function batchInputs(rows: readonly TokenRow[], pad_token_id: number): EncoderInputs {
  const width = rows.reduce((widest, { input_ids }) => Math.max(widest, input_ids.length), 0);
  const dims = [rows.length, width];
  const input_ids = new Int32Array(rows.length * width).fill(pad_token_id);
  const token_type_ids = new Int32Array(rows.length * width);
  const attention_mask = new Uint8Array(rows.length * width);
  rows.forEach((row, i) => {
    input_ids.set(row.input_ids, i * width);
    if (row.token_type_ids !== undefined) token_type_ids.set(row.token_type_ids, i * width);
    attention_mask.fill(1, i * width, i * width + row.input_ids.length);
  });
  return {
    input_ids: { data: input_ids, dims },
    attention_mask: { data: attention_mask, dims },
    ...(rows[0]?.token_type_ids !== undefined && { token_type_ids: { data: token_type_ids, dims } }),
  };
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
