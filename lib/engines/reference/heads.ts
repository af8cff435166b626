import type { Activation, HeadSpecification } from '../specification.ts';
import { activate } from './activations.ts';
import { tokenBlocks } from './blocks.ts';
import { applyLinear, type Linear } from './matmul.ts';
import { allocateDoubles } from './memory.ts';
import { applyLayerNorm, type LayerNorm } from './norm.ts';
import { pause } from './pause.ts';
import { normalize } from './pooling.ts';

export interface HeadWeights {
  readonly specification: HeadSpecification;
  readonly steps: readonly HeadStepWeights[];
}

export type HeadStepWeights =
  | { readonly kind: 'linear'; readonly linear: Linear }
  | { readonly kind: 'norm'; readonly norm: LayerNorm }
  | { readonly kind: 'activation'; readonly activation: Activation }
  | { readonly kind: 'normalize' };

/**
 * A head over R rows.
 *
 * @param x `[R, K]`
 * @param store takes what the head gives for row r
 */
export async function runHead(
  { steps }: HeadWeights,
  x: Float64Array,
  rows: number,
  store: (row: number, values: Float64Array) => void,
): Promise<void> {
  for (const { first, count } of tokenBlocks(rows)) {
    const width = x.length / rows;
    let block: Float64Array = x.slice(first * width, (first + count) * width);
    for (const step of steps) block = runStep(step, block, count);
    for (let t = 0; t < count; ++t) store(first + t, rowOf(block, t, count));
    await pause();
  }
}

/** One step over a block of rows; x may be overwritten. */
function runStep(step: HeadStepWeights, x: Float64Array, rows: number): Float64Array {
  switch (step.kind) {
    case 'linear': {
      const out = allocateDoubles(rows * step.linear.outputs);
      applyLinear(step.linear, x, 0, rows, out, 0);
      return out;
    }
    case 'norm':
      applyLayerNorm(step.norm, x, rows, x);
      return x;
    case 'activation':
      activate(step.activation, x, x.length);
      return x;
    case 'normalize':
      for (let row = 0; row < rows; ++row) normalize(rowOf(x, row, rows));
      return x;
  }
}

function rowOf(x: Float64Array, row: number, rows: number): Float64Array {
  const width = x.length / rows;
  return x.subarray(row * width, (row + 1) * width);
}
