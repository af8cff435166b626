import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  BertNativeError,
  cos_sim,
  type ErrorCode,
  quantize_embeddings,
  SentenceTransformer,
  Tensor,
} from '../../lib/index.ts';
import { expectValuesClose, fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { withWarnings } from '../support/warnings.ts';

const meanFolder = join(fixturesFolder, 'sentence-transformers-mean');
const denseFolder = join(fixturesFolder, 'sentence-transformers-cls-max-dense');
const excludedFolder = join(fixturesFolder, 'sentence-transformers-prompt-excluded');
const texts = ['안녕하세요', 'hello world', 'The movie was not good!'];

async function errorOf(action: () => unknown): Promise<{ code: ErrorCode; message: string; cause?: unknown }> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(BertNativeError);
    return error as BertNativeError;
  }
  throw new Error('nothing was thrown');
}

/** A copy of a folder in which some JSON files are changed. */
function copyWith(folder: string, changes: Record<string, object>): string {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  for (const [name, change] of Object.entries(changes)) {
    const path = join(copy, name);
    const value = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify(Array.isArray(change) ? change : { ...value, ...change }));
  }
  return copy;
}

const rowsOf = (tensor: Tensor): number[][] => tensor.tolist() as number[][];

describe('encode', () => {
  test('one text gives one row, none gives no rows', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    const one = await model.encode(texts[0]!);
    expect(one.dims).toEqual([1, 24]);
    expect(one.data).toEqual((await model.encode(texts)).slice([0, 1]).data);
    expect((await model.encode([])).dims).toEqual([0, 24]);
    expect((await model.encode([], { precision: 'binary' })).dims).toEqual([0, 3]);
  });

  test('many texts give the same bits as each alone, in their order', async () => {
    const model = await SentenceTransformer.from_pretrained(excludedFolder);
    const words = ['able', '영화', '음악', 'The', 'story', 'is', 'very', 'good', 'unplayable', '한국'];
    const many = Array.from({ length: 5000 }, (_, i) =>
      Array.from({ length: 1 + ((i * 7) % 13) }, (__, j) => words[(i * 31 + j * j) % words.length]).join(' '),
    );
    const seen: number[] = [];
    const vectors = await model.encode(many, {
      prompt_name: 'query',
      batch_tokens: 500,
      progress_callback: ({ done, total }) => {
        expect(total).toBe(5000);
        seen.push(done);
      },
    });
    expect(seen.at(-1)).toBe(5000);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    for (const i of [0, 1, 2047, 2048, 4999]) {
      const alone = await model.encode(many[i]!, { prompt_name: 'query' });
      expect(alone.data, `text ${i}`).toEqual(vectors.slice([i, i + 1]).data);
    }
  });

  test('dimensions are cut, then normalized where that is asked for', async () => {
    const model = await SentenceTransformer.from_pretrained(denseFolder);
    const whole = rowsOf(await model.encode(texts));
    const cut = await model.encode(texts, { dimensions: 5 });
    expect(rowsOf(cut)).toEqual(whole.map((row) => row.slice(0, 5)));
    const normalized = await model.encode(texts, { dimensions: 5, normalize: true });
    for (const [row, values] of rowsOf(normalized).entries()) {
      const length = Math.hypot(...whole[row]!.slice(0, 5));
      expectValuesClose(
        values,
        whole[row]!.slice(0, 5).map((value) => value / length),
        `row ${row}`,
      );
    }
    expect((await errorOf(() => model.encode(texts, { dimensions: 13 }))).message).toContain('at most 12');
  });

  test('precisions', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    const vectors = await model.encode(texts);
    const binary = await model.encode(texts, { precision: 'binary' });
    expectTypeOf(binary).toEqualTypeOf<Tensor<'int8'>>();
    expectTypeOf(vectors).toEqualTypeOf<Tensor<'float32'>>();
    expect(binary.dims).toEqual([3, 3]);
    expect(binary.data).toEqual(quantize_embeddings(vectors, 'binary').data);
    expect((await model.encode(texts, { precision: 'ubinary', dimensions: 16 })).dims).toEqual([3, 2]);
    const ranges = Tensor.from([Array(24).fill(-1), Array(24).fill(1)], 'float32');
    const bytes = await model.encode(texts, { precision: 'uint8', ranges });
    expect(bytes.data).toEqual(quantize_embeddings(vectors, 'uint8', { ranges }).data);
    const { warnings } = await withWarnings(() => model.encode(texts, { precision: 'int8' }));
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_FEW_CALIBRATION_EMBEDDINGS']);
    expect((await errorOf(() => model.encode(texts, { precision: 'binary', dimensions: 10 }))).code).toBe('ERR_SHAPE');
  });

  test.each<[string, ErrorCode, string, (model: SentenceTransformer) => unknown]>([
    ['another prompt', 'ERR_OPTION', 'one of "query", "passage"', (m) => m.encode('a', { prompt_name: 'no' })],
    ['a name of Object', 'ERR_OPTION', 'one of', (m) => m.encode('a', { prompt_name: 'toString' })],
    ['a number for a text', 'ERR_OPTION', 'texts[1] is 7', (m) => m.encode(['a', 7 as never])],
    ['nothing', 'ERR_OPTION', 'texts is undefined', (m) => m.encode(undefined as never)],
    ['an unknown option', 'ERR_OPTION', "did you mean 'normalize'", (m) => m.encode('a', { normalise: true } as never)],
    ['another precision', 'ERR_OPTION', 'binary', (m) => m.encode('a', { precision: 'int4' as never })],
    [
      'texts for vectors',
      'ERR_DTYPE',
      'encode() makes vectors of texts',
      (m) => m.similarity('a' as never, ['b'] as never),
    ],
    ['0 dimensions', 'ERR_OPTION', 'from 1 up', (m) => m.encode('a', { dimensions: 0 })],
  ])('refuses %s', async (_, code, message, action) => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    const error = await errorOf(() => action(model));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  test('the caller’s array is the caller’s again', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    const many = Array.from({ length: 3000 }, (_, i) => `good ${i}`);
    const expected = await model.encode(many);
    const call = model.encode(many);
    many.fill('bad').push(...many);
    expect((await call).data).toEqual(expected.data);
  });

  test('aborts, also before it starts; works after that', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    const reason = new Error('enough');
    const many = Array.from({ length: 20_000 }, (_, i) => `hello world ${i}`);
    const controller = new AbortController();
    const call = model.encode(many, {
      signal: controller.signal,
      batch_tokens: 64,
      progress_callback: () => controller.abort(reason),
    });
    expect(await errorOf(() => call)).toMatchObject({ code: 'ERR_ABORTED', cause: reason });
    const aborted = await errorOf(() => model.encode('a', { signal: AbortSignal.abort(reason) }));
    expect(aborted).toMatchObject({ code: 'ERR_ABORTED', cause: reason });
    expect((await model.encode(texts)).dims).toEqual([3, 24]);
  });

  test('what the progress callback throws is what the call rejects with', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    const progress_callback = () => {
      throw new TypeError('mine');
    };
    await expect(model.encode(texts, { progress_callback })).rejects.toThrow(new TypeError('mine'));
  });

  test('after dispose', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    model.dispose();
    expect((await errorOf(() => model.encode('a'))).code).toBe('ERR_DISPOSED');
  });
});

describe('prompts', () => {
  test('of queries and documents', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    expect(model.prompts).toEqual({ query: 'query: ', passage: 'passage: ' });
    const by = async (prompt_name: string) => (await model.encode(texts, { prompt_name })).data;
    expect((await model.encode_query(texts)).data).toEqual(await by('query'));
    expect((await model.encode_document(texts)).data).toEqual(await by('passage'));
    expect((await model.encode_query(texts, { prompt_name: 'passage' })).data).toEqual(await by('passage'));
    expect((await model.encode_query(texts, { prompt: '' })).data).toEqual((await model.encode(texts)).data);
    model.prompts = { document: 'passage: ', passage: 'other' };
    expect((await model.encode_document(texts)).data).toEqual(
      (await model.encode(texts, { prompt: 'passage: ' })).data,
    );
    expect((await model.encode_query(texts)).data).toEqual((await model.encode(texts)).data);
  });

  test('by default', async () => {
    const folder = copyWith(meanFolder, { 'config_sentence_transformers.json': { default_prompt_name: 'query' } });
    const model = await SentenceTransformer.from_pretrained(folder);
    const plain = await SentenceTransformer.from_pretrained(meanFolder);
    expect((await model.encode(texts)).data).toEqual((await plain.encode_query(texts)).data);
    expect((await model.encode(texts, { prompt: '' })).data).toEqual((await plain.encode(texts)).data);
    const given = await SentenceTransformer.from_pretrained(meanFolder, {
      prompts: { mine: 'passage: ' },
      default_prompt_name: 'mine',
    });
    expect((await given.encode(texts)).data).toEqual((await plain.encode_document(texts)).data);
    const error = await errorOf(() => SentenceTransformer.from_pretrained(meanFolder, { default_prompt_name: 'no' }));
    expect(error.code).toBe('ERR_OPTION');
  });

  test('of both kinds at once: the text is taken, with a warning', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    const { result, warnings } = await withWarnings(() =>
      model.encode(texts, { prompt: 'query: ', prompt_name: 'passage' }),
    );
    expect(result.data).toEqual((await model.encode_query(texts)).data);
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_TWO_PROMPTS']);
  });
});

describe('settings', () => {
  test('max_seq_length', async () => {
    const model = await SentenceTransformer.from_pretrained(meanFolder);
    expect(model.max_seq_length).toBe(20);
    const short = await model.encode('hello world');
    const long = 'hello world hello world hello world';
    expect((await model.encode(long)).data).not.toEqual(short.data);
    model.max_seq_length = model.tokenizer.encode('hello world').length;
    expect((await model.encode(long)).data).toEqual(short.data);
    expect(() => {
      model.max_seq_length = 33;
    }).toThrow('at most 32');
    model.max_seq_length = 1;
    expect((await errorOf(() => model.encode('a'))).code).toBe('ERR_TRUNCATION');
    expect((await SentenceTransformer.from_pretrained(excludedFolder)).max_seq_length).toBe(18);
    expect((await SentenceTransformer.from_pretrained(meanFolder, { max_seq_length: 7 })).max_seq_length).toBe(7);
  });

  test('similarity', async () => {
    const model = await SentenceTransformer.from_pretrained(denseFolder);
    const [a, b] = [await model.encode(texts), await model.encode(['bad story', 'good'])];
    expect(model.similarity_fn_name).toBe('cosine');
    expect(model.similarity(a, b).dims).toEqual([3, 2]);
    expectValuesClose(model.similarity(a, b).data, cos_sim(a, b).data, 'cosine');
    expectValuesClose(model.similarity_pairwise(a, a).data, [1, 1, 1], 'each with itself');
    model.similarity_fn_name = 'euclidean';
    const [x, y] = [rowsOf(a)[0]!, rowsOf(b)[1]!];
    const distance = -Math.hypot(...x.map((value, i) => value - y[i]!));
    expectValuesClose([rowsOf(model.similarity(a, b))[0]![1]!], [distance], 'euclidean');
    expect(() => {
      model.similarity_fn_name = 'hamming' as never;
    }).toThrow('cosine, dot, euclidean, manhattan');
    const folder = copyWith(meanFolder, { 'config_sentence_transformers.json': { similarity_fn_name: 'dot' } });
    expect((await SentenceTransformer.from_pretrained(folder)).similarity_fn_name).toBe('dot');
  });

  test('printing', async () => {
    const model = await SentenceTransformer.from_pretrained(denseFolder);
    expect(inspect(model)).toContain(
      'SentenceTransformer (cls pooling, max pooling, linear, activation; 12 dimensions) BertModel',
    );
  });
});

describe('folders', () => {
  const transformer = { path: '', type: 'sentence_transformers.models.Transformer' };
  const pooling = { path: '1_Pooling', type: 'sentence_transformers.models.Pooling' };

  test('an encoder in a folder of its own, as the first versions saved it', async () => {
    const folder = copyWith(meanFolder, {
      'modules.json': [
        { ...transformer, path: '0_BERT' },
        pooling,
        { path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
      ],
    });
    mkdirSync(join(folder, '0_BERT'));
    for (const name of [
      'config.json',
      'model.safetensors',
      'vocab.txt',
      'tokenizer_config.json',
      'special_tokens_map.json',
      'sentence_bert_config.json',
    ]) {
      renameSync(join(folder, name), join(folder, '0_BERT', name));
    }
    renameSync(
      join(folder, '0_BERT', 'sentence_bert_config.json'),
      join(folder, '0_BERT', 'sentence_roberta_config.json'),
    );
    const [model, plain] = [
      await SentenceTransformer.from_pretrained(folder),
      await SentenceTransformer.from_pretrained(meanFolder),
    ];
    expect(model.max_seq_length).toBe(20);
    expect((await model.encode(texts)).data).toEqual((await plain.encode(texts)).data);
  });

  test('pooling modes in the order in which they are named, also when saved', async () => {
    const modules = [transformer, pooling];
    const folder = copyWith(meanFolder, {
      'modules.json': modules,
      '1_Pooling/config.json': { pooling_mode: ['mean', 'cls'] },
    });
    const single = async (pooling_mode: string) => {
      const changes = { 'modules.json': modules, '1_Pooling/config.json': { pooling_mode } };
      return rowsOf(await (await SentenceTransformer.from_pretrained(copyWith(meanFolder, changes))).encode(texts));
    };
    const [means, firsts] = [await single('mean'), await single('cls')];
    const model = await SentenceTransformer.from_pretrained(folder);
    const vectors = await model.encode(texts);
    expect(rowsOf(vectors)).toEqual(means.map((row, i) => [...row, ...firsts[i]!]));
    const saved = temporaryFolder();
    await model.save_pretrained(saved);
    expect((await (await SentenceTransformer.from_pretrained(saved)).encode(texts)).data).toEqual(vectors.data);
  });

  test('means where every flag is off', async () => {
    const changes = { '1_Pooling/config.json': { pooling_mode_mean_tokens: false } };
    const [model, plain] = [
      await SentenceTransformer.from_pretrained(copyWith(meanFolder, changes)),
      await SentenceTransformer.from_pretrained(meanFolder),
    ];
    expect((await model.encode(texts)).data).toEqual((await plain.encode(texts)).data);
  });

  test('a Dropout does nothing', async () => {
    const list = JSON.parse(readFileSync(join(meanFolder, 'modules.json'), 'utf8')) as object[];
    const dropout = { path: '3_Dropout', type: 'sentence_transformers.models.Dropout' };
    const folder = copyWith(meanFolder, { 'modules.json': [...list, dropout] });
    const [model, plain] = [
      await SentenceTransformer.from_pretrained(folder),
      await SentenceTransformer.from_pretrained(meanFolder),
    ];
    expect((await model.encode(texts)).data).toEqual((await plain.encode(texts)).data);
  });

  test.each<[string, ErrorCode, string, string, Record<string, object>]>([
    [
      'other first modules',
      'ERR_UNSUPPORTED_MODEL',
      'WordEmbeddings',
      meanFolder,
      {
        'modules.json': [{ path: '', type: 'sentence_transformers.models.WordEmbeddings' }, pooling],
      },
    ],
    [
      'no pooling',
      'ERR_UNSUPPORTED_MODEL',
      'expected a Transformer and a Pooling',
      meanFolder,
      { 'modules.json': [transformer] },
    ],
    [
      'modules of others',
      'ERR_UNSUPPORTED_MODEL',
      'custom_st.Transformer',
      meanFolder,
      {
        'modules.json': [{ path: '', type: 'custom_st.Transformer' }, pooling],
      },
    ],
    [
      'a module that is not known',
      'ERR_UNSUPPORTED_MODEL',
      'LSTM',
      meanFolder,
      {
        'modules.json': [transformer, pooling, { path: '2', type: 'sentence_transformers.models.LSTM' }],
      },
    ],
    ...['constructor', '__proto__'].map((name): [string, ErrorCode, string, string, Record<string, object>] => [
      `a module called ${name}`,
      'ERR_UNSUPPORTED_MODEL',
      name,
      meanFolder,
      { 'modules.json': [transformer, pooling, { path: '2', type: `sentence_transformers.models.${name}` }] },
    ]),
    [
      'an activation that every object has',
      'ERR_UNSUPPORTED_MODEL',
      'torch.nn.toString',
      denseFolder,
      { '2_Dense/config.json': { activation_function: 'torch.nn.toString' } },
    ],
    [
      'a way out of the folder',
      'ERR_FILE_FORMAT',
      '../1_Pooling',
      meanFolder,
      {
        'modules.json': [transformer, { ...pooling, path: '../1_Pooling' }],
      },
    ],
    [
      'an absolute path',
      'ERR_FILE_FORMAT',
      'a folder inside',
      meanFolder,
      {
        'modules.json': [transformer, { ...pooling, path: '/etc' }],
      },
    ],
    [
      'a pooling mode twice',
      'ERR_CONFIG',
      'different ones',
      meanFolder,
      { '1_Pooling/config.json': { pooling_mode: ['cls', 'cls'] } },
    ],
    [
      'a residual connection',
      'ERR_UNSUPPORTED_MODEL',
      'use_residual',
      denseFolder,
      { '2_Dense/config.json': { use_residual: true } },
    ],
    [
      'an unknown pooling mode',
      'ERR_CONFIG',
      'pooling_mode',
      meanFolder,
      { '1_Pooling/config.json': { pooling_mode: 'median' } },
    ],
    [
      'a flag that is none',
      'ERR_CONFIG',
      'include_prompt',
      meanFolder,
      { '1_Pooling/config.json': { include_prompt: 'yes' } },
    ],
    [
      'an unknown activation',
      'ERR_UNSUPPORTED_MODEL',
      'Sigmoid',
      denseFolder,
      {
        '2_Dense/config.json': { activation_function: 'torch.nn.modules.activation.Sigmoid' },
      },
    ],
    [
      'code for an activation',
      'ERR_UNSUPPORTED_MODEL',
      'os.system',
      denseFolder,
      {
        '2_Dense/config.json': { activation_function: 'os.system' },
      },
    ],
    [
      'another input of a Dense',
      'ERR_UNSUPPORTED_MODEL',
      'token_embeddings',
      denseFolder,
      {
        '2_Dense/config.json': { module_input_name: 'token_embeddings' },
      },
    ],
    [
      'a Dense of another size',
      'ERR_WEIGHT_SHAPE',
      'config.json says [13, 44]',
      denseFolder,
      {
        '2_Dense/config.json': { out_features: 13 },
      },
    ],
    [
      'a Dense that does not fit',
      'ERR_WEIGHT_SHAPE',
      '[12, 22]',
      denseFolder,
      {
        '1_Pooling/config.json': { pooling_mode_max_tokens: false },
      },
    ],
    [
      'a prompt that is none',
      'ERR_CONFIG',
      'prompts',
      meanFolder,
      { 'config_sentence_transformers.json': { prompts: { a: 1 } } },
    ],
    [
      'a default that is no prompt',
      'ERR_CONFIG',
      'default_prompt_name',
      meanFolder,
      {
        'config_sentence_transformers.json': { default_prompt_name: 'no' },
      },
    ],
    [
      'another similarity',
      'ERR_CONFIG',
      'similarity_fn_name',
      meanFolder,
      {
        'config_sentence_transformers.json': { similarity_fn_name: 'hamming' },
      },
    ],
    [
      'a length that is none',
      'ERR_CONFIG',
      'max_seq_length',
      meanFolder,
      { 'sentence_bert_config.json': { max_seq_length: 0 } },
    ],
  ])('refuses %s', async (_, code, message, folder, changes) => {
    const error = await errorOf(() => SentenceTransformer.from_pretrained(copyWith(folder, changes)));
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  test('refuses modules.json that is no list, and modules without files', async () => {
    const folder = copyWith(denseFolder, {});
    writeFileSync(join(folder, 'modules.json'), '{"0": 1}');
    expect((await errorOf(() => SentenceTransformer.from_pretrained(folder))).code).toBe('ERR_FILE_FORMAT');
    writeFileSync(join(folder, 'modules.json'), '[');
    expect((await errorOf(() => SentenceTransformer.from_pretrained(folder))).code).toBe('ERR_FILE_FORMAT');
    const without = copyWith(denseFolder, {});
    rmSync(join(without, '1_Pooling'), { recursive: true });
    expect((await errorOf(() => SentenceTransformer.from_pretrained(without))).message).toContain('1_Pooling');
    const noWeights = copyWith(denseFolder, {});
    for (const name of ['model.safetensors', 'pytorch_model.bin']) rmSync(join(noWeights, '2_Dense', name));
    expect((await errorOf(() => SentenceTransformer.from_pretrained(noWeights))).code).toBe('ERR_NOT_FOUND');
  });

  test('an unknown option is refused', async () => {
    const error = await errorOf(() => SentenceTransformer.from_pretrained(meanFolder, { dtyp: 'fp32' } as never));
    expect(error.message).toContain("did you mean 'dtype'");
  });
});
