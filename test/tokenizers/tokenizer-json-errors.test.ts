import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PreTrainedTokenizerFast } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const wordLevel = { type: 'WordLevel', unk_token: '[UNK]', vocab: { '[UNK]': 0, a: 1, b: 2 } };
const bpe = { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] };
const added = {
  id: 3,
  content: 'x',
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
};
const file = (parts: object) => ({ version: '1.0', model: wordLevel, ...parts });
const template = (changed: object) => ({
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: {},
    ...changed,
  },
});

function nested(depth: number): object {
  let normalizer: object = { type: 'NFC' };
  for (let i = 0; i < depth; ++i) normalizer = { type: 'Sequence', normalizers: [normalizer] };
  return { normalizer };
}

const format = 'ERR_FILE_FORMAT';
const unsupported = 'ERR_UNSUPPORTED_TOKENIZER';

const cases: [what: string, parts: object, code: string, message: RegExp][] = [
  ['no model', { model: undefined }, format, /^tokenizer.json: model is missing: expected an object/],
  ['a version', { version: '2.0' }, unsupported, /: version is "2.0": expected "1.0"/],
  [
    'a model',
    { model: { type: 'Neural', vocab: {} } },
    unsupported,
    /: model.type is "Neural": expected WordPiece, BPE/,
  ],
  ['no vocabulary', { model: { type: 'WordLevel' } }, format, /: model.vocab is missing/],
  ['an empty vocabulary', { model: { ...wordLevel, vocab: {} } }, format, /: model.vocab is empty/],
  ['an id twice', { model: { ...wordLevel, vocab: { a: 0, b: 0 } } }, format, /gives the id 0 to both "a" and "b"/],
  ['a hole', { model: { ...wordLevel, vocab: { a: 0, b: 2 } } }, format, /ids up to 2, but none with the id 1/],
  ['a negative id', { model: { ...wordLevel, vocab: { a: -1 } } }, format, /model.vocab\["a"\] is -1: expected an id/],
  ['a huge id', { model: { ...wordLevel, vocab: { a: 1e9 } } }, format, /model.vocab\["a"\] is 1000000000/],
  ['an id of text', { model: { ...wordLevel, vocab: { a: '0' } } }, format, /model.vocab\["a"\] is "0"/],
  ['a lone surrogate', { model: { ...wordLevel, vocab: { '\ud800': 0 } } }, format, /without lone surrogates/],
  [
    'no unknown token',
    { model: { ...bpe, unk_token: '<unk>' } },
    format,
    /: model.unk_token is "<unk>": expected a token/,
  ],
  ['a merge of one', { model: { ...bpe, merges: ['ab'] } }, format, /: model.merges\[0\] is "ab": expected two pieces/],
  ['a merge of numbers', { model: { ...bpe, merges: [[1, 2]] } }, format, /: model.merges\[0\] is an array of 2/],
  [
    'an unknown piece',
    { model: { ...bpe, merges: ['a b', 'a c'] } },
    format,
    /model.merges\[1\] .* the vocabulary lacks "c"/,
  ],
  [
    'an unknown result',
    { model: { ...bpe, merges: ['b a'] } },
    format,
    /model.merges\[0\] .* the vocabulary lacks "ba"/,
  ],
  ['dropout', { model: { ...bpe, dropout: 0.1 } }, unsupported, /: model.dropout leaves merges out at random/],
  [
    'a score of text',
    { model: { type: 'Unigram', vocab: [['a', '0']] } },
    format,
    /: model.vocab\[0\] is an array of 2/,
  ],
  ['a score of null', { model: { type: 'Unigram', vocab: [['a', null]] } }, format, /: expected \[piece, score\]/],
  [
    'unk_id',
    { model: { type: 'Unigram', vocab: [['a', 0]], unk_id: 1 } },
    format,
    /: model.unk_id is 1: expected an integer from 0 to 0/,
  ],
  [
    'a normalizer',
    { normalizer: { type: 'Upper' } },
    unsupported,
    /: normalizer.type is "Upper": expected BertNormalizer/,
  ],
  ['no type', { normalizer: {} }, format, /: normalizer.type is missing: expected a string/],
  [
    'a normalizer inside',
    { normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'X' }] } },
    unsupported,
    /: normalizer.normalizers\[1\].type is "X"/,
  ],
  [
    'a flag',
    { normalizer: { type: 'Strip', strip_left: 1, strip_right: true } },
    format,
    /: normalizer.strip_left is 1: expected true or false/,
  ],
  [
    'a pattern',
    { normalizer: { type: 'Replace', pattern: 'a', content: '' } },
    format,
    /: normalizer.pattern is "a": expected an object/,
  ],
  [
    'a pattern of a kind',
    { normalizer: { type: 'Replace', pattern: { Glob: 'a' }, content: '' } },
    format,
    /: normalizer.pattern is an object: expected \{ "String"/,
  ],
  [
    'a regular expression',
    { normalizer: { type: 'Replace', pattern: { Regex: '(' }, content: '' } },
    unsupported,
    /: normalizer.pattern.Regex cannot be used: /,
  ],
  [
    'one that explodes',
    { normalizer: { type: 'Replace', pattern: { Regex: '((a{1000}){1000}){1000}' }, content: '' } },
    unsupported,
    /: normalizer.pattern.Regex cannot be used: /,
  ],
  [
    'a map in no base64',
    { normalizer: { type: 'Precompiled', precompiled_charsmap: '***' } },
    format,
    /: normalizer.precompiled_charsmap is not base64/,
  ],
  [
    'a map too short',
    { normalizer: { type: 'Precompiled', precompiled_charsmap: '////fw==' } },
    format,
    /: normalizer.precompiled_charsmap is a character map of 4 bytes/,
  ],
  ['parts in parts', nested(40), format, /is (a part inside of 17|nested more than 64 levels deep)/],
  ['parts in parts in parts', nested(100_000), format, /is nested more than 64 levels deep/],
  [
    'a pre-tokenizer',
    { pre_tokenizer: { type: 'FixedLength', length: 3 } },
    unsupported,
    /: pre_tokenizer.type is "FixedLength"/,
  ],
  [
    'a behavior',
    { pre_tokenizer: { type: 'Punctuation', behavior: 'Merged' } },
    format,
    /: pre_tokenizer.behavior is "Merged": expected Removed/,
  ],
  [
    'two characters',
    { pre_tokenizer: { type: 'CharDelimiterSplit', delimiter: 'ab' } },
    format,
    /: pre_tokenizer.delimiter is "ab": expected one character/,
  ],
  [
    'Metaspace',
    { pre_tokenizer: { type: 'Metaspace', replacement: '_', add_prefix_space: false, prepend_scheme: 'always' } },
    format,
    /: pre_tokenizer.prepend_scheme is "always" while/,
  ],
  ['a decoder', { decoder: { type: 'Reverse' } }, unsupported, /: decoder.type is "Reverse": expected WordPiece/],
  [
    'a count',
    { decoder: { type: 'Strip', content: ' ', start: -1, stop: 0 } },
    format,
    /: decoder.start is -1: expected an integer from 0/,
  ],
  ['a post-processor', { post_processor: { type: 'Suffix' } }, unsupported, /: post_processor.type is "Suffix"/],
  [
    'an unknown special token',
    template({ single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }] }),
    format,
    /: post_processor.single\[0\].SpecialToken.id is "\[CLS\]", which special_tokens lacks/,
  ],
  [
    'an unknown id',
    template({ special_tokens: { c: { id: 'c', ids: [9], tokens: ['c'] } } }),
    format,
    /: post_processor.special_tokens\["c"\].ids\[0\] is 9: expected the id of a token/,
  ],
  [
    'a text twice',
    template({ single: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }] }),
    unsupported,
    /: post_processor.single has the sequences A, A/,
  ],
  [
    'a type id',
    template({ single: [{ Sequence: { id: 'A', type_id: 256 } }] }),
    format,
    /: post_processor.single\[0\].Sequence.type_id is 256/,
  ],
  [
    'two templates',
    { post_processor: { type: 'Sequence', processors: [template({}).post_processor, template({}).post_processor] } },
    unsupported,
    /: post_processor has several processors that put special tokens/,
  ],
  [
    'an added id twice',
    { added_tokens: [added, { ...added, content: 'y' }] },
    format,
    /: added_tokens\[1\] gives "y" the id 3 of "x"/,
  ],
  [
    'an added token twice',
    { added_tokens: [added, { ...added, id: 4 }] },
    format,
    /: added_tokens\[1\] gives "x" the id 4, but it has 3/,
  ],
  [
    'an added id of the vocabulary',
    { added_tokens: [{ ...added, id: 1 }] },
    format,
    /: added_tokens\[0\] gives the id 1 to "x", but that is the id of "a"/,
  ],
  [
    'an added token of the vocabulary',
    { added_tokens: [{ ...added, content: 'a' }] },
    format,
    /: added_tokens\[0\] gives the id 3 to "a", whose id is 1/,
  ],
  [
    'a gap behind the vocabulary',
    { added_tokens: [{ ...added, id: 5 }] },
    format,
    /: added_tokens\[0\] gives the id 5 to "x", but no token has the id 3/,
  ],
  ['an empty added token', { added_tokens: [{ ...added, content: '' }] }, format, /: added_tokens\[0\].content is ""/],
  ['added tokens', { added_tokens: { x: 3 } }, format, /: added_tokens is an object: expected an array/],
  ['much beside the vocabulary', { truncation: 'x'.repeat(9_000_000) }, format, /9\d+ characters beside its tokens/],
];

describe('what is wrong with a tokenizer.json is said with its path', () => {
  test.each(cases)('%s', (_, parts, code, message) => {
    expect(() => new PreTrainedTokenizerFast(file(parts))).toThrow(
      expect.objectContaining({ name: 'BertNativeError', code, message: expect.stringMatching(message) }),
    );
  });

  test.each([
    ['truncated', '{"version":"1.0","model":{"type":"WordLevel","voc', /is not JSON in UTF-8/],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /is not JSON in UTF-8/],
    ['empty', '', /is not JSON in UTF-8/],
    ['an array', '[]', /tokenizer.json is an array of 0: expected an object/],
    ['null', 'null', /tokenizer.json is null: expected an object/],
  ])('a file that is %s', async (_, content, message) => {
    const folder = temporaryFolder();
    await writeFile(join(folder, 'tokenizer.json'), content);
    const failure = { code: format, message: expect.stringMatching(message) };
    await expect(PreTrainedTokenizerFast.from_pretrained(folder)).rejects.toMatchObject(failure);
    expect(() => new PreTrainedTokenizerFast(join(folder, 'tokenizer.json'))).toThrow(expect.objectContaining(failure));
  });

  test('no file, no folder, nothing of the kind', async () => {
    expect(() => new PreTrainedTokenizerFast('/nowhere/tokenizer.json')).toThrow(
      expect.objectContaining({ code: 'ERR_NOT_FOUND' }),
    );
    expect(() => new PreTrainedTokenizerFast(temporaryFolder())).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION' }),
    );
    expect(() => new PreTrainedTokenizerFast(7 as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
    await expect(PreTrainedTokenizerFast.from_pretrained(temporaryFolder())).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringMatching(/has no tokenizer.json/),
    });
  });
});

describe('what is allowed', () => {
  test('ids in any order, tokens that look like numbers or members of objects', () => {
    const vocab = JSON.parse('{"2":0,"__proto__":1,"constructor":2,"1":4,"[UNK]":3}');
    const tokenizer = new PreTrainedTokenizerFast(
      file({ model: { ...wordLevel, vocab }, pre_tokenizer: { type: 'WhitespaceSplit' } }),
    );
    expect(tokenizer.encode('1 2 __proto__ constructor else')).toEqual([4, 0, 1, 2, 3]);
    expect(tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 4])).toEqual(['2', '__proto__', 'constructor', '[UNK]', '1']);
    expect(tokenizer.get_vocab()).toEqual(new Map(Object.entries(vocab)));
  });

  test('a hole that an added token fills', () => {
    const vocab = { '[UNK]': 0, a: 1, b: 3 };
    const tokenizer = new PreTrainedTokenizerFast(
      file({
        model: { ...wordLevel, vocab },
        added_tokens: [{ ...added, id: 2 }],
        pre_tokenizer: { type: 'WhitespaceSplit' },
      }),
    );
    expect(tokenizer.encode('a x b')).toEqual([1, 2, 3]);
    expect(tokenizer.decode([1, 2, 3])).toBe('a x b');
    expect([tokenizer.vocab_size, tokenizer.get_vocab().get('x'), tokenizer.get_vocab().has('')]).toEqual([
      3,
      2,
      false,
    ]);
    expect(tokenizer.add_tokens('y')).toBe(1);
    expect(tokenizer.convert_tokens_to_ids('y')).toBe(4);
  });

  test('what it says of padding and truncation holds unless a call says otherwise', () => {
    const tokenizer = new PreTrainedTokenizerFast(
      file({
        pre_tokenizer: { type: 'WhitespaceSplit' },
        padding: {
          strategy: 'BatchLongest',
          direction: 'Left',
          pad_to_multiple_of: null,
          pad_id: 2,
          pad_type_id: 0,
          pad_token: 'b',
        },
        truncation: { direction: 'Left', max_length: 3, strategy: 'LongestFirst', stride: 0 },
      }),
    );
    expect([tokenizer.padding_side, tokenizer.truncation_side, tokenizer.pad_token]).toEqual(['left', 'left', 'b']);
    expect(tokenizer(['a', 'a a'], { padding: true, return_tensor: false }).input_ids).toEqual([
      [2, 1],
      [1, 1],
    ]);
  });
});
