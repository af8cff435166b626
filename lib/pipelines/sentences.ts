import type { EncoderModel } from '../models/encoder-model.ts';
import type { SentenceTransformer } from '../sentence-transformers/sentence-transformer.ts';
import { oneRowEach, type RowWork } from '../streams/ordered-stream.ts';
import type { PipelineParts } from './base.ts';
import { rowsOf } from './rows.ts';

/** The parts of a pipeline that makes vectors of texts. */
export interface EncoderParts extends PipelineParts<EncoderModel> {
  /** Makes the vectors where a call names no pooling: by the modules of its own folder. */
  readonly sentence_transformer?: SentenceTransformer | null;
}

/** Texts, one row each, by a model of sentence-transformers, whose prompts, pooling and further modules say how. */
export function sentenceRows(
  sentences: SentenceTransformer,
  texts: readonly string[],
  options: { readonly normalize: boolean; readonly signal: AbortSignal | null },
): Pick<RowWork<Float32Array, never>, 'costs' | 'row_starts' | 'compute'> {
  const { max_seq_length } = sentences;
  return {
    // It tokenizes on its own: an estimate does for batches.
    costs: texts.map(({ length }) => Math.min(max_seq_length, 2 + Math.ceil(length / 2))),
    row_starts: oneRowEach(texts.length),
    compute: async (batch) =>
      rowsOf(
        await sentences.encode(
          batch.map((i) => texts[i]!),
          options,
        ),
      ),
  };
}
