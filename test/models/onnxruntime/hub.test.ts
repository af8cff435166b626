import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { forgetAnswers } from '../../../lib/hub/repository.ts';
import {
  AutoModel,
  AutoTokenizer,
  BertModel,
  downloadModel,
  env,
  type FromPretrainedOptions,
  pipeline,
  SentenceTransformer,
} from '../../../lib/index.ts';
import { failureOf, fixture, id, useHub } from '../../hub/support.ts';
import { onnxOnly } from './support.ts';

// Repositories as on the hub: which of their files are fetched, and that they run from the cache.

const hub = useHub();
const name = 'bert-text-embedding';
const sentences = 'sentence-transformers-cls-max-dense';
/** Large enough to be stored as the hub stores large files. */
let graph: Buffer;
let external: { graph: Buffer; data: Buffer };

beforeEach(async () => {
  if (graph !== undefined) return;
  graph = readFileSync(join(await onnxOnly(name), 'onnx', 'model.onnx'));
  const folder = join(await onnxOnly(name, { external_data: true }), 'onnx');
  external = { graph: readFileSync(join(folder, 'model.onnx')), data: readFileSync(join(folder, 'model.onnx_data')) };
});

/** The same graph with a remark in it: another file to the hub. */
function marked(remark: string): Buffer {
  const doc_string = Buffer.from(remark);
  return Buffer.concat([graph, Buffer.from([(6 << 3) | 2, doc_string.length]), doc_string]);
}

const noWeights = () => fixture(name, 'model.safetensors', 'pytorch_model.bin');
const fetched = () => hub.server.downloads().filter((path) => /onnx|safetensors|\.bin/.test(path));

async function load(options: FromPretrainedOptions = {}): Promise<string> {
  using model = await AutoModel.from_pretrained(id, options);
  return `${model.engine} ${model.dtype}`;
}

describe('what is fetched', () => {
  test('of a repository that is ONNX alone: one graph', async () => {
    const others = {
      'onnx/model_fp16.onnx': marked('fp16'),
      'onnx/model_quantized.onnx': marked('quantized'),
      'onnx/model_q4.onnx': marked('q4'),
    };
    hub.server.commit(id, { ...noWeights(), 'onnx/model.onnx': graph, ...others });
    expect(await load()).toBe('onnxruntime fp32');
    expect(fetched()).toEqual(['onnx/model.onnx']);
    expect(await load({ dtype: 'q8' })).toBe('onnxruntime q8');
    expect(await load({ dtype: 'q4', engine: 'onnxruntime' })).toBe('onnxruntime q4');
    expect(fetched()).toEqual(['onnx/model.onnx', 'onnx/model_q4.onnx', 'onnx/model_quantized.onnx']);
    const absent = await failureOf(load({ dtype: 'bnb4' }));
    expect(absent).toMatchObject({ code: 'ERR_NOT_FOUND', message: expect.stringContaining('onnx/model_bnb4.onnx') });
    const native = await failureOf(load({ engine: 'native' }));
    expect(native.code).toBe('ERR_NOT_FOUND');
    expect(native.message).toContain('no model.safetensors (or other weights)');
    expect(native.message).toContain("engine 'onnxruntime'");
  });

  test('of one with both: what the engine needs', async () => {
    hub.server.commit(id, { ...fixture(name), 'onnx/model.onnx': graph, 'onnx/model_int8.onnx': marked('int8') });
    expect(await load()).toBe('native fp32');
    expect(fetched()).toEqual(['model.safetensors']);
    expect(await load({ dtype: 'int8' })).toBe('onnxruntime int8');
    expect(await load({ engine: 'onnxruntime' })).toBe('onnxruntime fp32');
    expect(fetched()).toEqual(['model.safetensors', 'onnx/model.onnx', 'onnx/model_int8.onnx']);
    await downloadModel(id);
    expect(fetched()).toHaveLength(3);
  });

  test('ahead: what the same options load', async () => {
    hub.server.commit(id, {
      ...fixture(name),
      'onnx/model.onnx': external.graph,
      'onnx/model.onnx_data': external.data,
      'onnx/model_q4.onnx': marked('q4'),
      'onnx/own_int8.onnx': marked('own'),
    });
    await downloadModel(id, { dtype: 'q4' });
    expect(fetched()).toEqual(['onnx/model_q4.onnx']);
    await downloadModel(id, { engine: 'onnxruntime' });
    expect(fetched()).toEqual(['onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model_q4.onnx']);
    await downloadModel(id, { model_file_name: 'own', dtype: 'int8' });
    expect(fetched()).toContain('onnx/own_int8.onnx');
    await downloadModel(id);
    expect(fetched().filter((path) => path.endsWith('safetensors'))).toEqual(['model.safetensors']);
    const absent = await failureOf(downloadModel(id, { dtype: 'bnb4' }));
    expect(absent).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining('no onnx/model_bnb4.onnx'),
    });
    const both = await failureOf(downloadModel(id, { dtype: 'q4', include: ['onnx/*'] }));
    expect(both).toMatchObject({ code: 'ERR_OPTION', message: expect.stringContaining('include') });
    expect((await failureOf(downloadModel(id, { engine: 'native', dtype: 'q4' }))).code).toBe('ERR_OPTION');
    env.allowRemoteModels = false;
    expect(await load({ dtype: 'q4' })).toBe('onnxruntime q4');
    expect(await load({ engine: 'onnxruntime' })).toBe('onnxruntime fp32');
  });

  test('a family that is not known: the graph, not the weights', async () => {
    const config = Buffer.from(
      JSON.stringify({ ...JSON.parse(String(fixture(name)['config.json'])), model_type: 'zoo' }),
    );
    hub.server.commit(id, { ...fixture(name), 'config.json': config, 'onnx/model.onnx': graph });
    await using extract = await pipeline('feature-extraction', id);
    expect(extract.model.constructor.name).toBe('GraphOnlyModel');
    expect(fetched()).toEqual(['onnx/model.onnx']);
  });

  test('weights in files of their own, by the usual names or those in the graph', async () => {
    hub.server.commit(id, {
      ...noWeights(),
      'onnx/model.onnx': external.graph,
      'onnx/model.onnx_data': external.data,
      'onnx/model.onnx_data_1': 'x',
      'onnx/other.onnx_data': 'x',
    });
    expect(await load()).toBe('onnxruntime fp32');
    expect(fetched()).toEqual(['onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model.onnx_data_1']);
    // As long as the other name, so that no length in the message changes.
    const [usual, own] = ['model.onnx_data', 'all_the_weights'];
    const renamed = Buffer.from(external.graph.toString('latin1').replaceAll(usual, own), 'latin1');
    hub.server.commit('owner/renamed', { ...noWeights(), 'onnx/model.onnx': renamed, [`onnx/${own}`]: external.data });
    using model = await AutoModel.from_pretrained('owner/renamed');
    expect(model.engine).toBe('onnxruntime');
    expect(hub.server.downloads()).toContain(`onnx/${own}`);
  });

  test('before it is loaded, for pipelines and sentence encoders', async () => {
    hub.server.commit(id, {
      ...noWeights(),
      'onnx/model_quantized.onnx': marked('quantized'),
      'onnx/model_fp16.onnx': marked('fp16'),
    });
    await using extract = await pipeline('feature-extraction', id, { dtype: 'q8' });
    expect([extract.model.engine, extract.model.dtype]).toEqual(['onnxruntime', 'q8']);
    expect(fetched()).toEqual(['onnx/model_quantized.onnx']);
    const folder = await onnxOnly(sentences);
    const graphOf = readFileSync(join(folder, 'onnx', 'model.onnx'));
    hub.server.commit('owner/sentences', {
      ...fixture(sentences, 'model.safetensors'),
      'onnx/model.onnx': graphOf,
      'onnx/model_fp16.onnx': Buffer.concat([graphOf, marked('').subarray(-2)]),
    });
    using sentence = await SentenceTransformer.from_pretrained('owner/sentences');
    expect(sentence.model.engine).toBe('onnxruntime');
    expect(hub.server.downloads()).toContain('2_Dense/model.safetensors');
    expect(fetched().filter((path) => path.endsWith('model.onnx'))).toEqual(['onnx/model.onnx']);
  });
});

describe('from the cache', () => {
  test('without the hub: what is there', async () => {
    hub.server.commit(id, {
      ...fixture(name),
      'onnx/model.onnx': external.graph,
      'onnx/model.onnx_data': external.data,
    });
    expect(await load({ engine: 'onnxruntime' })).toBe('onnxruntime fp32');
    await AutoTokenizer.from_pretrained(id);
    await hub.server.stop();
    forgetAnswers();
    env.allowRemoteModels = false;
    // The weights would go first, but they were never fetched.
    expect(await load()).toBe('onnxruntime fp32');
    expect(await failureOf(load({ engine: 'native' }))).toMatchObject({ code: 'ERR_OFFLINE' });
    expect(await failureOf(load({ dtype: 'q4' }))).toMatchObject({
      code: 'ERR_OFFLINE',
      message: expect.stringContaining('onnx/model_q4.onnx'),
    });
    await using extract = await pipeline('feature-extraction', id);
    expect(extract.model.engine).toBe('onnxruntime');
  });

  test('the path of a file in it', async () => {
    hub.server.commit(id, { ...noWeights(), 'onnx/model.onnx': external.graph, 'onnx/model.onnx_data': external.data });
    const path = join(await downloadModel(id), 'onnx', 'model.onnx');
    expect(existsSync(path)).toBe(true);
    expect(readdirSync(join(path, '..')).sort()).toEqual(['model.onnx', 'model.onnx_data']);
    using model = await BertModel.from_pretrained(path);
    expect(model.engine).toBe('onnxruntime');
  });
});
