import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { AutoModel, AutoTokenizer, BertForSequenceClassification } from '../../lib/index.ts';
import { encoderFolder } from '../pipelines/support.ts';
import { expectValuesClose, fixturesFolder } from '../support/fixtures.ts';
import { runOnnx } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { cosine, expectPrinted, goldenCase, goldenRows, runExample } from './support.ts';

const temporary = temporaryFolder();
const golden = goldenCase(encoderFolder, 'batch');
const texts = golden.texts!;
const means = goldenRows(golden, 'mean_pooled');

/** The rows of a printed matrix, each with what stands behind it. */
function readMatrix(lines: readonly string[]): { values: string[]; label: string }[] {
  return lines.map((line) => {
    const [, numbers = '', label = ''] = /^((?: *-?[0-9]\.[0-9]{5})+) {2}(.*)$/.exec(line) ?? [];
    return { values: numbers.trim().split(/ +/), label };
  });
}

test('first-steps: tokens, ids, shapes and the first states', () => {
  const lines = runExample('first-steps', encoderFolder, ...texts);
  expect(lines[0]).toBe('bert, 328 tokens');
  for (const [i, text] of texts.entries()) {
    const ids = golden.input_ids[i]!.filter((_, position) => golden.attention_mask![i]![position] === 1);
    const place = lines.indexOf(text);
    expect(place).toBeGreaterThan(0);
    expect(lines[place + 1]!.split(/ +/)).toHaveLength(ids.length); // without two special tokens, behind two words
    expect(lines[place + 2]).toBe(`  ids:    ${ids.join(' ')}`);
  }
  expect(lines).toContain('input_ids: int64 [4, 12]');
  expect(lines).toContain('hidden size 24, texts of up to 24 tokens');
  expect(lines).toContain('last_hidden_state: float32 [4, 12, 24]');
  expect(lines).toContain('pooler_output: float32 [4, 24]');
  const first = goldenRows(golden, 'cls_pooled');
  for (const [i, line] of lines.slice(-4).entries()) {
    expect(line.startsWith(`${texts[i]}: `)).toBe(true);
    const values = line.slice(texts[i]!.length + 2).split(' ');
    expect(values.pop()).toBe('…');
    expect(values).toHaveLength(4);
    for (const [j, value] of values.entries()) expectPrinted(value, first[i]![j]!, 5);
  }
});

test('random-model: seeds decide, and what is saved is what is loaded', async () => {
  const folder = join(temporary, 'random');
  const lines = runExample('random-model', folder);
  expect(lines[0]).toBe('unless said otherwise: hidden_act gelu, layer_norm_eps 1e-12');
  expect(lines).toContain('last_hidden_state: [2, 5, 128]');
  expect(lines).toContain('pooler_output: [2, 128]');
  expect(lines).toContain('the same seed gives the same numbers: true; another seed: false');
  expect(lines.at(-1)).toBe(`saved in ${folder}, and the same when loaded: true`);
  const saved = await BertForSequenceClassification.from_pretrained(folder, { engine: 'reference' });
  const { logits } = await saved({
    input_ids: [
      [2, 5, 6, 7, 3],
      [2, 8, 9, 3, 0],
    ],
    attention_mask: [
      [1, 1, 1, 1, 1],
      [1, 1, 1, 1, 0],
    ],
  });
  const [negative, positive] = logits.softmax(-1).data;
  const [, first, second] = /^부정 (\S+), 긍정 (\S+)$/.exec(lines.at(-3)!)!;
  expectPrinted(first, negative!, 3);
  expectPrinted(second, positive!, 3);
});

test('sentence-embeddings: cosines of the goldens', () => {
  const lines = runExample('sentence-embeddings', encoderFolder, ...texts);
  expect(lines[0]).toBe('vectors: [4, 24]');
  expect(Number(/: (\S+)$/.exec(lines[1]!)![1])).toBeLessThan(1e-6);
  for (const [i, { values, label }] of readMatrix(lines.slice(-4)).entries()) {
    expect(label).toBe(texts[i]);
    expect(values).toHaveLength(4);
    for (const [j, value] of values.entries()) expectPrinted(value, cosine(means[i]!, means[j]!), 5);
  }
});

describe('word-embeddings', () => {
  test('the mean of the states of the tokens of a word', async () => {
    const sentences = ['the movie was good', 'unplayable movie', 'good movies'];
    const lines = runExample('word-embeddings', encoderFolder, 'movie', ...sentences);
    expect(lines[0]).toBe('movie: cosine similarity in');
    const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
    const model = await AutoModel.from_pretrained(encoderFolder, { engine: 'reference' });
    const vectors: number[][] = [];
    for (const sentence of sentences) {
      const tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode(sentence));
      const { last_hidden_state } = await model(tokenizer(sentence));
      vectors.push([...last_hidden_state[0]![tokens.indexOf('movie')]!.data]);
    }
    for (const [i, { values, label }] of readMatrix(lines.slice(1)).entries()) {
      expect(label).toBe(sentences[i]);
      for (const [j, value] of values.entries()) expectPrinted(value, cosine(vectors[i]!, vectors[j]!), 5);
    }
  });

  test('its own words', () => {
    const lines = runExample('word-embeddings', encoderFolder);
    expect(lines.filter((line) => line.endsWith(': cosine similarity in'))).toHaveLength(2);
    expect(readMatrix(lines).filter(({ label }) => label !== '')).toHaveLength(6);
  });
});

test('semantic-search: the nearest documents, each side with its prompt', async () => {
  const folder = join(fixturesFolder, 'sentence-transformers-mean');
  const queries = ['the movie was good', '한국 영화'];
  const { max_seq_length } = JSON.parse(readFileSync(join(folder, 'sentence_bert_config.json'), 'utf8'));
  const lines = runExample('semantic-search', folder, ...queries);
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const model = await AutoModel.from_pretrained(folder, { engine: 'reference' });
  const embed = async (text: string): Promise<number[]> => {
    const features = tokenizer(text, { truncation: true, max_length: max_seq_length });
    return [...(await model.embed(features, { pooling: 'mean' })).data];
  };
  expect(lines[0]).toBe(`24 dimensions, texts of up to ${max_seq_length} tokens`);
  const example = readFileSync(join(import.meta.dirname, '..', '..', 'examples', 'semantic-search.mjs'), 'utf8');
  const documents = [...example.matchAll(/^ {2}'(.*)',$/gm)].map(([, text]) => text!);
  expect(documents).toHaveLength(5);
  for (const query of queries) {
    const vector = await embed(`query: ${query}`);
    const scored = await Promise.all(
      documents.map(async (text) => ({ text, score: cosine(vector, await embed(`passage: ${text}`)) })),
    );
    scored.sort((a, b) => b.score - a.score);
    const place = lines.indexOf(query);
    for (const [i, { text, score }] of scored.slice(0, 3).entries()) {
      const [, printed, found] = /^ {2}(\S+) (.*)$/.exec(lines[place + 1 + i]!)!;
      expect(found).toBe(text);
      expectPrinted(printed, score, 5);
    }
  }
});

describe('save-and-load', () => {
  const folder = join(temporary, 'saved');
  let lines: string[] = [];

  beforeAll(() => {
    lines = runExample('save-and-load', encoderFolder, folder);
  });

  test('says what was written, and that it is the same', () => {
    for (const name of [
      'config.json',
      'model.safetensors',
      'vocab.txt',
      'onnx/model.onnx',
      'onnx/model_quantized.onnx',
    ]) {
      const path = join(folder, ...name.split('/'));
      expect(lines).toContain(`${String(readFileSync(path).length).padStart(10)} bytes  ${path}`);
    }
    expect(lines).toContain('the same vector when loaded: true');
    const [, fp32, q8] = /^bytes in memory: fp32 ([0-9]+), q8 ([0-9]+)$/.exec(lines.at(-1)!)!;
    expect(Number(q8)).toBeLessThan(Number(fp32) / 2);
  });

  test('the checkpoint gives the goldens', async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const model = await AutoModel.from_pretrained(folder, { engine: 'reference' });
    const vectors = await model.embed(tokenizer(texts, { padding: true }), { pooling: 'mean' });
    expectValuesClose(vectors.data, means.flat(), 'mean');
  });

  test('so does the ONNX file in onnxruntime', async () => {
    const { last_hidden_state } = await runOnnx(join(folder, 'onnx', 'model.onnx'), golden);
    const width = last_hidden_state!.dims[2]!;
    const length = last_hidden_state!.dims[1]!;
    const first = texts.map((_, i) => [
      ...last_hidden_state!.data.slice(i * length * width, i * length * width + width),
    ]);
    expectValuesClose(first.flat(), golden.outputs['cls_pooled']!.data, 'first tokens');
  });
});

test('onnxruntime: every dtype of the export, by itself and in a pipeline', () => {
  const folder = join(temporary, 'graphs');
  const lines = runExample('onnxruntime', encoderFolder, folder, ...texts);
  const bars = { fp32: 2e-5, fp16: 4e-3, q8: 5e-2 };
  for (const [i, [dtype, bar]] of Object.entries(bars).entries()) {
    const [, named, difference] = /^onnxruntime, (\S+), on cpu: (\S+) off at most$/.exec(lines[i]!)!;
    expect(named).toBe(dtype);
    expect(Number(difference)).toBeLessThan(bar);
  }
  expect(lines[3]).toBe('pipeline: [4, 24]');
  const normalized = goldenRows(golden, 'mean_pooled_normalized');
  for (const [i, line] of lines.slice(4).entries()) {
    expect(line.startsWith(`${texts[i]}: `)).toBe(true);
    const values = line.slice(texts[i]!.length + 2).split(' ');
    expect(values.pop()).toBe('…');
    expect(values).toHaveLength(4);
    for (const [j, value] of values.entries()) expectPrinted(value, normalized[i]![j]!, 5);
  }
  expect(lines).toHaveLength(8);
});

test('embed-file: a line for each text, numbered as in the file', () => {
  const input = join(temporary, 'texts.txt');
  const output = join(temporary, 'vectors.jsonl');
  writeFileSync(input, `${texts[0]}\n\n${texts.slice(1).join('\r\n')}\n`);
  const lines = runExample('embed-file', input, output, encoderFolder);
  const tokens = golden.attention_mask!.flat().filter((value) => value === 1).length;
  expect(lines).toEqual([`4 texts, ${tokens} tokens, 0 texts cut to what the model takes: ${output}`]);
  const written = readFileSync(output, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(written.map(({ line }) => line)).toEqual([1, 3, 4, 5]);
  expect(written.map(({ text }) => text)).toEqual(texts);
  const vectors = written.flatMap(({ vector }) => vector);
  expectValuesClose(vectors, golden.outputs['mean_pooled_normalized']!.data, 'vectors');
});

test('abort: a call and a stream end with the reasons of their signals, and the model goes on', () => {
  const [call, stream, afterwards] = runExample('abort', encoderFolder);
  expect(call).toBe('the call: ERR_ABORTED, because of AbortError: This operation was aborted');
  expect(stream).toMatch(
    /^the stream, after [0-9]+ vectors: ERR_ABORTED, because of TimeoutError: The operation was aborted due to timeout$/,
  );
  expect(afterwards).toBe('afterwards: [1, 24]');
});

test('worker-threads: each text once, in turns', () => {
  const lines = runExample('worker-threads', encoderFolder, ...texts);
  expect(lines).toHaveLength(texts.length);
  for (const [i, text] of texts.entries()) {
    const [, worker, numbers, label] = /^worker ([0-9]): ((?:\S+ ){3})… {2}(.*)$/.exec(lines[i]!)!;
    expect(Number(worker)).toBe(i % 2);
    expect(label).toBe(text);
    for (const [j, value] of numbers!.trim().split(' ').entries()) expectPrinted(value, means[i]![j]!, 5);
  }
});
