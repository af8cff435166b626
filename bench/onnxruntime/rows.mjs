/** Rows of token ids as padded arrays, and vectors of what comes back. */

/** @import { TokenizedText } from './types.ts' */

/**
 * @overload
 * @param {readonly TokenizedText[]} items
 * @param {Int32ArrayConstructor} type
 * @returns {{ ids: Int32Array, mask: Int32Array, dims: [number, number] }} `[B, S]`
 */
/**
 * @overload
 * @param {readonly TokenizedText[]} items
 * @param {BigInt64ArrayConstructor} type
 * @returns {{ ids: BigInt64Array, mask: BigInt64Array, dims: [number, number] }} `[B, S]`
 */
/**
 * Ids with zeros behind the shorter rows, and the mask.
 *
 * @param {readonly TokenizedText[]} items
 * @param {any} type of the arrays
 * @returns {any}
 */
export function padded(items, type) {
  const width = Math.max(...items.map(({ ids }) => ids.length));
  const ids = new type(items.length * width);
  const mask = new type(items.length * width);
  const one = type === BigInt64Array ? 1n : 1;
  for (const [row, { ids: own }] of items.entries()) {
    if (type === Int32Array) ids.set(own, row * width);
    else for (let i = 0; i < own.length; i++) ids[row * width + i] = BigInt(own[i]);
    mask.fill(one, row * width, row * width + own.length);
  }
  return { ids, mask, dims: [items.length, width] };
}

/**
 * The mean of each row's states.
 *
 * @param {readonly TokenizedText[]} items
 * @param {{ readonly data: ArrayLike<number>, readonly dims: readonly number[] }} states `[B, S, H]`
 * @returns {Float32Array} `[B, H]`
 */
export function pooledByHand(items, { data, dims }) {
  const [, S = 0, H = 0] = dims;
  const pooled = new Float32Array(items.length * H);
  for (const [b, { ids }] of items.entries()) {
    for (let h = 0; h < H; h++) {
      let sum = 0;
      for (let s = 0; s < ids.length; s++) sum += data[(b * S + s) * H + h];
      pooled[b * H + h] = sum / ids.length;
    }
  }
  return pooled;
}
