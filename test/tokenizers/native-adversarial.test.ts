import { describe, expect, test } from 'vitest';
import { nativeBinding } from '../../lib/binding/load.ts';
import { bertDescription, plainOptions, texts } from './native-support.ts';

// Texts made to be slow or large. Work that is more than linear would run into the test's time limit by far.
const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const vocabulary = [...special, 'a', '##a', `${'a'.repeat(99)}b`, `##${'a'.repeat(98)}b`, '.', '中'];
const settings = { never_split: ['[x]', 'a.'] };
const tokenizer = nativeBinding().create_tokenizer(bertDescription(vocabulary, settings));
const options = { ...plainOptions, add_special_tokens: false };
const encode = (text: string, changed = {}) =>
  tokenizer.encode({ first: texts(text), second: null }, { ...options, ...changed });

const million = 1_000_000;

describe('adversarial texts', () => {
  test.each([
    ['10 MB in one line', 'aaa '.repeat(2.5 * million), 7.5 * million],
    ['10 MB of one word', 'a'.repeat(10 * million), 1],
    ['words that nearly match the longest token', `${'a'.repeat(100)} `.repeat(million / 10), 10 * million],
    ['10 MB of punctuation', '.'.repeat(10 * million), 10 * million],
    ['a word of combining marks', `a${'\u0301'.repeat(million)}`, 1],
    ['combining marks alone', '\u0301'.repeat(million), 0],
    ['marks in the wrong order', `a${'\u{1D16D}\u{1D165}'.repeat(million / 2)}`, 1],
    ['dropped characters', '\u200b'.repeat(million), 0],
    ['lone surrogates', '\ud800'.repeat(million), 0],
    ['NUL', `a${'\0'.repeat(million)}a`, 2],
    ['brackets that begin special tokens', '[MAS'.repeat(million), 2 * million],
    ['special tokens', '[MASK]'.repeat(million), million],
    ['starts of never_split words', '[x'.repeat(million), 2 * million],
    ['a never_split word stretched by dropped characters', `[x${'\u200b'.repeat(million)}]`, 1],
    ['Chinese characters', '中'.repeat(million), million],
    ['Hangul that decomposes', '값'.repeat(million), 1],
    ['expanding lower case', 'İ'.repeat(million), 1],
    ['white space', ' \u3000\t'.repeat(million), 0],
  ])('%s', (_, text, tokens) => {
    const { ids } = encode(text);
    expect(ids.length).toBe(tokens);
  });

  test('offsets reach the end of a long text', () => {
    const { offsets } = encode('aa.'.repeat(million), { return_offsets: true, return_word_ids: true });
    expect([...offsets!.slice(-2)]).toEqual([3 * million - 1, 3 * million]);
  });

  test('truncation keeps what it would keep of the whole', () => {
    const changed = { truncation: 'longest_first', max_length: 5 };
    expect(encode('aa.'.repeat(million), changed).ids).toEqual(encode('aa.'.repeat(2)).ids.slice(0, 5));
    const left = encode('aa.'.repeat(million), { ...changed, truncation_side: 'left' });
    expect(left.ids).toEqual(encode('aa.'.repeat(2)).ids.slice(1));
  });

  test('windows cover a long text', () => {
    const { row_starts, ids } = encode('a '.repeat(million), {
      truncation: 'longest_first',
      max_length: 512,
      stride: 128,
      return_overflowing_tokens: true,
    });
    const rows = row_starts.length - 1;
    expect(rows).toBe(Math.ceil((million - 512) / (512 - 128)) + 1);
    expect(ids.length - (rows - 1) * 128).toBe(million);
  });

  test('a million texts at once', () => {
    const many = { texts: new Array<string>(million).fill('a a'), word_starts: null };
    expect(tokenizer.encode({ first: many, second: null }, options).ids.length).toBe(2 * million);
  });
});

describe('adversarial vocabularies', () => {
  test('a token of a million characters, and texts that nearly have it', () => {
    const long = 'a'.repeat(million);
    const own = nativeBinding().create_tokenizer(bertDescription([...special, `${long}b`, 'a', '##a']));
    expect(own.encode({ first: texts(`${'a'.repeat(100)} `.repeat(1000)), second: null }, options).ids.length).toBe(
      1e5,
    );
  });

  test('many tokens with many children', () => {
    const lines = [...special];
    for (let c = 0x3400; c < 0x9fff; c++) lines.push(String.fromCharCode(c), `##${String.fromCharCode(c)}`);
    const own = nativeBinding().create_tokenizer(bertDescription(lines, { tokenize_chinese_chars: false }));
    const text = String.fromCharCode(0x3400, 0x9ffe, 0x5000);
    expect([...own.encode({ first: texts(text), second: null }, options).ids].map((id) => lines[id])).toEqual([
      '㐀',
      '##鿾',
      '##倀',
    ]);
  });

  test('a vocabulary of nothing', () => {
    const own = nativeBinding().create_tokenizer(bertDescription(special));
    expect([...own.encode({ first: texts('a ##'), second: null }, options).ids]).toEqual([1, 1, 1]);
  });
});
