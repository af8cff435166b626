import type { NativeTokenRows } from '../binding/native.ts';
import type { TensorSpan } from '../weights/tensor-span.ts';
import type { EncoderSpecification, PoolingMode } from './specification.ts';

/** Where the values of one parameter come from. */
export type ParameterSource =
  | { readonly kind: 'span'; readonly span: TensorSpan }
  | { readonly kind: 'values'; readonly shape: readonly number[]; readonly values: Float32Array }
  /** N(0, std²), the same on every engine and machine; `zero_row`: a row of zeros (the padding token's), or -1. */
  | {
      readonly kind: 'normal';
      readonly shape: readonly number[];
      readonly seed: bigint;
      readonly std: number;
      readonly zero_row: number;
    }
  | { readonly kind: 'constant'; readonly shape: readonly number[]; readonly value: number };

/** Parameters by their canonical names (`encoderParameters`). */
export type ParameterSources = ReadonlyMap<string, ParameterSource>;

/**
 * A forward pass over B rows of S positions, validated: lengths fit, ids lie inside the vocabulary, masks hold 0 and 1.
 * The engine may keep the arrays until it settles.
 */
export interface ForwardRequest {
  readonly batch: number;
  readonly sequence: number;
  /** `[B, S]`; null where `inputs_embeds` takes the place of the word embeddings. */
  readonly input_ids: Int32Array | null;
  /** `[B, S, E]`. */
  readonly inputs_embeds: Float32Array | null;
  /** `[B, S]` of 0 and 1; null: all ones. */
  readonly attention_mask: Uint8Array | null;
  /** `[B, S]`; null: all zeros. */
  readonly token_type_ids: Int32Array | null;
  /** `[B, S]`; null: 0, 1, 2, … in every row. */
  readonly position_ids: Int32Array | null;
  /**
   * Positions whose mask is 0 never act as keys. `compute`: they are computed as queries wherever a returned value shows
   * them, as the Python reference does. `skip`: they come back as zeros.
   */
  readonly masked_positions: 'compute' | 'skip';
  /**
   * In place of every array above: rows of the addon's memory, B of them, each of its own length (at most S), without
   * padding. Of engines that say so (`LoadedEncoder.takes_token_rows`). What other requests give per position (`last_hidden_state`, heads over tokens) comes
   * packed then: the T positions of all rows back to back, `[T, …]`. Hidden states and attentions can't be asked for.
   */
  readonly token_rows?: { readonly handle: NativeTokenRows; readonly rows: Int32Array } | null;
  readonly outputs: OutputSelection;
  /** Memory that some of the outputs go to, over SharedArrayBuffers, each of the output's length; null: all is new. */
  readonly out?: OutputArrays | null;
}

/** Arrays of a caller's own by the name of the output: `last_hidden_state`, `pooler_output`, `pooled` or a head's. */
export type OutputArrays = { readonly [name: string]: Float32Array | undefined };

/** Which results to compute. */
export interface OutputSelection {
  readonly last_hidden_state: boolean;
  readonly pooler_output: boolean;
  readonly hidden_states: boolean;
  readonly attentions: boolean;
  /** One vector per row: those of all modes side by side. */
  readonly pooled: { readonly modes: readonly PoolingMode[]; readonly normalize: boolean } | null;
  /**
   * So many positions whose mask is 1 are left out of every pooling (not of the attention) at the front of each row: a
   * prompt's. Columns as `weightedmean` counts them do not move. 0: none.
   */
  readonly pooling_skip: number;
  /** Whether to run the specification's heads. */
  readonly heads: boolean;
  /** Positions (row · S + column, ascending; indices of packed positions with `token_rows`) that heads over tokens run on. */
  readonly head_positions: Int32Array | null;
}

/**
 * `last_hidden_state` `[B, S, H]`, `pooler_output` `[B, H]`, `hidden_states` L+1 times `[B, S, H]` (the embeddings after
 * their norm first), `attentions` L times `[B, A, S, S]` (probabilities, from position to position), `pooled`
 * `[B, modes·H]`, `heads` by name: `[B, S, N]` over tokens (`[head_positions, N]` where those are given), else `[B, N]`.
 */
export interface ForwardResult {
  last_hidden_state?: Float32Array;
  pooler_output?: Float32Array;
  hidden_states?: Float32Array[];
  attentions?: Float32Array[];
  pooled?: Float32Array;
  heads?: Readonly<Record<string, Float32Array>>;
  /** How long the call waited for its turn, and from then until it was done. */
  queued_ms: number;
  running_ms: number;
}

/** What the calls of one encoder are doing, and have done. */
export interface EncoderStats {
  /** Calls that wait, and calls of which something has been computed. */
  readonly queued_calls: number;
  readonly running_calls: number;
  /** Calls that have resolved or failed; aborted ones are not counted. */
  readonly finished_calls: number;
  /** Tokens that wait to be computed, and that have been. Masked positions that no result shows are not counted. */
  readonly queued_tokens: number;
  readonly computed_tokens: number;
  /** That the engine computes on; 0 before the weights are there. */
  readonly threads: number;
  /** Memory that forward passes hold for what they are computing, of all models of the process. */
  readonly workspace_size_bytes: number;
}

/**
 * How the matrices of an encoder are held and multiplied; sums, the residual stream, norms and softmax are fp32 in all.
 *
 * - `fp32`: both operands in fp32.
 * - `fp16`: weights rounded to fp16, computed with as `fp32` does.
 * - `bf16`: weights rounded to bf16, and the other operand too where the processor multiplies those faster.
 * - `q8`: 8-bit integers, weights with a scale per output channel made at load, activations with a scale and a zero point
 *   per token, both for each piece of up to 768 of a product's depth; the embeddings in bf16.
 */
export type ModelDtype = (typeof modelDtypes)[number];

export const modelDtypes = ['fp32', 'fp16', 'bf16', 'q8'] as const;

/**
 * How exact the products of `fp32` are, in PyTorch's words: `high` lets processors with bf16 matrix units multiply two
 * bf16 parts of each operand in three products, and is `highest` everywhere else.
 */
export type Fp32Precision = 'highest' | 'high';

export interface LoadOptions {
  readonly dtype: ModelDtype;
  /** Without effect unless `dtype` is `fp32`. */
  readonly fp32_precision: Fp32Precision;
}

export const defaultLoadOptions: LoadOptions = { dtype: 'fp32', fp32_precision: 'highest' };

/** An encoder with its weights in place. */
export interface LoadedEncoder {
  /** Whether requests may have `token_rows`. */
  readonly takes_token_rows: boolean;
  /** When the signal aborts, the call stops and the memory it writes to is free at once; the promise rejects. */
  forward(request: ForwardRequest, signal?: AbortSignal | null): Promise<ForwardResult>;
  stats(): EncoderStats;
  /** The parameter's values as loaded, row-major, exact to the bit: of `fp32` at `highest`, which alone keeps them. */
  readParameter(name: string): Promise<Float32Array>;
  readonly weights_size_bytes: number;
  /** Releases the weights once pending calls have settled. Calling it again does nothing. */
  dispose(): void;
}

/** By whom a model is run. `onnxruntime` runs a graph that somebody exported; the others run a checkpoint's weights. */
export type EngineName = 'native' | 'onnxruntime' | 'reference';

/** Something that can run a specification with a checkpoint's weights. */
export interface Engine {
  readonly name: Exclude<EngineName, 'onnxruntime'>;
  readonly dtypes: readonly ModelDtype[];
  /**
   * @param options of a dtype that the engine has; unless given, {@link defaultLoadOptions}
   * @throws BertNativeError `ERR_IO` when a file changed since its header was read, `ERR_MEMORY`, `ERR_CONFIG`
   */
  load(
    specification: EncoderSpecification,
    parameters: ParameterSources,
    options?: LoadOptions,
  ): Promise<LoadedEncoder>;
}
