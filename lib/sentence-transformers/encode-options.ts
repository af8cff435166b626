import {
  booleanRule,
  integerRule,
  type OptionRule,
  type OptionRules,
  oneOfRule,
  signalRule,
  stringRule,
} from '../options.ts';
import type { FloatType } from '../tensor/data-type.ts';
import { Tensor } from '../tensor/tensor.ts';

/** The type of the elements at each precision. */
export interface EmbeddingTypes {
  float32: 'float32';
  int8: 'int8';
  uint8: 'uint8';
  binary: 'int8';
  ubinary: 'uint8';
}

/** In how many bits an embedding's values are stored. */
export type EmbeddingPrecision = keyof EmbeddingTypes;

/** How many of the texts are done. */
export interface EncodeProgress {
  readonly done: number;
  readonly total: number;
}

/** How {@link SentenceTransformer.encode} makes vectors of texts. */
export interface SentenceEncodeOptions<P extends EmbeddingPrecision = EmbeddingPrecision> {
  /** One of the model's prompts, put in front of every text; the model's default prompt unless given. */
  readonly prompt_name?: string | null;
  /** A prompt of the caller's own; goes before `prompt_name`. */
  readonly prompt?: string | null;
  /** The vectors are cut to so many values, as models trained for it (Kusupati et al. 2022, "Matryoshka") allow. */
  readonly dimensions?: number | null;
  /** Divide each vector, once it is cut, by its L2 norm; default false. The model's own normalization is done in any case. */
  readonly normalize?: boolean | null;
  /** `float32` (default), or fewer bits: see {@link quantize_embeddings}. */
  readonly precision?: P | null;
  /** For `int8` and `uint8`: the least and the greatest value of each dimension, `[2, dimensions]`. */
  readonly ranges?: Tensor<FloatType> | null;
  /** Padded tokens of one call of the engine; default 2048. Has no influence on the vectors. */
  readonly batch_tokens?: number | null;
  /** Is told how far the texts are. */
  readonly progress_callback?: ((progress: EncodeProgress) => void) | null;
  /** Aborts the call: it rejects at once with `ERR_ABORTED`, whose cause is the signal's reason. */
  readonly signal?: AbortSignal | null;
}

const tensorRule: OptionRule = { expected: 'a Tensor', accepts: (value) => value instanceof Tensor };

export const encodeRules: OptionRules<SentenceEncodeOptions> = {
  prompt_name: stringRule,
  prompt: stringRule,
  dimensions: integerRule(1),
  normalize: booleanRule,
  precision: oneOfRule('float32', 'int8', 'uint8', 'binary', 'ubinary'),
  ranges: tensorRule,
  batch_tokens: integerRule(1),
  progress_callback: { expected: 'a function', accepts: (value) => typeof value === 'function' },
  signal: signalRule,
};
