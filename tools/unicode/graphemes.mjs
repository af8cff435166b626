// Grapheme cluster breaks (Unicode annex 29). JavaScript does not name the property; what Intl.Segmenter does with a
// character beside others tells it.

import { lastCodePoint } from './code-points.mjs';

export const graphemeBreaks = [
  ...['Other', 'Cr', 'Lf', 'Control', 'Extend', 'Zwj', 'RegionalIndicator', 'Prepend', 'SpacingMark'],
  ...['L', 'V', 'T', 'Lv', 'Lvt', 'ExtendedPictographic'],
];

export const indicConjuncts = ['None', 'Consonant', 'Linker', 'Extend'];

const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
const joined = (...parts) => {
  const text = parts.join('');
  return segmenter.segment(text).containing(0).segment.length === text.length;
};

const accent = '\u0300';
const zwj = '\u200d';
const picture = '\u{1f600}';
const [lead, vowel, trail] = ['\u1100', '\u1161', '\u11a8'];
const [ka, virama] = ['\u0915', '\u094d'];

function graphemeBreak(text) {
  if (text === '\r') return 'Cr';
  if (text === '\n') return 'Lf';
  if (text === zwj) return 'Zwj';
  if (/^\p{Cs}$/u.test(text) || !joined(text, accent)) return 'Control';
  if (/^\p{Regional_Indicator}$/u.test(text)) return 'RegionalIndicator';
  if (/^\p{Extended_Pictographic}$/u.test(text)) return 'ExtendedPictographic';
  if (joined(text, 'a')) return 'Prepend';
  if (joined('a', text)) return joined(picture, text, zwj, picture) ? 'Extend' : 'SpacingMark';
  return hangulBreak(text);
}

function hangulBreak(text) {
  if (joined(text, lead)) return 'L';
  if (joined(text, vowel)) return joined(vowel, text) ? 'V' : 'Lv';
  if (joined(text, trail)) return joined(trail, text) ? 'T' : 'Lvt';
  return 'Other';
}

function indicConjunct(text, kind) {
  if (kind === 'Other') return joined(text, virama, ka) ? 'Consonant' : 'None';
  if (kind !== 'Extend' && kind !== 'Zwj') return 'None';
  if (joined(ka, text, ka)) return 'Linker';
  return joined(ka, text, virama, ka) ? 'Extend' : 'None';
}

/** The positions of every code point's values in `graphemeBreaks` and, four bits up, in `indicConjuncts`. */
export function graphemeBreakOfEach() {
  const result = new Uint8Array(lastCodePoint + 1);
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    const kind = graphemeBreak(text);
    result[c] = graphemeBreaks.indexOf(kind) | (indicConjuncts.indexOf(indicConjunct(text, kind)) << 4);
  }
  return result;
}
