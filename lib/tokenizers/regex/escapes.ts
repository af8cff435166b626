import { type CodePointSet, complement, maxCodePoint } from './code-point-set.ts';
import { isDigit, isHexDigit, isOctalDigit, type PatternSource } from './pattern-source.ts';
import { asciiOnly, posixClass, unicodeProperty, wordCharacters } from './unicode-properties.ts';

/** Which classes are those of ASCII alone: Oniguruma's options W, D, S and P. */
export interface AsciiClasses {
  readonly word: boolean;
  readonly digit: boolean;
  readonly space: boolean;
  /** All of the others, too. */
  readonly posix: boolean;
}

/**
 * Reads `\d`, `\w`, `\s`, `\h`, `\p{...}` and their opposites, behind the backslash.
 *
 * @returns undefined, and nothing is read, where something else follows
 */
export function readClassEscape(
  source: PatternSource,
  ascii: AsciiClasses,
  place: 'brackets' | 'outside',
): CodePointSet | undefined {
  const letter = source.peek();
  if ((letter === 'p' || letter === 'P') && source.peek(1) === '{') return readProperty(source, ascii, place);
  const set = shorthand(letter.toLowerCase(), ascii, place);
  if (set === undefined) return undefined;
  source.next('');
  return letter >= 'a' ? set : complement(set);
}

/** @returns the characters of `\w` */
export function wordClass(ascii: AsciiClasses, place: 'brackets' | 'outside'): CodePointSet {
  if (ascii.word || ascii.posix) return asciiOnly(posixClass('word')!);
  return place === 'outside' ? wordCharacters() : posixClass('word')!;
}

/** A class by its POSIX name, as the options W, D, S and P narrow it. */
export function narrowed(name: string, set: CodePointSet, ascii: AsciiClasses): CodePointSet {
  const narrows =
    ascii.posix ||
    (ascii.word && name === 'word') ||
    (ascii.digit && name === 'digit') ||
    (ascii.space && name === 'space');
  return narrows ? asciiOnly(set) : set;
}

function shorthand(letter: string, ascii: AsciiClasses, place: 'brackets' | 'outside'): CodePointSet | undefined {
  switch (letter) {
    case 'd':
      return narrowed('digit', posixClass('digit')!, ascii);
    case 'h':
      return posixClass('xdigit')!;
    case 's':
      return narrowed('space', posixClass('space')!, ascii);
    case 'w':
      return wordClass(ascii, place);
  }
  return undefined;
}

const longestPropertyName = 100;

function readProperty(source: PatternSource, ascii: AsciiClasses, place: 'brackets' | 'outside'): CodePointSet {
  const start = source.offset - 1;
  let negated = source.next('') === 'P';
  source.next('');
  if (source.skip('^')) negated = !negated;
  const name = source.readWhile((character) => character !== '}', longestPropertyName);
  if (!source.skip('}')) source.fail('has a property without its closing brace', start);
  const key = name.replace(/[ _-]/g, '').toLowerCase();
  const set = key === 'word' ? wordClass(ascii, place) : unicodeProperty(name);
  if (set === undefined) source.failUnsupported(`the property ${name}`, start);
  const isPosix = posixClass(key) !== undefined;
  const chosen = isPosix ? narrowed(key, set, ascii) : set;
  return negated ? complement(chosen) : chosen;
}

const controlLetters: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 0x1b };

/**
 * Reads an escape that stands for one character, behind the backslash. An escape without a meaning stands for the character
 * itself, as in Oniguruma.
 */
export function readCharacterEscape(source: PatternSource): number {
  const start = source.offset - 1;
  const letter = source.next('an escape');
  switch (letter) {
    case 'x':
      return source.peek() === '{' ? readBraced(source, isHexDigit, 16, start) : readByte(source, start);
    case 'u':
      return readUnicodeEscape(source, start);
    case 'o':
      return source.peek() === '{' ? readBraced(source, isOctalDigit, 8, start) : letter.codePointAt(0)!;
    case 'c':
      return readControl(source, start);
    case 'C':
      if (!source.skip('-')) source.fail('has an incomplete control character', start);
      return readControl(source, start);
    case 'M':
      if (source.peek() === '-') source.failUnsupported('a meta character (\\M-)', start);
  }
  if (isOctalDigit(letter)) return readOctal(source, letter, start);
  return controlLetters[letter] ?? letter.codePointAt(0)!;
}

function readBraced(
  source: PatternSource,
  isDigitOfBase: (character: string) => boolean,
  base: 8 | 16,
  start: number,
): number {
  source.next('');
  const digits = source.readWhile(isDigitOfBase, base === 16 ? 8 : 11);
  if (digits === '' || !source.skip('}'))
    source.fail(`has an escape without ${base === 16 ? 'hexadecimal' : 'octal'} digits in braces`, start);
  const codePoint = Number.parseInt(digits, base);
  if (codePoint > maxCodePoint) source.fail('has a character above U+10FFFF', start);
  return codePoint;
}

function readUnicodeEscape(source: PatternSource, start: number): number {
  const digits = source.readWhile(isHexDigit, 4);
  if (digits === '') return 'u'.codePointAt(0)!;
  if (digits.length < 4) source.fail('has \\u with fewer than four hexadecimal digits', start);
  return Number.parseInt(digits, 16);
}

function readByte(source: PatternSource, start: number): number {
  const digits = source.readWhile(isHexDigit, 2);
  return digits === '' ? 'x'.codePointAt(0)! : byteOf(source, Number.parseInt(digits, 16), start);
}

function readOctal(source: PatternSource, first: string, start: number): number {
  const digits = first + source.readWhile(isOctalDigit, 2);
  return byteOf(source, Number.parseInt(digits, 8), start);
}

/** `\xHH` and `\ooo` are bytes of UTF-8. */
function byteOf(source: PatternSource, byte: number, start: number): number {
  if (byte > 0x7f) source.failUnsupported('a byte that is no ASCII character (\\x{...} is a code point)', start);
  return byte;
}

function readControl(source: PatternSource, start: number): number {
  const character = source.next('a control character');
  if (character === '\\') source.failUnsupported('an escape inside a control character', start);
  return character === '?' ? 0x7f : character.codePointAt(0)! & 0x9f;
}

/** Whether a decimal number at this place, behind a backslash, is a backreference and no octal number. */
export function isBackreference(source: PatternSource, groups: number): boolean {
  if (!isDigit(source.peek()) || source.peek() === '0') return false;
  let digits = '';
  for (let i = 0; isDigit(source.peek(i)); i++) digits += source.peek(i);
  const number = Number(digits);
  return number <= 9 || number <= groups;
}
