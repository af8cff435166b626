import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nativeEngine } from '../../lib/engines/native.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import type { EncoderSpecification } from '../../lib/engines/specification.ts';
import { AutoModel, BertConfig, BertModel } from '../../lib/index.ts';
import { encoderGraph } from '../../lib/onnx/encoder-graph.ts';
import { exportEncoder } from '../../lib/onnx/export.ts';
import { type WriteModelOptions, writeModel } from '../../lib/onnx/model-file.ts';
import { onnxDtypes } from '../../lib/onnx/network.ts';
import { demoModelFolder, fixturesFolder } from '../support/fixtures.ts';
import { expectSoundGraph, type OnnxTensor, operatorCounts, readOnnx } from '../support/onnx-messages.ts';
import { exportTo, runOnnx } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

const temporary = temporaryFolder();
let count = 0;
const newFolder = () => join(temporary, String(count++));

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

const rows = { input_ids: [[2, 17, 40, 3]], attention_mask: [[1, 1, 1, 0]] };

const smallModel = () =>
  new BertModel(
    new BertConfig({
      vocab_size: 50,
      hidden_size: 24,
      num_hidden_layers: 2,
      num_attention_heads: 3,
      intermediate_size: 40,
      max_position_embeddings: 16,
    }),
    { seed: 4 },
  );

describe('the message', () => {
  test('names versions, producer, inputs and outputs', async () => {
    const onnx = readOnnx(await exportTo(newFolder(), smallModel()));
    expect(onnx.irVersion).toBe(8n);
    expect(onnx.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([['', 17n]]);
    expect(onnx.producerName).toBe('bert-native');
    expect(onnx.producerVersion).toMatch(/^\d+\.\d+\.\d+/);
    const described = (values: typeof onnx.graph.input) =>
      values.map(({ name, type }) => [
        name,
        type.tensorType.elemType,
        type.tensorType.shape.dim.map(({ dimValue, dimParam }) => dimParam || Number(dimValue)),
      ]);
    const int64 = 7;
    const float = 1;
    expect(described(onnx.graph.input)).toEqual([
      ['input_ids', int64, ['batch_size', 'sequence_length']],
      ['attention_mask', int64, ['batch_size', 'sequence_length']],
      ['token_type_ids', int64, ['batch_size', 'sequence_length']],
    ]);
    expect(described(onnx.graph.output)).toEqual([
      ['last_hidden_state', float, ['batch_size', 'sequence_length', 24]],
      ['pooler_output', float, ['batch_size', 24]],
    ]);
  });

  test('names are unique, every value is computed before it is used, and nothing is held in vain', async () => {
    for (const dtype of onnxDtypes) {
      expectSoundGraph(readOnnx(await exportTo(newFolder(), smallModel(), { dtype })));
    }
  });

  test('q8: every matrix of the weights meets MatMulInteger, and every table is in eight bits', async () => {
    const fp32 = operatorCounts(readOnnx(await exportTo(newFolder(), smallModel())));
    const onnx = readOnnx(await exportTo(newFolder(), smallModel(), { dtype: 'q8' }));
    const q8 = operatorCounts(onnx);
    const matrices = 2 * 6 + 1;
    expect(fp32).toMatchObject({ MatMul: matrices + 2 * 2 });
    expect(fp32).not.toHaveProperty('MatMulInteger');
    // Query, key and value share what they multiply. What is left to MatMul has no weight: scores and context.
    expect(q8).toMatchObject({ MatMulInteger: matrices, MatMul: 2 * 2 });
    expect(q8.DynamicQuantizeLinear).toBe(matrices - 2 * 2);
    const dtypes = new Map(onnx.graph.initializer.map(({ name, dataType }) => [name, dataType]));
    expect(dtypes.get('layers.0.attention.query.weight_quantized')).toBe(3); // INT8
    expect(dtypes.get('embeddings.word_quantized')).toBe(3);
    // Floats are vectors, and the tables' scales, a column each.
    const floats = onnx.graph.initializer.filter(({ dataType, dims }) => dataType === 1 && dims.length > 1);
    expect(floats.map(({ name, dims }) => [name, dims.map(Number)])).toEqual([
      ['embeddings.word_scale', [50, 1]],
      ['embeddings.token_type_scale', [2, 1]],
      ['embeddings.position_scale', [16, 1]],
    ]);
  });
});

describe('external data', () => {
  test('is where the message says, at the start of a page, and gives the same numbers to the bit', async () => {
    for (const dtype of onnxDtypes) {
      const inline = await exportTo(newFolder(), smallModel(), { dtype });
      const external = await exportTo(newFolder(), smallModel(), { dtype, external_data: true });
      expect(readdirSync(join(external, '..')).sort()).toEqual(
        [external, `${external}_data`].map((path) => basename(path)),
      );
      const data = readFileSync(`${external}_data`);
      const held = new Map(readOnnx(inline).graph.initializer.map((tensor) => [tensor.name, tensor]));
      const moved = readOnnx(external).graph.initializer.filter(({ dataLocation }) => dataLocation === 1);
      expect(moved.length).toBeGreaterThan(dtype === 'q8' ? 0 : 5);
      for (const tensor of moved) {
        const { location, offset, length } = entries(tensor);
        expect(location).toBe(`${basename(external)}_data`);
        expect(Number(offset) % 4096).toBe(0);
        const bytes = data.subarray(Number(offset), Number(offset) + Number(length));
        expect(bytes.equals(held.get(tensor.name)!.rawData), tensor.name).toBe(true);
      }
      expect((await runOnnx(external, rows)).last_hidden_state!.data).toEqual(
        (await runOnnx(inline, rows)).last_hidden_state!.data,
      );
    }
  });

  test('transformers.js is told of it, whatever is saved into the folder in which order', async () => {
    const model = smallModel();
    const folder = newFolder();
    const told = () => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))['transformers.js_config'];
    await exportTo(folder, model, { external_data: true });
    expect(told()).toEqual({ use_external_data_format: { 'model.onnx': 1 } });
    await exportTo(folder, model, { dtype: 'q8' });
    expect(told()).toEqual({ use_external_data_format: { 'model.onnx': 1 } });
    await model.save_pretrained(folder);
    expect(told()).toEqual({ use_external_data_format: { 'model.onnx': 1 } });
    await exportTo(folder, model, { dtype: 'q8', external_data: true });
    expect(told()).toEqual({ use_external_data_format: { 'model.onnx': 1, 'model_quantized.onnx': 1 } });
    await exportTo(folder, model, { dtype: 'fp16', external_data: true });
    expect(told().use_external_data_format['model_fp16.onnx']).toBe(1);
    await exportTo(folder, model, { dtype: 'fp16' });
    expect(told()).toEqual({ use_external_data_format: { 'model.onnx': 1, 'model_quantized.onnx': 1 } });

    // A file without external data takes the place of one with it.
    await exportTo(folder, model);
    expect(existsSync(join(folder, 'onnx', 'model.onnx_data'))).toBe(false);
    expect(told()).toEqual({ use_external_data_format: { 'model_quantized.onnx': 1 } });
    // What else stood there stays, and the model's own configuration says nothing of files.
    expect(model.config.to_dict()).not.toHaveProperty('transformers.js_config');
    const other = new BertModel(
      new BertConfig({ ...smallModel().config.to_dict(), 'transformers.js_config': { dtype: 'q8' } }),
    );
    await exportTo(folder, other, { dtype: 'q8' });
    expect(told()).toEqual({ dtype: 'q8' });
  });

  describe('at the limit of a message', () => {
    const specification: EncoderSpecification = {
      hidden_size: 16,
      embeddings: {
        vocab_size: 200,
        embedding_size: 16,
        position: 'absolute',
        max_position_embeddings: 8,
        position_padding_id: null,
        type_vocab_size: 2,
        norm: { eps: 1e-12, bias: true },
        projection: null,
        zero_masked: false,
      },
      layers: [],
      relative_positions: null,
      convolution: null,
      final_norm: null,
      pooler: null,
      heads: [],
    };
    const header = { ir_version: 8, opset_version: 17, producer_name: 'test', producer_version: '0' };
    const values = new Map([
      ['embeddings.word', 200 * 16],
      ['embeddings.position', 8 * 16],
      ['embeddings.token_type', 2 * 16],
      ['embeddings.norm.weight', 16],
      ['embeddings.norm.bias', 16],
    ]);
    const write = async (path: string, options: WriteModelOptions) =>
      writeModel(
        path,
        header,
        encoderGraph(specification, null, 'fp32', async (name) => new Float32Array(values.get(name)!).fill(0.5)),
        options,
      );

    test('a model that fits is one file, one byte more is two', async () => {
      const path = join(temporary, 'limit.onnx');
      const [written] = await write(path, { external_data: null });
      const size = written!.size_bytes;
      expect(statSync(path).size).toBe(size);
      const atLimit = await write(path, { external_data: null, max_message_bytes: size });
      expect(atLimit).toEqual([{ path, size_bytes: size }]);
      const above = await write(path, { external_data: null, max_message_bytes: size - 1 });
      expect(above.map((file) => file.path)).toEqual([path, `${path}_data`]);
      expect((await runOnnx(path, { input_ids: [[1, 2]] })).last_hidden_state!.dims).toEqual([1, 2, 16]);
    });

    test('external_data: false refuses what does not fit, and writes nothing', async () => {
      const path = join(temporary, 'refused.onnx');
      await expect(write(path, { external_data: false, max_message_bytes: 1000 })).rejects.toThrow(
        failure('ERR_OPTION', /external_data is false, but .*refused\.onnx would take \d+ bytes.* at most 1000/),
      );
      expect(readdirSync(temporary).filter((name) => name.includes('refused'))).toEqual([]);
    });
  });
});

describe('save_pretrained', () => {
  test('writes what transformers.js looks for, and all dtypes into one folder', async () => {
    const folder = newFolder();
    const model = smallModel();
    await exportTo(folder, model);
    await exportTo(folder, model, { dtype: 'fp16' });
    await exportTo(folder, model, { dtype: 'q8' });
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'onnx']);
    const files = ['model.onnx', 'model_fp16.onnx', 'model_quantized.onnx'];
    expect(readdirSync(join(folder, 'onnx')).sort()).toEqual(files);
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    expect(config).toMatchObject({ model_type: 'bert', architectures: ['BertModel'] });
    expect(config).not.toHaveProperty('transformers.js_config');
  });

  test.each(['bert-bf16', 'bert-fp16'])('%s: weights stored in half the bits are exact in fp32', async (name) => {
    const model = await BertModel.from_pretrained(join(fixturesFolder, name));
    const { graph } = readOnnx(await exportTo(newFolder(), model));
    const held = (parameter: string) => {
      return floats(graph.initializer.find((tensor) => tensor.name === parameter)!);
    };
    const copy = newFolder();
    await model.save_pretrained(copy);
    const reference = await AutoModel.from_pretrained(copy, { engine: 'reference' });
    const parameters = Object.fromEntries(
      await reference['withEncoder'](async (encoder) =>
        Promise.all(
          ['embeddings.word', 'layers.0.mlp.up.weight'].map(async (p) => [p, await encoder.readParameter(p)]),
        ),
      ),
    );
    expect(held('embeddings.word')).toEqual(parameters['embeddings.word']);
    const { hidden_size: H, intermediate_size: I } = model.config;
    const transposed = held('layers.0.mlp.up.weight');
    const weight: Float32Array = parameters['layers.0.mlp.up.weight'];
    expect(weight.some((value) => value !== 0)).toBe(true);
    for (let out = 0; out < I; out++) {
      for (let i = 0; i < H; i++) expect(transposed[i * I + out]).toBe(weight[out * H + i]);
    }
  });

  test('refuses options of the other format, and values that are none', async () => {
    const folder = newFolder();
    const model = smallModel();
    const refused = async (options: object, message: RegExp) =>
      expect(model.save_pretrained(folder, options), JSON.stringify(options)).rejects.toThrow(
        failure('ERR_OPTION', message),
      );
    await refused({ dtype: 'q8' }, /dtype has no meaning for format 'checkpoint'.*format: 'onnx'/);
    await refused({ external_data: false }, /external_data has no meaning for format 'checkpoint'/);
    await refused({ format: 'onnx', safe_serialization: true }, /safe_serialization has no meaning for format 'onnx'/);
    await refused({ format: 'gguf' }, /format is "gguf": expected 'checkpoint' or 'onnx'/);
    await refused({ format: 'onnx', dtype: 'int8' }, /dtype is "int8": expected 'fp32', 'fp16' or 'q8'/);
    await refused({ format: 'onnx', external_data: 1 }, /external_data is 1: expected true or false/);
    await refused({ format: 'onnx', progress_callback: true }, /progress_callback is true: expected a function/);
    await refused({ fromat: 'onnx' }, /unknown option 'fromat'; did you mean 'format'/);
    expect(existsSync(folder)).toBe(false);
    // null means that an option was not given.
    await model.save_pretrained(folder, { format: null, dtype: null, external_data: null });
    expect(existsSync(join(folder, 'model.safetensors'))).toBe(true);
  });

  test('tells how far it has come, up to the whole', async () => {
    const seen: { written_bytes: number; total_bytes: number }[] = [];
    const folder = newFolder();
    await smallModel().save_pretrained(folder, {
      format: 'onnx',
      progress_callback: (progress) => seen.push(progress),
    });
    expect(seen.length).toBeGreaterThan(30);
    expect(seen.map(({ written_bytes }) => written_bytes)).toEqual(
      seen.map(({ written_bytes }) => written_bytes).toSorted((a, b) => a - b),
    );
    const { written_bytes, total_bytes } = seen.at(-1)!;
    expect(written_bytes).toBe(total_bytes);
    expect(statSync(join(folder, 'onnx', 'model.onnx')).size).toBeGreaterThan(total_bytes);
  });

  test('what fails leaves the files that were there, and no others', async () => {
    const folder = newFolder();
    const path = await exportTo(folder, smallModel(), { external_data: true });
    const before = [path, `${path}_data`].map((file) => readFileSync(file));
    for (const external_data of [true, false]) {
      const failing = smallModel().save_pretrained(folder, {
        format: 'onnx',
        external_data,
        progress_callback() {
          throw new Error('enough');
        },
      });
      await expect(failing).rejects.toThrow(failure('ERR_IO', /enough/));
    }
    expect(readdirSync(join(folder, 'onnx'))).toEqual(['model.onnx', 'model.onnx_data']);
    expect([path, `${path}_data`].map((file) => readFileSync(file))).toEqual(before);
  });

  test('a folder in the way is ERR_IO naming it', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(join(folder, 'onnx'), '');
    await expect(exportTo(folder, smallModel())).rejects.toThrow(failure('ERR_IO', /onnx/));
  });

  test('a disposed model is not exported', async () => {
    const model = smallModel();
    model.dispose();
    await expect(exportTo(newFolder(), model)).rejects.toThrow(failure('ERR_DISPOSED', /disposed/));
  });

  test('weights that no scale fits are refused by q8 and held by fp32', async () => {
    const specification = (await BertModel.from_pretrained(demoModelFolder))['specification'];
    const encoder = await nativeEngine.load(
      specification,
      new Map(
        encoderParameters(specification).map(({ name, shape }) => [
          name,
          { kind: 'constant', shape, value: name === 'layers.1.mlp.up.weight' ? Number.NaN : 1 },
        ]),
      ),
    );
    const read = (name: string) => encoder.readParameter(name);
    const folder = newFolder();
    await expect(exportEncoder(folder, specification, 'q8', read, { external_data: null })).rejects.toThrow(
      failure('ERR_OPTION', /layers\.1\.mlp\.up\.weight holds values that are not finite/),
    );
    expect(readdirSync(join(folder, 'onnx'))).toEqual([]);
    await exportEncoder(folder, specification, 'fp32', read, { external_data: null });
    const { graph } = readOnnx(join(folder, 'onnx', 'model.onnx'));
    const weight = graph.initializer.find(({ name }) => name === 'layers.1.mlp.up.weight')!;
    expect(floats(weight).every(Number.isNaN)).toBe(true);
  });
});

test('a folder with nothing but onnx/ is told apart from an empty one', async () => {
  const folder = newFolder();
  await exportTo(folder, smallModel());
  await expect(AutoModel.from_pretrained(folder)).rejects.toThrow(
    failure(
      'ERR_NOT_FOUND',
      /no weights; looked for model\.safetensors.*It holds onnx \(ONNX\), which cannot be loaded/,
    ),
  );
});

function floats({ rawData }: OnnxTensor): Float32Array {
  return new Float32Array(Uint8Array.from(rawData).buffer);
}

function entries({ externalData }: OnnxTensor): Record<string, string> {
  return Object.fromEntries(externalData.map(({ key, value }) => [key, value]));
}
