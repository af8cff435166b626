import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as transformersJs from '@huggingface/transformers';
import { describe, expect, test } from 'vitest';
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  type Pipeline,
  type PipelineTask,
  pipeline,
} from '../../lib/index.ts';
import { expectValuesClose } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { classifierFolder, encoderFolder, engine, smallConfig } from './support.ts';

// The same program text, run with this library on a checkpoint and with transformers.js on its export.

const models = join(temporaryFolder(), 'models');
transformersJs.env.allowRemoteModels = false;
transformersJs.env.localModelPath = `${models}/`;

type Pipe = (...values: unknown[]) => Promise<unknown>;
type Program = (pipe: Pipe) => Promise<unknown>;

interface Model {
  save_pretrained(folder: string, options?: object): Promise<void>;
}

/** A folder with a checkpoint, its tokenizer and its export. */
async function exported(name: string, model: Model, tokenizerFolder = encoderFolder): Promise<string> {
  const folder = join(models, name);
  mkdirSync(folder, { recursive: true });
  const tokenizer = await AutoTokenizer.from_pretrained(tokenizerFolder);
  await tokenizer.save_pretrained(folder);
  await model.save_pretrained(folder);
  await model.save_pretrained(folder, { format: 'onnx' });
  return folder;
}

/** Results as plain values: tensors by their type, dims and numbers. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('dims' in value && 'data' in value) {
    const { type, dims, data } = value as { type: string; dims: number[]; data: ArrayLike<number> };
    return { type, dims: [...dims], data: Array.from(data, Number) };
  }
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}

/** The same keys in the same order, the same texts, numbers as close as goldens; but for keys that only we have. */
function expectSame(ours: unknown, theirs: unknown, more: readonly string[], where = 'result'): void {
  if (typeof theirs === 'number') {
    expectValuesClose([ours as number], [theirs], where);
  } else if (Array.isArray(theirs)) {
    expect(Array.isArray(ours), where).toBe(true);
    expect((ours as unknown[]).length, `${where}: length`).toBe(theirs.length);
    theirs.forEach((entry, i) => {
      expectSame((ours as unknown[])[i], entry, more, `${where}[${i}]`);
    });
  } else if (typeof theirs === 'object' && theirs !== null) {
    const keys = Object.keys(ours as object).filter((key) => !more.includes(key));
    expect(keys, `${where}: keys`).toEqual(Object.keys(theirs));
    for (const [key, entry] of Object.entries(theirs)) {
      expectSame((ours as Record<string, unknown>)[key], entry, more, `${where}.${key}`);
    }
  } else {
    expect(ours, where).toEqual(theirs);
  }
}

/** @param more keys of results that only we have */
function compare(task: string, folder: string, programs: Record<string, Program>, more: readonly string[] = []) {
  describe(task, () => {
    test.each(Object.entries(programs))('%s', async (_, program) => {
      const ours = (await pipeline(task as PipelineTask, folder, { engine })) as Pipeline;
      const theirs = await transformersJs.pipeline(task as never, basename(folder), {
        dtype: 'fp32',
        local_files_only: true,
      });
      expect(dirname(folder)).toBe(models);
      expectSame(plain(await program(ours as never)), plain(await program(theirs as never)), more);
      await ours.dispose();
      await (theirs as unknown as { dispose(): Promise<void> }).dispose();
    });
  });
}

const texts = ['안녕하세요', 'the movie was not good', '오늘 날씨 좋네요!'];
const labels = { 0: 'O', 1: 'B-PER', 2: 'I-PER', 3: 'B-LOC', 4: 'I-LOC' };
const limited = { initializer_range: 0.3, max_position_embeddings: 64 };

compare('feature-extraction', await exported('features', await AutoModel.from_pretrained(encoderFolder, { engine })), {
  'one text': (extract) => extract(texts[1]),
  'of one length': (extract) => extract(['good movie', 'bad story']),
  'mean, normalized': (extract) => extract(texts, { pooling: 'mean', normalize: true }),
  'first token': (extract) => extract(texts, { pooling: 'first_token' }),
  'cls of one text': (extract) => extract(texts[0], { pooling: 'cls' }),
  'last token of one text': (extract) => extract(texts[0], { pooling: 'last_token' }),
  bits: (extract) => extract(texts, { pooling: 'mean', quantize: true, precision: 'binary' }),
  'unsigned bits': (extract) => extract(texts, { pooling: 'mean', quantize: true, precision: 'ubinary' }),
});

compare(
  'text-classification',
  await exported(
    'classifier',
    await AutoModelForSequenceClassification.from_pretrained(classifierFolder, { engine }),
    classifierFolder,
  ),
  {
    'one text': (classify) => classify(texts[0]),
    several: (classify) => classify(texts),
    'top_k of one': (classify) => classify(texts[0], { top_k: 2 }),
    'all of several': (classify) => classify(texts, { top_k: null }),
  },
);

compare(
  'text-classification',
  await exported(
    'multi-label-classifier',
    AutoModelForSequenceClassification.from_config(
      smallConfig({ ...limited, num_labels: 4, problem_type: 'multi_label_classification' }),
      { engine, seed: 2 },
    ),
  ),
  { 'all of several': (classify) => classify(texts, { top_k: null }) },
);

compare(
  'token-classification',
  await exported(
    'entities',
    AutoModelForTokenClassification.from_config(smallConfig({ ...limited, id2label: labels }), { engine, seed: 1 }),
  ),
  {
    'one text': (find) => find(texts[1]),
    several: (find) => find(texts),
    'all labels': (find) => find(texts, { ignore_labels: [] }),
    'grouped, all labels': (find) => find(texts, { ignore_labels: [], aggregation_strategy: 'simple' }),
  },
  ['start', 'end'],
);

const context = 'the movie was not good, the story is very bad';

compare(
  'question-answering',
  await exported('answers', AutoModelForQuestionAnswering.from_config(smallConfig(limited), { engine, seed: 4 })),
  {
    'one question': (ask) => ask('is the movie good?', context),
    several: (ask) => ask(['is the movie good?', 'what?'], [context, 'the story']),
    'several answers': (ask) => ask('is the movie good?', 'the story is bad', { top_k: 4 }),
  },
  ['start', 'end'],
);

compare(
  'fill-mask',
  await exported('masks', AutoModelForMaskedLM.from_config(smallConfig(limited), { engine, seed: 6 })),
  {
    'one text': (fill) => fill('the [MASK] was good'),
    several: (fill) => fill(['the [MASK] was good', '[MASK] 날씨'], { top_k: 3 }),
  },
);

compare(
  'zero-shot-classification',
  await exported(
    'inference',
    AutoModelForSequenceClassification.from_config(
      smallConfig({ ...limited, id2label: { 0: 'contradiction', 1: 'neutral', 2: 'entailment' } }),
      { engine, seed: 8 },
    ),
  ),
  {
    'one text': (classify) => classify(texts[0], ['good', 'bad movie']),
    'several labels may be true': (classify) => classify(texts, ['good', 'bad movie', '날씨'], { multi_label: true }),
    'a template': (classify) => classify(texts, ['good', 'bad'], { hypothesis_template: 'it is {}' }),
    'one label': (classify) => classify(texts, 'good'),
  },
);

describe('where this library differs on purpose (docs/compatibility.md)', () => {
  const folder = join(models, 'entities');
  const load = async () => {
    const ours = (await pipeline('ner', folder, { engine })) as unknown as Pipe;
    const theirs = (await transformersJs.pipeline('token-classification', 'entities', {
      dtype: 'fp32',
      local_files_only: true,
    })) as unknown as Pipe;
    return { ours, theirs };
  };
  const wordsOf = (found: unknown) => (found as { word: string }[]).map(({ word }) => word);

  test('special tokens stay where a text is cut', async () => {
    const text = 'good movie '.repeat(40);
    const theirs = await transformersJs.AutoTokenizer.from_pretrained('entities', { local_files_only: true });
    const ours = await AutoTokenizer.from_pretrained(folder);
    const last = (ids: { tolist(): unknown }) => Number((ids.tolist() as bigint[][])[0]!.at(-1));
    const theirIds = (theirs(text, { truncation: true }) as { input_ids: { tolist(): unknown } }).input_ids;
    expect(last(theirIds)).not.toBe(ours.sep_token_id);
    expect(last(ours(text, { truncation: true }).input_ids)).toBe(ours.sep_token_id);
  });

  test('words that the vocabulary lacks are in the result', async () => {
    const { ours, theirs } = await load();
    expect(wordsOf(await theirs('the Zoë movie', { ignore_labels: [] }))).toEqual(['the', 'movie']);
    expect(wordsOf(await ours('the Zoë movie', { ignore_labels: [] }))).toEqual(['the', 'Zoë', 'movie']);
  });

  test('an empty array gives an empty array', async () => {
    const { ours, theirs } = await load();
    await expect(theirs([])).rejects.toThrow();
    expect(await ours([])).toEqual([]);
  });

  test('several masks are all filled', async () => {
    const ours = (await pipeline('fill-mask', join(models, 'masks'), { engine })) as unknown as Pipe;
    const theirs = (await transformersJs.pipeline('fill-mask', 'masks', {
      dtype: 'fp32',
      local_files_only: true,
    })) as unknown as Pipe;
    const text = '[MASK] is [MASK]';
    const [first, second] = (await ours(text)) as { token: number; score: number }[][];
    const filled = (await theirs(text)) as { token: number; score: number }[];
    expect(first!.map(({ token }) => token)).toEqual(filled.map(({ token }) => token));
    expect(second).toHaveLength(5);
  });
});
