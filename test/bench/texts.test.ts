import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { median } from '../../bench/statistics.mjs';
import { TextMaker } from '../../bench/text/texts.mjs';
import { makeVocabulary, vocabularySize } from '../../bench/text/vocabulary.mjs';
import type { Language } from '../../bench/text/words.mjs';
import type { BenchText } from '../../bench/types.ts';
import { BertTokenizer } from '../../lib/index.ts';

const vocabulary = makeVocabulary();
const tokenizer = new BertTokenizer({ vocab: vocabulary }, { strip_accents: false, model_max_length: 512 });
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const digest = (lines: string[]) => createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 16);

/** Every count that the maker gives is the tokenizer's, and nothing is unknown. */
function expectTokenized(texts: BenchText[]): void {
  for (const { text, tokens } of texts) {
    const { input_ids } = tokenizer(text, { truncation: true, return_tensor: false }) as { input_ids: number[] };
    expect(input_ids.length, text).toBe(tokens);
    expect(input_ids, text).not.toContain(tokenizer.unk_token_id);
  }
}

test('the vocabulary has as many distinct tokens as BERT', () => {
  expect(vocabulary).toHaveLength(vocabularySize);
  expect(new Set(vocabulary).size).toBe(vocabularySize);
  expect(vocabulary.slice(0, 5)).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']);
});

test('vocabulary and texts are the same everywhere: figures are of these', () => {
  const texts = (language: Language) => new TextMaker(language, vocabulary).make('mixed', 300).map(({ text }) => text);
  expect({ vocabulary: digest(vocabulary), en: digest(texts('en')), ko: digest(texts('ko')) }).toEqual({
    vocabulary: 'ff4e0c72b95cbc53',
    en: 'bc314d9c0b251cb6',
    ko: '8961292c15b77ebf',
  });
});

describe.each([
  { language: 'en', letters: /^[A-Za-z0-9 .,?!]+$/, tokensPerWord: [1.2, 1.45] },
  { language: 'ko', letters: /^[가-힣0-9 .,?!]+$/, tokensPerWord: [1.8, 2.3] },
] as const)('$language', ({ language, letters, tokensPerWord }) => {
  const maker = new TextMaker(language, vocabulary);

  test('mixed texts: distinct, of 3 to 250 words, half of them of up to 25', () => {
    const texts = maker.make('mixed', 1500);
    expect(new Set(texts.map(({ text }) => text)).size).toBe(1500);
    const words = texts.map((text) => text.words);
    expect(texts.map(({ text }) => text.split(' ').length)).toEqual(words);
    expect(Math.min(...words)).toBe(3);
    expect(Math.max(...words)).toBeLessThanOrEqual(250);
    expect(Math.max(...words)).toBeGreaterThan(200);
    expect(median(words)).toBeGreaterThanOrEqual(23);
    expect(median(words)).toBeLessThanOrEqual(27);
    for (const { text } of texts) expect(text).toMatch(letters);
    const perWord = (sum(texts.map(({ tokens }) => tokens)) - 2 * texts.length) / sum(words);
    expect(perWord).toBeGreaterThan(tokensPerWord[0]);
    expect(perWord).toBeLessThan(tokensPerWord[1]);
    expectTokenized(texts.slice(0, 400));
  });

  test('a few words make up much of a text, and the common ones are short', () => {
    const words = maker
      .make('mixed', 1000)
      .flatMap(({ text }) => text.toLowerCase().match(/[a-z가-힣]+/g) ?? [])
      .filter((word) => word !== '');
    const counts = new Map<string, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    const ranked = [...counts].sort((a, b) => b[1] - a[1]);
    const common = ranked.slice(0, 200);
    const rare = ranked.slice(2000);
    const meanLength = (some: [string, number][]) => sum(some.map(([word]) => word.length)) / some.length;
    expect(sum(common.map(([, count]) => count)) / words.length).toBeGreaterThan(0.12);
    expect(meanLength(common)).toBeLessThan(0.8 * meanLength(rare));
  });

  test.each([16, 128, 512])('texts of exactly %i tokens', (length) => {
    const texts = maker.make(length, 60);
    expect(new Set(texts.map(({ text }) => text)).size).toBe(60);
    expect(new Set(texts.map(({ tokens }) => tokens))).toEqual(new Set([length]));
    for (const { text } of texts) expect(tokenizer.encode(text).length, text).toBe(length); // nothing is cut off
    expectTokenized(texts);
  });

  test('more texts begin with the same ones', () => {
    expect(maker.make(16, 50).slice(0, 20)).toEqual(maker.make(16, 20));
  });
});
