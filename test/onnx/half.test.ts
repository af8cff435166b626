import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { ParameterSources } from '../../lib/engines/engine.ts';
import { nativeEngine } from '../../lib/engines/native.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { parameterSeed } from '../../lib/engines/random.ts';
import type { EncoderSpecification, LayerSpecification } from '../../lib/engines/specification.ts';
import { BertConfig, BertModel } from '../../lib/index.ts';
import { encoderGraph } from '../../lib/onnx/encoder-graph.ts';
import { exportEncoder, onnxFiles } from '../../lib/onnx/export.ts';
import { encodeFloats } from '../../lib/onnx/float-types.ts';
import { nothing, request, tinySpecification } from '../engines/reference-helpers.ts';
import { baseSize, baseSizeParameters, longText, shortTexts } from '../support/base-size.ts';
import { roundingSession } from '../support/onnx-half.ts';
import { operatorCounts, readOnnx } from '../support/onnx-messages.ts';
import { exportTo, relativeError, runSession } from '../support/onnx-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

const temporary = temporaryFolder();

function rowsOf(values: ArrayLike<number>, width: number): number[][] {
  const rows = Array.from({ length: values.length / width }, (_, row) => row);
  return rows.map((row) => Array.from(values).slice(row * width, (row + 1) * width));
}

describe('numbers in float16', () => {
  const bits = (...values: number[]) => [
    ...new Uint16Array(Uint8Array.from(encodeFloats(Float32Array.from(values), 'float16')).buffer),
  ];

  test('are the nearest, ties to even', () => {
    expect(bits(1, -2, 0, -0, 2 ** -24)).toEqual([0x3c00, 0xc000, 0, 0x8000, 1]);
    expect(bits(1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -20)).toEqual([0x3c00, 0x3c02, 0x3c01]);
    expect(bits(2 ** -25, 1.5 * 2 ** -25)).toEqual([0, 1]);
  });

  test('beyond its range are its largest; what is no finite number stays what it is', () => {
    expect(bits(65504, 65519, 65520, 3e38, -65520, -3e38)).toEqual([0x7bff, 0x7bff, 0x7bff, 0x7bff, 0xfbff, 0xfbff]);
    expect(bits(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e5)).toEqual([0x7c00, 0xfc00, 0x7bff]);
    const [nan] = bits(Number.NaN, 1e5);
    expect(nan! & 0x7c00).toBe(0x7c00);
    expect(nan! & 0x3ff).not.toBe(0);
  });
});

describe('the message', () => {
  test('weights are float16, inputs int64, outputs float32, and nothing in between is cast', async () => {
    const config = new BertConfig({ vocab_size: 50, hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 3 });
    const onnx = readOnnx(
      await exportTo(join(temporary, 'message'), new BertModel(config, { seed: 4 }), { dtype: 'fp16' }),
    );
    const [float, int64, half] = [1, 7, 10];
    expect(onnx.graph.input.map(({ type }) => type.tensorType.elemType)).toEqual([int64, int64, int64]);
    expect(onnx.graph.output.map(({ type }) => type.tensorType.elemType)).toEqual([float, float]);
    const dtypes = onnx.graph.initializer.map(({ dataType }) => dataType);
    expect(new Set(dtypes)).toEqual(new Set([half, int64]));
    // Both outputs.
    expect(operatorCounts(onnx).Cast).toBe(2);
    expect([onnx.irVersion, onnx.opsetImport.map(({ version }) => version)]).toEqual([8n, [17n]]);
  });
});

describe('at BERT-base size', () => {
  test.each([
    ['newly initialised', 1],
    ['a few channels of the norms twenty times the others', 20],
  ])('%s: relative L2 error of a token at most 4e-3', async (_, outlier) => {
    const encoder = await nativeEngine.load(baseSize, baseSizeParameters(outlier));
    const read = (name: string) => encoder.readParameter(name);
    await exportEncoder(temporary, baseSize, 'fp16', read, { external_data: null });
    const sessions = {
      'the provider for the CPU': await InferenceSession.create(onnxFiles(temporary, 'fp16')[0], {
        logSeverityLevel: 3,
      }),
      'every result rounded': await roundingSession(temporary, encoderGraph(baseSize, null, 'fp16', read)),
    };
    for (const { request, isToken } of [shortTexts, longText]) {
      const outputs = { ...request.outputs, pooler_output: false, pooled: null };
      const { last_hidden_state: expected } = await encoder.forward({ ...request, outputs }, null);
      const rows = {
        input_ids: rowsOf(request.input_ids!, request.sequence),
        attention_mask: rowsOf(request.attention_mask!, request.sequence),
      };
      for (const [where, session] of Object.entries(sessions)) {
        const { data } = (await runSession(session, rows)).last_hidden_state!;
        const token = (values: Float32Array, at: number) => values.subarray(at * 768, (at + 1) * 768);
        const errors = Array.from({ length: request.batch * request.sequence }, (_, at) => at)
          .filter(isToken)
          .map((at) => relativeError(token(data, at), token(expected!, at)));
        const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
        const [worst, average] = [Math.max(...errors), mean].map((error) => error.toExponential(2));
        console.log(`fp16, ${where}: relative L2 error per token, worst ${worst}, mean ${average}`);
        expect(Math.max(...errors), where).toBeLessThanOrEqual(4e-3);
      }
    }
    for (const session of Object.values(sessions)) await session.release();
    encoder.dispose();
  });
});

describe('what float16 is too small for', () => {
  const tiny = tinySpecification();
  const withLayers = (change: (layer: LayerSpecification) => Partial<LayerSpecification>): EncoderSpecification => ({
    ...tiny,
    layers: tiny.layers.map((layer) => ({ ...layer, ...change(layer) })),
  });

  /** The graph with every result rounded against the native engine, where parameters are as large as `scales` says. */
  async function compare(
    specification: EncoderSpecification,
    scales: Readonly<Record<string, number>>,
    width: number,
  ): Promise<void> {
    const sources: ParameterSources = new Map(
      encoderParameters(specification).map(({ name, shape }) => {
        const [, std] = Object.entries(scales).find(([part]) => name.includes(part)) ?? [name, 0.4];
        return [name, { kind: 'normal', shape, seed: parameterSeed(3, name), std, zero_row: -1 }];
      }),
    );
    const encoder = await nativeEngine.load(specification, sources);
    const [head] = specification.heads.map(({ name }) => name);
    const task = head === undefined ? null : { outputs: [{ name: head, head, column: null }], choices: false };
    const graph = encoderGraph(specification, task, 'fp16', (name) => encoder.readParameter(name));
    const session = await roundingSession(temporary, graph);
    const input_ids = Int32Array.from({ length: width }, (_, i) => 1 + ((7 * i) % 22));
    const outputs = await runSession(session, { input_ids: [[...input_ids]] });
    const wanted = { ...nothing, last_hidden_state: head === undefined, heads: head !== undefined };
    const expected = await encoder.forward(request({ batch: 1, sequence: width, input_ids, outputs: wanted }), null);
    const values = head === undefined ? expected.last_hidden_state! : expected.heads![head]!;
    const error = relativeError(outputs[head ?? 'last_hidden_state']!.data, values);
    expect(error).toBeLessThan(5e-3);
    await session.release();
    encoder.dispose();
  }

  test('scores before they are scaled', async () => {
    const wide = withLayers(({ attention }) => ({ attention: { ...attention, head_size: 64 } }));
    await compare(wide, { 'embeddings.norm': 1, 'query.weight': 30, 'key.weight': 30 }, 8);
  });

  test('the cube in GELU', async () => {
    const cubic = withLayers(({ mlp }) => ({ mlp: { ...mlp, activation: 'gelu_tanh' } }));
    await compare(cubic, { 'up.weight': 300 }, 8);
  });

  test('the sums of layers without norms between', async () => {
    const summing = withLayers(() => ({ norm_placement: 'pre' }));
    await compare(summing, { 'embeddings.norm': 3e4, 'down.weight': 5e3 }, 8);
  });

  test.each(['mean', 'weightedmean', 'lasttoken'] as const)('rows of thousands, pooled by %s', async (mode) => {
    const { embeddings, layers } = tiny;
    const long: EncoderSpecification = {
      ...tiny,
      embeddings: { ...embeddings, position: 'none', max_position_embeddings: 3001 },
      layers: layers.slice(0, 1),
      heads: [{ name: 'pooled', input: { kind: 'pooled', modes: [mode] }, steps: [] }],
    };
    await compare(long, { 'mlp.norm': 200 }, 3001);
  });
});
