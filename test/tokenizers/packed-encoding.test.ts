import { afterAll, describe, expect, test } from 'vitest';
import { env } from '../../lib/env.ts';
import type { PackedEncoding } from '../../lib/tokenizers/packed-encoding.ts';
import { smallTokenizer, warningsOf } from './small-tokenizer.ts';

const threads = env.numThreads;
afterAll(() => {
  env.numThreads = threads;
});

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

function rowsOf({ ids, row_starts }: PackedEncoding): number[][] {
  return Array.from({ length: row_starts.length - 1 }, (_, row) => [
    ...ids.subarray(row_starts[row], row_starts[row + 1]),
  ]);
}

/** Comparing large arrays element by element would take most of the time. */
function same(a: PackedEncoding, b: PackedEncoding): boolean {
  const bytes = ({ ids, row_starts, type_ids }: PackedEncoding) =>
    [ids, row_starts, type_ids!].map(({ buffer }) => Buffer.from(buffer));
  const others = bytes(b);
  return bytes(a).every((part, i) => part.equals(others[i]!));
}

/** Texts of words of every kind, among them long ones and unknown ones, no two alike. */
function manyTexts(count: number): string[] {
  const words = [
    'one',
    'two',
    'unknown',
    'four!',
    '안녕',
    '한.',
    'x',
    'é',
    '😀',
    '[CLS]',
    ' ',
    'one\u0301',
    'u'.repeat(90),
  ];
  return Array.from({ length: count }, (_, i) => {
    const length = (i * 7919) % 97;
    const chosen = Array.from({ length }, (_, k) => words[(i * 31 + k * k * 17 + k) % words.length]);
    return chosen.join([' ', '', '  ', '\n'][i % 4]) + i;
  });
}

describe('encode_packed', () => {
  test('one text is one row, several are as many', () => {
    const tokenizer = smallTokenizer();
    expect(rowsOf(tokenizer.encode_packed('one two'))).toEqual([[2, 5, 6, 3]]);
    expect(rowsOf(tokenizer.encode_packed(['one', '', 'two!']))).toEqual([
      [2, 5, 3],
      [2, 3],
      [2, 6, 12, 3],
    ]);
    const none = tokenizer.encode_packed([]);
    expect([...none.row_starts]).toEqual([0]);
    expect(none.ids).toEqual(new Int32Array(0));
  });

  test('what it gives is of the kinds that it says', () => {
    const { ids, row_starts, type_ids } = smallTokenizer().encode_packed('one', { return_token_type_ids: true });
    expect(ids).toBeInstanceOf(Int32Array);
    expect(row_starts).toEqual(new Int32Array([0, 3]));
    expect(type_ids).toEqual(new Uint8Array(3));
    expect(smallTokenizer().encode_packed('one').type_ids).toBeNull();
  });

  test('pairs, and their type ids', () => {
    const tokenizer = smallTokenizer();
    const packed = tokenizer.encode_packed(['one', 'two'], { text_pair: ['two', 'one'], return_token_type_ids: true });
    expect(rowsOf(packed)).toEqual([
      [2, 5, 3, 6, 3],
      [2, 6, 3, 5, 3],
    ]);
    expect([...packed.type_ids!]).toEqual([0, 0, 0, 1, 1, 0, 0, 0, 1, 1]);
    expect(rowsOf(tokenizer.encode_packed('one', { text_pair: 'two', add_special_tokens: false }))).toEqual([[5, 6]]);
  });

  test('truncation is that of the call', () => {
    const tokenizer = smallTokenizer();
    const rows = (options: object) => rowsOf(tokenizer.encode_packed('one two three four', options));
    expect(rows({ truncation: true, max_length: 4 })).toEqual([[2, 5, 6, 3]]);
    expect(rows({ truncation: 'longest_first', max_length: 4, truncation_side: 'left' })).toEqual([[2, 7, 8, 3]]);
    expect(rows({ truncation: false, max_length: 4 })).toEqual([[2, 5, 6, 7, 8, 3]]);
    expect(rows({ text_pair: 'one two', truncation: 'only_first', max_length: 7 })).toEqual([[2, 5, 6, 3, 5, 6, 3]]);
    const left = smallTokenizer({ truncation_side: 'left' });
    expect(rowsOf(left.encode_packed('one two three', { truncation: true, max_length: 3 }))).toEqual([[2, 7, 3]]);
    const bounded = smallTokenizer({ model_max_length: 3 });
    expect(rowsOf(bounded.encode_packed('one two three', { truncation: true }))).toEqual([[2, 5, 3]]);
  });

  test('max_length alone truncates, and warns unless told not to', async () => {
    const options = { max_length: 3 };
    const loud = await warningsOf(() => smallTokenizer().encode_packed('one two', options));
    expect(loud.map(([code]) => code)).toEqual(['BERT_NATIVE_IMPLICIT_TRUNCATION']);
    const quiet = await warningsOf(() => smallTokenizer().encode_packed('one two', { ...options, verbose: false }));
    expect(quiet).toEqual([]);
  });

  test('what is not a text is refused, by its place', async () => {
    const tokenizer = smallTokenizer();
    const call = tokenizer.encode_packed.bind(tokenizer) as (...args: unknown[]) => unknown;
    expect(() => call(7)).toThrow(failure('ERR_DTYPE', /^text is 7: expected a string or an array of strings$/));
    expect(() => call(['a', null])).toThrow(failure('ERR_DTYPE', /^text\[1\] is null: expected a string$/));
    expect(() => call(['a'], { text_pair: [1] })).toThrow(failure('ERR_DTYPE', /^text_pair\[0\] is 1/));
    expect(() => call(['a'], { text_pair: ['a', 'b'] })).toThrow(
      failure('ERR_SHAPE', /^text_pair has 2 texts: expected 1/),
    );
    expect(() => call('a', { padding: true })).toThrow(failure('ERR_OPTION', /unknown option 'padding'/));
    expect(() => call('a', { max_length: -1 })).toThrow(failure('ERR_OPTION', /max_length/));
    expect(() => call('a', { truncation: true, max_length: 1 })).toThrow(failure('ERR_TRUNCATION', /special tokens/));
    await expect(tokenizer.encode_packed_async(['a', 7 as unknown as string])).rejects.toThrow(
      failure('ERR_DTYPE', /^text\[1\] is 7/),
    );
    await expect(tokenizer.encode_packed_async('a', { truncation: true, max_length: 1 })).rejects.toThrow(
      failure('ERR_TRUNCATION', /special tokens/),
    );
  });

  test('every text is read once', () => {
    let reads = 0;
    const texts = new Proxy(['one', 'two'], {
      get: (target, key, receiver) => (key === '1' && reads++ > 0 ? 7 : Reflect.get(target, key, receiver)),
    });
    expect(rowsOf(smallTokenizer().encode_packed(texts))).toEqual([
      [2, 5, 3],
      [2, 6, 3],
    ]);
  });
});

describe('large batches', () => {
  const texts = manyTexts(6000);
  const pairs = [...texts].reverse();
  const options = { truncation: true, max_length: 40, return_token_type_ids: true } as const;

  test('are those of the same texts one by one', () => {
    const tokenizer = smallTokenizer();
    const packed = tokenizer.encode_packed(texts, { text_pair: pairs, ...options });
    expect(packed.row_starts.length).toBe(texts.length + 1);
    const rows = rowsOf(packed);
    for (let i = 0; i < texts.length; i += 61) {
      const alone = tokenizer(texts[i]!, {
        text_pair: pairs[i]!,
        return_tensor: false,
        truncation: true,
        max_length: 40,
      });
      expect(rows[i]).toEqual(alone.input_ids);
      const [begin, end] = [packed.row_starts[i]!, packed.row_starts[i + 1]!];
      expect([...packed.type_ids!.subarray(begin, end)]).toEqual(alone.token_type_ids);
    }
  });

  test('are the same on any number of threads, and off the main thread', async () => {
    const expected = smallTokenizer().encode_packed(texts, { text_pair: pairs, ...options });
    for (const count of [1, 2, 5]) {
      env.numThreads = count;
      const tokenizer = smallTokenizer();
      expect(same(tokenizer.encode_packed(texts, { text_pair: pairs, ...options }), expected)).toBe(true);
      const calls = Array.from({ length: 3 }, () =>
        tokenizer.encode_packed_async(texts, { text_pair: pairs, ...options }),
      );
      const meanwhile = tokenizer.encode_packed(texts, { text_pair: pairs, ...options });
      for (const packed of [meanwhile, ...(await Promise.all(calls))]) expect(same(packed, expected)).toBe(true);
    }
  });

  test('with overflow rows say whose they are', () => {
    env.numThreads = 3;
    const call = { truncation: true, max_length: 20, return_overflowing_tokens: true, return_tensor: false } as const;
    const { input_ids, overflow_to_sample_mapping } = smallTokenizer()(texts, call);
    const { row_starts } = smallTokenizer().encode_packed(texts);
    const counts = new Array<number>(texts.length).fill(0);
    for (const sample of overflow_to_sample_mapping!) counts[sample]!++;
    counts.forEach((count, i) => {
      const tokens = row_starts[i + 1]! - row_starts[i]! - 2;
      expect(count).toBe(Math.max(1, Math.ceil(tokens / 18)));
    });
    expect(input_ids.length).toBe(overflow_to_sample_mapping!.length);
  });

  test('of one very long text', () => {
    env.numThreads = 2;
    const text = 'one two! 안녕 '.repeat(100_000);
    const { ids, row_starts } = smallTokenizer().encode_packed([text, 'one']);
    expect([...row_starts]).toEqual([0, 500_002, 500_005]);
    expect([...ids.subarray(499_996)]).toEqual([5, 6, 12, 13, 14, 3, 2, 5, 3]);
  });
});
