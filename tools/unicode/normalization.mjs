// What the normalization forms (Unicode annex 15) need, told from what String.prototype.normalize does.

import { hangulSyllables, lastCodePoint, within } from './properties.mjs';

export function codePointsOf(text) {
  return Array.from(text, (character) => character.codePointAt(0));
}

// The combining classes that characters have, as of Unicode 4.0 to 17.0; ranks are turned into these.
const combiningClasses = [
  ...[1, 6, 7, 8, 9, ...Array.from({ length: 27 }, (_, i) => 10 + i), 84, 91, 103, 107, 118, 122, 129, 130, 132],
  ...[202, 214, 216, 218, 220, 222, 224, 226, 228, 230, 232, 233, 234, 240],
];

/** Classes of texts of one nonstarter each, counted from 1 in ascending order. */
export function rankByCombiningClass(texts) {
  const above = (a, b) => (a + b).normalize('NFD') === b + a && a !== b;
  const sorted = [...texts].sort((a, b) => (above(a, b) ? 1 : above(b, a) ? -1 : 0));
  const ranks = new Map();
  let rank = 0;
  sorted.forEach((text, i) => {
    if (i === 0 || above(text, sorted[i - 1])) rank++;
    ranks.set(text.codePointAt(0), rank);
  });
  return ranks;
}

/** The combining class of every code point; `nonstarters` are those that have any. */
export function combiningClassOfEach(nonstarters) {
  const ranks = rankByCombiningClass(nonstarters);
  const count = Math.max(...ranks.values());
  if (count !== combiningClasses.length)
    throw new Error(`${count} combining classes, ${combiningClasses.length} known`);
  const result = new Uint8Array(lastCodePoint + 1);
  for (const [c, rank] of ranks) result[c] = combiningClasses[rank - 1];
  return result;
}

/** The compatibility decompositions that are not the canonical ones. */
export function compatibilityDecompositions() {
  const result = new Map();
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    const full = text.normalize('NFKD');
    if (full !== text.normalize('NFD')) result.set(c, codePointsOf(full));
  }
  return result;
}

/** For each code point that anything composes with, the pairs of what may follow it and what they make. */
export function compositions() {
  const composites = [];
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    if (within([hangulSyllables], c) || text.normalize('NFD') === text || text.normalize('NFC') !== text) continue;
    composites.push(text);
  }
  const parts = new Set(composites.flatMap((text) => Array.from(text.normalize('NFD'))));
  const seconds = new Set(composites.flatMap((text) => Array.from(text.normalize('NFD')).slice(1)));
  const known = new Set(composites);
  const result = new Map();
  for (const first of [...parts, ...composites]) {
    for (const second of seconds) {
      const composite = (first + second).normalize('NFC');
      if (!known.has(composite) || composite.normalize('NFD') !== first.normalize('NFD') + second) continue;
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

/**
 * One bit per form: the character may change in it, or change with what stands before it. Behind them, whether it may
 * compose with what stands before it.
 */
export function normalizationFlagsOfEach(nonstarters, pairs) {
  const isNonstarter = new Set(nonstarters);
  const seconds = new Set([...pairs.values()].flatMap((list) => list.filter((_, i) => i % 2 === 0)));
  const composesBack = (c) => seconds.has(c) || within([jamoVowels, jamoTrails], c);
  const result = new Uint8Array(lastCodePoint + 1);
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    forms.forEach((form, bit) => {
      const composing = form.endsWith('C');
      const first = text.normalize(form.replace('C', 'D')).codePointAt(0);
      const changes = text.normalize(form) !== text || isNonstarter.has(text) || (composing && composesBack(first));
      if (changes) result[c] |= 1 << bit;
    });
    if (composesBack(c)) result[c] |= 1 << forms.length;
  }
  return result;
}
