import type { AttentionSpecification } from '../specification.ts';
import { allocateDoubles } from './memory.ts';
import type { DistanceTerms } from './relative-positions.ts';
import { type Sequence, visibleKeys } from './sequence.ts';

// T tokens of one sequence, R of them keys, A heads, D head size, S columns of the request.

/** The projections of one sequence, `[T, A·D]` each, turned where positions are rotary. */
export interface Projections {
  readonly query: Float64Array;
  readonly key: Float64Array;
  readonly value: Float64Array;
}

/**
 * softmax(scores / √(D · scale_factor)) V for one head over the keys that the mask shows, where score(l, r) = q_l · k_r,
 * plus what the distance of l and r adds. A query that sees no key gets the mean of all values.
 *
 * @param context `[T, A·D]`, zero before: the head's D columns are written
 * @param probabilities `[S, S]` of this head and row, zero before; null where nobody asked
 */
export function attendHead(
  { num_attention_heads, head_size, mask, scale_factor, masked_queries }: AttentionSpecification,
  head: number,
  { query, key, value }: Projections,
  distances: DistanceTerms | null,
  sequence: Sequence,
  context: Float64Array,
  probabilities: Float32Array | null,
): void {
  const { columns, keys, uniform, masked, visible, length } = sequence;
  const width = num_attention_heads * head_size;
  const headKeys = gatherHead(key, keys, head, head_size, width);
  const headValues = gatherHead(value, keys, head, head_size, width);
  const keyColumns = keys.map((token) => columns[token]!);
  const scale = 1 / Math.sqrt(head_size * scale_factor);

  for (let l = 0; l < columns.length; ++l) {
    if (masked[l] === 1 && masked_queries === 'zero') continue;
    const offset = l * width + head * head_size;
    const out = context.subarray(offset, offset + head_size);
    const [begin, end] = uniform ? [0, 0] : visibleKeys(mask, columns[l]!, keyColumns);
    const probabilityRow =
      probabilities === null || visible[l] === 0
        ? null
        : probabilities.subarray(columns[l]! * length, (columns[l]! + 1) * length);
    if (begin === end) {
      averageValues(value, head * head_size, width, out);
      probabilityRow?.fill(1 / length);
      continue;
    }
    const headQuery = query.subarray(offset, offset + head_size);
    const seenKeys = headKeys.subarray(begin * head_size, end * head_size);
    const seenColumns = keyColumns.subarray(begin, end);
    const weights = allocateDoubles(end - begin);
    scoreKeys(headQuery, seenKeys, weights);
    if (distances !== null) addDistanceScores(distances, head, headQuery, seenKeys, columns[l]!, seenColumns, weights);
    for (let r = 0; r < weights.length; ++r) weights[r]! *= scale;
    if (distances?.bias) addBias(distances, num_attention_heads, head, columns[l]!, seenColumns, weights);
    softmax(weights);
    combine(weights, headValues.subarray(begin * head_size, end * head_size), out);
    if (probabilityRow !== null) {
      for (let r = 0; r < weights.length; ++r) probabilityRow[seenColumns[r]!] = weights[r]!;
    }
  }
}

/** out[:] = the mean of one head's values over all tokens. */
function averageValues(value: Float64Array, valueOffset: number, width: number, out: Float64Array): void {
  const tokens = value.length / width;
  for (let d = 0; d < out.length; ++d) {
    let sum = 0;
    for (let token = 0; token < tokens; ++token) sum += value[token * width + valueOffset + d]!;
    out[d] = sum / tokens;
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
function scoreKeys(query: Float64Array, keys: Float64Array, scores: Float64Array): void {
  const head_size = query.length;
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
      const q = query[d]!;
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
  for (let r = tiled; r < scores.length; ++r) scores[r] = dot(query, 0, keys, r * head_size, head_size);
}

/** score(l, r) += q_l · toKey[row of l - r] and k_r · toQuery[row of l - r], for one query. */
function addDistanceScores(
  { rowOf, toKey, toQuery, width, headStride }: DistanceTerms,
  head: number,
  query: Float64Array,
  keys: Float64Array,
  queryColumn: number,
  keyColumns: Int32Array,
  scores: Float64Array,
): void {
  const size = query.length;
  for (let r = 0; r < scores.length; ++r) {
    const offset = rowOf(queryColumn - keyColumns[r]!) * width + head * headStride;
    if (toKey !== null) scores[r]! += dot(query, 0, toKey, offset, size);
    if (toQuery !== null) scores[r]! += dot(keys, r * size, toQuery, offset, size);
  }
}

function addBias(
  { rowOf, bias }: DistanceTerms,
  heads: number,
  head: number,
  queryColumn: number,
  keyColumns: Int32Array,
  scores: Float64Array,
): void {
  for (let r = 0; r < scores.length; ++r) scores[r]! += bias![rowOf(queryColumn - keyColumns[r]!) * heads + head]!;
}

function dot(x: Float64Array, xOffset: number, y: Float64Array, yOffset: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; ++i) sum += x[xOffset + i]! * y[yOffset + i]!;
  return sum;
}

/** x = softmax(x), the maximum subtracted first. */
function softmax(x: Float64Array): void {
  let maximum = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < x.length; ++i) maximum = Math.max(maximum, x[i]!);
  let sum = 0;
  for (let i = 0; i < x.length; ++i) {
    x[i] = Math.exp(x[i]! - maximum);
    sum += x[i]!;
  }
  for (let i = 0; i < x.length; ++i) x[i]! /= sum;
}

/** out[:] = Σ_r weights[r] · values[r, :] */
function combine(weights: Float64Array, values: Float64Array, out: Float64Array): void {
  out.fill(0);
  for (let r = 0; r < weights.length; ++r) {
    const weight = weights[r]!;
    const row = r * out.length;
    for (let d = 0; d < out.length; ++d) out[d]! += weight * values[row + d]!;
  }
}
