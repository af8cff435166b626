import { env } from '../env.ts';
import type { SentenceEncoder } from '../models/sentence-encoder.ts';
import { planBatches, TaskQueue, whenThereIsRoom } from '../streams/batches.ts';
import type { TokenRows } from '../tokenizers/token-rows.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';

/** How texts become vectors. */
export interface EncodeJob {
  readonly encoder: SentenceEncoder;
  readonly tokenizer: PreTrainedTokenizer;
  readonly texts: readonly string[];
  /** What the tokenizer gets of a text. */
  readonly prepare: (text: string) => string;
  readonly max_length: number;
  /** The most texts of one call of the engine. */
  readonly batch_size: number;
  /** Tokens at the front of each row that are left out of the pooling. */
  readonly skip: number;
  readonly signal: AbortSignal | null;
  /** Takes a text's vector, which is gone afterwards. */
  readonly receive: (index: number, vector: Float32Array) => void;
  /** Is told how many texts are done, after every call of the engine. */
  readonly onProgress: (done: number) => void;
}

/** Enough that the engine never waits for JavaScript, and fills its threads on a large machine. */
const batchesInFlight = 4;
/** Tokens of one call of the engine. */
const batchTokens = 2048;
/** Texts that are tokenized together, and their UTF-16 units: what bounds memory. */
const windowTexts = 2048;
const windowCharacters = 4 << 20;

/**
 * Runs the texts through the encoder: window by window, one being computed while the next is tokenized, a few batches in the
 * engine at once.
 *
 * @throws (rejects) BertNativeError what tokenizer and engine throw
 */
export async function encodeTexts(job: EncodeJob): Promise<void> {
  const batches = new TaskQueue(batchesInFlight);
  let closed = false;
  let done = 0;
  const run = async (rows: TokenRows, first: number, batch: readonly number[]): Promise<void> => {
    const { encoder, skip, signal } = job;
    const selected = rows.select(batch);
    const data = await whenThereIsRoom(
      selected,
      () => closed,
      () => encoder.embed_rows(selected, skip, signal),
    );
    if (closed) return;
    const size = data.length / batch.length;
    batch.forEach((index, row) => {
      job.receive(first + index, data.subarray(row * size, (row + 1) * size));
    });
    done += batch.length;
    job.onProgress(done);
  };

  try {
    let previous: Promise<unknown> = Promise.resolve();
    for (const { first, end } of windows(job.texts)) {
      const rows = await tokenized(job, first, end);
      await previous;
      previous = Promise.all(plan(rows.lengths, job).map((batch) => batches.add(() => run(rows, first, batch))));
      previous.catch(() => {}); // reported when its turn comes
    }
    await previous;
  } finally {
    closed = true;
    batches.close();
  }
}

function tokenized(
  { tokenizer, texts, prepare, max_length }: EncodeJob,
  first: number,
  end: number,
): Promise<TokenRows> {
  return tokenizer.encode_rows(texts.slice(first, end).map(prepare), { truncation: true, max_length, verbose: false });
}

function plan(lengths: Int32Array, { encoder, batch_size }: EncodeJob): number[][] {
  // What is more than the engine's queue may hold would never be accepted.
  const most = encoder.engine === 'native' ? Math.min(batchTokens, env.maxQueuedTokens) : batchTokens;
  return planBatches(lengths, most).flatMap((batch) =>
    Array.from({ length: Math.ceil(batch.length / batch_size) }, (_, i) =>
      batch.slice(i * batch_size, (i + 1) * batch_size),
    ),
  );
}

function* windows(texts: readonly string[]): Generator<{ first: number; end: number }> {
  for (let first = 0; first < texts.length; ) {
    let end = first;
    for (let characters = 0; end < texts.length && end - first < windowTexts && characters < windowCharacters; ++end) {
      characters += texts[end]!.length;
    }
    yield { first, end };
    first = end;
  }
}
