/** Gain `[H]`, bias `[H]` or none, and what is added to the variance. */
export interface LayerNorm {
  readonly weight: Float32Array;
  readonly bias: Float32Array | null;
  readonly eps: number;
}

/**
 * out[t, :] = weight · (x[t, :] - mean) / √(variance + eps) + bias     Ba et al. 2016, eq. 4
 *
 * Biased variance in two passes.
 *
 * @param x `[T, H]`
 * @param out `[T, H]`; may be x
 */
export function applyLayerNorm(
  { weight, bias, eps }: LayerNorm,
  x: Float64Array,
  tokens: number,
  out: Float64Array,
): void {
  const width = weight.length;
  for (let t = 0; t < tokens; ++t) {
    const row = t * width;
    let sum = 0;
    for (let h = 0; h < width; ++h) sum += x[row + h]!;
    const mean = sum / width;
    let squares = 0;
    for (let h = 0; h < width; ++h) {
      const deviation = x[row + h]! - mean;
      squares += deviation * deviation;
    }
    const scale = 1 / Math.sqrt(squares / width + eps);
    for (let h = 0; h < width; ++h) {
      out[row + h] = (x[row + h]! - mean) * scale * weight[h]! + (bias === null ? 0 : bias[h]!);
    }
  }
}
