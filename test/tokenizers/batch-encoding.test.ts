import { describe, expect, test } from 'vitest';
import { smallTokenizer } from './small-tokenizer.ts';

/** Emoji before the words: one character of two UTF-16 units, which a tokenizer that counts code points gets wrong. */
const text = '😀 unknown 안녕! [MASK]';
const second = '한 two';

const slices = (of: string, spans: Iterable<{ start: number; end: number } | null>) =>
  Array.from(spans, (span) => span && of.slice(span.start, span.end));

const failure = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringMatching(message) });

describe('alignments of one text', () => {
  const encoding = smallTokenizer()(text, { return_offsets_mapping: true, return_tensor: false });
  const tokens = ['[CLS]', '[UNK]', 'un', '##know', '##n', '안', '##녕', '!', '[MASK]', '[SEP]'];

  test('tokens, words and sequences', () => {
    expect(encoding.tokens()).toEqual(tokens);
    expect(encoding.word_ids()).toEqual([null, 0, 1, 1, 1, 2, 2, 3, 4, null]);
    expect(encoding.sequence_ids()).toEqual([null, 0, 0, 0, 0, 0, 0, 0, 0, null]);
  });

  test('offsets select what a token stands for', () => {
    const spans = encoding.offset_mapping!.map(([start, end]) => ({ start, end }));
    expect(slices(text, spans)).toEqual(['', '😀', 'un', 'know', 'n', '안', '녕', '!', '[MASK]', '']);
    expect(
      slices(
        text,
        tokens.map((_, t) => encoding.token_to_chars(t)),
      ),
    ).toEqual([null, '😀', 'un', 'know', 'n', '안', '녕', '!', '[MASK]', null]);
  });

  test('words', () => {
    expect(encoding.token_to_word(3)).toBe(1);
    expect(encoding.token_to_word(0)).toBeNull();
    expect(encoding.word_to_tokens(1)).toEqual({ start: 2, end: 5 });
    expect(encoding.word_to_tokens(9)).toBeNull();
    expect(slices(text, [encoding.word_to_chars(1), encoding.word_to_chars(2), encoding.word_to_chars(9)])).toEqual([
      'unknown',
      '안녕',
      null,
    ]);
  });

  test('characters', () => {
    expect(encoding.char_to_token(text.indexOf('know'))).toBe(3);
    expect(encoding.char_to_token(text.indexOf('녕'))).toBe(6);
    expect(encoding.char_to_token(text.indexOf(' '))).toBeNull();
    expect(encoding.char_to_token(1000)).toBeNull();
    expect(encoding.char_to_word(text.indexOf('녕'))).toBe(2);
    expect(encoding.char_to_word(text.indexOf(' '))).toBeNull();
  });

  test('positions count from the end where they are negative', () => {
    expect(encoding.token_to_word(-2)).toBe(4);
    expect(encoding.tokens(-1)).toEqual(tokens);
  });

  test('indices outside the encoding', () => {
    expect(() => encoding.tokens(1)).toThrow(failure(/the index of the row is 1: expected an integer from 0 to 0/));
    expect(() => encoding.word_ids(0.5)).toThrow(failure(/row is 0.5/));
    expect(() => encoding.token_to_chars(10)).toThrow(failure(/the index of the token is 10.*from 0 to 9/));
    expect(() => encoding.token_to_chars(2, 0)).toThrow(failure(/the index of the row is 2/));
    expect(() => encoding.char_to_token(-1)).toThrow(failure(/the index of the character is -1/));
    expect(() => encoding.word_to_tokens('1' as never)).toThrow(failure(/the index of the word is "1"/));
  });
});

describe('alignments of pairs, with padding on the left', () => {
  const encoding = smallTokenizer({ padding_side: 'left' })([text, 'one'], {
    text_pair: [second, second],
    padding: true,
  });

  test('rows, padding counted', () => {
    expect(encoding.tokens(1)).toEqual([...Array(7).fill('[PAD]'), '[CLS]', 'one', '[SEP]', '한', 'two', '[SEP]']);
    expect(encoding.sequence_ids(1)).toEqual([...Array(7).fill(null), null, 0, null, 1, 1, null]);
    expect(encoding.word_ids(1)).toEqual([...Array(7).fill(null), null, 0, null, 0, 1, null]);
  });

  test('one argument means row 0, two name the row', () => {
    expect(encoding.token_to_sequence(-2)).toBe(1);
    expect(encoding.token_to_sequence(1, 8)).toBe(0);
    expect(encoding.token_to_word(1, 11)).toBe(1);
    expect(encoding.token_to_chars(1, 0)).toBeNull();
    expect(slices(second, [encoding.token_to_chars(1, 10), encoding.token_to_chars(-2)])).toEqual(['한', 'two']);
  });

  test('words and characters of the first text and of the second', () => {
    expect(encoding.word_to_tokens(1, 0)).toEqual({ start: 8, end: 9 });
    expect(encoding.word_to_tokens(1, 0, 1)).toEqual({ start: 10, end: 11 });
    expect(slices(second, [encoding.word_to_chars(1, 1, 1)])).toEqual(['two']);
    expect(encoding.char_to_token(0, text.indexOf('know'))).toBe(3);
    expect(encoding.char_to_token(1, 0)).toBe(8);
    expect(encoding.char_to_token(1, second.indexOf('two'), 1)).toBe(11);
    expect(encoding.char_to_word(1, second.indexOf('two'), 1)).toBe(1);
  });
});

test('texts given as words: word ids count them, characters count inside them', () => {
  const words = ['one', 'unknown', '', '안녕'];
  const encoding = smallTokenizer()(words, { is_split_into_words: true });
  expect(encoding.tokens()).toEqual(['[CLS]', 'one', 'un', '##know', '##n', '안', '##녕', '[SEP]']);
  expect(encoding.word_ids()).toEqual([null, 0, 1, 1, 1, 3, 3, null]);
  for (const [t, word] of encoding.word_ids().entries()) {
    if (word === null) continue;
    const { start, end } = encoding.token_to_chars(t)!;
    expect(words[word]!.slice(start, end)).toBe(encoding.tokens()[t]!.replace('##', ''));
  }
  expect(encoding.word_to_tokens(2)).toBeNull();
});

test('alignments follow truncation and overflow', () => {
  const encoding = smallTokenizer()('one unknown two', {
    max_length: 4,
    truncation: true,
    return_overflowing_tokens: true,
    padding: true,
  });
  expect([0, 1, 2].map((row) => encoding.tokens(row))).toEqual([
    ['[CLS]', 'one', 'un', '[SEP]'],
    ['[CLS]', '##know', '##n', '[SEP]'],
    ['[CLS]', 'two', '[SEP]', '[PAD]'],
  ]);
  expect(slices('one unknown two', [encoding.token_to_chars(1, 1), encoding.token_to_chars(2, 1)])).toEqual([
    'know',
    'two',
  ]);
  expect(encoding.word_ids(1)).toEqual([null, 1, 1, null]);
});

test('tokens that are added later do not reach an encoding', () => {
  const tokenizer = smallTokenizer();
  const encoding = tokenizer('unknown');
  tokenizer.add_tokens('unknown');
  expect(encoding.word_ids()).toEqual([null, 0, 0, 0, null]);
  expect(tokenizer.tokenize('unknown')).toEqual(['unknown']);
});
