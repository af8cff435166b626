/**
 * Rotary position embeddings: Su et al. 2021, "RoFormer", https://arxiv.org/abs/2104.09864. theta^(-2i / dimensions) for
 * every pair i of a head's columns, in fp32 as PyTorch computes it.
 */
export function inverseFrequencies(theta: number, dimensions: number): number[] {
  return Array.from({ length: dimensions / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / dimensions))),
  );
}
