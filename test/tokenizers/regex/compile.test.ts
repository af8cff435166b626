import { describe, expect, test } from 'vitest';
import {
  type CodePointSet,
  complement,
  contains,
  intersection,
  union,
} from '../../../lib/tokenizers/regex/code-point-set.ts';
import { compileRegex } from '../../../lib/tokenizers/regex/compile.ts';
import { posixBracket, unicodeProperty } from '../../../lib/tokenizers/regex/unicode-properties.ts';
import { ours } from './support.ts';

function refusal(pattern: string): unknown {
  try {
    compileRegex(pattern);
  } catch (error) {
    return error;
  }
  return undefined;
}

function expectRefusal(pattern: string, what: string): void {
  expect(refusal(pattern)).toMatchObject({
    name: 'BertNativeError',
    code: 'ERR_UNSUPPORTED_TOKENIZER',
    message: expect.stringContaining(what),
  });
}

describe('what is not supported is named with its offset', () => {
  const cases: readonly (readonly [pattern: string, what: string])[] = [
    ['(a)b\\1', 'a backreference at offset 4'],
    ['\\9', 'a backreference at offset 0'],
    ['(?<n>a)\\k<n>', 'a backreference at offset 7'],
    ['(?<n>a)\\g<n>', 'a call of a group at offset 7'],
    ['a(?(1)b|c)', 'a conditional at offset 1'],
    ['(?~a)', 'an absent group at offset 0'],
    ['(?{x})', 'a callout at offset 0'],
    ['(*FAIL)', 'a callout at offset 0'],
    ['a\\G', 'the start of the search (\\G) at offset 1'],
    ['\\Ka', 'a reset of the start of the match (\\K) at offset 0'],
    ['\\X', 'a grapheme cluster (\\X) at offset 0'],
    ['\\y', 'a boundary of text segments (\\y) at offset 0'],
    ['😀\\p{Klingon}', 'the property Klingon at offset 1'],
    ['\\p{In_Basic_Latin}', 'the property In_Basic_Latin at offset 0'],
    ['\\xE9', 'a byte that is no ASCII character (\\x{...} is a code point) at offset 0'],
    ['\\M-a', 'a meta character (\\M-) at offset 0'],
    ['(?y{g}:a)', 'the option y at offset 0'],
    ['(?<=a(?=b))', 'a lookahead inside a lookbehind at offset 5'],
  ];
  for (const [pattern, what] of cases) {
    test(pattern, () => expectRefusal(pattern, `${JSON.stringify(pattern)} has ${what}, which is not supported`));
  }
});

describe('errors of syntax say what and where', () => {
  const cases: readonly (readonly [pattern: string, what: string])[] = [
    ['a)', 'has an unmatched closing parenthesis at offset 1'],
    ['b(a', 'has a group without its closing parenthesis at offset 1'],
    ['(?<1>a)', 'has a group with an invalid name at offset 0'],
    ['(?q)', 'has a group with the unknown option "q" at offset 0'],
    ['(?#a', 'has a comment without its closing parenthesis at offset 0'],
    ['a|*', 'repeats nothing at offset 2'],
    ['{2}', 'repeats nothing at offset 0'],
    ['^*', 'repeats something that matches no text at offset 1'],
    ['(?=a)+', 'repeats something that matches no text at offset 5'],
    ['a{100001}', 'repeats more than 100000 times at offset 1'],
    ['a\\', 'ends inside an escape at offset 2'],
    ['x[a', 'has a class without its closing bracket at offset 1'],
    ['[]', 'has an empty class at offset 0'],
    ['[z-a]', 'has a range that ends before it begins at offset 1'],
    ['[a-\\d]', 'has a range that ends with a class at offset 3'],
    ['[\\d-a]', 'has a range that begins with a class at offset 3'],
    ['[[:foo:]]', 'has an unknown POSIX class foo at offset 1'],
    ['\\p{L', 'has a property without its closing brace at offset 0'],
    ['\\x{110000}', 'has a character above U+10FFFF at offset 0'],
    ['\\u12', 'has \\u with fewer than four hexadecimal digits at offset 0'],
  ];
  for (const [pattern, what] of cases) test(pattern, () => expectRefusal(pattern, what));
});

describe('what would take too much memory is refused before it does', () => {
  const cases: Readonly<Record<string, string>> = {
    'repetitions of repetitions': '((a{1000}){1000}){1000}',
    'repetitions of repetitions of groups': `${'('.repeat(100)}ab${'){100000}'.repeat(100)}`,
    'many instructions': '(?:ab){50000}',
    'a long pattern': 'a'.repeat(70_000),
    'deep groups': '('.repeat(5000),
    'deep options': '(?i)'.repeat(5000),
    'deep brackets': '['.repeat(5000),
    'rows of quantifiers': `a${'*'.repeat(5000)}`,
    'many classes': Array.from({ length: 2000 }, (_, i) => `[^\\x{${(i + 256).toString(16)}}]`).join(''),
  };
  for (const [name, pattern] of Object.entries(cases)) {
    test(name, () => expect(refusal(pattern)).toMatchObject({ code: 'ERR_UNSUPPORTED_TOKENIZER' }));
  }

  test('the message of a long pattern is short', () => {
    expect((refusal('a'.repeat(70_000)) as Error).message.length).toBeLessThan(400);
  });
});

describe('what is allowed', () => {
  const cases: readonly (readonly [pattern: string, text: string, pieces: readonly string[]])[] = [
    ['a{,2}', 'aaab', ['aa', 'a', 'b']],
    ['a{', 'a{a', ['a{', 'a']],
    ['a{,}', 'a{,}', ['a{,}']],
    ['\\h+', 'xfF0g', ['x', 'fF0', 'g']],
    ['[]a]+', ']a]b', [']a]', 'b']],
    ['[a-c-e]+', 'b-ed', ['b-e', 'd']],
    ['[a-z&&[^aeiou]]+', 'abcde', ['a', 'bcd', 'e']],
    ['(?x) a b # c', 'ab c', ['ab', ' c']],
    ['a(?#c)+', 'aab', ['aa', 'b']],
    ['a(?i)b|c', 'aBaCab', ['aB', 'aC', 'ab']],
    ['(?m:a.)b', 'a\nb', ['a\nb']],
    ['\\x61\\x{62}\\u0063\\144\\o{145}', 'abcdef', ['abcde', 'f']],
    ['(?<=a{2,3})b', 'abaab', ['abaa', 'b']],
    ['(?<!a*c)b', 'acbab', ['acba', 'b']],
    ['(?>a+|b)ab', 'aabab', ['aa', 'bab']],
    ['(?W:\\w)+', 'aé', ['a', 'é']],
    ['(?:foo|foobar)(?!b)', 'foobar', ['foobar']],
  ];
  for (const [pattern, text, pieces] of cases) {
    test(pattern, () => expect(ours(pattern).isolated(text)).toEqual(pieces));
  }

  test('thousands of alternatives', () => {
    const words = Array.from({ length: 5000 }, (_, i) => `<${i}>`);
    expect(ours(words.join('|')).isolated('<17><4999><5000>')).toEqual(['<17>', '<4999>', '<5000>']);
  });
});

describe('Unicode properties are those of the JavaScript engine', () => {
  const names = [
    'L',
    'Lu',
    'Lo',
    'M',
    'N',
    'Nd',
    'P',
    'S',
    'Z',
    'Zs',
    'C',
    'Cc',
    'Cf',
    'Cn',
    'Co',
    'Cs',
    'Alphabetic',
    'White_Space',
    'Ideographic',
    'XID_Continue',
    'Emoji',
    'NChar',
    'DI',
    'Any',
  ];
  const scripts = ['Han', 'Hangul', 'Hiragana', 'Latin', 'Common', 'Old_Italic'];
  const cases = [...names.map((name) => [name, name]), ...scripts.map((name) => [name, `Script=${name}`])];
  for (const [name, expression] of cases) {
    test(name!, () => {
      const set = unicodeProperty(name!)!;
      expect(firstDifference(set, new RegExp(`^\\p{${expression}}$`, 'u'))).toBeUndefined();
    });
  }

  test('names are taken without regard to case, spaces, underscores and hyphens', () => {
    expect(unicodeProperty('uppercase letter')).toEqual(unicodeProperty('Lu'));
    expect(unicodeProperty('OLD-italic')).toEqual(unicodeProperty('Ital'));
    expect(unicodeProperty('hani')).toEqual(unicodeProperty('Han'));
  });

  test('unknown names', () => {
    for (const name of ['', 'Klingon', 'Script=Han', 'IsHan', 'L}|[', 'constructor']) {
      expect(unicodeProperty(name)).toBeUndefined();
    }
  });

  test('symbols are punctuation in brackets alone', () => {
    expect(contains(unicodeProperty('punct')!, 0x2b)).toBe(false);
    expect(contains(posixBracket('punct')!, 0x2b)).toBe(true);
  });
});

function firstDifference(set: CodePointSet, expected: RegExp): string | undefined {
  let next = 0;
  for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
    while (next < set.length && set[next + 1]! < codePoint) next += 2;
    const isIn = next < set.length && set[next]! <= codePoint;
    if (isIn !== expected.test(String.fromCodePoint(codePoint))) return codePoint.toString(16);
  }
  return undefined;
}

test('sets of code points', () => {
  const set = union([5, 9], [0, 0], [10, 12], [20, 30]);
  expect(set).toEqual([0, 0, 5, 12, 20, 30]);
  expect(complement(set)).toEqual([1, 4, 13, 19, 31, 0x10ffff]);
  expect(complement(complement(set))).toEqual(set);
  expect(intersection(set, [8, 25])).toEqual([8, 12, 20, 25]);
  expect([4, 5, 12, 13, 30, 31].map((codePoint) => contains(set, codePoint))).toEqual([
    false,
    true,
    true,
    false,
    true,
    false,
  ]);
});
