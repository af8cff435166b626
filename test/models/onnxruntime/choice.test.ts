import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  AutoConfig,
  AutoModel,
  AutoModelForSequenceClassification,
  AutoTokenizer,
  BertConfig,
  BertModel,
  type ErrorCode,
  type FromPretrainedOptions,
} from '../../../lib/index.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { withWarnings } from '../../support/warnings.ts';
import { failure } from '../../weights/support.ts';
import { addWeights, copyGraph, onnxOnly } from './support.ts';

const fixture = 'bert-text-embedding';
let folder: string;

beforeEach(async () => {
  folder = await onnxOnly(fixture, { dtypes: ['fp32', 'q8'] });
});

const load = (options: FromPretrainedOptions = {}, path = folder) => AutoModel.from_pretrained(path, options);

/** What came of a load: engine and dtype. */
async function chosen(options: FromPretrainedOptions = {}, path = folder): Promise<string> {
  using model = await load(options, path);
  return `${model.engine} ${model.dtype}`;
}

const refused = (options: FromPretrainedOptions, code: ErrorCode, path = folder) =>
  failure(
    load(options, path).then((model) => model.dispose()),
    code,
  );

describe('which engine', () => {
  test('a folder that is ONNX alone takes onnxruntime by itself', async () => {
    expect(await chosen()).toBe('onnxruntime fp32');
    expect(await chosen({ engine: 'onnxruntime' })).toBe('onnxruntime fp32');
    expect(await chosen({ engine: null, dtype: 'auto', device: 'cpu', strict: true, seed: 1 })).toBe(
      'onnxruntime fp32',
    );
  });

  test('weights of a family that is known go first', async () => {
    addWeights(fixture, folder);
    expect(await chosen()).toBe('native fp32');
    expect(await chosen({ dtype: 'q8' })).toBe('native q8');
    expect(await chosen({ dtype: 'bf16' })).toBe('native bf16');
    expect(await chosen({ dtype: 'auto' })).toBe('native fp32');
    expect(await chosen({ engine: 'reference' })).toBe('reference fp32');
    expect(await chosen({ engine: 'onnxruntime' })).toBe('onnxruntime fp32');
    expect(await chosen({ engine: 'onnxruntime', dtype: 'q8' })).toBe('onnxruntime q8');
  });

  test('what only a graph has takes the graph', async () => {
    addWeights(fixture, folder);
    copyGraph(folder, 'onnx/model_int8.onnx');
    copyGraph(folder, 'onnx/other.onnx');
    expect(await chosen({ dtype: 'int8' })).toBe('onnxruntime int8');
    expect(await chosen({ model_file_name: 'other' })).toBe('onnxruntime fp32');
    expect((await refused({ model_file_name: 'absent' }, 'ERR_NOT_FOUND')).message).toContain("by the name 'absent'");
    const { message } = await refused({ dtype: 'q4' }, 'ERR_NOT_FOUND');
    expect(message).toContain("no ONNX graph of dtype 'q4': expected onnx/model_q4.onnx or model_q4.onnx");
    expect(message).toContain('onnx/model.onnx (fp32), onnx/model_int8.onnx (int8), onnx/model_quantized.onnx (q8)');
    expect(message).toContain("engine 'native' runs its weights as they are: did you mean 'q8'?");
    expect(message).not.toContain('export');
    rmSync(join(folder, 'onnx', 'model_quantized.onnx'));
    const exported = await refused({ engine: 'onnxruntime', dtype: 'q8' }, 'ERR_NOT_FOUND');
    expect(exported.message).toContain("save_pretrained(folder, { format: 'onnx' })");
  });

  test('options that no engine has together', async () => {
    addWeights(fixture, folder);
    const expected: [FromPretrainedOptions, ErrorCode, string][] = [
      [{ engine: 'native', dtype: 'q4' }, 'ERR_OPTION', "engine 'onnxruntime' and a graph"],
      [{ engine: 'native', dtype: 'int8' }, 'ERR_OPTION', "did you mean 'q8'?"],
      [{ engine: 'onnxruntime', dtype: 'bf16' }, 'ERR_OPTION', "dtype 'bf16' is of engine 'native'"],
      [{ engine: 'onnxruntime', fp32_precision: 'high' }, 'ERR_OPTION', "fp32_precision 'high' is of engine 'native'"],
      [{ dtype: 'q4', fp32_precision: 'high' }, 'ERR_OPTION', 'expected one of them'],
      [{ dtype: 'bf16', device: 'cuda' }, 'ERR_DEVICE', "device 'cuda' of engine 'onnxruntime'"],
      [{ engine: 'native', device: 'cuda' }, 'ERR_DEVICE', "engine 'onnxruntime' may run an ONNX model there"],
      [{ engine: 'reference', device: 'dml' }, 'ERR_DEVICE', "engine 'reference' runs on 'cpu'"],
      [{ dtype: 'fp64' as 'fp32' }, 'ERR_OPTION', "'bf16' or 'q8', or of ONNX models"],
      [{ dtype: 'float16' as 'fp16' }, 'ERR_OPTION', "did you mean 'fp16'?"],
      [{ torch_dtype: 'bfloat16' } as object, 'ERR_OPTION', "did you mean 'dtype'?"],
      [{ engine: 'onnx' as 'native' }, 'ERR_OPTION', "or 'reference'; did you mean 'onnxruntime'?"],
      [{ device: 'a b' }, 'ERR_OPTION', 'device'],
      [{ device: 'cuda:1' }, 'ERR_OPTION', "executionProviders: [{ name: 'cuda', deviceId: 1 }]"],
      [{ device: 'gpu:0' }, 'ERR_OPTION', "did you mean 'gpu'?"],
      [{ engine: 'onnxruntime', device: 'mps' }, 'ERR_OPTION', "did you mean 'coreml'?"],
      [{ model_file_name: '../model' }, 'ERR_OPTION', 'model_file_name'],
      [{ model_file_name: 'model.onnx' }, 'ERR_OPTION', 'without folder, suffix and ending'],
      [{ cache_optimized_model: '' }, 'ERR_OPTION', 'the path of a folder'],
      // Before anything is looked for, and whatever runs the model.
      [{ session_options: { executionProviders: 'cuda' as never } }, 'ERR_OPTION', 'executionProviders is "cuda"'],
      [{ session_options: 7 as never }, 'ERR_OPTION', 'session_options'],
      [{ engine: 'onnxruntime', session_options: { intraOpNumThread: 1 } as never }, 'ERR_OPTION', 'intraOpNumThreads'],
    ];
    for (const [options, code, text] of expected) {
      expect((await refused(options, code)).message, inspect(options)).toContain(text);
    }
  });

  test('a device that only ONNX Runtime may have', async () => {
    expect((await refused({ device: 'cuda' }, 'ERR_DEVICE')).message).toContain('cuda');
    rmSync(join(folder, 'onnx'), { recursive: true });
    addWeights(fixture, folder);
    expect((await refused({ device: 'cuda' }, 'ERR_DEVICE')).message).toContain("engine 'native' runs on 'cpu'");
  });

  test('weights alone have no graph, graphs alone no weights', async () => {
    const { message } = await refused({ engine: 'native' }, 'ERR_NOT_FOUND');
    expect(message).toContain(
      "it has onnx/model.onnx (fp32), onnx/model_quantized.onnx (q8), which engine 'onnxruntime'",
    );
    expect((await refused({ dtype: 'bf16' }, 'ERR_NOT_FOUND')).message).toContain(
      "which engine 'onnxruntime' runs, but dtype 'bf16' is of engine 'native'",
    );
    expect((await refused({ model_file_name: 'encoder' }, 'ERR_NOT_FOUND')).message).toContain(
      "holds no ONNX graph by the name 'encoder': expected onnx/encoder.onnx or encoder.onnx; there are onnx/model.onnx",
    );
    rmSync(join(folder, 'onnx'), { recursive: true });
    addWeights(fixture, folder);
    const none = await refused({ engine: 'onnxruntime' }, 'ERR_NOT_FOUND');
    expect(none.message).toContain('holds no ONNX graph: expected onnx/model.onnx');
    expect(none.message).toContain('bert-native export');
    expect((await refused({ dtype: 'int8' }, 'ERR_NOT_FOUND')).message).toContain("did you mean 'q8'?");
    const { warnings } = await withWarnings(async () => {
      expect(await chosen({ model_file_name: 'model', session_options: {}, use_external_data_format: true })).toBe(
        'native fp32',
      );
    });
    const without = warnings.filter(({ code }) => code === 'BERT_NATIVE_OPTION_WITHOUT_EFFECT');
    expect(without.map(({ message }) => /option (\w+)/.exec(message)![1])).toEqual([
      'session_options',
      'model_file_name',
      'use_external_data_format',
    ]);
  });

  test('a model without a graph cannot be made for it', () => {
    expect(() => new BertModel(new BertConfig(), { engine: 'onnxruntime' })).toThrow('from_pretrained');
  });
});

describe('which graph', () => {
  test('the best that is there, in the order of the documentation', async () => {
    const order = ['_quantized', '_uint8', '_int8', '_q4', '_q4f16', '_bnb4', '_q2', '_q2f16', '_q1', '_q1f16'];
    for (const suffix of order.slice(1)) copyGraph(folder, `onnx/model${suffix}.onnx`);
    copyGraph(folder, 'onnx/model_fp16.onnx');
    expect(await chosen()).toBe('onnxruntime fp32');
    rmSync(join(folder, 'onnx', 'model.onnx'));
    expect(await chosen()).toBe('onnxruntime fp16');
    rmSync(join(folder, 'onnx', 'model_fp16.onnx'));
    for (const [i, dtype] of ['q8', 'uint8', 'int8', 'q4', 'q4f16', 'bnb4', 'q2', 'q2f16', 'q1', 'q1f16'].entries()) {
      expect(await chosen()).toBe(`onnxruntime ${dtype}`);
      expect(await chosen({ dtype: dtype as 'q8' })).toBe(`onnxruntime ${dtype}`);
      rmSync(join(folder, 'onnx', `model${order[i]}.onnx`));
    }
    expect((await refused({ engine: 'onnxruntime' }, 'ERR_NOT_FOUND')).message).toContain('no ONNX graph');
  });

  test('the one that the configuration prefers, unless the caller does', async () => {
    const file = join(folder, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    const prefer = (dtype: unknown) =>
      writeFileSync(file, JSON.stringify({ ...config, 'transformers.js_config': { dtype } }));
    prefer('q8');
    expect(await chosen()).toBe('onnxruntime q8');
    expect(await chosen({ dtype: 'auto' })).toBe('onnxruntime q8');
    expect(await chosen({ dtype: 'fp32' })).toBe('onnxruntime fp32');
    expect(await chosen({ model_file_name: 'model' })).toBe('onnxruntime q8');
    prefer({ model: 'q8', other: 'q4' });
    expect(await chosen()).toBe('onnxruntime q8');
    for (const useless of [{ other: 'q8' }, 'q4', 'q3', 7, null]) {
      prefer(useless);
      expect(await chosen(), inspect(useless)).toBe('onnxruntime fp32');
    }
    addWeights(fixture, folder);
    prefer('q8');
    expect(await chosen()).toBe('native fp32');
  });

  test('a name with a suffix of its own', async () => {
    expect(await chosen({ model_file_name: 'model_quantized' })).toBe('onnxruntime q8');
    copyGraph(folder, 'onnx/model_qint8_avx512.onnx');
    expect(await chosen({ model_file_name: 'model_qint8_avx512' })).toBe('onnxruntime int8');
  });

  test("Optimum's folders have it beside config.json", async () => {
    copyGraph(folder, 'model_optimized.onnx');
    rmSync(join(folder, 'onnx'), { recursive: true });
    expect(await chosen()).toBe('onnxruntime fp32');
    renameSync(join(folder, 'model_optimized.onnx'), join(folder, 'model_quantized.onnx'));
    expect(await chosen()).toBe('onnxruntime q8');
    await refused({ dtype: 'fp32' }, 'ERR_NOT_FOUND');
  });

  test('the path of a file: config.json beside it or above', async () => {
    const inside = copyGraph(folder, 'onnx/model_O4_q4f16.onnx');
    expect(await chosen({}, inside)).toBe('onnxruntime q4f16');
    expect(await chosen({}, copyGraph(folder, 'mine.onnx'))).toBe('onnxruntime fp32');
    expect(await chosen({}, join(folder, 'onnx'))).toBe('onnxruntime fp32');
    expect(await chosen({ subfolder: 'onnx' })).toBe('onnxruntime fp32');
    expect((await refused({ engine: 'native' }, 'ERR_OPTION', inside)).message).toContain('expected a folder');
    await refused({ model_file_name: 'other' }, 'ERR_OPTION', inside);
    expect(await chosen({ dtype: 'q4f16' }, inside)).toBe('onnxruntime q4f16');
    expect(await chosen({ dtype: 'q8' }, join(folder, 'mine.onnx'))).toBe('onnxruntime q8');
    expect((await refused({ dtype: 'fp32' }, 'ERR_OPTION', inside)).message).toContain("to be left out, or 'q4f16'");
    await refused({}, 'ERR_NOT_FOUND', join(folder, 'onnx', 'nothing.onnx'));
    const tokenizer = await AutoTokenizer.from_pretrained(inside);
    expect(tokenizer('x').input_ids.dims[0]).toBe(1);
    expect((await AutoConfig.from_pretrained(inside)).model_type).toBe('bert');
  });

  test('a file alone: what the graph says, or the caller', async () => {
    const alone = join(temporaryFolder(), 'model.onnx');
    writeFileSync(alone, readFileSync(join(folder, 'onnx', 'model.onnx')));
    using model = await load({}, alone);
    using known = await load();
    expect([model.constructor.name, model.hidden_size]).toEqual(['GraphOnlyModel', known.hidden_size]);
    expect(model.config.model_type).toBe('onnx');
    using named = await load({ config: { ...known.config.to_dict() } }, alone);
    expect(named).toBeInstanceOf(BertModel);
    using inFolder = await load({}, dirname(alone));
    expect(inFolder.constructor.name).toBe('GraphOnlyModel');
    const own = BertModel.from_pretrained(alone).then((each) => each.dispose());
    expect((await failure(own, 'ERR_NOT_FOUND')).message).toContain('config.json');
    const wrong = await refused({ config: { ...known.config.to_dict(), hidden_size: 96 } }, 'ERR_CONFIG', alone);
    expect(wrong.message).toContain('96');
  });

  test('weights in a file beside the graph', async () => {
    const external = await onnxOnly(fixture, { external_data: true });
    expect(await chosen({ use_external_data_format: true }, external)).toBe('onnxruntime fp32');
    rmSync(join(external, 'onnx', 'model.onnx_data'));
    expect((await refused({}, 'ERR_NOT_FOUND', external)).message).toContain('model.onnx_data');
  });
});

describe('what a model tells', () => {
  test('engine, dtype, providers, memory', async () => {
    using model = await load({ dtype: 'q8' });
    expect([model.engine, model.dtype, model.execution_providers]).toEqual(['onnxruntime', 'q8', ['cpu']]);
    expect(inspect(model)).toMatch(/^BertModel \([\d,]+ parameters, q8, onnxruntime engine on cpu\)/);
    const size = readFileSync(join(folder, 'onnx', 'model_quantized.onnx')).length;
    expect(model.stats()).toMatchObject({ queued_calls: 0, running_calls: 0, memory: { weights_size_bytes: size } });
    addWeights(fixture, folder);
    using native = await load();
    expect(native.execution_providers).toEqual(['cpu']);
    expect(model.num_parameters()).toBe(native.num_parameters());
  });

  test('it has nothing to save', async () => {
    using model = await load();
    for (const format of ['checkpoint', 'onnx'] as const) {
      const { message } = await failure(model.save_pretrained(temporaryFolder(), { format }), 'ERR_OPTION');
      expect(message).toContain(join(folder, 'onnx', 'model.onnx'));
      expect(message).toContain("engine 'native'");
    }
  });
});

describe('a family that is not known', () => {
  const setConfig = (change: object, path = folder) => {
    const file = join(path, 'config.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }));
  };

  test('is run by its graph, also beside weights that nothing here reads', async () => {
    setConfig({ model_type: 'zoo-bert' });
    addWeights(fixture, folder);
    using model = await load();
    expect([model.engine, model.constructor.name]).toEqual(['onnxruntime', 'GraphOnlyModel']);
    expect(model.config.model_type).toBe('zoo-bert');
    expect(model.num_parameters()).toBeNaN();
    expect(inspect(model)).toMatch(/^GraphOnlyModel \(fp32, onnxruntime engine on cpu\)/);
    expect((await refused({ engine: 'native' }, 'ERR_UNSUPPORTED_MODEL')).message).toContain('"zoo-bert"');
  });

  test('without a graph it is what it was', async () => {
    setConfig({ model_type: 'zoo-bert' });
    rmSync(join(folder, 'onnx'), { recursive: true });
    const { message } = await refused({}, 'ERR_UNSUPPORTED_MODEL');
    expect(message).toContain('model_type is "zoo-bert": expected one of albert, bert');
    expect(message).toContain('holds no ONNX graph');
    expect(message).not.toContain('export');
  });

  test('sizes under other names, and what the graph alone says', async () => {
    const classifier = await onnxOnly('bert-sequence-classification', { loader: AutoModelForSequenceClassification });
    using own = await AutoModelForSequenceClassification.from_pretrained(classifier);
    writeFileSync(join(classifier, 'config.json'), JSON.stringify({ model_type: 'zoo', n_positions: 17, n_vocab: 9 }));
    using model = await AutoModelForSequenceClassification.from_pretrained(classifier);
    expect(model.config.num_labels).toBe(own.config.num_labels);
    expect(model.max_sequence_length).toBe(17);
    expect(model.config).toMatchObject({ vocab_size: 9, n_vocab: 9, n_positions: 17 });
    setConfig({ id2label: { 0: 'only' } }, classifier);
    const wrong = AutoModelForSequenceClassification.from_pretrained(classifier).then((each) => each.dispose());
    expect((await failure(wrong, 'ERR_CONFIG')).message).toContain('num_labels');
    const bare = AutoModel.from_pretrained(classifier).then((each) => each.dispose());
    expect((await failure(bare, 'ERR_CONFIG')).message).toContain('hidden_size');
  });

  test('hidden files and folders in the place of files are no graphs', async () => {
    mkdirSync(join(folder, 'onnx', 'model_fp16.onnx'));
    const { message } = await refused({ dtype: 'fp16' }, 'ERR_IO');
    expect(message).toContain(dirname(join(folder, 'onnx', 'x')));
  });
});
