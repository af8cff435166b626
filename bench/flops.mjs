/** @import { ModelSize } from './types.ts' */

/**
 * Floating-point operations of the encoder for texts of the given lengths, a multiplication and an addition counting as
 * two, without padding and without what is small beside the matrix products (norms, activations, softmax, pooling):
 * per layer and text of S tokens, 8·S·H² for the four projections, 4·S·H·I for the two products of the feed-forward
 * part, 4·S²·H for scores and their sums. BERT-base at S = 128: 175 MFLOP a token.
 *
 * @param {ModelSize} size
 * @param {Iterable<number>} lengths tokens of each text
 * @returns {number} in units of 10⁹
 */
export function encoderGflop({ hidden_size: H, intermediate_size: I, num_hidden_layers: L }, lengths) {
  let sum = 0;
  for (const S of lengths) sum += S * (8 * H * H + 4 * H * I) + 4 * S * S * H;
  return (L * sum) / 1e9;
}

/**
 * What one text, however short, has to read: the matrices of all layers once. Embeddings are looked up, not read.
 *
 * @param {ModelSize} size
 * @param {number} bytes of one weight
 * @returns {number} in units of 10⁹ bytes
 */
export function encoderWeightGb({ hidden_size: H, intermediate_size: I, num_hidden_layers: L }, bytes) {
  return (L * (4 * H * H + 2 * H * I) * bytes) / 1e9;
}
