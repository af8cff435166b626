// What the normalization forms (Unicode annex 15) need, told from what a `normalize(text, form)` does.

import { codePointsOf, hangulSyllables, isNonstarter, lastCodePoint, within } from './code-points.mjs';

/** Classes of texts of one nonstarter each, counted from 1 in ascending order. */
function rankByCombiningClass(texts, normalize) {
  const above = (a, b) => normalize(a + b, 'NFD') === b + a && a !== b;
  const sorted = [...texts].sort((a, b) => (above(a, b) ? 1 : above(b, a) ? -1 : 0));
  const ranks = new Map();
  let rank = 0;
  sorted.forEach((text, i) => {
    if (i === 0 || above(text, sorted[i - 1])) rank++;
    ranks.set(text, rank);
  });
  return ranks;
}

export const newNonstarterBit = 7;

/**
 * The rank of every code point's combining class, 0 for starters; newNonstarterBit beside it where `oldNormalize` does not
 * know yet that it is no starter.
 */
export function combiningRankOfEach(nonstarters, normalize, oldNormalize) {
  const ranks = rankByCombiningClass(nonstarters, normalize);
  if (Math.max(...ranks.values()) >= 1 << newNonstarterBit) throw new Error('more combining classes than bits');
  const known = nonstarters.filter((text) => isNonstarter(text, oldNormalize));
  const knownRanks = rankByCombiningClass(known, oldNormalize);
  const byRank = [...known].sort((a, b) => ranks.get(a) - ranks.get(b));
  byRank.slice(1).forEach((text, i) => {
    const rises = (of) => Math.sign(of.get(text) - of.get(byRank[i]));
    if (rises(ranks) !== rises(knownRanks))
      throw new Error(`the class of U+${codePointsOf(text)[0].toString(16)} changed`);
  });
  const result = new Uint8Array(lastCodePoint + 1);
  for (const [text, rank] of ranks) {
    result[text.codePointAt(0)] = rank | (knownRanks.has(text) ? 0 : 1 << newNonstarterBit);
  }
  return result;
}

/** The compatibility decompositions that are not the canonical ones. */
export function compatibilityDecompositions(normalize) {
  const result = new Map();
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    const full = normalize(text, 'NFKD');
    if (full !== normalize(text, 'NFD')) result.set(c, codePointsOf(full));
  }
  return result;
}

/** For each code point that anything composes with, the pairs of what may follow it and what they make. */
export function compositions(normalize) {
  const composites = [];
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    if (within([hangulSyllables], c) || normalize(text, 'NFD') === text || normalize(text, 'NFC') !== text) continue;
    composites.push(text);
  }
  const parts = new Set(composites.flatMap((text) => Array.from(normalize(text, 'NFD'))));
  const seconds = new Set(composites.flatMap((text) => Array.from(normalize(text, 'NFD')).slice(1)));
  const known = new Set(composites);
  const result = new Map();
  for (const first of [...parts, ...composites]) {
    for (const second of seconds) {
      const composite = normalize(first + second, 'NFC');
      if (!known.has(composite) || normalize(composite, 'NFD') !== normalize(first, 'NFD') + second) continue;
      const c = first.codePointAt(0);
      if (!result.has(c)) result.set(c, []);
      result.get(c).push(second.codePointAt(0), composite.codePointAt(0));
    }
  }
  return result;
}

const jamoVowels = [0x1161, 0x1175];
const jamoTrails = [0x11a8, 0x11c2];

export const forms = ['NFC', 'NFD', 'NFKC', 'NFKD'];

/** The bits behind those of the forms. */
export const normalizationFlags = [
  { name: 'ComposesBack', comment: 'May compose with what stands before it.' },
  {
    name: 'DecomposesInForms',
    comment: 'Has a canonical decomposition in the forms: not all that have kDecomposes were known to them.',
  },
  { name: 'MarkInForms', comment: 'Category M in the version of the forms.' },
];

/** One bit per form: the character may change in it, or change with what stands before it. Behind them, normalizationFlags. */
export function normalizationFlagsOfEach(pairs, normalize, isMark) {
  const seconds = new Set([...pairs.values()].flatMap((list) => list.filter((_, i) => i % 2 === 0)));
  const composesBack = (c) => seconds.has(c) || within([jamoVowels, jamoTrails], c);
  const result = new Uint8Array(lastCodePoint + 1);
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    const isReordered = isNonstarter(text, normalize);
    forms.forEach((form, bit) => {
      const composing = form.endsWith('C');
      const first = normalize(text, form.replace('C', 'D')).codePointAt(0);
      const changes = normalize(text, form) !== text || isReordered || (composing && composesBack(first));
      if (changes) result[c] |= 1 << bit;
    });
    const decomposes = !within([hangulSyllables], c) && normalize(text, 'NFD') !== text;
    [composesBack(c), decomposes, isMark(text)].forEach((holds, i) => {
      if (holds) result[c] |= 1 << (forms.length + i);
    });
  }
  return result;
}
