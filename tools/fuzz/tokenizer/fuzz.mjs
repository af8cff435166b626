// The loop: texts in batches of one setting each, compared, and what differs made small.

import { difference, ownRows, referenceRows } from './compare.mjs';
import { isKnown, withoutNewCharacters, withoutTableDifferences } from './known-differences.mjs';
import { minimise } from './minimise.mjs';
import { textSource } from './random-texts.mjs';

/** @import { Row, Sample, Setting } from './compare.mjs' */
/** @import { Both } from './open.mjs' */
/** @import { Random } from './random-texts.mjs' */
/**
 * @typedef {object} Failure
 * @property {Sample} sample
 * @property {Setting} setting
 * @property {string} part that differs
 * @property {Row | { error: string }} own
 * @property {Row | { error: string }} reference
 */

const batchSize = 200;

/**
 * After each batch `{ compared, failure: null }`, and before it one `{ compared, failure }` for each text that differs in
 * a way that is not known.
 *
 * @param {Both} both
 * @param {{ random: Random, lines: readonly string[], count: number }} options lines of real text to mutate
 * @returns {AsyncGenerator<{ compared: number, failure: Failure | null }>}
 */
export async function* fuzz(both, { random, lines, count }) {
  const make = textSource(random, { lines, special_tokens: both.special_tokens });
  const withoutKnown = both.from === 'vocab.txt' ? withoutTableDifferences : withoutNewCharacters;
  const next = () => withoutKnown(make());
  for (let compared = 0; compared < count; ) {
    const setting = randomSetting(random, both);
    const samples = Array.from({ length: Math.min(batchSize, count - compared) }, () => ({
      text: next(),
      pair: random(4) === 0 ? next() : null,
    }));
    compared += samples.length;
    for (const sample of await differing(both, samples, setting)) {
      yield { compared, failure: await smallest(both, sample, setting) };
    }
    yield { compared, failure: null };
  }
}

/** @param {Random} random @param {Both} both @returns {Setting} */
function randomSetting(random, { special_count }) {
  const add_special_tokens = random(4) !== 0;
  if (random(3) !== 0) return { add_special_tokens, truncation: null };
  const strategies = /** @type {const} */ (['longest_first', 'only_first', 'only_second']);
  // The Rust library aborts the process where no room is left beside the special tokens.
  const max_length = special_count + 1 + random(random(2) === 0 ? 8 : 60);
  const side = random(3) === 0 ? 'left' : 'right';
  return { add_special_tokens, truncation: { max_length, strategy: strategies[random(3)], side } };
}

/** @param {Both} both @param {readonly Sample[]} samples @param {Setting} setting */
async function differing(both, samples, setting) {
  const [own, reference] = await rowsOf(both, samples, setting);
  return samples.filter((sample, i) => isDifference(both, { sample, setting, own: own[i], reference: reference[i] }));
}

/** @param {Both} both @param {readonly Sample[]} samples @param {Setting} setting */
async function rowsOf({ own, reference }, samples, setting) {
  return [ownRows(own, samples, setting), await referenceRows(reference, samples, setting)];
}

function isDifference(both, { sample, setting, own, reference }) {
  const part = difference(own, reference);
  return part !== null && !isKnown({ sample, setting, part, own, reference }, both);
}

/** @param {Both} both @param {Sample} sample @param {Setting} setting @returns {Promise<Failure>} */
async function smallest(both, sample, setting) {
  const fails = async (candidate) => (await differing(both, [candidate], setting)).length > 0;
  const text = await minimise(sample.text, (part) => fails({ ...sample, text: part }));
  let small = { ...sample, text };
  if (small.pair !== null) {
    small = { ...small, pair: await minimise(small.pair, (part) => fails({ ...small, pair: part })) };
    if (await fails({ ...small, pair: null })) small = { ...small, pair: null };
  }
  const [[own], [reference]] = await rowsOf(both, [small], setting);
  return { sample: small, setting, part: difference(own, reference), own, reference };
}
