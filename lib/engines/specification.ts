/**
 * What an encoder computes, whatever family it came from. A model family maps its own configuration to this and engines
 * know nothing else. `native/encoder/specification.h` is the same in C++.
 *
 * Later families add members to the unions; an engine switches over them exhaustively.
 */
export interface EncoderSpecification {
  /** H, the width of the residual stream. */
  readonly hidden_size: number;
  readonly embeddings: EmbeddingsSpecification;
  readonly layers: readonly LayerSpecification[];
  /** `tanh(W h₀ + b)` over the first position, or none. */
  readonly pooler: 'tanh' | null;
}

export interface EmbeddingsSpecification {
  /** V, rows of the word embeddings. */
  readonly vocab_size: number;
  /** `absolute`: a learned vector per position is added. `none`: positions enter elsewhere, or not at all. */
  readonly position: 'absolute' | 'none';
  /** The number of positions a sequence may have, whatever the kind of position. */
  readonly max_position_embeddings: number;
  readonly type_vocab_size: number;
  readonly layer_norm_eps: number;
}

/** One transformer layer with the norms after the residual sums (Vaswani et al. 2017). */
export interface LayerSpecification {
  readonly attention: AttentionSpecification;
  readonly mlp: MlpSpecification;
  readonly layer_norm_eps: number;
}

export interface AttentionSpecification {
  /** A. */
  readonly num_attention_heads: number;
  /** D; A·D need not equal H. */
  readonly head_size: number;
  /**
   * How positions enter the scores. `relative_key`: q_l · e_{l−r} is added (Shaw et al. 2018); `relative_key_query`:
   * k_r · e_{l−r} too (Huang et al. 2020, method 4); both before the division by √D. l and r count columns of the
   * request, padding included.
   */
  readonly position: 'none' | 'relative_key' | 'relative_key_query';
  readonly mask: AttentionMask;
}

/**
 * Which keys a query sees by their distance, among those that `attention_mask` keeps. p and k count columns of the
 * request, padding included, as in transformers.
 *
 * - `full`: all of them
 * - `window`: those with |p − k| ≤ ⌊size / 2⌋, which is transformers' `sliding_window` of ModernBERT with `local_attention`
 *   for the size: an even size shows size + 1 columns
 * - `causal`: those with k ≤ p
 *
 * A query that sees no key (its own column is masked, then) attends to all S columns of the request equally: the same
 * lowest number is added to each of their scores in the Python reference.
 */
export type AttentionMask =
  | { readonly kind: 'full' }
  /** An integer from 1 up. */
  | { readonly kind: 'window'; readonly size: number }
  | { readonly kind: 'causal' };

export interface MlpSpecification {
  readonly intermediate_size: number;
  readonly activation: Activation;
}

export type Activation = 'gelu_erf' | 'gelu_tanh' | 'quick_gelu' | 'relu' | 'silu' | 'tanh';
