import type { EncoderModel } from '../models/encoder-model.ts';
import { OrderedStream, oneRowEach } from '../streams/ordered-stream.ts';
import { TextSource, textReader } from '../streams/text-source.ts';
import type { TokenRows } from '../tokenizers/token-rows.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';
import { hasHead, headName, type SentenceModules } from './modules.ts';

/** How texts become vectors. */
export interface EncodeJob {
  readonly model: EncoderModel;
  readonly tokenizer: PreTrainedTokenizer;
  readonly modules: SentenceModules;
  readonly texts: readonly string[];
  /** What the tokenizer gets of a text. */
  readonly prepare: (text: string) => string;
  readonly max_length: number;
  /** Padded tokens of one call of the engine. */
  readonly batch_tokens: number;
  /** Tokens at the front of each row that are left out of the pooling. */
  readonly pooling_skip: number;
  readonly signal: AbortSignal | null;
}

/** Texts that are tokenized together, and sorted by length. */
const window = 2048;

/**
 * The texts' vectors in their order. One window of texts is computed while the next is tokenized, and no more is on its way.
 *
 * @throws BertNativeError what tokenizer and engine throw; `ERR_ABORTED`
 */
export function encodeTexts(job: EncodeJob): AsyncGenerator<Float32Array, void, undefined> {
  const { tokenizer, texts, prepare, max_length, batch_tokens, signal } = job;
  const stream = new OrderedStream<string, string, Float32Array, Float32Array>({
    source: new TextSource(texts, textReader(prepare)),
    window,
    batch_tokens,
    signal,
    async prepare(values) {
      const rows = await tokenizer.encode_rows(values, { truncation: true, max_length, verbose: false });
      return {
        costs: rows.lengths,
        row_starts: oneRowEach(values.length),
        compute: (batch) => vectorsOf(job, rows.select(batch)),
        finish: (_, [vector]) => vector!,
      };
    },
  });
  return stream.run();
}

async function vectorsOf(
  { model, modules, pooling_skip, signal }: EncodeJob,
  rows: TokenRows,
): Promise<Float32Array[]> {
  const { pooling, steps } = modules;
  const vectors = hasHead(modules)
    ? (await model.run_heads(rows, { pooling_skip, signal }))[headName]!
    : await model.embed(rows, { pooling: pooling.modes, normalize: steps.length > 0, pooling_skip, signal });
  const { data, dims } = vectors;
  const [count, size] = dims as readonly [number, number];
  return Array.from({ length: count }, (_, row) => data.subarray(row * size, (row + 1) * size));
}
