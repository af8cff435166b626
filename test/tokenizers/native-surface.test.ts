import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { findAddon, nativeBinding } from '../../lib/binding/load.ts';
import type { NativeTokenizerDescription } from '../../lib/binding/native.ts';
import { bertDescription, bertParts, plainOptions, rowsOf, texts, wordPieceDescription } from './native-support.ts';

const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'b', '##b', 'c', '.', '##c', '안', '##녕'];
const description = bertDescription(vocabulary);
const create = (changed: object = {}) =>
  nativeBinding().create_tokenizer({ ...description, ...changed } as NativeTokenizerDescription);
const optionError = (message: RegExp) => expect.objectContaining({ code: 'ERR_OPTION', message });

/** As `expect.objectContaining`, with the message matched. */
function expectError(run: () => unknown, code: string, message: RegExp) {
  let caught: { code?: string; message?: string } = {};
  try {
    run();
  } catch (error) {
    caught = error as typeof caught;
  }
  expect([caught.code, caught.message]).toEqual([code, expect.stringMatching(message)]);
}

describe('encode', () => {
  const tokenizer = create();

  test('rows lie back to back, in the order of the samples', () => {
    const encoding = tokenizer.encode({ first: texts('a b', '', 'abc.'), second: null }, plainOptions);
    expect(encoding.ids).toEqual(Int32Array.of(2, 5, 6, 3, 2, 3, 2, 5, 7, 10, 9, 3));
    expect(encoding.row_starts).toEqual(Int32Array.of(0, 4, 6, 12));
    expect(encoding.sample_of_row).toEqual(Int32Array.of(0, 1, 2));
    expect(encoding.offsets).toBeNull();
    expect(encoding.word_ids).toBeNull();
  });

  test('no samples give no rows', () => {
    const encoding = tokenizer.encode({ first: texts(), second: texts() }, plainOptions);
    expect([encoding.ids.length, [...encoding.row_starts]]).toEqual([0, [0]]);
  });

  test('each token is the text between its offsets', () => {
    const text = 'A\u0301bc 😀. 안녕\u200b a[MASK]b';
    const options = { ...plainOptions, return_offsets: true, return_word_ids: true };
    const [row] = rowsOf(tokenizer.encode({ first: texts(text), second: null }, options));
    const slices = row!.ids.map((_, i) => text.slice(row!.offsets![2 * i], row!.offsets![2 * i + 1]));
    // With accents stripped, Hangul is decomposed, and this vocabulary has no jamo.
    expect(slices).toEqual(['', 'A', 'b', 'c', '😀', '.', '안녕', 'a', '[MASK]', 'b', '']);
    expect(row!.word_ids).toEqual([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, -1]);
    expect(row!.ids).toEqual([2, 5, 7, 10, 1, 9, 1, 5, 4, 6, 3]);
  });

  test('words that were split already: offsets inside the word, word ids are its index', () => {
    const first = { texts: ['ab.', '', 'b', 'c'], word_starts: Int32Array.of(0, 3, 3, 4) };
    const options = { ...plainOptions, return_offsets: true, return_word_ids: true };
    const rows = rowsOf(tokenizer.encode({ first, second: null }, options));
    expect(rows.map((row) => row.ids)).toEqual([
      [2, 5, 7, 9, 6, 3],
      [2, 3],
      [2, 8, 3],
    ]);
    expect(rows[0]!.word_ids).toEqual([-1, 0, 0, 0, 2, -1]);
    expect(rows[0]!.offsets).toEqual([0, 0, 0, 1, 1, 2, 2, 3, 0, 1, 0, 0]);
  });

  test('max_length that the special tokens alone exceed', () => {
    const run = () =>
      tokenizer.encode(
        { first: texts('a'), second: null },
        { ...plainOptions, truncation: 'only_first', max_length: 1 },
      );
    expectError(run, 'ERR_TRUNCATION', /max_length is 1, but the 2 special tokens/);
  });

  test('max_length that leaves no room for a single text', () => {
    const options = { ...plainOptions, truncation: 'longest_first', max_length: 2 } as const;
    expect([...tokenizer.encode({ first: texts('a b'), second: null }, options).ids]).toEqual([2, 3]);
  });

  test('a stride as long as the window', () => {
    const options = {
      ...plainOptions,
      truncation: 'longest_first',
      max_length: 4,
      return_overflowing_tokens: true,
    } as const;
    const input = { first: texts('a b c'), second: null };
    expectError(() => tokenizer.encode(input, { ...options, stride: 2 }), 'ERR_TRUNCATION', /stride 2 .* 2 tokens/);
    expect(rowsOf(tokenizer.encode(input, { ...options, stride: 1 })).map((row) => row.ids)).toEqual([
      [2, 5, 6, 3],
      [2, 6, 8, 3],
    ]);
  });

  test('arrays passed in may change afterwards', () => {
    const own = wordPieceDescription(vocabulary);
    const model = nativeBinding().create_tokenizer_model(own);
    own.vocabulary.bytes.fill(0);
    expect([...create({ model }).encode({ first: texts('a'), second: null }, plainOptions).ids]).toEqual([2, 5, 3]);
  });

  test.each<[unknown, RegExp]>([
    [undefined, /input: expected an object/],
    [{ first: { texts: 'a', word_starts: null }, second: null }, /input.first.texts: expected an array/],
    [{ first: { texts: ['a', 5], word_starts: null }, second: null }, /input.first.texts\[1\]: expected a string/],
    [{ first: texts('a'), second: texts() }, /1 first texts but 0 second/],
    [{ first: { texts: ['a'], word_starts: [0, 1] }, second: null }, /word_starts: expected an Int32Array or null/],
    ...[[], [1], [0, 2], [0, -1, 1], [0, 1, 0]].map((starts): [unknown, RegExp] => [
      { first: { texts: ['a'], word_starts: Int32Array.from(starts) }, second: null },
      /input.first.word_starts: expected numbers that ascend from 0 to the number of texts, 1/,
    ]),
  ])('input %j is refused', async (input, message) => {
    expectError(() => tokenizer.encode(input as never, plainOptions), 'ERR_OPTION', message);
    await expect(tokenizer.encode_async(input as never, plainOptions)).rejects.toMatchObject({ code: 'ERR_OPTION' });
  });

  test.each([
    [{ truncation: 'shortest' }, /options.truncation: expected 'none'/],
    [{ truncation: 'only_first', max_length: 1.5 }, /options.max_length: expected an integer/],
    [{ truncation: 'only_first', max_length: 2 ** 40 }, /options.max_length: expected an integer/],
    [{ return_overflowing_tokens: true, stride: -1 }, /options.stride: expected an integer/],
    [{ truncation_side: 'top' }, /options.truncation_side: expected 'right' or 'left'/],
    [{ add_special_tokens: 1 }, /options.add_special_tokens: expected true or false/],
  ])('options %j are refused', (options, message) => {
    const run = () => tokenizer.encode({ first: texts('a'), second: null }, { ...plainOptions, ...options } as never);
    expectError(run, 'ERR_OPTION', message);
  });
});

describe('create_tokenizer_model', () => {
  const whole = wordPieceDescription(vocabulary);
  const refused: [object, RegExp][] = [
    [{ vocabulary: { bytes: new Uint8Array(2), starts: Uint32Array.of(0, 3) } }, /ends with 3, but .* 2 bytes/],
    [{ vocabulary: { bytes: new Uint8Array(2), starts: new Int32Array(1) } }, /starts: expected a Uint32Array/],
    [{ vocabulary: { bytes: Uint8Array.of(0xff), starts: Uint32Array.of(0, 1) } }, /entry 0 .* not UTF-8/],
    [{ model: { ...whole.model, unk_id: 13 } }, /unk.* 13/],
    [{ model: { ...whole.model, type: 'bpe' } }, /model.type: expected/],
  ];

  test.each(refused)('a description with %j is refused', async (changed, message) => {
    const description = { ...whole, ...changed } as never;
    const failure = {
      code: expect.stringMatching(/^ERR_(OPTION|FILE_FORMAT)$/),
      message: expect.stringMatching(message),
    };
    expect(() => nativeBinding().create_tokenizer_model(description)).toThrow(expect.objectContaining(failure));
    const call = async () => nativeBinding().create_tokenizer_model_async(description);
    await expect(call()).rejects.toMatchObject(failure);
  });

  test('answers about tokens; of equal ones the last counts', async () => {
    const description = wordPieceDescription([...vocabulary, 'a', '']);
    const models = [
      nativeBinding().create_tokenizer_model(description),
      await nativeBinding().create_tokenizer_model_async(description),
    ];
    for (const model of models) {
      expect(model.size).toBe(vocabulary.length + 2);
      expect(['a', 'b', '', '안', 'no'].map((token) => model.token_to_id(token))).toEqual([13, 6, 14, 11, -1]);
      expect([0, 5, 13, 14, 15, -1].map((id) => model.id_to_token(id))).toEqual(['[PAD]', 'a', 'a', '', null, null]);
    }
  });
});

describe('create_tokenizer', () => {
  test.each([
    [{ model: {} }, /model: expected/],
    [
      { added_tokens: [{ ...description.added_tokens[0], content: '' }] },
      /added_tokens\[0\].content must not be empty/,
    ],
    [
      { added_tokens: [{ ...description.added_tokens[0], id: -2 }] },
      /added_tokens\[0\].id: expected an integer from 0/,
    ],
    [{ added_tokens: [null] }, /description.added_tokens\[0\]: expected an object/],
    [{ post_processor: { ...description.post_processor, pair: [] } }, /post_processor.pair must contain sequence A/],
    [{ post_processor: { ...description.post_processor, single: [{ sequence: 'C', type_id: 0 }] } }, /'A' or 'B'/],
    [{ pre_tokenizer: { type: 'BertPreTokenizer', never_split: [1] } }, /never_split\[0\]: expected a string/],
  ])('a description with %j is refused', (changed, message) => {
    expectError(() => create(changed), 'ERR_OPTION', message);
  });

  test('never_split words keep their accents and punctuation, and are looked up whole', () => {
    const lines = [...vocabulary, 'a.b', 'é'];
    const never_split = ['a.b', 'é', 'b.c'];
    const tokenizer = nativeBinding().create_tokenizer(bertDescription(lines, { never_split }));
    const { ids } = tokenizer.encode({ first: texts('A.B a.b. É b.c'), second: null }, plainOptions);
    expect([...ids]).toEqual([2, 13, 5, 9, 6, 9, 14, 1, 3]);
  });

  test('without clean_text controls stay; without handle_chinese_chars ideographs join', () => {
    const lines = [...vocabulary, '中', '##中', '##\u200b'];
    const normalizer = { ...description.normalizer, clean_text: false, handle_chinese_chars: false };
    const tokenizer = nativeBinding().create_tokenizer({ ...bertDescription(lines), normalizer });
    const { ids } = tokenizer.encode({ first: texts('a\u200bb中 中'), second: null }, plainOptions);
    expect([...ids]).toEqual([2, 5, 15, 7, 14, 13, 3]);
  });
});

describe('decode', () => {
  const tokenizer = create();
  const options = { skip_special_tokens: false, clean_up_tokenization_spaces: true };

  test('one string per row', () => {
    const ids = Int32Array.of(2, 5, 7, 9, 3, 11, 12);
    expect(tokenizer.decode(ids, Int32Array.of(0, 5, 5, 7), options)).toEqual(['[CLS] ab. [SEP]', '', '안녕']);
    expect(tokenizer.decode(ids, new Int32Array(0), options)).toEqual([]);
  });

  test.each([13, -1, 2 ** 31 - 1])('id %i is refused', (id) => {
    expectError(() => tokenizer.decode(Int32Array.of(id), Int32Array.of(0, 1), options), 'ERR_TOKEN_ID', /position 0/);
  });

  test.each([[[0, 2]], [[-1, 1]], [[1, 0]]])('row starts %j are refused', (starts) => {
    const run = () => tokenizer.decode(Int32Array.of(5), Int32Array.from(starts), options);
    expect(run).toThrow(optionError(expect.stringContaining('row_starts') as never));
  });
});

describe('encode_async', () => {
  test('many calls at once, each with its own answer', async () => {
    const tokenizer = create();
    const calls = Array.from({ length: 500 }, (_, i) =>
      tokenizer.encode_async({ first: texts('b'.repeat(i % 90)), second: null }, plainOptions),
    );
    const lengths = (await Promise.all(calls)).map((encoding) => encoding.ids.length);
    expect(lengths).toEqual(calls.map((_, i) => 2 + (i % 90)));
  });

  test('errors of the work reject', async () => {
    const options = { ...plainOptions, truncation: 'only_second', max_length: 3 } as const;
    const call = create().encode_async({ first: texts('a b c'), second: null }, options);
    await expect(call).rejects.toMatchObject({ code: 'ERR_TRUNCATION', name: 'BertNativeError' });
  });

  test('outlives the tokenizer object, and the process ends while one is idle', async () => {
    const pending = create().encode_async({ first: texts('a '.repeat(1e6)), second: null }, plainOptions);
    expect((await pending).ids.length).toBe(1e6 + 2);
  });

  // The addon is loaded by path: a worker's eval code has no TypeScript.
  const program = `
    const { workerData, parentPort } = require('node:worker_threads');
    const addon = require(workerData.addon);
    addon.set_error_class(Error);
    const model = addon.create_tokenizer_model(workerData.model);
    const tokenizer = addon.create_tokenizer({ ...workerData.parts, model });
    const input = { first: { texts: ['ab. '.repeat(workerData.repeats)], word_starts: null }, second: null };
    const calls = [1, 2, 3].map(() => tokenizer.encode_async(input, workerData.options));
    parentPort.postMessage('started');
    calls[0].then((encoding) => parentPort.postMessage(encoding.ids.length));
  `;
  const start = (repeats: number) =>
    new Worker(program, {
      eval: true,
      workerData: {
        addon: findAddon(),
        model: wordPieceDescription(vocabulary),
        parts: bertParts(vocabulary),
        options: plainOptions,
        repeats,
      },
    });
  const next = (worker: Worker) => new Promise((resolve) => worker.once('message', resolve));

  test('works in a worker thread', async () => {
    const worker = start(1000);
    expect(await next(worker)).toBe('started');
    expect(await next(worker)).toBe(3002);
    await worker.terminate();
  });

  test('a worker may be terminated while calls run and wait', async () => {
    for (let round = 0; round < 3; round++) {
      const worker = start(1e6);
      await next(worker);
      await worker.terminate();
    }
    const { ids } = await create().encode_async({ first: texts('a'), second: null }, plainOptions);
    expect([...ids]).toEqual([2, 5, 3]);
  });
});
