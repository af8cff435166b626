/** From this many processors in use by others on, a figure is marked. */
export const disturbance = 0.1;

/** @param {readonly number[]} values at least one @param {number} share 0.5: the median */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)];
  const above = sorted[Math.ceil(at)];
  return below + (above - below) * (at - Math.floor(at));
}

/** @param {readonly number[]} values */
export const median = (values) => quantile(values, 0.5);

/** @param {Iterable<number>} values */
export function sum(values) {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/**
 * Share of positions that hold no token when every batch is as wide as its longest text.
 *
 * @param {readonly (readonly number[])[]} batches token counts
 */
export function paddingShare(batches) {
  const positions = sum(batches.map((lengths) => lengths.length * Math.max(...lengths)));
  return 1 - sum(batches.flat()) / positions;
}
