import { paddingShare, sum } from './statistics.mjs';

/**
 * How many batches a contender is timed on: those that everyone is given, or, where it would be done with them before a
 * figure means something, as many more as last for `least_ms`.
 *
 * @param {{ shared: number, available: number, batch_ms: number, least_ms: number }} of
 */
export function batchesToTime({ shared, available, batch_ms, least_ms }) {
  return Math.min(available, Math.max(shared, Math.ceil(least_ms / batch_ms)));
}

/** @template T @param {readonly T[]} values @param {number} size @returns {T[][]} */
export function intoBatches(values, size) {
  const batches = [];
  for (let i = 0; i < values.length; i += size) batches.push(values.slice(i, i + size));
  return batches;
}

/**
 * `count` of the batches, spread evenly over the list, so that a part of them stands for all: with texts sorted by
 * length, the first batches would be the shortest texts only. Of the ways to spread them, the one whose padding and
 * whose tokens per batch are nearest to the whole list's.
 *
 * @param {readonly (readonly number[])[]} batches token counts of the texts of each batch
 * @param {number} count
 * @returns {number[]} indices, ascending
 */
export function spreadSample(batches, count) {
  if (count >= batches.length) return batches.map((_, i) => i);
  const at = (/** @type {readonly number[]} */ indices) => indices.map((i) => batches[i]);
  const tokensPerBatch = sum(batches.flat()) / batches.length;
  const padding = paddingShare(batches);
  const steps = Math.min(64, Math.ceil(batches.length / count));
  /** @type {number[]} */
  let best = [];
  let least = Infinity;
  for (let step = 0; step < steps; step++) {
    const indices = Array.from({ length: count }, (_, i) =>
      Math.floor(((i + (step + 0.5) / steps) * batches.length) / count),
    );
    const chosen = at(indices);
    const distance =
      Math.abs(paddingShare(chosen) - padding) + Math.abs(sum(chosen.flat()) / count / tokensPerBatch - 1);
    if (distance < least) [best, least] = [indices, distance];
  }
  return best;
}
