import type { PoolingMode } from '../engine.ts';
import { applyLinear, type Linear } from './matmul.ts';
import { allocateDoubles } from './memory.ts';
import type { Sequence } from './sequence.ts';

/**
 * tanh(W h₀ + b), `[H]`
 *
 * @param hidden `[T, H]` of a sequence whose first token stands at column 0
 */
export function poolFirstToken(dense: Linear, hidden: Float64Array): Float64Array {
  const out = allocateDoubles(dense.outputs);
  applyLinear(dense, hidden, 0, 1, out, 0);
  return out.map(Math.tanh);
}

/**
 * One vector `[H]` for the sequence, over the positions whose mask is 1; zeros where there are none. `cls` takes column 0
 * whatever its mask.
 *
 * @param hidden `[T, H]`
 * @param normalize divide by the L2 norm, or by 1e-12 where that is larger
 */
export function poolSequence(
  mode: PoolingMode,
  normalize: boolean,
  sequence: Sequence,
  hidden: Float64Array,
  width: number,
): Float64Array {
  const tokens = sequence.uniform ? [] : [...sequence.keys];
  const rows = tokens.map((token) => hidden.subarray(token * width, (token + 1) * width));
  const pooled = poolers[mode](rows, hidden, width);
  if (!normalize) return pooled;
  const norm = Math.sqrt(pooled.reduce((sum, value) => sum + value * value, 0));
  return pooled.map((value) => value / Math.max(norm, 1e-12));
}

const poolers: Readonly<
  Record<PoolingMode, (rows: readonly Float64Array[], hidden: Float64Array, width: number) => Float64Array>
> = {
  cls: (_rows, hidden, width) => hidden.slice(0, width),
  mean: (rows, _hidden, width) => {
    const mean = allocateDoubles(width);
    for (let h = 0; h < width; ++h) {
      mean[h] = rows.reduce((sum, row) => sum + row[h]!, 0) / Math.max(rows.length, 1e-9);
    }
    return mean;
  },
  max: (rows, _hidden, width) => {
    const largest = allocateDoubles(width);
    if (rows.length === 0) return largest;
    for (let h = 0; h < width; ++h)
      largest[h] = rows.reduce((value, row) => Math.max(value, row[h]!), Number.NEGATIVE_INFINITY);
    return largest;
  },
};
