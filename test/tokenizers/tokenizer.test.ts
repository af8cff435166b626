import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Tensor } from '../../lib/tensor/tensor.ts';
import { BatchEncoding } from '../../lib/tokenizers/batch-encoding.ts';
import { BertTokenizer } from '../../lib/tokenizers/bert.ts';
import type { EncodeOptions } from '../../lib/tokenizers/encode-options.ts';
import { PreTrainedTokenizer } from '../../lib/tokenizers/tokenizer.ts';
import { smallTokenizer, smallVocab, warningsOf } from './small-tokenizer.ts';

/** A call with arrays as its result. */
const encodeArrays = (tokenizer: BertTokenizer, text: string | string[], options: EncodeOptions = {}) => ({
  ...tokenizer(text, { return_tensor: false, ...options }),
});

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** JavaScript callers are not held to the types. */
const untyped = (tokenizer: BertTokenizer) => tokenizer as unknown as (...args: unknown[]) => unknown;

describe('the call', () => {
  test('an instance is a function and an object of its class', () => {
    const tokenizer = smallTokenizer();
    expect(typeof tokenizer).toBe('function');
    expect(tokenizer).toBeInstanceOf(BertTokenizer);
    expect(tokenizer).toBeInstanceOf(PreTrainedTokenizer);
  });

  test('one text gives tensors [1, n]; all fields are int64', () => {
    const encoding = smallTokenizer()('one unknown');
    expect(encoding).toBeInstanceOf(BatchEncoding);
    expect(Object.keys(encoding)).toEqual(['input_ids', 'token_type_ids', 'attention_mask']);
    for (const tensor of Object.values(encoding)) {
      expect(tensor).toBeInstanceOf(Tensor);
      expect(tensor.type).toBe('int64');
      expect(tensor.dims).toEqual([1, 6]);
    }
    expect(encoding.input_ids.tolist()).toEqual([[2n, 5n, 9n, 10n, 11n, 3n]]);
  });

  test('arrays have the rank of the input', () => {
    const tokenizer = smallTokenizer();
    expect(encodeArrays(tokenizer, 'one').input_ids).toEqual([2, 5, 3]);
    expect(encodeArrays(tokenizer, ['one', 'two!']).input_ids).toEqual([
      [2, 5, 3],
      [2, 6, 12, 3],
    ]);
  });

  test('an empty list gives empty lists, and tensors without elements', () => {
    const tokenizer = smallTokenizer();
    expect(encodeArrays(tokenizer, [])).toEqual({ input_ids: [], token_type_ids: [], attention_mask: [] });
    expect(tokenizer([]).input_ids.dims).toEqual([0, 0]);
    expect(tokenizer([], { padding: true, return_offsets_mapping: true }).offset_mapping?.dims).toEqual([0, 0, 2]);
  });

  test('rows of different lengths make no tensor', () => {
    const tokenizer = smallTokenizer();
    expect(() => tokenizer(['one', 'one two'])).toThrow(
      failure('ERR_SHAPE', /row 0 has 3 tokens and row 1 has 4.*padding: true/),
    );
    expect(() => tokenizer(['one', 'one two three'], { padding: 'max_length', max_length: 4 })).toThrow(
      failure('ERR_SHAPE', /truncation: true/),
    );
  });

  test('pairs: as text_pair, as arrays of two, and the special tokens between', () => {
    const tokenizer = smallTokenizer();
    const expected = { input_ids: [2, 5, 3, 6, 7, 3], token_type_ids: [0, 0, 0, 1, 1, 1] };
    expect(encodeArrays(tokenizer, 'one', { text_pair: 'two three' })).toMatchObject(expected);
    const batch = {
      input_ids: [expected.input_ids],
      token_type_ids: [expected.token_type_ids],
      attention_mask: [[1, 1, 1, 1, 1, 1]],
    };
    expect(encodeArrays(tokenizer, ['one'], { text_pair: ['two three'] })).toEqual(batch);
    // "batch_text_or_text_pairs: a batch of sequences or of pairs of sequences" (transformers, batch_encode_plus)
    expect({ ...tokenizer([['one', 'two three']], { return_tensor: false }) }).toEqual(batch);
    expect({ ...tokenizer.batch_encode_plus([['one', 'two three']], { return_tensor: false }) }).toEqual(batch);
    expect(tokenizer.num_special_tokens_to_add()).toBe(2);
    expect(tokenizer.num_special_tokens_to_add(true)).toBe(3);
  });

  test('is_split_into_words: one text, several, and pairs', () => {
    const tokenizer = smallTokenizer();
    const options = { is_split_into_words: true, return_tensor: false } as const;
    expect(tokenizer(['one', 'unknown'], options).input_ids).toEqual([2, 5, 9, 10, 11, 3]);
    expect(tokenizer([['one', 'unknown'], []], options).input_ids).toEqual([
      [2, 5, 9, 10, 11, 3],
      [2, 3],
    ]);
    expect(tokenizer(['one'], { ...options, text_pair: ['two', 'two'] }).input_ids).toEqual([2, 5, 3, 6, 6, 3]);
    expect(tokenizer([['one'], ['two']], { ...options, text_pair: [['two'], ['one']] }).input_ids).toEqual([
      [2, 5, 3, 6, 3],
      [2, 6, 3, 5, 3],
    ]);
    expect(tokenizer([[['one'], ['two', 'two']]], options).input_ids).toEqual([[2, 5, 3, 6, 6, 3]]);
    expect(tokenizer([], options).input_ids).toEqual([2, 3]);
  });

  test('encode_async gives the same, and rejects where the call throws', async () => {
    const tokenizer = smallTokenizer();
    const options = { padding: true, return_offsets_mapping: true } as const;
    const texts = ['one unknown', '안녕 two'];
    expect({ ...(await tokenizer.encode_async(texts, options)) }).toEqual({ ...tokenizer(texts, options) });
    const found = await tokenizer.encode_async('one two', { return_tensor: false });
    expect(found.word_ids()).toEqual([null, 0, 1, null]);
    await expect(tokenizer.encode_async(['one', 'one two'])).rejects.toThrow(failure('ERR_SHAPE', /row 1/));
    await expect(tokenizer.encode_async(null as never)).rejects.toThrow(failure('ERR_DTYPE', /text is null/));
  });

  test('later changes to the array of texts do not reach an encoding', () => {
    const texts = ['unknown'];
    const encoding = smallTokenizer()(texts);
    texts[0] = 'one';
    expect(encoding.word_ids()).toEqual([null, 0, 0, 0, null]);
  });

  test('encode, encode_plus, batch_encode_plus and tokenize', () => {
    const tokenizer = smallTokenizer();
    expect(tokenizer.encode('one two')).toEqual([2, 5, 6, 3]);
    expect(tokenizer.encode('one two', { add_special_tokens: false })).toEqual([5, 6]);
    expect(tokenizer.encode('one', { return_tensors: 'pt' }).tolist()).toEqual([[2n, 5n, 3n]]);
    expect(tokenizer.encode('one', { return_tensor: true }).dims).toEqual([1, 3]);
    expect(tokenizer.encode_plus('one').input_ids.dims).toEqual([1, 3]);
    expect(tokenizer.batch_encode_plus(['one', 'two']).input_ids.dims).toEqual([2, 3]);
    expect(tokenizer.tokenize('unknown 안녕!')).toEqual(['un', '##know', '##n', '안', '##녕', '!']);
    expect(tokenizer.tokenize('one', { pair: 'two', add_special_tokens: true })).toEqual([
      '[CLS]',
      'one',
      '[SEP]',
      'two',
      '[SEP]',
    ]);
    expect(() => tokenizer.encode(['one'] as never)).toThrow(failure('ERR_DTYPE', /expected one text/));
    expect(() => tokenizer.batch_encode_plus('one' as never)).toThrow(
      failure('ERR_DTYPE', /expected an array of texts/),
    );
  });
});

describe('padding and truncation', () => {
  const texts = ['one', 'one two three four'];

  test('padding: true goes to the longest row, even with max_length', async () => {
    const tokenizer = smallTokenizer();
    const warnings = await warningsOf(() => {
      for (let i = 0; i < 2; ++i) {
        expect(encodeArrays(tokenizer, texts, { padding: true, max_length: 10 }).input_ids).toEqual([
          [2, 5, 3, 0, 0, 0],
          [2, 5, 6, 7, 8, 3],
        ]);
      }
    });
    expect(warnings.map(([code]) => code)).toEqual(['BERT_NATIVE_MAX_LENGTH_IGNORED']);
    expect(encodeArrays(tokenizer, texts, { padding: true, max_length: 4, verbose: false }).input_ids).toEqual([
      [2, 5, 3, 0, 0, 0],
      [2, 5, 6, 7, 8, 3],
    ]);
  });

  test('max_length without truncation truncates longest_first and warns once', async () => {
    const tokenizer = smallTokenizer();
    const warnings = await warningsOf(() => {
      for (let i = 0; i < 2; ++i) {
        expect(encodeArrays(tokenizer, texts, { max_length: 4 }).input_ids).toEqual([
          [2, 5, 3],
          [2, 5, 6, 3],
        ]);
      }
    });
    expect(warnings.map(([code]) => code)).toEqual(['BERT_NATIVE_IMPLICIT_TRUNCATION']);
    expect(await warningsOf(() => smallTokenizer()('one', { max_length: 4, verbose: false }))).toEqual([]);
    expect(encodeArrays(tokenizer, texts, { max_length: 4, truncation: false }).input_ids).toEqual([
      [2, 5, 3],
      [2, 5, 6, 7, 8, 3],
    ]);
    // transformers reads max_length as truncation only where no padding was asked for.
    expect(encodeArrays(tokenizer, texts, { max_length: 4, padding: 'max_length' }).input_ids).toEqual([
      [2, 5, 3, 0],
      [2, 5, 6, 7, 8, 3],
    ]);
  });

  test('without max_length, model_max_length counts', () => {
    const tokenizer = smallTokenizer({ model_max_length: 5 });
    expect(encodeArrays(tokenizer, texts, { truncation: true, padding: 'max_length' }).input_ids).toEqual([
      [2, 5, 3, 0, 0],
      [2, 5, 6, 7, 3],
    ]);
  });

  test('without any model_max_length, nothing is cut or padded, with one warning each', async () => {
    const tokenizer = smallTokenizer();
    expect(tokenizer.model_max_length).toBe(1e30);
    const warnings = await warningsOf(() => {
      for (let i = 0; i < 2; ++i) {
        expect(encodeArrays(tokenizer, texts, { truncation: true, padding: 'max_length' }).input_ids).toEqual([
          [2, 5, 3],
          [2, 5, 6, 7, 8, 3],
        ]);
      }
    });
    expect(warnings.map(([code]) => code).toSorted()).toEqual([
      'BERT_NATIVE_NO_MAX_LENGTH_TO_PAD',
      'BERT_NATIVE_NO_MAX_LENGTH_TO_TRUNCATE',
    ]);
    const max_length = tokenizer.model_max_length;
    expect(encodeArrays(tokenizer, 'one two', { truncation: true, max_length }).input_ids).toEqual([2, 5, 6, 3]);
  });

  test('a row longer than the model takes is worth a warning', async () => {
    const tokenizer = smallTokenizer({ model_max_length: 4 });
    const warnings = await warningsOf(() => [tokenizer('one two three'), tokenizer('one two three')]);
    expect(warnings).toEqual([['BERT_NATIVE_LONGER_THAN_MODEL', expect.stringMatching(/5 tokens.*takes 4/)]]);
  });

  test('sides, of the tokenizer and of the call', () => {
    const tokenizer = smallTokenizer({ padding_side: 'left', truncation_side: 'left' });
    const options = {
      padding: 'max_length',
      truncation: true,
      max_length: 4,
      return_special_tokens_mask: true,
    } as const;
    expect(encodeArrays(tokenizer, texts, options)).toEqual({
      input_ids: [
        [0, 2, 5, 3],
        [2, 7, 8, 3],
      ],
      token_type_ids: [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ],
      attention_mask: [
        [0, 1, 1, 1],
        [1, 1, 1, 1],
      ],
      special_tokens_mask: [
        [1, 1, 0, 1],
        [1, 0, 0, 1],
      ],
    });
    tokenizer.padding_side = 'right';
    expect(encodeArrays(tokenizer, texts, { ...options, truncation_side: 'right' }).input_ids).toEqual([
      [2, 5, 3, 0],
      [2, 5, 6, 3],
    ]);
  });

  test('the padding of tensors and of arrays is the same, and its token type is 0', () => {
    const tokenizer = smallTokenizer({ pad_token: '[MASK]' });
    const options = {
      text_pair: ['two', 'two three'],
      padding: 'max_length',
      max_length: 8,
      truncation: true,
      padding_side: 'left',
      return_special_tokens_mask: true,
      return_offsets_mapping: true,
      return_length: true,
      return_overflowing_tokens: true,
    } as const;
    const arrays = tokenizer(
      texts.map((text) => text.slice(0, 7)),
      { ...options, return_tensor: false },
    );
    const tensors = tokenizer(
      texts.map((text) => text.slice(0, 7)),
      options,
    );
    const numbers = (value: unknown): unknown => (Array.isArray(value) ? value.map(numbers) : Number(value));
    const lists = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, numbers(tensor.tolist())]));
    expect(lists).toEqual({ ...arrays });
    expect(arrays.input_ids).toEqual([
      [4, 4, 4, 2, 5, 3, 6, 3],
      [4, 2, 5, 6, 3, 6, 7, 3],
    ]);
    expect(arrays.token_type_ids).toEqual([
      [0, 0, 0, 0, 0, 0, 1, 1],
      [0, 0, 0, 0, 0, 1, 1, 1],
    ]);
    expect(arrays.length).toEqual([8, 8]);
    expect(arrays.overflow_to_sample_mapping).toEqual([0, 1]);
  });

  test('pad_to_multiple_of rounds up what is padded, and only that', () => {
    const tokenizer = smallTokenizer();
    expect(tokenizer(texts, { padding: true, pad_to_multiple_of: 8 }).input_ids.dims).toEqual([2, 8]);
    expect(tokenizer('one', { padding: 'max_length', max_length: 5, pad_to_multiple_of: 4 }).input_ids.dims).toEqual([
      1, 8,
    ]);
    expect(tokenizer('one', { pad_to_multiple_of: 8 }).input_ids.dims).toEqual([1, 3]);
    expect(() => tokenizer(texts, { padding: true, truncation: true, max_length: 5, pad_to_multiple_of: 4 })).toThrow(
      failure('ERR_OPTION', /max_length is 5: expected a multiple of pad_to_multiple_of \(4\)/),
    );
  });

  test('overflow comes as further rows, also of one text', () => {
    const tokenizer = smallTokenizer();
    const options = {
      max_length: 4,
      truncation: true,
      stride: 1,
      return_overflowing_tokens: true,
      padding: true,
    } as const;
    const found = tokenizer(['one two three four', 'one'], { ...options, return_tensor: false });
    expect(found.input_ids).toEqual([
      [2, 5, 6, 3],
      [2, 6, 7, 3],
      [2, 7, 8, 3],
      [2, 5, 3, 0],
    ]);
    expect(found.overflow_to_sample_mapping).toEqual([0, 0, 0, 1]);
    expect(tokenizer('one two three four', { ...options, return_tensor: false }).input_ids).toHaveLength(3);
    const tensors = tokenizer('one two three four', { ...options, return_length: true });
    expect(tensors.overflow_to_sample_mapping?.tolist()).toEqual([0n, 0n, 0n]);
    expect(tensors.length?.tolist()).toEqual([4n, 4n, 4n]);
  });

  test('rows that no memory holds are an error', () => {
    const pad = (max_length: number, return_tensor: boolean) => () =>
      smallTokenizer()('one', { padding: 'max_length', max_length, return_tensor });
    expect(pad(1e15, true)).toThrow(failure('ERR_MEMORY', /^input_ids of 1 × 1000000000000000 int64 elements/));
    expect(pad(2 ** 28, false)).toThrow(failure('ERR_MEMORY', /^row 0 has 268435456 positions/));
  });

  test('what cannot be cut to max_length is an error', () => {
    expect(() =>
      smallTokenizer()('one two', { text_pair: 'three four', truncation: 'only_first', max_length: 4 }),
    ).toThrow(failure('ERR_TRUNCATION', /./));
  });
});

describe('what is returned', () => {
  test('fields are switched on and off', () => {
    const tokenizer = smallTokenizer();
    const off = { return_attention_mask: false, return_token_type_ids: false };
    expect(Object.keys(tokenizer('one', off))).toEqual(['input_ids']);
    const bare = smallTokenizer({ model_input_names: ['input_ids', 'attention_mask'] });
    expect(Object.keys(bare('one'))).toEqual(['input_ids', 'attention_mask']);
    expect(Object.keys(bare('one', { return_token_type_ids: true }))).toContain('token_type_ids');
  });

  test('the special tokens mask leaves special tokens in the text alone', () => {
    const options = { return_special_tokens_mask: true };
    expect(encodeArrays(smallTokenizer(), 'one [MASK]', options).special_tokens_mask).toEqual([1, 0, 0, 1]);
  });

  test('null and undefined mean the default', () => {
    const nothing = { padding: null, truncation: undefined, max_length: null, text_pair: null, return_tensor: null };
    expect({ ...smallTokenizer()('one', nothing) }).toEqual({ ...smallTokenizer()('one') });
    expect(() => smallTokenizer()('one', null)).not.toThrow();
  });
});

describe('wrong options', () => {
  test.each<[Record<string, unknown>, RegExp]>([
    [{ padding: 7 }, /^padding is 7: expected true, false, 'longest', 'max_length' or 'do_not_pad'/],
    [{ truncation: 'yes' }, /^truncation is "yes": expected true, false, 'longest_first'/],
    [{ max_length: 1.5 }, /^max_length is 1.5: expected an integer from 0 up/],
    [{ max_length: -1 }, /^max_length is -1/],
    [{ max_length: '10' }, /^max_length is "10"/],
    [{ stride: -1 }, /^stride is -1/],
    [{ pad_to_multiple_of: 0 }, /^pad_to_multiple_of is 0: expected an integer from 1 up/],
    [{ padding_side: 'top' }, /^padding_side is "top": expected 'left' or 'right'/],
    [{ add_special_tokens: 'no' }, /^add_special_tokens is "no": expected true or false/],
    [{ return_tensors: 'torch' }, /^return_tensors is "torch": expected 'pt'/],
    [{ return_tensor: false, return_tensors: 'pt' }, /return_tensors asks for tensors/],
    [{ paddding: true }, /^tokenizer\(\): unknown option 'paddding'; did you mean 'padding'\?/],
    [{ maxlength: 3 }, /did you mean 'max_length'\?/],
    [{ return_tensor_: true }, /did you mean 'return_tensors?'/],
  ])('%o', (options, message) => {
    expect(() => untyped(smallTokenizer())('one', options)).toThrow(failure('ERR_OPTION', message));
  });

  test('options that are no object', () => {
    expect(() => untyped(smallTokenizer())('one', 'two')).toThrow(
      failure('ERR_OPTION', /^the options argument of tokenizer\(\) is .*: expected an object/),
    );
    expect(() => untyped(smallTokenizer())('one', ['two'])).toThrow(
      failure('ERR_OPTION', /^the options argument of tokenizer\(\) is .*: expected an object/),
    );
  });

  test('fields take only what the options take', () => {
    const tokenizer = smallTokenizer();
    expect(() => Object.assign(tokenizer, { padding_side: 'up' })).toThrow(
      failure('ERR_OPTION', /padding_side is "up"/),
    );
    expect(() => Object.assign(tokenizer, { model_max_length: 0 })).toThrow(failure('ERR_OPTION', /model_max_length/));
    tokenizer.model_max_length = 7;
    expect(tokenizer.model_max_length).toBe(7);
  });
});

describe('wrong texts', () => {
  const words = { is_split_into_words: true };
  test.each<[unknown, Record<string, unknown>, string, RegExp]>([
    [null, {}, 'ERR_DTYPE', /^text is null: expected a string/],
    [undefined, {}, 'ERR_DTYPE', /^text is undefined/],
    [7, {}, 'ERR_DTYPE', /^text is 7/],
    [['one', 7], {}, 'ERR_DTYPE', /^text\[1\] is 7: expected a string/],
    [['one', ['two', 'two']], {}, 'ERR_DTYPE', /^text\[1\] is an array of 2: expected a string/],
    [[['one', 'two'], 'one'], {}, 'ERR_DTYPE', /^text\[1\] is "one": expected a pair/],
    [[['one']], {}, 'ERR_DTYPE', /^text\[0\] is an array of 1: expected a pair/],
    [[['one', null]], {}, 'ERR_DTYPE', /^text\[0\]\[1\] is null/],
    ['one', { text_pair: ['two'] }, 'ERR_DTYPE', /^text_pair is an array of 1: expected a string/],
    [['one'], { text_pair: 'two' }, 'ERR_DTYPE', /^text_pair is "two": expected an array of 1 texts/],
    [['one'], { text_pair: ['two', 'two'] }, 'ERR_SHAPE', /^text_pair has 2 texts: expected 1/],
    ['one', words, 'ERR_DTYPE', /^text is "one": expected an array of words/],
    [['one', 2], words, 'ERR_DTYPE', /^text\[1\] is 2: expected a string/],
    [[['one'], 'two'], words, 'ERR_DTYPE', /^text\[1\] is "two": expected an array of words/],
    [[['one'], ['two', {}]], words, 'ERR_DTYPE', /^text\[1\]\[1\] is an object/],
    [new Array(2), {}, 'ERR_DTYPE', /^text\[0\] is undefined/],
  ])('%o %o', (text, options, code, message) => {
    expect(() => untyped(smallTokenizer())(text, options)).toThrow(failure(code, message));
  });
});

describe('tokens, ids and text', () => {
  test('convert_tokens_to_ids and back', () => {
    const tokenizer = smallTokenizer();
    expect(tokenizer.convert_tokens_to_ids('two')).toBe(6);
    expect(tokenizer.convert_tokens_to_ids(['two', 'nowhere'])).toEqual([6, 1]);
    expect(tokenizer.convert_ids_to_tokens(6)).toBe('two');
    expect(tokenizer.convert_ids_to_tokens(6n)).toBe('two');
    expect(tokenizer.convert_ids_to_tokens([2, 6, 3])).toEqual(['[CLS]', 'two', '[SEP]']);
    expect(tokenizer.convert_ids_to_tokens([2, 6, 3], { skip_special_tokens: true })).toEqual(['two']);
    expect(tokenizer.convert_tokens_to_string(['un', '##know', '##n', 'two'])).toBe('unknown two');
    expect(() => tokenizer.convert_ids_to_tokens(99)).toThrow(failure('ERR_TOKEN_ID', /id 99/));
    expect(() => tokenizer.convert_tokens_to_ids([null] as never)).toThrow(failure('ERR_DTYPE', /tokens\[0\] is null/));
  });

  test('decode takes ids in any form', () => {
    const tokenizer = smallTokenizer();
    const text = '[CLS] one unknown! [SEP]';
    const ids = tokenizer.encode('one unknown!');
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.decode(ids.map(BigInt))).toBe(text);
    expect(tokenizer.decode(Int32Array.from(ids))).toBe(text);
    expect(tokenizer.decode(BigInt64Array.from(ids.map(BigInt)))).toBe(text);
    expect(tokenizer.decode(tokenizer('one unknown!').input_ids)).toBe(text);
    expect(tokenizer.decode(tokenizer('one unknown!').input_ids[0]!)).toBe(text);
    expect(tokenizer.decode(6)).toBe('two');
    expect(tokenizer.decode([])).toBe('');
  });

  test('decode with its options, and with the setting of the tokenizer', () => {
    const ids = smallTokenizer().encode('one unknown!');
    expect(smallTokenizer().decode(ids, { skip_special_tokens: true })).toBe('one unknown!');
    expect(smallTokenizer().decode(ids, { clean_up_tokenization_spaces: false })).toBe('[CLS] one unknown ! [SEP]');
    const untidy = smallTokenizer({ clean_up_tokenization_spaces: false });
    expect(untidy.decode(ids, { skip_special_tokens: true })).toBe('one unknown !');
    expect(untidy.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: true })).toBe('one unknown!');
  });

  test('batch_decode takes arrays and tensors', () => {
    const tokenizer = smallTokenizer();
    const { input_ids } = tokenizer(['one', 'two two'], { padding: true });
    const expected = ['one', 'two two'];
    expect(tokenizer.batch_decode(input_ids, { skip_special_tokens: true })).toEqual(expected);
    expect(
      tokenizer.batch_decode(
        [
          [2, 5, 3],
          [6, 6],
        ],
        { skip_special_tokens: true },
      ),
    ).toEqual(expected);
    expect(tokenizer.batch_decode([...input_ids] as Tensor[], { skip_special_tokens: true })).toEqual(expected);
    expect(tokenizer.batch_decode([])).toEqual([]);
  });

  test('wrong ids', () => {
    const tokenizer = smallTokenizer();
    expect(() => tokenizer.decode([2, 99])).toThrow(failure('ERR_TOKEN_ID', /99/));
    expect(() => tokenizer.decode([2, -100])).toThrow(failure('ERR_TOKEN_ID', /ids\[1\] is -100/));
    expect(() => tokenizer.decode([2.5])).toThrow(failure('ERR_TOKEN_ID', /ids\[0\] is 2.5/));
    expect(() => tokenizer.decode([2n ** 40n])).toThrow(failure('ERR_TOKEN_ID', /1099511627776/));
    expect(() => tokenizer.decode(['2'] as never)).toThrow(failure('ERR_DTYPE', /ids\[0\] is "2"/));
    expect(() => tokenizer.decode('2' as never)).toThrow(failure('ERR_DTYPE', /ids is "2"/));
    expect(() => tokenizer.decode([[2]] as never)).toThrow(failure('ERR_DTYPE', /ids\[0\]/));
    expect(() => tokenizer.decode(tokenizer(['one', 'two']).input_ids)).toThrow(failure('ERR_SHAPE', /batch_decode/));
    expect(() => tokenizer.batch_decode([2, 3] as never)).toThrow(failure('ERR_DTYPE', /ids\[0\] is 2/));
    expect(() => tokenizer.batch_decode(7 as never)).toThrow(failure('ERR_DTYPE', /ids are 7/));
    expect(() => tokenizer.batch_decode(new Tensor('int64', [1, 2]))).toThrow(failure('ERR_SHAPE', /\[rows, tokens\]/));
    expect(() => tokenizer.decode([2], { skip: true } as never)).toThrow(
      failure('ERR_OPTION', /^decode\(\): unknown option 'skip'; it takes skip_special_tokens, clean_up/),
    );
  });

  test('the vocabulary', () => {
    const tokenizer = smallTokenizer();
    expect(tokenizer.vocab_size).toBe(smallVocab.length);
    expect(tokenizer.get_vocab()).toEqual(new Map(smallVocab.map((token, id) => [token, id])));
  });

  test('the special tokens', () => {
    const tokenizer = smallTokenizer({ additional_special_tokens: ['three'] });
    expect(tokenizer.cls_token).toBe('[CLS]');
    expect(tokenizer.cls_token_id).toBe(2);
    expect([tokenizer.unk_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id, tokenizer.mask_token_id]).toEqual([
      1, 3, 0, 4,
    ]);
    expect([tokenizer.bos_token, tokenizer.bos_token_id]).toEqual([null, null]);
    expect(tokenizer.all_special_tokens).toEqual(['[UNK]', '[SEP]', '[PAD]', '[CLS]', '[MASK]', 'three']);
    expect(tokenizer.all_special_ids).toEqual([1, 3, 0, 2, 4, 7]);
    expect(tokenizer.additional_special_tokens).toEqual(['three']);
    expect(tokenizer.additional_special_tokens_ids).toEqual([7]);
    expect(tokenizer.decode([5, 7], { skip_special_tokens: true })).toBe('one');
  });
});

describe('added tokens', () => {
  test('are found as a whole, and counted once', () => {
    const tokenizer = smallTokenizer();
    expect(tokenizer.encode('one<e>two')).toEqual([2, 5, 1, 1, 1, 6, 3]);
    expect(tokenizer.add_tokens(['<e>', 'one', '</e>'])).toBe(2);
    expect(tokenizer.add_tokens('<e>')).toBe(0);
    expect(tokenizer.encode('one<e>two</e>')).toEqual([2, 5, 18, 6, 19, 3]);
    expect(tokenizer.vocab_size).toBe(18);
    expect(tokenizer.get_vocab().get('</e>')).toBe(19);
    expect(tokenizer.convert_ids_to_tokens([18, 19])).toEqual(['<e>', '</e>']);
    expect(tokenizer.decode([5, 18], { skip_special_tokens: true })).toBe('one <e>');
  });

  test('may be special', () => {
    const tokenizer = smallTokenizer();
    expect(tokenizer.add_tokens([{ content: '<e>', lstrip: true }], { special_tokens: true })).toBe(1);
    expect(tokenizer.decode([5, 18], { skip_special_tokens: true })).toBe('one');
    expect(tokenizer.add_special_tokens({ additional_special_tokens: ['<f>'], mask_token: '<e>' })).toBe(1);
    expect([tokenizer.mask_token, tokenizer.mask_token_id]).toEqual(['<e>', 18]);
    expect(tokenizer.additional_special_tokens_ids).toEqual([19]);
  });

  test('have to be strings that are not empty', () => {
    const tokenizer = smallTokenizer();
    expect(() => tokenizer.add_tokens(['<e>', ''])).toThrow(failure('ERR_OPTION', /tokens\[1\] is ""/));
    expect(() => tokenizer.add_tokens([7] as never)).toThrow(failure('ERR_OPTION', /tokens\[0\] is 7/));
    expect(() => tokenizer.add_tokens('\ud800')).toThrow(failure('ERR_OPTION', /tokens\[0\]/));
    expect(tokenizer.get_vocab().size).toBe(smallVocab.length);
  });
});

test('printing', () => {
  const tokenizer = smallTokenizer({ model_max_length: 512 });
  tokenizer.add_tokens('<e>');
  const shown = inspect(tokenizer);
  for (const part of ['BertTokenizer {', 'vocab_size: 18', 'model_max_length: 512', "cls_token: '[CLS]'", '<e>']) {
    expect(shown).toContain(part);
  }
  expect(inspect(tokenizer('one'))).toContain('input_ids: Tensor int64 [1, 3]');
  expect(inspect(tokenizer('one', { return_tensor: false }))).toContain('input_ids: [ 2, 5, 3 ]');
});
