import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AutoConfig, AutoModel, AutoModelForMaskedLM, BertConfig, BertModel } from '../../lib/index.ts';
import type { OnnxDtype } from '../../lib/onnx/network.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { expectSoundGraph, operatorCounts, readOnnx } from '../support/onnx-messages.ts';
import { exportTo } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

// What stands in the graphs with ONNX Runtime's operators; that they compute the same, the tests of plain graphs say.

const temporary = temporaryFolder();
let count = 0;

async function graphOf(
  folder: string,
  values: object = {},
  { dtype = 'fp32', fused_operators = true }: { dtype?: OnnxDtype; fused_operators?: boolean } = {},
) {
  const config = Object.assign(await AutoConfig.from_pretrained(join(fixturesFolder, folder)), values);
  using model = AutoModel.from_config(config, { engine: 'reference', seed: 1 });
  return readOnnx(await exportTo(join(temporary, String(count++)), model, { dtype, fused_operators }));
}

type Counts = Record<string, number>;

describe('each layer is made of', () => {
  const bertLayer = { MultiHeadAttention: 1, SkipLayerNormalization: 2, BiasGelu: 1 };
  test.each<[string, object, Counts]>([
    ['bert-base', {}, bertLayer],
    ['roberta-base', {}, bertLayer],
    ['albert-base', { hidden_act: 'gelu_new' }, { MultiHeadAttention: 1, SkipLayerNormalization: 2, FastGelu: 1 }],
    ['mpnet-base', {}, bertLayer],
    ['modernbert-base-tiny', {}, { MultiHeadAttention: 1, RotaryEmbedding: 2, SkipLayerNormalization: 1, Gelu: 1 }],
    ['nomic-bert-base', {}, { MultiHeadAttention: 1, RotaryEmbedding: 2, SkipLayerNormalization: 2 }],
    ['gte-new-base', {}, { MultiHeadAttention: 1, RotaryEmbedding: 2, SkipLayerNormalization: 2 }],
    // What depends on query and key besides their product stays as it is.
    ['deberta-v2-base', {}, { Softmax: 1, SkipLayerNormalization: 2, BiasGelu: 1 }],
    ['bert-base', { position_embedding_type: 'relative_key' }, { Softmax: 1, SkipLayerNormalization: 2, BiasGelu: 1 }],
  ])('%s %j: %j', async (folder, values, ofLayer) => {
    const onnx = await graphOf(folder, values);
    const layers = new Set(onnx.graph.node.flatMap(({ name }) => /^layers\.\d+/.exec(name)?.[0] ?? [])).size;
    expect(layers).toBeGreaterThan(0);
    const counts = operatorCounts(onnx);
    for (const [operator, times] of Object.entries(ofLayer)) expect(counts[operator], operator).toBe(times * layers);
    expect(Boolean(counts.Softmax)).toBe(!counts.MultiHeadAttention);
    expect(counts.Erf).toBeUndefined();
    expectSoundGraph(onnx);
  });
});

test('fp16: attention stays as it is, since nothing added to a score of float16 hides a key for certain', async () => {
  const onnx = await graphOf('bert-base', {}, { dtype: 'fp16' });
  const counts = operatorCounts(onnx);
  expect(counts.MultiHeadAttention).toBeUndefined();
  expect(counts.SkipLayerNormalization).toBe(2 * counts.Softmax!);
  expectSoundGraph(onnx);
});

test('q8: matrices are those of the plain graph', async () => {
  const fused = operatorCounts(await graphOf('bert-base', {}, { dtype: 'q8' }));
  const plain = operatorCounts(await graphOf('bert-base', {}, { dtype: 'q8', fused_operators: false }));
  expect(fused.MultiHeadAttention).toBeGreaterThan(0);
  expect(fused.MatMulInteger).toBe(plain.MatMulInteger);
  expect(fused.DynamicQuantizeLinear).toBe(plain.DynamicQuantizeLinear);
});

test('the domain is imported where it is used, and each operator names its own', async () => {
  const domains = ({ opsetImport }: ReturnType<typeof readOnnx>) =>
    opsetImport.map(({ domain, version }) => [domain, version]);
  const fused = await graphOf('bert-base');
  expect(domains(fused)).toEqual([
    ['', 17n],
    ['com.microsoft', 1n],
  ]);
  const theirs = fused.graph.node.filter(({ domain }) => domain === 'com.microsoft').map(({ opType }) => opType);
  expect(new Set(theirs)).toEqual(new Set(['MultiHeadAttention', 'SkipLayerNormalization', 'BiasGelu']));
  const plain = await graphOf('bert-base', {}, { fused_operators: false });
  expect(domains(plain)).toEqual([['', 17n]]);
  expect(plain.graph.node.every(({ domain }) => domain === '')).toBe(true);
});

test('weights are held once, in the same file as without the option', async () => {
  const bytes = async (fused_operators: boolean) => {
    const { graph } = await graphOf('bert-base', {}, { fused_operators });
    return graph.initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
  };
  expect(Math.abs((await bytes(true)) - (await bytes(false)))).toBeLessThan(100);
});

test('the option belongs to ONNX, and takes true and false', async () => {
  using model = new BertModel(new BertConfig({ vocab_size: 9, hidden_size: 4, num_attention_heads: 1 }), { seed: 1 });
  const saved = (options: object) => model.save_pretrained(join(temporary, 'never'), options);
  await expect(saved({ fused_operators: true })).rejects.toMatchObject({
    code: 'ERR_OPTION',
    message: expect.stringMatching(/fused_operators has no meaning for format 'checkpoint'/),
  });
  await expect(saved({ format: 'onnx', fused_operators: 'all' })).rejects.toMatchObject({ code: 'ERR_OPTION' });
});

test('a norm without a bias has one of zeros, held once: onnxruntime up to 1.18 ends where it misses one', async () => {
  const { graph } = await graphOf('modernbert-base-tiny', {}, { fused_operators: false });
  const norms = graph.node.filter(({ opType }) => opType === 'LayerNormalization');
  const shifts = new Set(norms.map(({ input }) => input[2]));
  expect([...shifts]).toHaveLength(1);
  const zeros = graph.initializer.filter(({ name }) => shifts.has(name));
  expect(zeros).toHaveLength(1);
  expect(zeros[0]!.rawData.every((byte) => byte === 0)).toBe(true);
});

test('a head on an encoder of such operators', async () => {
  const config = await AutoConfig.from_pretrained(join(fixturesFolder, 'bert-base'));
  using model = AutoModelForMaskedLM.from_config(config, { engine: 'reference', seed: 1 });
  const onnx = readOnnx(await exportTo(join(temporary, String(count++)), model, { fused_operators: true }));
  expect(onnx.graph.output.map(({ name }) => name)).toEqual(['logits']);
  expect(operatorCounts(onnx).MultiHeadAttention).toBeGreaterThan(0);
});
