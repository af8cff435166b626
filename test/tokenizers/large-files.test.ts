import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Above a megabyte, files are parsed in a worker. Whether the event loop is free meanwhile is for the benchmark to say; here
// it is what this thread is given to parse and to decode.

const pieces = Array.from({ length: 120_000 }, (_, i): [string, number] => [`▁piece${i}`, -i / 1000]);
const unigram = {
  version: '1.0',
  added_tokens: [],
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', add_prefix_space: true },
  decoder: { type: 'Metaspace', replacement: '▁', add_prefix_space: true },
  model: { type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ...pieces] },
};

async function folderWith(name: string, content: string): Promise<string> {
  const folder = temporaryFolder();
  await writeFile(join(folder, name), content);
  return folder;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('large files', () => {
  test('a tokenizer.json of several megabytes', async () => {
    const text = JSON.stringify(unigram);
    expect(text.length).toBeGreaterThan(2 << 20);
    const folder = await folderWith('tokenizer.json', text);
    const parse = vi.spyOn(JSON, 'parse');
    const decode = vi.spyOn(TextDecoder.prototype, 'decode');
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const parsed = parse.mock.calls.map(([json]) => json.length);
    const decoded = decode.mock.calls.map(([bytes]) => bytes?.byteLength ?? 0);
    vi.restoreAllMocks();
    expect(Math.max(0, ...parsed, ...decoded)).toBeLessThan(1 << 16);
    expect(tokenizer.encode('piece7 piece119999')).toEqual([8, 120_000]);
    expect(tokenizer.decode([8, 120_000])).toBe('piece7 piece119999');
    expect([tokenizer.vocab_size, tokenizer.get_vocab().get('▁piece5')]).toEqual([120_001, 6]);

    const saved = temporaryFolder();
    await tokenizer.save_pretrained(saved);
    const again = await PreTrainedTokenizerFast.from_pretrained(saved);
    expect(again.encode('piece7 piece119999')).toEqual([8, 120_000]);
  });

  test('a vocab.txt of several megabytes', async () => {
    const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
    const lines = [...special, ...Array.from({ length: 150_000 }, (_, i) => `word${i}`)];
    const folder = await folderWith('vocab.txt', `${lines.join('\n')}\n`);
    const tokenizer = await BertTokenizer.from_pretrained(folder);
    expect(tokenizer.encode('word149999')).toEqual([2, 150_004, 3]);
  });

  test.each<[string, string, string, RegExp]>([
    ['cut short', JSON.stringify(unigram).slice(0, -5), 'ERR_FILE_FORMAT', /tokenizer.json is not JSON in UTF-8/],
    [
      'wrong',
      JSON.stringify({ ...unigram, model: { ...unigram.model, vocab: [...pieces, ['x', 'y']] } }),
      'ERR_FILE_FORMAT',
      /tokenizer.json: model.vocab\[120000\] is an array of 2: expected \[piece, score\]/,
    ],
    [
      'not supported',
      JSON.stringify({ ...unigram, normalizer: { type: 'Upper' } }),
      'ERR_UNSUPPORTED_TOKENIZER',
      /tokenizer.json: normalizer.type is "Upper"/,
    ],
    ['deep', `${'['.repeat(1_500_000)}${']'.repeat(1_500_000)}`, 'ERR_FILE_FORMAT', /tokenizer.json is an array of 1/],
    [
      'deep inside',
      `{"model":{"type":"WordLevel","vocab":{"a":0}},"normalizer":${'['.repeat(1_500_000)}${']'.repeat(1_500_000)}}`,
      'ERR_FILE_FORMAT',
      /tokenizer.json is nested more than 64 levels deep/,
    ],
  ])('one that is %s', async (_, text, code, message) => {
    const folder = await folderWith('tokenizer.json', text);
    await expect(PreTrainedTokenizerFast.from_pretrained(folder)).rejects.toMatchObject({
      name: 'BertNativeError',
      code,
      message: expect.stringMatching(message),
    });
  });

  test('several at once', async () => {
    const folder = await folderWith('tokenizer.json', JSON.stringify(unigram));
    const tokenizers = await Promise.all([1, 2, 3].map(() => PreTrainedTokenizerFast.from_pretrained(folder)));
    for (const tokenizer of tokenizers) expect(tokenizer.encode('piece7')).toEqual([8]);
  });

  test.each(['tokenizer.json', 'vocab.txt'])(
    'a %s that is larger than any: not read, wherever it is given',
    async (name) => {
      const folder = await folderWith(name, '');
      const path = join(folder, name);
      await truncate(path, (256 << 20) + 1);
      const tooLarge = expect.objectContaining({
        code: 'ERR_FILE_FORMAT',
        message: expect.stringMatching(/: 268435457 bytes; at most 268435456 are read$/),
      });
      await expect(AutoTokenizer.from_pretrained(folder)).rejects.toEqual(tooLarge);
      const make = name === 'vocab.txt' ? () => new BertTokenizer(path) : () => new PreTrainedTokenizerFast(path);
      expect(make).toThrow(tooLarge);
    },
  );
});
