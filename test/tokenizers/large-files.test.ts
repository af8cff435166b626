import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast, RobertaTokenizer } from '../../lib/index.ts';
import { loadTokenizer } from '../../lib/tokenizers/loading/load.ts';
import type { ParseJob } from '../../lib/tokenizers/loading/parse-job.ts';
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

  // V8 ends the process where JSON.parse reaches the end of a heap, a worker's too: it is not to come to that.
  test.each<[string, string]>([
    ['empty arrays', ',[]'],
    ['empty objects', ',{}'],
    ['nested arrays', ',[[[[[[[[]]]]]]]]'],
    ['numbers', ',7'],
    ['strings of commas', ',","'],
  ])('more than 4194304 values: %s', async (_, unit) => {
    const values = unit.length - unit.replaceAll(/^,|[[{]/g, '').length;
    const text = `{"model":{},"x":["\\",[{"${unit.repeat(Math.ceil(2 ** 22 / values))}]}`;
    const folder = await folderWith('tokenizer.json', text);
    const tooMany = expect.objectContaining({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(/tokenizer.json has more than 4194304 values$/),
    });
    await expect(AutoTokenizer.from_pretrained(folder)).rejects.toEqual(tooMany);
    expect(() => new PreTrainedTokenizerFast(join(folder, 'tokenizer.json'))).toThrow(tooMany);
  });

  test('as many values as are allowed', async () => {
    const text = `{"model":{"type":"WordLevel","vocab":{"a":0}},"x":["a\\"b,[{"${',7'.repeat(2 ** 22 - 6)}]}`;
    const folder = await folderWith('tokenizer.json', text);
    const other = { code: 'ERR_FILE_FORMAT', message: expect.stringMatching(/characters beside its tokens/) };
    await expect(PreTrainedTokenizerFast.from_pretrained(folder)).rejects.toMatchObject(other);
  });

  test('a vocab.txt of more than 8388608 lines', async () => {
    const folder = await folderWith('vocab.txt', '\n'.repeat(2 ** 23 + 1));
    await expect(BertTokenizer.from_pretrained(folder)).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(/vocab.txt has more than 8388608 lines/),
    });
  });

  test('vocab.json with more than 4194304 values, merges.txt with more than 8388608 lines', async () => {
    const folder = await folderWith('vocab.json', `{"a":0${',"a":0'.repeat(2 ** 22)}}`);
    await writeFile(join(folder, 'merges.txt'), '#version: 0.2\n');
    await expect(RobertaTokenizer.from_pretrained(folder)).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(/vocab.json has more than 4194304 values$/),
    });
    await writeFile(join(folder, 'vocab.json'), '{"<s>":0,"</s>":1,"<unk>":2,"<pad>":3,"<mask>":4}');
    await writeFile(join(folder, 'merges.txt'), '\n'.repeat(2 ** 23));
    await expect(RobertaTokenizer.from_pretrained(folder)).rejects.toMatchObject({
      code: 'ERR_FILE_FORMAT',
      message: expect.stringMatching(/merges.txt has more than 8388608 lines/),
    });
  });

  test('one whose parsing takes more than the heap of its worker: the process goes on', async () => {
    const vocabulary = { '<s>': 0, '</s>': 1, '<unk>': 2, '<pad>': 3, '<mask>': 4, a: 5, b: 6, ab: 7 };
    const folder = await folderWith('vocab.json', JSON.stringify(vocabulary));
    await writeFile(join(folder, 'merges.txt'), `#version: 0.2\n${'a b\n'.repeat(400_000)}`);
    const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    const token = (content: string) => ({ content, special: true, ...plain });
    const job: ParseJob = {
      task: { kind: 'byte-level-bpe', layout: 'roberta' },
      paths: ['vocab.json', 'merges.txt'].map((name) => join(folder, name)),
      options: {
        special_tokens: {
          bos_token: token('<s>'),
          eos_token: token('</s>'),
          sep_token: token('</s>'),
          cls_token: token('<s>'),
          unk_token: token('<unk>'),
          pad_token: token('<pad>'),
          mask_token: token('<mask>'),
        },
        replaceable: [],
        added_ids: {},
      },
    };
    await expect(loadTokenizer(job, 8)).rejects.toMatchObject({
      code: 'ERR_MEMORY',
      message: expect.stringMatching(/merges.txt: takes more than 8 MB to parse$/),
    });
    expect((await loadTokenizer(job)).parsed.size).toBe(8);
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
