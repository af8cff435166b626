import type { Activation, PoolingMode } from '../specification.ts';
import { activate } from './activations.ts';
import { applyLinear, type Linear } from './matmul.ts';
import { allocateDoubles } from './memory.ts';
import type { Sequence } from './sequence.ts';

/**
 * activation(W h₀ + b), `[H]`
 *
 * @param hidden `[T, H]` of a sequence whose first token stands at column 0
 */
export function poolFirstToken(dense: Linear, activation: Activation, hidden: Float64Array): Float64Array {
  const out = allocateDoubles(dense.outputs);
  applyLinear(dense, hidden, 0, 1, out, 0);
  activate(activation, out, out.length);
  return out;
}

/**
 * The vectors of all modes side by side, `[modes·H]`: each over the positions whose mask is 1 without the first `skip` of
 * them, zeros where there are none.
 *
 * @param hidden `[T, H]`
 */
export function poolSequence(
  modes: readonly PoolingMode[],
  skip: number,
  { columns, masked }: Sequence,
  hidden: Float64Array,
  width: number,
): Float64Array {
  const state = (token: number): Float64Array => hidden.subarray(token * width, (token + 1) * width);
  const kept = [...columns.keys()].filter((token) => masked[token] === 0).slice(skip);
  const rows = kept.map(state);
  const places = kept.map((token) => columns[token]! + 1);

  const out = allocateDoubles(modes.length * width);
  modes.forEach((mode, index) => {
    out.set(mode === 'cls' ? state(0) : poolers[mode](rows, places, width), index * width);
  });
  return out;
}

/** x / max(‖x‖₂, 1e-12), in place. */
export function normalize(x: Float64Array): void {
  const norm = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  for (let i = 0; i < x.length; ++i) x[i]! /= Math.max(norm, 1e-12);
}

/** @param places the column of each row, counted from 1 */
type Pooler = (rows: readonly Float64Array[], places: readonly number[], width: number) => Float64Array;

const poolers: Readonly<Record<Exclude<PoolingMode, 'cls'>, Pooler>> = {
  max: (rows, _, width) => {
    const largest = allocateDoubles(width);
    for (let h = 0; h < width && rows.length > 0; ++h) {
      largest[h] = rows.reduce((value, row) => Math.max(value, row[h]!), Number.NEGATIVE_INFINITY);
    }
    return largest;
  },
  mean: (rows, _, width) => weightedSum(rows, () => 1, rows.length, width),
  mean_sqrt_len_tokens: (rows, _, width) => weightedSum(rows, () => 1, Math.sqrt(rows.length), width),
  weightedmean: (rows, places, width) => {
    const total = places.reduce((sum, place) => sum + place, 0);
    return weightedSum(rows, (index) => places[index]!, total, width);
  },
  lasttoken: (rows, _, width) => rows.at(-1) ?? allocateDoubles(width),
};

/** Σ_t weight(t) · rows[t] / divisor; zeros where there are no rows. */
function weightedSum(
  rows: readonly Float64Array[],
  weight: (index: number) => number,
  divisor: number,
  width: number,
): Float64Array {
  const out = allocateDoubles(width);
  rows.forEach((row, index) => {
    for (let h = 0; h < width; ++h) out[h]! += weight(index) * row[h]!;
  });
  return rows.length === 0 ? out : out.map((sum) => sum / divisor);
}
