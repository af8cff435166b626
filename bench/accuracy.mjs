/** @import { Accuracy } from './types.ts' */

const fp32Tolerance = 2e-5;
const quantisedTolerance = 4e-2;

/**
 * Compares vectors with the reference engine's. fp32: every value within the goldens' bar. Quantised: the relative L2
 * error of every vector.
 *
 * @param {Float32Array} vectors
 * @param {Float32Array} expected as long
 * @param {number} count of vectors
 * @param {boolean} fp32
 * @returns {Accuracy}
 */
export function compareVectors(vectors, expected, count, fp32) {
  if (vectors.length !== expected.length) {
    throw new Error(`${vectors.length} values where the reference engine has ${expected.length}`);
  }
  const size = expected.length / count;
  let max_mixed_error = 0;
  let max_relative_l2 = 0;
  for (let i = 0; i < count; i++) {
    let difference = 0;
    let norm = 0;
    for (let j = i * size; j < (i + 1) * size; j++) {
      const a = vectors[j];
      const b = expected[j];
      max_mixed_error = worse(max_mixed_error, Math.abs(a - b) / (1 + Math.abs(b)));
      difference += (a - b) ** 2;
      norm += b ** 2;
    }
    max_relative_l2 = worse(max_relative_l2, Math.sqrt(difference / norm));
  }
  return {
    texts: count,
    max_mixed_error,
    max_relative_l2,
    bar: fp32 ? '|a - b| ≤ 2e-5 + 2e-5·|b|' : '‖a - b‖ ≤ 4e-2·‖b‖',
    passed: fp32 ? max_mixed_error <= fp32Tolerance : max_relative_l2 <= quantisedTolerance,
  };
}

/** The larger; Infinity in place of NaN, which no comparison would notice. @param {number} a @param {number} b */
function worse(a, b) {
  return Number.isNaN(b) ? Infinity : Math.max(a, b);
}
