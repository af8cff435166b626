import { statSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { ParameterSource } from '../../lib/engines/engine.ts';
import { encoderParameters, headWidth } from '../../lib/engines/parameters.ts';
import { parameterSeed } from '../../lib/engines/random.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import type {
  Activation,
  AttentionMask,
  EncoderSpecification,
  LayerSpecification,
} from '../../lib/engines/specification.ts';
import type { TaskDescription } from '../../lib/engines/task.ts';
import { encoderGraph } from '../../lib/onnx/encoder-graph.ts';
import { exportEncoder, onnxFiles } from '../../lib/onnx/export.ts';
import type { OnnxDtype } from '../../lib/onnx/network.ts';
import { randomRequest, randomSpecification } from '../engines/random-specification.ts';
import { nothing, request } from '../engines/reference-helpers.ts';
import { expectValuesClose } from '../support/fixtures.ts';
import { roundingSession } from '../support/onnx-half.ts';
import { expectSoundGraph, readOnnx } from '../support/onnx-messages.ts';
import { type Outputs, relativeError, runOnnx, runSession } from '../support/onnx-run.ts';
import { randomRows as plainRows, uniform } from '../support/random-inputs.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Specifications as families to come may give them, not only those that BERT's configuration can say.

interface Choices {
  readonly hidden_size?: number;
  readonly heads?: number;
  readonly head_size?: number;
  readonly layers?: number;
  readonly vocab_size?: number;
  readonly types?: number;
  readonly activation?: Activation;
  readonly position?: 'absolute' | 'none';
  readonly relative?: 'relative_key' | 'relative_key_query';
  readonly mask?: AttentionMask;
  readonly pooler?: 'tanh' | null;
}

function specificationOf(choices: Choices): EncoderSpecification {
  const { hidden_size = 12, heads = 3, head_size = 4, layers = 2, vocab_size = 40, types = 2 } = choices;
  const norm = { eps: 1e-5, bias: true };
  return {
    hidden_size,
    embeddings: {
      vocab_size,
      embedding_size: hidden_size,
      position: choices.position ?? 'absolute',
      max_position_embeddings: 11,
      position_padding_id: null,
      type_vocab_size: types,
      norm: { eps: 1e-12, bias: true },
      projection: null,
      zero_masked: false,
    },
    layers: Array.from({ length: layers }, (_, parameters) => ({
      norm_placement: 'post',
      attention: {
        num_attention_heads: heads,
        head_size,
        position: { kind: choices.relative ?? 'none' },
        mask: choices.mask ?? { kind: 'full' },
        scale_factor: 1,
        masked_queries: 'attend',
        bias: { query_key_value: true, output: true },
      },
      attention_norm: norm,
      mlp: {
        intermediate_size: 2 * hidden_size + 1,
        activation: choices.activation ?? 'gelu_erf',
        gated: false,
        bias: { up: true, down: true },
      },
      mlp_norm: norm,
      parameters,
    })),
    relative_positions: null,
    convolution: null,
    final_norm: null,
    pooler: choices.pooler === null ? null : { activation: 'tanh' },
    heads: [],
  };
}

/** Layers of different specifications as those of one. */
function layersOf(...layers: LayerSpecification[]): LayerSpecification[] {
  return layers.map((layer, parameters) => ({ ...layer, parameters }));
}

/** Weights far from where an initialisation leaves them: biases and norms too. */
function sourcesOf(specification: EncoderSpecification): Map<string, ParameterSource> {
  return new Map(
    encoderParameters(specification).map(({ name, shape }) => [
      name,
      { kind: 'normal', shape, seed: parameterSeed(3, name), std: 0.4, zero_row: -1 },
    ]),
  );
}

const temporary = temporaryFolder();
let count = 0;

async function exported(
  specification: EncoderSpecification,
  dtype: OnnxDtype,
  task: TaskDescription | null = null,
  fused_operators = false,
) {
  const encoder = await referenceEngine.load(specification, sourcesOf(specification));
  const folder = join(temporary, String(count++));
  await exportEncoder(folder, specification, dtype, (name) => encoder.readParameter(name), {
    external_data: null,
    task,
    fused_operators,
  });
  return { encoder, path: onnxFiles(folder, dtype)[0] };
}

async function compare(specification: EncoderSpecification, width = 11): Promise<void> {
  for (const fused_operators of [false, true]) await compareGraph(specification, width, fused_operators);
}

async function compareGraph(specification: EncoderSpecification, width: number, fused_operators: boolean) {
  const { encoder, path } = await exported(specification, 'fp32', null, fused_operators);
  const { vocab_size, type_vocab_size } = specification.embeddings;
  const rows = plainRows(uniform(5), [width, Math.ceil(width / 2), 1], vocab_size, width);
  const types = rows.token_type_ids.map((row) => row.map((type) => Math.min(type, type_vocab_size - 1)));
  // One row with a hole, and one without any key.
  rows.attention_mask[0]![Math.floor(width / 3)] = 0;
  rows.attention_mask[2]!.fill(0);
  const outputs = await runOnnx(path, { ...rows, token_type_ids: types });
  const { queued_ms, running_ms, ...expected } = await encoder.forward({
    batch: 3,
    sequence: width,
    input_ids: Int32Array.from(rows.input_ids.flat()),
    inputs_embeds: null,
    attention_mask: Uint8Array.from(rows.attention_mask.flat()),
    token_type_ids: Int32Array.from(types.flat()),
    position_ids: null,
    masked_positions: 'compute',
    outputs: {
      last_hidden_state: true,
      pooler_output: specification.pooler !== null,
      hidden_states: false,
      attentions: false,
      pooled: null,
      pooling_skip: 0,
      heads: false,
      head_positions: null,
    },
  });
  expect(Object.keys(outputs).sort()).toEqual(Object.keys(expected).sort());
  expectValuesClose(outputs.last_hidden_state!.data, expected.last_hidden_state!, 'last_hidden_state');
  if (expected.pooler_output) expectValuesClose(outputs.pooler_output!.data, expected.pooler_output, 'pooler_output');
}

describe('the graph computes what the reference engine does', () => {
  test.each<Activation>(['gelu_erf', 'gelu_tanh', 'quick_gelu', 'relu', 'silu', 'tanh'])('%s', async (activation) => {
    await compare(specificationOf({ activation }));
  });

  test.each([1, 2, 7, 11])('relative positions over %i columns', async (width) => {
    await compare(specificationOf({ position: 'none', relative: 'relative_key' }), width);
    await compare(specificationOf({ position: 'none', relative: 'relative_key_query' }), width);
  });

  test('absolute and relative positions together, and none at all', async () => {
    await compare(specificationOf({ relative: 'relative_key_query' }));
    await compare(specificationOf({ position: 'none' }));
  });

  test('without a pooler, without layers, without either', async () => {
    await compare(specificationOf({ pooler: null }));
    await compare(specificationOf({ layers: 0 }));
    await compare(specificationOf({ layers: 0, pooler: null }));
  });

  test('odd sizes; heads that together are wider or narrower than the hidden states', async () => {
    await compare(specificationOf({ hidden_size: 15, heads: 3, head_size: 5, types: 1 }));
    await compare(specificationOf({ hidden_size: 7, heads: 1, head_size: 7 }));
    await compare(specificationOf({ hidden_size: 10, heads: 3, head_size: 5 }));
    await compare(specificationOf({ hidden_size: 10, heads: 1, head_size: 3 }));
    await compare(specificationOf({ hidden_size: 1, heads: 1, head_size: 1 }));
  });

  test('a large vocabulary, whose last rows are found', async () => {
    await compare(specificationOf({ vocab_size: 300_001, hidden_size: 4, heads: 1 }));
  });

  test.each<AttentionMask>([
    { kind: 'window', size: 1 },
    { kind: 'window', size: 4 },
    { kind: 'window', size: 5 },
    { kind: 'window', size: 100 },
    { kind: 'causal' },
  ])('mask %j', async (mask) => {
    for (const width of [1, 2, 7, 11]) await compare(specificationOf({ mask }), width);
    await compare(specificationOf({ mask, position: 'none', relative: 'relative_key_query' }));
    // Layers with and without it.
    const [full, masked] = [specificationOf({}), specificationOf({ mask })];
    await compare({ ...full, layers: layersOf(full.layers[0]!, masked.layers[0]!, masked.layers[1]!) });
  });

  test('layers that differ', async () => {
    const [first, second] = [specificationOf({}), specificationOf({ activation: 'relu', heads: 2, head_size: 3 })];
    await compare({ ...first, layers: layersOf(first.layers[0]!, second.layers[0]!, first.layers[1]!) });
  });
});

/** What a random specification's request asks of a graph, whose only inputs are ids, masks and types. */
function rowsOf(specification: EncoderSpecification, seed: number) {
  const { batch, sequence, input_ids, attention_mask, token_type_ids } = randomRequest(specification, seed);
  const { vocab_size, type_vocab_size } = specification.embeddings;
  const rows = (values: ArrayLike<number>) =>
    Array.from({ length: batch }, (_, b) => Array.from(values).slice(b * sequence, (b + 1) * sequence));
  const ids = input_ids ?? Int32Array.from({ length: batch * sequence }, (_, i) => (i * 7) % vocab_size);
  const types = token_type_ids?.map((type) => Math.min(type, Math.max(type_vocab_size - 1, 0))) ?? null;
  return {
    rows: {
      input_ids: rows(ids),
      attention_mask: attention_mask && rows(attention_mask),
      token_type_ids: types && rows(types),
    },
    forward: request({ batch, sequence, input_ids: ids, attention_mask, token_type_ids: types }),
  };
}

describe('random specifications', () => {
  const seeds = Array.from({ length: 48 }, (_, seed) => seed);
  const graphs = seeds.flatMap((seed) => [[seed, 'plain'] as const, [seed, 'fused'] as const]);

  test.each(graphs)('%d: the encoder, %s', async (seed, operators) => {
    const specification = randomSpecification(seed);
    const { encoder, path } = await exported(specification, 'fp32', null, operators === 'fused');
    const { rows, forward } = rowsOf(specification, seed);
    expectSoundGraph(readOnnx(path));
    const outputs = await runOnnx(path, rows);
    const pooler_output = specification.pooler !== null;
    const expected = await encoder.forward({
      ...forward,
      outputs: { ...nothing, last_hidden_state: true, pooler_output },
    });
    expectValuesClose(outputs.last_hidden_state!.data, expected.last_hidden_state!, 'last_hidden_state');
    expect(Object.keys(outputs)).toEqual(
      pooler_output ? ['last_hidden_state', 'pooler_output'] : ['last_hidden_state'],
    );
    if (pooler_output) expectValuesClose(outputs.pooler_output!.data, expected.pooler_output!, 'pooler_output');
  });

  test.each(graphs)('%d: the heads, %s', async (seed, operators) => {
    const specification = randomSpecification(seed);
    const { heads } = specification;
    const whole = heads.map(({ name }) => ({ name, head: name, column: null }));
    const columns = heads.map(({ name }) => ({ name: `${name}_first`, head: name, column: 0 }));
    const task = { outputs: [...whole, ...columns], choices: false };
    const { encoder, path } = await exported(specification, 'fp32', task, operators === 'fused');
    const { rows, forward } = rowsOf(specification, seed);
    expectSoundGraph(readOnnx(path));
    const outputs = await runOnnx(path, rows);
    const expected = (await encoder.forward({ ...forward, outputs: { ...nothing, heads: true } })).heads!;
    expect(Object.keys(outputs)).toEqual(task.outputs.map(({ name }) => name));
    for (const { name, input } of heads) {
      const leading = input.kind === 'tokens' ? [forward.batch, forward.sequence] : [forward.batch];
      const width = headWidth(heads.find((head) => head.name === name)!, specification);
      expect(outputs[name]!.dims).toEqual([...leading, width]);
      expectValuesClose(outputs[name]!.data, expected[name]!, name);
      expect(outputs[`${name}_first`]!.dims).toEqual(leading);
      const first = expected[name]!.filter((_, i) => i % width === 0);
      expectValuesClose(outputs[`${name}_first`]!.data, first, `${name}_first`);
    }
  });
});

test.each(Array.from({ length: 48 }, (_, seed) => [seed, seed % 2 === 0 ? 'plain' : 'fused'] as const))(
  'fp16 is near fp32 for random specification %d, heads and all, where every result is rounded, too: %s',
  async (seed, operators) => {
    const fused_operators = operators === 'fused';
    const specification = randomSpecification(seed);
    const outputs = specification.heads.map(({ name }) => ({ name, head: name, column: null }));
    const { rows } = rowsOf(specification, seed);
    for (const task of [null, { outputs, choices: false }]) {
      const exact = await exported(specification, 'fp32', task);
      const half = await exported(specification, 'fp16', task, fused_operators);
      expectSoundGraph(readOnnx(half.path));
      const expected = await runOnnx(exact.path, rows);
      expectNear(await runOnnx(half.path, rows), expected);
      const read = (name: string) => half.encoder.readParameter(name);
      const graph = encoderGraph(specification, task, 'fp16', read, { fused_operators });
      const session = await roundingSession(temporary, graph);
      expectNear(await runSession(session, rows), expected);
      await session.release();
    }
  },
);

function expectNear(outputs: Outputs, expected: Outputs): void {
  expect(Object.keys(outputs)).toEqual(Object.keys(expected));
  for (const [name, { dims, data }] of Object.entries(expected)) {
    expect(outputs[name]!.dims, name).toEqual(dims);
    expect(relativeError(outputs[name]!.data, data), name).toBeLessThan(1e-2);
  }
}

test.each(Array.from({ length: 48 }, (_, i) => [i % 24, i < 24 ? 'plain' : 'fused'] as const))(
  'q8 takes random specification %d, heads and all, %s',
  async (seed, operators) => {
    const specification = randomSpecification(seed);
    const outputs = specification.heads.map(({ name }) => ({ name, head: name, column: null }));
    const { path } = await exported(specification, 'q8', { outputs, choices: false }, operators === 'fused');
    expectSoundGraph(readOnnx(path));
    const results = await runOnnx(path, rowsOf(specification, seed).rows);
    expect(Object.keys(results)).toEqual(outputs.map(({ name }) => name));
    for (const { data } of Object.values(results)) expect(data.every(Number.isFinite)).toBe(true);
  },
);

describe('rotary positions', () => {
  const rotary = (max_position_embeddings: number) => {
    const { embeddings, layers, ...others } = specificationOf({
      position: 'none',
      layers: 1,
      head_size: 8,
      pooler: null,
    });
    const position = {
      kind: 'rotary',
      inverse_frequencies: [1, 0.37, 0.0613, 0.00271].map(Math.fround),
      pairs: 'halves',
    } as const;
    const attention = { ...layers[0]!.attention, position };
    return {
      ...others,
      embeddings: { ...embeddings, max_position_embeddings },
      layers: [{ ...layers[0]!, attention }],
    } satisfies EncoderSpecification;
  };

  test('are as exact at the end of a long row as at its beginning', async () => {
    await compare(rotary(1500), 1500);
  });

  test.each([1, 2, 3, 64, 65])('over rows of up to %i', async (longest) => {
    await compare(rotary(longest), longest);
    const { path } = await exported(rotary(longest), 'fp32');
    const stride = 2 ** Math.ceil(Math.log2(longest) / 2);
    const beyond = Math.ceil(longest / stride) * stride + 1;
    const run = runOnnx(path, { input_ids: [Array.from({ length: beyond }, () => 1)] });
    await expect(run).rejects.toThrow(/out of data bounds/);
    const fused = await exported(rotary(longest), 'fp32', null, true);
    const tooLong = [Array.from({ length: longest + 1 }, () => 1)];
    await expect(runOnnx(fused.path, { input_ids: tooLong })).rejects.toThrow(/RotaryEmbedding/);
  });
});

describe('tasks', () => {
  test('a task that compares choices takes a dimension more', async () => {
    const head = { kind: 'linear', name: 'classifier', outputs: 1, bias: true } as const;
    const heads = [{ name: 'logits', input: { kind: 'pooler' }, steps: [head] }] as const;
    const specification = { ...specificationOf({}), heads };
    const task = { outputs: [{ name: 'logits', head: 'logits', column: null }], choices: true };
    const { encoder, path } = await exported(specification, 'fp32', task);
    const input_ids = [2, 5].map((b) => [0, 1, 2].map((c) => [1, b, c, 7]));
    const attention_mask = input_ids.map((choices, b) => choices.map((_, c) => [1, 1, Number(c > 0), Number(b > 0)]));
    const outputs = await runOnnx(path, { input_ids, attention_mask });
    const { heads: expected } = await encoder.forward(
      request({
        batch: 6,
        sequence: 4,
        input_ids: Int32Array.from(input_ids.flat(2)),
        attention_mask: Uint8Array.from(attention_mask.flat(2)),
        outputs: { ...nothing, heads: true },
      }),
    );
    expect(Object.keys(outputs)).toEqual(['logits']);
    expect(outputs.logits!.dims).toEqual([2, 3]);
    expectValuesClose(outputs.logits!.data, expected!.logits!, 'logits');
  });

  test('a decoder tied to the word embeddings holds them once', async () => {
    const steps = [{ kind: 'word_embeddings', name: 'decoder', bias: true }] as const;
    const heads = [{ name: 'logits', input: { kind: 'tokens' }, steps }] as const;
    const specification = { ...specificationOf({ vocab_size: 5000, layers: 0 }), heads };
    const task = { outputs: [{ name: 'logits', head: 'logits', column: null }], choices: false };
    const bare = await exported(specification, 'fp32');
    const { path } = await exported(specification, 'fp32', task);
    const added = statSync(path).size - statSync(bare.path).size;
    expect(added).toBeGreaterThan(5000 * 4 - 4 * 12 * 13); // the bias, without the pooler
    expect(added).toBeLessThan(5000 * 4 + 4000);
  });
});

describe('what the model cannot take is an error of the runtime', () => {
  test.each([
    ['absolute positions', specificationOf({})],
    ['relative positions', specificationOf({ position: 'none', relative: 'relative_key' })],
  ])('more columns than %s', async (_, specification) => {
    const { path } = await exported(specification, 'fp32');
    await expect(runOnnx(path, { input_ids: [Array.from({ length: 12 }, () => 1)] })).rejects.toThrow(
      /out of data bounds|broadcast/,
    );
  });

  test('ids outside the vocabulary', async () => {
    const { path } = await exported(specificationOf({}), 'fp32');
    await expect(runOnnx(path, { input_ids: [[1, 40]] })).rejects.toThrow(/out of data bounds/);
  });

  test('a missing input', async () => {
    const { path } = await exported(specificationOf({}), 'fp32');
    const session = await InferenceSession.create(path);
    expect(session.inputNames).toEqual(['input_ids', 'attention_mask', 'token_type_ids']);
    await expect(session.run({})).rejects.toThrow(/input_ids/);
  });
});

test('q8 takes every specification that fp32 takes', async () => {
  for (const choices of [
    { layers: 0 },
    { position: 'none', relative: 'relative_key_query' },
    { mask: { kind: 'window', size: 2 } },
    { hidden_size: 7, heads: 1, head_size: 5, pooler: null, types: 1 },
  ] satisfies Choices[]) {
    const specification = specificationOf(choices);
    const exact = await exported(specification, 'fp32');
    const quantized = await exported(specification, 'q8');
    const rows = { input_ids: [[1, 2, 3, 39, 0]], attention_mask: [[1, 1, 0, 1, 1]] };
    const a = (await runOnnx(exact.path, rows)).last_hidden_state!.data;
    const b = (await runOnnx(quantized.path, rows)).last_hidden_state!.data;
    // Weights this wild lose much in eight bits; something else than this model would be at an error of about 1.4.
    expect(relativeError(b, a)).toBeLessThan(0.3);
  }
});
