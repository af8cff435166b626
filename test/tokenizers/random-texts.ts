import { makeRandom } from '../../tools/random.mjs';

/** Code points that make up texts with every kind of trouble; surrogates are not among them. */
const kinds: readonly (readonly [first: number, last: number])[] = [
  [0x20, 0x20],
  [0x20, 0x7e],
  [0x61, 0x7a],
  [0x00, 0x20],
  [0x80, 0x24f],
  [0x300, 0x36f],
  [0x370, 0x5ff],
  [0x600, 0x6ff],
  [0x900, 0x9ff],
  [0x1100, 0x11ff],
  [0x2000, 0x206f],
  [0x2100, 0x2bff],
  [0x3000, 0x30ff],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xff00, 0xffef],
  [0x1f1e6, 0x1f1ff],
  [0x1f300, 0x1f64f],
  [0x20000, 0x2a6df],
];

/** Texts of up to `longest` runs of characters of one kind. */
export function randomTexts(count: number, longest: number, seed = 1): string[] {
  const integer = makeRandom(seed);
  return Array.from({ length: count }, () => {
    let text = '';
    for (let runs = integer(longest) + 1; runs > 0; --runs) {
      const [first, last] = kinds[integer(kinds.length)]!;
      for (let length = integer(4) + 1; length > 0; --length) {
        text += String.fromCodePoint(first + integer(last - first + 1));
      }
    }
    return text;
  });
}

/** Where each code point of a well-formed text begins in UTF-16 units, and behind the last one the text's end. */
export function codePointsToUnits(text: string): number[] {
  const units = [0];
  for (const character of text) units.push(units.at(-1)! + character.length);
  return units;
}
