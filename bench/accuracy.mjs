/** @import { Accuracy, Arithmetic } from './types.ts' */

/**
 * What vectors have to meet to be timed, beside the reference engine's, which computes in double precision from the fp32
 * weights. fp32: every value within the goldens' bar. The others: the relative L2 error of every vector, of fp16 that of
 * rounding the weights (half a unit in the last place is 2⁻¹¹ = 4.9e-4 of a weight at most).
 *
 * @type {Readonly<Record<Arithmetic, { of: 'max_mixed_error' | 'max_relative_l2', limit: number, text: string }>>}
 */
const bars = {
  fp32: { of: 'max_mixed_error', limit: 2e-5, text: '|a - b| ≤ 2e-5 + 2e-5·|b|' },
  'fp32-high': relativeBar(2e-5),
  fp16: relativeBar(1e-3),
  bf16: relativeBar(1e-2),
  q8: relativeBar(4e-2),
};

/** @param {number} limit */
function relativeBar(limit) {
  const of = /** @type {const} */ ('max_relative_l2');
  return { of, limit, text: `‖a - b‖ ≤ ${limit.toExponential()}·‖b‖` };
}

/**
 * Compares vectors with the reference engine's.
 *
 * @param {Float32Array} vectors
 * @param {Float32Array} expected as long
 * @param {number} count of vectors
 * @param {Arithmetic} arithmetic
 * @returns {Accuracy}
 */
export function compareVectors(vectors, expected, count, arithmetic) {
  if (vectors.length !== expected.length) {
    throw new Error(`${vectors.length} values where the reference engine has ${expected.length}`);
  }
  const size = expected.length / count;
  const errors = { max_mixed_error: 0, max_relative_l2: 0 };
  for (let i = 0; i < count; i++) {
    let difference = 0;
    let norm = 0;
    for (let j = i * size; j < (i + 1) * size; j++) {
      const a = vectors[j];
      const b = expected[j];
      errors.max_mixed_error = worse(errors.max_mixed_error, Math.abs(a - b) / (1 + Math.abs(b)));
      difference += (a - b) ** 2;
      norm += b ** 2;
    }
    errors.max_relative_l2 = worse(errors.max_relative_l2, Math.sqrt(difference / norm));
  }
  const { of, limit, text } = bars[arithmetic];
  return { texts: count, ...errors, bar: text, passed: errors[of] <= limit };
}

/** The larger; Infinity in place of NaN, which no comparison would notice. @param {number} a @param {number} b */
function worse(a, b) {
  return Number.isNaN(b) ? Infinity : Math.max(a, b);
}
