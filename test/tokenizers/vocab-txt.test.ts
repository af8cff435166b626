import { describe, expect, test } from 'vitest';
import { stringsOf } from '../../lib/tokenizers/flat-strings.ts';
import { VocabTxt } from '../../lib/tokenizers/vocab-txt.ts';

const read = (content: string | Uint8Array) => new VocabTxt(Buffer.from(content as string), 'vocab.txt');
const tokensOf = (vocabTxt: VocabTxt) => [...stringsOf(vocabTxt.tokens)];
const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('reading vocab.txt', () => {
  test.each([
    ['a final newline', 'a\nb\n'],
    ['none', 'a\nb'],
    ['\\r\\n', 'a\r\nb\r\n'],
    ['\\r', 'a\rb\r'],
    ['a byte order mark', '\ufeffa\nb\n'],
  ])('lines that end with %s', (_, content) => {
    expect(tokensOf(read(content))).toEqual(['a', 'b']);
  });

  test('only line breaks end a line, and only they are taken away', () => {
    const tokens = [' a ', '', 'b\u2028c', 'd\u0085', '\u3000', 'e\0', '\ufefff'];
    expect(tokensOf(read(tokens.join('\n')))).toEqual(tokens);
    expect(tokensOf(read('a\n\n'))).toEqual(['a', '']);
  });

  test('flat form', () => {
    const { bytes, starts } = read('a\n안\n\n😀').tokens;
    expect(Buffer.from(bytes).toString()).toBe('a안😀');
    expect([...starts]).toEqual([0, 1, 4, 4, 8]);
  });

  test('an empty file', () => {
    expect(() => read('')).toThrow(failure('ERR_FILE_FORMAT', /^vocab.txt is empty/));
    expect(() => read('\ufeff')).toThrow(failure('ERR_FILE_FORMAT', /^vocab.txt is empty/));
  });

  test('bytes that are not UTF-8', () => {
    const bad = (...bytes: number[]) =>
      Buffer.concat([Buffer.from('a\nb\n'), Buffer.from(bytes), Buffer.from('\nc\n')]);
    expect(() => read(bad(0xff))).toThrow(failure('ERR_FILE_FORMAT', /^vocab.txt: line 3 is not UTF-8/));
    // A surrogate, an overlong form, a sequence cut short by the end of the line.
    expect(() => read(bad(0xed, 0xa0, 0x80))).toThrow(failure('ERR_FILE_FORMAT', /line 3/));
    expect(() => read(bad(0xc0, 0x80))).toThrow(failure('ERR_FILE_FORMAT', /line 3/));
    expect(() => read(bad(0xec, 0x95))).toThrow(failure('ERR_FILE_FORMAT', /line 3/));
    expect(() => read(Buffer.from([0x61, 0x0a, 0xe3]))).toThrow(failure('ERR_FILE_FORMAT', /line 2/));
  });
});

describe('tokens in memory', () => {
  test('become a file that reads the same', () => {
    const tokens = ['a', '', '안', ' b '];
    const vocabTxt = VocabTxt.fromTokens(tokens);
    expect(tokensOf(vocabTxt)).toEqual(tokens);
    expect(tokensOf(new VocabTxt(vocabTxt.bytes, 'copy'))).toEqual(tokens);
  });

  test.each([[['a', 'b\n']], [['a', '\r']], [['a', '\ud800']], [['a', 7]], [['a', null]]])('%o cannot', (tokens) => {
    expect(() => VocabTxt.fromTokens(tokens as string[])).toThrow(failure('ERR_OPTION', /^token 1 of vocab is/));
  });

  test('none at all', () => {
    expect(() => VocabTxt.fromTokens([])).toThrow(failure('ERR_FILE_FORMAT', /empty/));
  });
});
