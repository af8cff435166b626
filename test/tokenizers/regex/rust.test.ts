import { describe, expect, test } from 'vitest';
import { BertNativeError } from '../../../lib/errors.ts';
import { makeRandom } from '../../../tools/random.mjs';
import { randomTexts } from '../random-texts.ts';
import { randomPatterns } from './random-patterns.ts';
import { ours, seen, theirs } from './support.ts';

const contractions = "'s|'t|'re|'ve|'m|'ll|'d";
const upper = '\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}';
const lower = '\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}';

/** Of tokenizers that are in use, and their like. */
const patterns: Readonly<Record<string, string>> = {
  'GPT-2': `${contractions}| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`,
  'Llama 3': `(?i:${contractions})|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  o200k: `[^\\r\\n\\p{L}\\p{N}]?[${upper}]*[${lower}]+(?i:${contractions})?|[^\\r\\n\\p{L}\\p{N}]?[${upper}]+[${lower}]*(?i:${contractions})?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  CLIP: `<\\|startoftext\\|>|<\\|endoftext\\|>|${contractions}|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+`,
  DeepSeek: '[一-龥\u3040-ゟ゠-ヿ]+',
  BLOOM: ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  'spaces that are doubled': ' {2,}',
  'white space': '\\s+',
  'everything else': '[^\\s]+',
  'a digit': '\\d',
  'three digits': '[0-9][0-9][0-9]',
  'groups of three digits': '\\d(?=(?:\\d{3})*(?!\\d))',
  punctuation: '\\p{P}',
  words: '\\w+|[^\\w\\s]+',
  boundaries: '\\b',
  scripts: '\\p{Han}+|\\p{Hangul}+|\\p{Hiragana}+|\\p{Katakana}+|\\p{Latin}+',
  lines: '^.*$',
  'line breaks': '\\R',
  'the ends': '^\\s+|\\s+$|\\A|\\Z|\\z',
  nothing: '',
};

const parts = [
  'a',
  'Z',
  'é',
  'ß',
  'ſ',
  ' ',
  '  ',
  '\n',
  '\r',
  '\t',
  '\u00a0',
  '\u2003',
  '1',
  '23',
  '٣',
  '²',
  'Ⅷ',
  "'",
  "'s",
  "'LL",
  "'ſ",
  '’',
  "don't",
  "I'VE",
  '中',
  'ひ',
  'カ',
  '한국어',
  '\u0301',
  '🙂',
  '👨‍👩‍👧',
  '<|startoftext|>',
  '_',
  '-',
  '.',
  '…',
  '(',
  '।',
  '\u0085',
  '\u200b',
  '\ufeff',
  '\u{10ffff}',
  'Σ',
  'İ',
  'ı',
];

function mixedTexts(count: number): string[] {
  const integer = makeRandom(7);
  return Array.from({ length: count }, () =>
    Array.from({ length: integer(20) }, () => parts[integer(parts.length)]).join(''),
  );
}

describe('matches what the Rust library matches', () => {
  const texts = [...mixedTexts(200), ...randomTexts(100, 12)];
  for (const [name, pattern] of Object.entries(patterns)) {
    test(name, () => {
      const [mine, rusts] = [ours(pattern), theirs(pattern)];
      for (const text of texts) expect(seen(mine, text)).toEqual(seen(rusts, text));
    });
  }
});

describe('case folding is that of the Rust library', () => {
  const texts = [
    'ß ẞ SS ſs sS',
    'ﬃ ﬀi fﬁ ffi FFI',
    'ﬅ ﬆ st',
    'aße asse aSSE',
    'i̇ İ i I ı',
    'ΐ ΐ',
    'kK K',
    'σς Σ',
    'ssa ßa',
    'ǅ ǆ Ǆ',
  ];
  for (const pattern of [
    'ss',
    'ß',
    '[ß]',
    '[^ß]',
    '[ßx]a',
    's+',
    'ss+',
    's(?:s)',
    's(s)',
    'ffi',
    'st',
    'ﬅ',
    'asse',
    'ß+',
    '(?<=ss)a',
    '(?<=ß)a',
    'i̇',
    'İ',
    'ΐ',
    '[a-z]+',
    '[a-zß]+',
    '\\p{Lu}',
    '[\\p{Lu}]',
    '[^\\p{Lu}]',
    'k',
    'σ',
    'ı',
    'ǆ',
    '(?-i:k)k',
  ]) {
    test(pattern, () => {
      const [mine, rusts] = [ours(`(?i)${pattern}`), theirs(`(?i)${pattern}`)];
      for (const text of texts) expect(seen(mine, text)).toEqual(seen(rusts, text));
    });
  }
});

test('random patterns match what they match in the Rust library', () => {
  const integer = makeRandom(3);
  const random = randomPatterns(integer);
  const counts = { compared: 0, refused: 0 };
  for (let i = 0; i < 1500; i++) {
    const pattern = random.pattern();
    const mine = attempt(() => ours(pattern));
    const rusts = attempt(() => theirs(pattern));
    if (mine instanceof Error) {
      expect(mine, pattern).toBeInstanceOf(BertNativeError);
      expect(rusts, `${pattern} is refused: ${mine.message}`).toBeInstanceOf(Error);
      counts.refused++;
      continue;
    }
    // Oniguruma refuses a few lookbehinds that work here.
    if (rusts instanceof Error) continue;
    counts.compared++;
    for (let j = 0; j < 6; j++) {
      const text = random.text();
      expect(seen(mine, text), pattern).toEqual(seen(rusts, text));
    }
  }
  expect(counts.compared).toBeGreaterThan(1000);
  expect(counts.refused).toBeGreaterThan(50);
});

function attempt<T>(make: () => T): T | Error {
  try {
    return make();
  } catch (error) {
    return error as Error;
  }
}
