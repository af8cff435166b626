/** @import { ModelSize } from './types.ts' */

/**
 * Floating-point operations of the encoder for texts of the given lengths, a multiplication and an addition counting as
 * two, without padding and without what is small beside the matrix products (norms, activations, softmax, rotations,
 * pooling): per layer and text of S tokens, 8·S·H² for the four projections, 4·S·H·I for the two products of the
 * feed-forward part, 6·S·H·I where it is gated, 4·P·H for scores and their sums over P pairs of positions, and 2·P·H for
 * each term of a score that depends on the distance. P is S², or fewer under a window. BERT-base at S = 128: 175 MFLOP a
 * token.
 *
 * @param {ModelSize} size
 * @param {Iterable<number>} lengths tokens of each text
 * @returns {number} in units of 10⁹
 */
export function encoderGflop(size, lengths) {
  const { hidden_size: H, num_hidden_layers: L, window, distance_terms = 0 } = size;
  const full = window === undefined ? L : Math.ceil(L / window.full_every);
  const reach = window === undefined ? 0 : Math.floor(window.size / 2);
  let sum = 0;
  for (const S of lengths) {
    const pairs = full * S * S + (L - full) * pairsWithin(reach, S);
    sum += L * S * 2 * layerWeights(size) + pairs * (4 + 2 * distance_terms) * H;
  }
  return sum / 1e9;
}

/** Pairs of S positions that are at most so far apart. @param {number} reach @param {number} S */
function pairsWithin(reach, S) {
  const d = Math.min(reach, S - 1);
  return S * (2 * d + 1) - d * (d + 1);
}

/** Elements of a layer's matrices. @param {ModelSize} size */
function layerWeights({ hidden_size: H, intermediate_size: I, gated = false }) {
  return 4 * H * H + (gated ? 3 : 2) * H * I;
}

/**
 * What one text, however short, has to read: the matrices of all layers once. Embeddings are looked up, not read.
 *
 * @param {ModelSize} size
 * @param {number} bytes of one weight
 * @returns {number} in units of 10⁹ bytes
 */
export function encoderWeightGb(size, bytes) {
  return (size.num_hidden_layers * layerWeights(size) * bytes) / 1e9;
}
