export const lastCodePoint = 0x10ffff;
export const hangulSyllables = [0xac00, 0xd7a3];

export const within = (ranges, c) => ranges.some(([first, last]) => c >= first && c <= last);

export function codePointsOf(text) {
  return Array.from(text, (character) => character.codePointAt(0));
}

export const isSurrogate = (text) => /^\p{Cs}$/u.test(text);

/** The `normalize` of this Node's Unicode version. */
export const normalize = (text, form) => text.normalize(form);

// Combining classes are not handed out, but canonical ordering tells them: a pair of marks changes places exactly if the
// class of the first is above that of the second and neither is 0.
const overlay = '\u0334'; // class 1, the lowest
const iotaSubscript = '\u0345'; // class 240, the highest

/** Whether a character that does not decompose has a combining class other than 0. */
export function isNonstarter(text, normalize) {
  // A lone surrogate joins a neighbour, so it is never combined with other text.
  if (isSurrogate(text) || normalize(text, 'NFD') !== text) return false;
  const swaps = (a, b) => normalize(a + b, 'NFD') === b + a && a !== b;
  return swaps(text, overlay) || swaps(iotaSubscript, text) || text === overlay || text === iotaSubscript;
}
