import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { ParameterSource } from '../../lib/engines/engine.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { parameterSeed } from '../../lib/engines/random.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import type {
  Activation,
  AttentionMask,
  AttentionSpecification,
  EncoderSpecification,
} from '../../lib/engines/specification.ts';
import { exportEncoder, onnxFiles } from '../../lib/onnx/export.ts';
import { expectValuesClose } from '../support/fixtures.ts';
import { runOnnx } from '../support/onnx-run.ts';
import { randomRows, uniform } from '../support/random-inputs.ts';
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
  readonly relative?: AttentionSpecification['position'];
  readonly mask?: AttentionMask;
  readonly pooler?: 'tanh' | null;
}

function specificationOf(choices: Choices): EncoderSpecification {
  const { hidden_size = 12, heads = 3, head_size = 4, layers = 2, vocab_size = 40, types = 2 } = choices;
  return {
    hidden_size,
    embeddings: {
      vocab_size,
      position: choices.position ?? 'absolute',
      max_position_embeddings: 11,
      type_vocab_size: types,
      layer_norm_eps: 1e-12,
    },
    layers: Array.from({ length: layers }, () => ({
      attention: {
        num_attention_heads: heads,
        head_size,
        position: choices.relative ?? 'none',
        mask: choices.mask ?? { kind: 'full' },
      },
      mlp: { intermediate_size: 2 * hidden_size + 1, activation: choices.activation ?? 'gelu_erf' },
      layer_norm_eps: 1e-5,
    })),
    pooler: choices.pooler === undefined ? 'tanh' : choices.pooler,
  };
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

async function exported(specification: EncoderSpecification, dtype: 'fp32' | 'q8') {
  const encoder = await referenceEngine.load(specification, sourcesOf(specification));
  const folder = join(temporary, String(count++));
  await exportEncoder(folder, specification, dtype, (name) => encoder.readParameter(name), { external_data: null });
  return { encoder, path: onnxFiles(folder, dtype)[0] };
}

async function compare(specification: EncoderSpecification, width = 11): Promise<void> {
  const { encoder, path } = await exported(specification, 'fp32');
  const { vocab_size, type_vocab_size } = specification.embeddings;
  const rows = randomRows(uniform(5), [width, Math.ceil(width / 2), 1], vocab_size, width);
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
    await compare({ ...full, layers: [full.layers[0]!, masked.layers[0]!, masked.layers[1]!] });
  });

  test('layers that differ', async () => {
    const [first, second] = [specificationOf({}), specificationOf({ activation: 'relu', heads: 2, head_size: 3 })];
    await compare({ ...first, layers: [first.layers[0]!, second.layers[0]!, first.layers[1]!] });
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
    const norm = (values: Float32Array) => Math.hypot(...values);
    // Weights this wild lose much in eight bits; something else than this model would be at an error of about 1.4.
    expect(norm(a.map((value, i) => value - b[i]!)) / norm(a)).toBeLessThan(0.3);
  }
});
