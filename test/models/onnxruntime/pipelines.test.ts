import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  type BertConfig,
  embedStream,
  type Pipeline,
  type PipelineTask,
  type PreTrainedModel,
  pipeline,
  SentenceTransformer,
} from '../../../lib/index.ts';
import { classifierFolder, encoderFolder, smallConfig } from '../../pipelines/support.ts';
import { type Case, expectClose, expectValuesClose, fixturesFolder, readCases } from '../../support/fixtures.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { failure } from '../../weights/support.ts';
import { onnxOnly } from './support.ts';

// The same programs on a checkpoint, and on a folder that holds its graph alone.

type Pipe = ((...values: unknown[]) => Promise<unknown>) & Pipeline;
type Program = (pipe: Pipe) => Promise<unknown>;

/** The same keys, texts and order; numbers as close as goldens. */
function expectSame(ours: unknown, theirs: unknown, where = 'result'): void {
  if (typeof theirs === 'number') expectValuesClose([ours as number], [theirs], where);
  else if (ArrayBuffer.isView(theirs)) expectValuesClose(ours as Float32Array, theirs as Float32Array, where);
  else if (typeof theirs === 'object' && theirs !== null) {
    expect(Object.keys(ours as object), where).toEqual(Object.keys(theirs));
    for (const [key, value] of Object.entries(theirs)) {
      expectSame((ours as Record<string, unknown>)[key], value, `${where}.${key}`);
    }
  } else expect(ours, where).toBe(theirs);
}

const labels = (...names: string[]) => ({ id2label: Object.fromEntries(names.entries()) });
const long = Array.from(
  { length: 40 },
  (_, i) => ['이', '영화', 'is', 'very', 'good', '.', 'not', '별로'][(i * 5) % 8],
).join(' ');
const texts = ['이 영화 재미있어요', 'a', 'the movie is not good at all, really', '', long];
const mask = '[MASK]';

interface FromConfig {
  from_config(config: BertConfig, options: object): PreTrainedModel;
}

const programs: [PipelineTask, FromConfig, object, Program[]][] = [
  [
    'feature-extraction',
    AutoModel,
    {},
    [
      (pipe) => pipe(texts[0]),
      (pipe) => pipe(texts, { pooling: 'mean', normalize: true }),
      (pipe) => pipe(texts, { pooling: 'cls' }),
      (pipe) => pipe(texts, { pooling: 'max' }),
    ],
  ],
  [
    'text-classification',
    AutoModelForSequenceClassification,
    labels('bad', 'fair', 'good'),
    [(pipe) => pipe(texts, { top_k: null }), (pipe) => pipe(texts[2]), (pipe) => pipe({ text: 'a', text_pair: 'b' })],
  ],
  [
    'token-classification',
    AutoModelForTokenClassification,
    labels('O', 'B-PER', 'I-PER', 'B-LOC'),
    [(pipe) => pipe(texts.slice(0, 3)), (pipe) => pipe(texts[2], { aggregation_strategy: 'average' })],
  ],
  [
    'question-answering',
    AutoModelForQuestionAnswering,
    {},
    [
      (pipe) => pipe({ question: 'is it good?', context: texts[2] }),
      (pipe) => pipe({ question: 'good?', context: long }, { top_k: 3, max_seq_len: 24, doc_stride: 6 }),
    ],
  ],
  [
    'fill-mask',
    AutoModelForMaskedLM,
    {},
    [(pipe) => pipe(`this movie is ${mask}.`), (pipe) => pipe([`${mask} 영화`, `a ${mask} ${mask}`], { top_k: 3 })],
  ],
  [
    'zero-shot-classification',
    AutoModelForSequenceClassification,
    { id2label: { 0: 'contradiction', 1: 'neutral', 2: 'entailment' } },
    [(pipe) => pipe(texts.slice(0, 3), ['good', 'bad']), (pipe) => pipe(texts[2], ['a', 'b'], { multi_label: true })],
  ],
  ['sentence-similarity', AutoModel, {}, [(pipe) => pipe({ source_sentence: texts[0], sentences: texts.slice(1, 4) })]],
  [
    'text-ranking',
    AutoModelForSequenceClassification,
    { num_labels: 1 },
    [(pipe) => pipe({ query: 'is it good?', documents: texts.slice(0, 3) })],
  ],
];

describe.each(programs)('%s', (task, maker, config, runs) => {
  let checkpoint: string;
  let graph: string;

  beforeAll(async () => {
    [checkpoint, graph] = [temporaryFolder(), temporaryFolder()];
    const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
    using model = maker.from_config(smallConfig(config), { seed: 4 });
    await model.save_pretrained(checkpoint);
    await model.save_pretrained(graph, { format: 'onnx' });
    for (const folder of [checkpoint, graph]) await tokenizer.save_pretrained(folder);
  });

  test('as on the checkpoint', async () => {
    await using ours = (await pipeline(task, graph)) as unknown as Pipe & AsyncDisposable;
    await using native = (await pipeline(task, checkpoint, { engine: 'native' })) as unknown as Pipe & AsyncDisposable;
    expect((ours as unknown as { model: PreTrainedModel }).model.engine).toBe('onnxruntime');
    for (const [i, run] of runs.entries()) expectSame(await run(ours), await run(native), `${i}`);
  });

  test('by the path of the graph', async () => {
    await using ours = (await pipeline(task, join(graph, 'onnx', 'model.onnx'))) as unknown as Pipe & AsyncDisposable;
    await using native = (await pipeline(task, checkpoint)) as unknown as Pipe & AsyncDisposable;
    expectSame(await runs[0]!(ours), await runs[0]!(native));
  });

  test('of a family that is not known', async () => {
    const zoo = temporaryFolder();
    cpSync(graph, zoo, { recursive: true });
    const values = { model_type: 'zoo', ...config, d_model: 24, vocab_size: 328, n_positions: 64 };
    writeFileSync(join(zoo, 'config.json'), JSON.stringify(values));
    await using ours = (await pipeline(task, zoo)) as unknown as Pipe & AsyncDisposable;
    await using native = (await pipeline(task, checkpoint)) as unknown as Pipe & AsyncDisposable;
    expect((ours as unknown as { model: PreTrainedModel }).model.constructor.name).toContain('GraphOnly');
    for (const run of runs) expectSame(await run(ours), await run(native));
  });
});

test('a graph of another task says what it is for', async () => {
  const { message } = await failure(pipeline('fill-mask', await onnxOnly('bert-text-embedding')), 'ERR_FILE_FORMAT');
  expect(message).toContain('logits');
  expect(message).toContain('AutoModel');
});

test('streams of vectors', async () => {
  const folder = await onnxOnly(basename(classifierFolder));
  const many = Array.from({ length: 60 }, (_, i) => texts[i % texts.length]!.repeat(1 + (i % 3)));
  const tokenizer = await AutoTokenizer.from_pretrained(classifierFolder);
  const vectors = async (path: string) => {
    using model = await AutoModel.from_pretrained(path, { add_pooling_layer: false });
    const results: Float32Array[] = [];
    for await (const vector of embedStream(many, { model, tokenizer, batch_tokens: 96, window: 16 })) {
      results.push(vector);
    }
    return results;
  };
  expectSame(await vectors(folder), await vectors(classifierFolder));
});

const sentenceFolders = ['mean', 'cls-max-dense', 'prompt-excluded'].map((name) => `sentence-transformers-${name}`);

describe.each(sentenceFolders)('%s', (name) => {
  interface SentenceCase extends Case {
    readonly texts: string[];
    readonly prompt_name: string | null;
  }
  let folder: string;
  beforeAll(async () => {
    folder = await onnxOnly(name);
  });

  test('gives the goldens of sentence-transformers', async () => {
    using model = await SentenceTransformer.from_pretrained(folder);
    expect(model.model.engine).toBe('onnxruntime');
    for (const golden of readCases(join(fixturesFolder, name)) as SentenceCase[]) {
      const expected = golden.outputs.sentence_embedding!;
      const { prompt_name } = golden;
      expectClose(await model.encode(golden.texts, { prompt_name }), expected, golden.name);
      expectClose(await model.encode(golden.texts, { prompt_name, batch_tokens: 1 }), expected, 'one by one');
    }
    expect((await model.encode([])).dims[0]).toBe(0);
  });

  test('by the path of the graph, in pipelines, with options', async () => {
    const graph = join(folder, 'onnx', 'model.onnx');
    using model = await SentenceTransformer.from_pretrained(graph, { session_options: { intraOpNumThreads: 1 } });
    using own = await SentenceTransformer.from_pretrained(join(fixturesFolder, name), { engine: 'native' });
    expectSame((await model.encode(['one', 'two texts'])).data, (await own.encode(['one', 'two texts'])).data);
    await using pipe = await pipeline('sentence-similarity', folder);
    await using native = await pipeline('sentence-similarity', join(fixturesFolder, name));
    const asked = { source_sentence: 'one', sentences: ['two', 'three'] };
    expectSame(await pipe(asked), await native(asked));
  });

  test('refuses what it cannot do', async () => {
    using model = await SentenceTransformer.from_pretrained(folder);
    await failure(model.save_pretrained(temporaryFolder()), 'ERR_OPTION');
    const moved = temporaryFolder();
    cpSync(folder, moved, { recursive: true });
    rmSync(join(moved, 'onnx'), { recursive: true });
    mkdirSync(join(moved, 'onnx'));
    await failure(SentenceTransformer.from_pretrained(moved), 'ERR_NOT_FOUND');
  });

  test('aborts', async () => {
    using model = await SentenceTransformer.from_pretrained(folder);
    const stop = new AbortController();
    const call = model.encode(
      Array.from({ length: 400 }, () => 'some text'),
      { signal: stop.signal },
    );
    stop.abort(new Error('enough'));
    await failure(call, 'ERR_ABORTED');
    expect((await model.encode('again')).dims[0]).toBe(1);
  });
});
