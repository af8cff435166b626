/**
 * What an encoder computes, whatever family it came from. A model family maps its own configuration to this and engines
 * know nothing else. `native/encoder/specification.h` is the same in C++.
 *
 * Legend: H hidden_size, E embedding_size, A heads, D head size, S positions of a row, V vocabulary.
 */
export interface EncoderSpecification {
  /** H, the width of the residual stream. */
  readonly hidden_size: number;
  readonly embeddings: EmbeddingsSpecification;
  readonly layers: readonly LayerSpecification[];
  /** What stands for the distance between two positions, shared by all layers whose attention asks for it. */
  readonly relative_positions: RelativePositions | null;
  /** Of DeBERTa-v2, behind its first layer. */
  readonly convolution: ConvolutionSpecification | null;
  /** Behind the last layer: `last_hidden_state` is what it gives, the last of the hidden states what it takes. */
  readonly final_norm: NormSpecification | null;
  /** activation(W h₀ + b) over the first position, or none. */
  readonly pooler: { readonly activation: Activation } | null;
  /** A task's heads: most models with one have one. */
  readonly heads: readonly HeadSpecification[];
}

/** LayerNorm over the last dimension; `bias`: whether it has one. */
export interface NormSpecification {
  readonly eps: number;
  readonly bias: boolean;
}

/**
 * norm(word + position + token type), each `[S, E]`. Where E differs from H, or the family has the matrix all the same, a
 * projection makes `[S, H]` of it, before or after the norm.
 */
export interface EmbeddingsSpecification {
  /** V, rows of the word embeddings. */
  readonly vocab_size: number;
  /** E; equal to H unless there is a projection. */
  readonly embedding_size: number;
  /** `absolute`: a learned vector per position is added. `none`: positions enter elsewhere, or not at all. */
  readonly position: 'absolute' | 'none';
  /** Rows of the position embeddings; the number of positions a sequence may have, but see `position_padding_id`. */
  readonly max_position_embeddings: number;
  /**
   * Unless null, positions count the tokens other than this one, from its id + 1 on, and tokens with this id have their id
   * as position, as in RoBERTa; with `inputs_embeds` they count columns from id + 1 on. A sequence may have
   * max_position_embeddings - id - 1 positions then. Ids that the caller gives are taken as they are.
   */
  readonly position_padding_id: number | null;
  /** Rows of the token type embeddings; 0: there are none, and `token_type_ids` mean nothing. */
  readonly type_vocab_size: number;
  readonly norm: NormSpecification;
  readonly projection: { readonly placement: 'before_norm' | 'after_norm'; readonly bias: boolean } | null;
  /** Whether what comes out is zero at masked positions, as in DeBERTa-v2. */
  readonly zero_masked: boolean;
}

/**
 * One transformer layer. `post`: x ← norm(x + attention(x)); x ← norm(x + mlp(x)) (Vaswani et al. 2017). `pre`: x ← x +
 * attention(norm(x)); x ← x + mlp(norm(x)) (Xiong et al. 2020).
 */
export interface LayerSpecification {
  readonly norm_placement: 'post' | 'pre';
  readonly attention: AttentionSpecification;
  /** Null: none, as before the first attention of ModernBERT; of `pre` only. */
  readonly attention_norm: NormSpecification | null;
  readonly mlp: MlpSpecification;
  readonly mlp_norm: NormSpecification;
  /**
   * The number under which its parameters are named, at most its own index; layers of one number share them (ALBERT) and
   * are alike in every size.
   */
  readonly parameters: number;
}

export interface AttentionSpecification {
  /** A. */
  readonly num_attention_heads: number;
  /** D; A·D need not equal H. */
  readonly head_size: number;
  readonly position: AttentionPosition;
  readonly mask: AttentionMask;
  /** Scores are divided by √(D · scale_factor): 1, or the number of terms that make a score in DeBERTa-v2. */
  readonly scale_factor: number;
  /** What a masked position gets as its context where it is computed: what attention gives, or zeros (DeBERTa-v2). */
  readonly masked_queries: 'attend' | 'zero';
  /** Whether the projections have biases. */
  readonly bias: { readonly query_key_value: boolean; readonly output: boolean };
}

/**
 * How positions enter the scores. l and r are the positions of query and key: columns of the request, padding included;
 * for `rotary` the caller's `position_ids` where there are any.
 *
 * - `relative_key`: q_l · e_{l−r} is added (Shaw et al. 2018); `relative_key_query`: k_r · e_{l−r} too (Huang et al. 2020,
 *   method 4); both before the division by √D. The layer's own vectors are `[2P - 1, D]`, P max_position_embeddings.
 * - `rotary` (Su et al. 2021): the first 2R of a head's D columns of queries and keys are turned, the pair i by the angle
 *   l · inverse_frequencies[i]. Pairs are columns i and i + R (`halves`), or 2i and 2i + 1 (`neighbours`).
 * - `bias` (Raffel et al. 2020): `relative_positions` is a number for each head, added after the division (MPNet).
 * - `disentangled` (He et al. 2020, DeBERTa-v2): `relative_positions` are vectors `[rows, H]`, projected to P_k and P_q
 *   `[rows, A·D]` by the matrices (and biases) of key and query, or by matrices of their own. With d the row of l − r,
 *   q_l · P_k[d] is added where `to_key`, k_r · P_q[d] where `to_query`, before the division.
 */
export type AttentionPosition =
  | { readonly kind: 'none' }
  | { readonly kind: 'relative_key' }
  | { readonly kind: 'relative_key_query' }
  | {
      readonly kind: 'rotary';
      readonly inverse_frequencies: readonly number[];
      readonly pairs: 'halves' | 'neighbours';
    }
  | { readonly kind: 'bias' }
  | {
      readonly kind: 'disentangled';
      readonly to_key: boolean;
      readonly to_query: boolean;
      /** Whether P_k and P_q are made by the matrices of key and query. */
      readonly shared_projections: boolean;
    };

/** `bias`: `[rows, A]`. `vectors`: `[rows, H]`, with a norm over them or without. */
export type RelativePositions = {
  readonly rows: number;
  /** 2N - 1 numbers: entry l − r + N − 1 is the row of that distance; distances past either end count as the end. */
  readonly row_of: readonly number[];
} & ({ readonly kind: 'bias' } | { readonly kind: 'vectors'; readonly norm: NormSpecification | null });

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

/** down(activation(up(x))), or, `gated`, down(activation(gate(x)) · up(x)) (Shazeer 2020). */
export interface MlpSpecification {
  readonly intermediate_size: number;
  readonly activation: Activation;
  readonly gated: boolean;
  /** `up` stands for the gate, too. */
  readonly bias: { readonly up: boolean; readonly down: boolean };
}

export type Activation = 'gelu_erf' | 'gelu_tanh' | 'quick_gelu' | 'relu' | 'silu' | 'tanh';

/**
 * x ← norm(x + activation(conv(e))), x the first layer's output and e the embeddings; zero at masked positions in the end.
 * One-dimensional over the columns of the request, zeros beyond both ends and at masked positions, kernel_size odd.
 */
export interface ConvolutionSpecification {
  readonly kernel_size: number;
  readonly groups: number;
  readonly activation: Activation;
  readonly norm: NormSpecification;
}

/** A task's head: steps one after the other over its input's rows. */
export interface HeadSpecification {
  /** The output's name; its parameters are named `heads.<name>.<step's name>`. */
  readonly name: string;
  readonly input: HeadInput;
  readonly steps: readonly HeadStep[];
}

/**
 * What a head works on: every position's last state `[B, S, H]` (or those that the call names), the pooler's output
 * `[B, H]`, or the pooled states `[B, modes·H]`.
 */
export type HeadInput =
  | { readonly kind: 'tokens' }
  | { readonly kind: 'pooler' }
  | { readonly kind: 'pooled'; readonly modes: readonly PoolingMode[] };

export type HeadStep =
  /** W x + b. */
  | { readonly kind: 'linear'; readonly name: string; readonly outputs: number; readonly bias: boolean }
  /** W x + b with the word embeddings `[V, E]` for W: the decoder of a masked language model that ties them. */
  | { readonly kind: 'word_embeddings'; readonly name: string; readonly bias: boolean }
  | { readonly kind: 'norm'; readonly name: string; readonly norm: NormSpecification }
  | { readonly kind: 'activation'; readonly activation: Activation }
  /** x / max(‖x‖₂, 1e-12). */
  | { readonly kind: 'normalize' };

/**
 * One vector of a sequence's states, over the positions whose mask is 1 (t₁ … tₙ, zeros where there are none), in the words
 * of sentence-transformers:
 *
 * - `cls`: the state of position 0, whatever its mask
 * - `max`, `mean`; `mean_sqrt_len_tokens`: the sum divided by √n
 * - `weightedmean`: weights 1, 2, 3, … by column of the request, from column 0 on
 * - `lasttoken`: the last one
 */
export type PoolingMode = (typeof poolingModes)[number];

export const poolingModes = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const;

/** The most positions that a sequence may have. */
export function longestSequence({ embeddings }: EncoderSpecification): number {
  const { max_position_embeddings, position_padding_id } = embeddings;
  return position_padding_id === null ? max_position_embeddings : max_position_embeddings - position_padding_id - 1;
}
