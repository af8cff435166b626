import { applyLinear, type Linear } from './matmul.ts';
import { allocateDoubles } from './memory.ts';
import { pause } from './pause.ts';

/** Tokens that pass through a linear map together: few enough for the cache, and for the event loop not to wait long. */
export const blockTokens = 32;

export function* tokenBlocks(tokens: number): Generator<{ first: number; count: number }> {
  for (let first = 0; first < tokens; first += blockTokens) {
    yield { first, count: Math.min(blockTokens, tokens - first) };
  }
}

/** W x + b for each of T rows, with pauses. */
export async function mapRows(linear: Linear, x: Float64Array, tokens: number): Promise<Float64Array> {
  const out = allocateDoubles(tokens * linear.outputs);
  for (const { first, count } of tokenBlocks(tokens)) {
    applyLinear(linear, x, first * linear.inputs, count, out, first * linear.outputs);
    await pause();
  }
  return out;
}

/** out[i] += x[i] */
export function addTo(out: Float64Array, x: ArrayLike<number>): void {
  for (let i = 0; i < out.length; ++i) out[i]! += x[i]!;
}
