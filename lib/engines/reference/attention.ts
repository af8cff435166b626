import type { AttentionSpecification } from '../specification.ts';
import { allocateDoubles } from './memory.ts';
import { type Sequence, visibleKeys } from './sequence.ts';

// T tokens of one sequence, R of them keys, A heads, D head size, S columns of the request.

/** The projections of one sequence, `[T, A·D]` each. */
export interface Projections {
  readonly query: Float64Array;
  readonly key: Float64Array;
  readonly value: Float64Array;
}

/**
 * softmax(scores / √D) V for one head over the keys that the mask shows, where score(l, r) = q_l · k_r, plus what relative
 * positions add (see `AttentionSpecification`). A query that sees no key gets the mean of all values.
 *
 * @param distance the embeddings of l - r, `[2P - 1, D]` with l = r in the middle, or null
 * @param context `[T, A·D]`: the head's D columns are written
 * @param probabilities `[S, S]` of this head and row, zero before; null where nobody asked
 */
export function attendHead(
  { num_attention_heads, head_size, position, mask }: AttentionSpecification,
  head: number,
  { query, key, value }: Projections,
  distance: Float64Array | null,
  sequence: Sequence,
  context: Float64Array,
  probabilities: Float32Array | null,
): void {
  const { columns, keys, uniform, visible, length } = sequence;
  const width = num_attention_heads * head_size;
  const headKeys = gatherHead(key, keys, head, head_size, width);
  const headValues = gatherHead(value, keys, head, head_size, width);
  const keyColumns = keys.map((token) => columns[token]!);
  const scale = 1 / Math.sqrt(head_size);

  for (let l = 0; l < columns.length; ++l) {
    const queryOffset = l * width + head * head_size;
    const [begin, end] = uniform ? [0, 0] : visibleKeys(mask, columns[l]!, keyColumns);
    const probabilityRow =
      probabilities === null || visible[l] === 0
        ? null
        : probabilities.subarray(columns[l]! * length, (columns[l]! + 1) * length);
    if (begin === end) {
      averageValues(value, head * head_size, width, head_size, context, queryOffset);
      probabilityRow?.fill(1 / length);
      continue;
    }
    const weights = allocateDoubles(end - begin);
    const seenKeys = headKeys.subarray(begin * head_size, end * head_size);
    const seenColumns = keyColumns.subarray(begin, end);
    scoreKeys(query, queryOffset, seenKeys, head_size, weights);
    if (distance !== null) {
      const addKeys = position === 'relative_key_query' ? seenKeys : null;
      addRelativeScores(weights, query, queryOffset, addKeys, distance, columns[l]!, seenColumns, head_size);
    }
    softmax(weights, scale);
    combine(weights, headValues.subarray(begin * head_size, end * head_size), head_size, context, queryOffset);
    if (probabilityRow !== null) {
      for (let r = 0; r < weights.length; ++r) probabilityRow[seenColumns[r]!] = weights[r]!;
    }
  }
}

/** context[:] = the mean of one head's values over all tokens. */
function averageValues(
  value: Float64Array,
  valueOffset: number,
  width: number,
  head_size: number,
  context: Float64Array,
  contextOffset: number,
): void {
  const tokens = value.length / width;
  for (let d = 0; d < head_size; ++d) {
    let sum = 0;
    for (let token = 0; token < tokens; ++token) sum += value[token * width + valueOffset + d]!;
    context[contextOffset + d] = sum / tokens;
  }
}

/** score(l, r) += q_l · e_{l-r}, and k_r · e_{l-r} where keys are given, for one query. */
function addRelativeScores(
  scores: Float64Array,
  query: Float64Array,
  queryOffset: number,
  headKeys: Float64Array | null,
  distance: Float64Array,
  queryColumn: number,
  keyColumns: Int32Array,
  head_size: number,
): void {
  const middle = (distance.length / head_size - 1) / 2;
  for (let r = 0; r < keyColumns.length; ++r) {
    const offset = (queryColumn - keyColumns[r]! + middle) * head_size;
    scores[r]! += dot(query, queryOffset, distance, offset, head_size);
    if (headKeys !== null) scores[r]! += dot(headKeys, r * head_size, distance, offset, head_size);
  }
}

/** The rows of the keys and the columns of one head, side by side: `[R, D]`. */
function gatherHead(x: Float64Array, keys: Int32Array, head: number, head_size: number, width: number): Float64Array {
  const out = allocateDoubles(keys.length * head_size);
  keys.forEach((token, r) => {
    const start = token * width + head * head_size;
    out.set(x.subarray(start, start + head_size), r * head_size);
  });
  return out;
}

/** scores[r] = query · keys[r, :]. Four sums at a time: a single one would wait for each of its own additions. */
function scoreKeys(
  query: Float64Array,
  queryOffset: number,
  keys: Float64Array,
  head_size: number,
  scores: Float64Array,
): void {
  const tiled = scores.length - (scores.length % 4);
  for (let r = 0; r < tiled; r += 4) {
    const k0 = r * head_size;
    const k1 = k0 + head_size;
    const k2 = k1 + head_size;
    const k3 = k2 + head_size;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let d = 0; d < head_size; ++d) {
      const q = query[queryOffset + d]!;
      s0 += q * keys[k0 + d]!;
      s1 += q * keys[k1 + d]!;
      s2 += q * keys[k2 + d]!;
      s3 += q * keys[k3 + d]!;
    }
    scores[r] = s0;
    scores[r + 1] = s1;
    scores[r + 2] = s2;
    scores[r + 3] = s3;
  }
  for (let r = tiled; r < scores.length; ++r) scores[r] = dot(query, queryOffset, keys, r * head_size, head_size);
}

function dot(x: Float64Array, xOffset: number, y: Float64Array, yOffset: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; ++i) sum += x[xOffset + i]! * y[yOffset + i]!;
  return sum;
}

/** x = softmax(scale·x), the maximum subtracted first. */
function softmax(x: Float64Array, scale: number): void {
  let maximum = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < x.length; ++i) maximum = Math.max(maximum, x[i]!);
  let sum = 0;
  for (let i = 0; i < x.length; ++i) {
    x[i] = Math.exp(scale * (x[i]! - maximum));
    sum += x[i]!;
  }
  for (let i = 0; i < x.length; ++i) x[i]! /= sum;
}

/** context[:] = Σ_r weights[r] · values[r, :] */
function combine(
  weights: Float64Array,
  values: Float64Array,
  head_size: number,
  context: Float64Array,
  contextOffset: number,
): void {
  context.fill(0, contextOffset, contextOffset + head_size);
  for (let r = 0; r < weights.length; ++r) {
    const weight = weights[r]!;
    const row = r * head_size;
    for (let d = 0; d < head_size; ++d) context[contextOffset + d]! += weight * values[row + d]!;
  }
}
