/** @import { Arithmetic } from '../types.ts' */
/** @import { Agreement, Entry } from './types.ts' */

/**
 * What results have to meet to be timed, beside the reference engine's: how far a score may be from the one at its place, as
 * a share of it, and how many labels have to be the same. A score at a place, the highest of a text, hardly changes where two
 * labels change places; labels of random weights lie closer together than those of trained ones. So in reduced weights a
 * label may stand where one stands whose score is as near as the bar.
 *
 * @type {Readonly<Record<Arithmetic, { score: number, labels: number }>>}
 */
const bars = {
  fp32: { score: 1e-4, labels: 1 },
  'fp32-high': { score: 1e-4, labels: 1 },
  fp16: { score: 4e-3, labels: 0.5 },
  bf16: { score: 3e-2, labels: 0.5 },
  q8: { score: 1.5e-1, labels: 0.5 },
};

/**
 * Compares results with the reference engine's, entry by entry.
 *
 * @param {readonly (readonly Entry[])[]} results
 * @param {readonly (readonly Entry[])[]} expected
 * @param {Arithmetic} arithmetic
 * @returns {Agreement}
 */
export function compareResults(results, expected, arithmetic) {
  if (results.length !== expected.length) {
    throw new Error(`${results.length} results where the reference engine has ${expected.length}`);
  }
  const bar = bars[arithmetic];
  let entries = 0;
  let same = 0;
  let allowed = 0;
  let max_score_error = 0;
  for (const [i, wanted] of expected.entries()) {
    const got = results[i];
    if (got.length !== wanted.length) {
      throw new Error(`${got.length} entries in a result where the reference engine has ${wanted.length}`);
    }
    for (const [j, { label, score }] of wanted.entries()) {
      entries++;
      const isSame = got[j].label === label;
      if (isSame) same++;
      if (isSame || (bar.labels < 1 && isNear(wanted, got[j].label, score, bar.score))) allowed++;
      const error = Math.abs(got[j].score - score) / score;
      max_score_error = Number.isNaN(error) ? Infinity : Math.max(max_score_error, error);
    }
  }
  return {
    items: expected.length,
    same_labels: entries === 0 ? 0 : same / entries,
    max_score_error,
    bar: `scores within ${bar.score.toExponential()}, at least ${100 * bar.labels}% of the labels the same`,
    passed: max_score_error <= bar.score && entries > 0 && allowed >= bar.labels * entries,
  };
}

/**
 * Whether a label has a score of its own among those expected, and one so near.
 *
 * @param {readonly Entry[]} wanted @param {string} label @param {number} score @param {number} share
 */
function isNear(wanted, label, score, share) {
  return wanted.some((entry) => entry.label === label && Math.abs(entry.score - score) <= share * score);
}
