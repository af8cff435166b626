// T tokens, K inputs, N outputs.

/** A linear map as a checkpoint stores it: weight `[N, K]`, bias `[N]` or none. */
export interface Linear {
  readonly weight: Float32Array;
  readonly bias: Float32Array | null;
  readonly inputs: number;
  readonly outputs: number;
}

/** Rows of x and of the weight that are multiplied together: eight sums stay in registers. */
const tileRows = 2;
const tileColumns = 4;

/**
 * out[t, :] = W x[t, :] + b     for t < tokens
 *
 * Every element is one sum in ascending k, in double precision, whichever loop computes it. The weight is streamed once
 * per call and x once per four outputs, so callers pass a few dozen tokens at a time: then x stays in the cache.
 *
 * @param x `[T, K]`, from element xOffset on
 * @param out `[T, N]`, from element outOffset on
 */
export function applyLinear(
  { weight, bias, inputs, outputs }: Linear,
  x: Float64Array,
  xOffset: number,
  tokens: number,
  out: Float64Array,
  outOffset: number,
): void {
  const biasOf = (n: number): number => (bias === null ? 0 : bias[n]!);
  const tiledTokens = tokens - (tokens % tileRows);
  const tiledOutputs = outputs - (outputs % tileColumns);
  for (let n = 0; n < tiledOutputs; n += tileColumns) {
    const b0 = biasOf(n);
    const b1 = biasOf(n + 1);
    const b2 = biasOf(n + 2);
    const b3 = biasOf(n + 3);
    const w0 = n * inputs;
    const w1 = w0 + inputs;
    const w2 = w1 + inputs;
    const w3 = w2 + inputs;
    for (let t = 0; t < tiledTokens; t += tileRows) {
      const xa = xOffset + t * inputs;
      const xb = xa + inputs;
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let c0 = 0;
      let c1 = 0;
      let c2 = 0;
      let c3 = 0;
      for (let k = 0; k < inputs; ++k) {
        const va = x[xa + k]!;
        const vc = x[xb + k]!;
        const v0 = weight[w0 + k]!;
        a0 += va * v0;
        c0 += vc * v0;
        const v1 = weight[w1 + k]!;
        a1 += va * v1;
        c1 += vc * v1;
        const v2 = weight[w2 + k]!;
        a2 += va * v2;
        c2 += vc * v2;
        const v3 = weight[w3 + k]!;
        a3 += va * v3;
        c3 += vc * v3;
      }
      const oa = outOffset + t * outputs + n;
      out[oa] = a0 + b0;
      out[oa + 1] = a1 + b1;
      out[oa + 2] = a2 + b2;
      out[oa + 3] = a3 + b3;
      const oc = oa + outputs;
      out[oc] = c0 + b0;
      out[oc + 1] = c1 + b1;
      out[oc + 2] = c2 + b2;
      out[oc + 3] = c3 + b3;
    }
  }

  const dot = (t: number, n: number): number => {
    const xRow = xOffset + t * inputs;
    const wRow = n * inputs;
    let sum = 0;
    for (let k = 0; k < inputs; ++k) sum += x[xRow + k]! * weight[wRow + k]!;
    return sum;
  };
  for (let t = 0; t < tokens; ++t) {
    const firstLeft = t < tiledTokens ? tiledOutputs : 0;
    for (let n = firstLeft; n < outputs; ++n) out[outOffset + t * outputs + n] = dot(t, n) + biasOf(n);
  }
}
