import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { BertConfig, BertModel } from '../../lib/index.ts';
import type { OnnxDtype } from '../../lib/onnx/network.ts';
import { quantizeChannels, quantizeRows } from '../../lib/onnx/quantization.ts';
import { readOnnx } from '../support/onnx-messages.ts';
import { exportTo, runSession } from '../support/onnx-run.ts';
import { randomRows, uniform } from '../support/random-inputs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('a matrix, channel by channel', () => {
  test('is transposed, within half a step of what it was, and never saturates 16 bits', () => {
    const [outputs, inputs] = [5, 33];
    const random = uniform(9);
    // Channels that differ by orders of magnitude.
    const values = Float32Array.from({ length: outputs * inputs }, (_, i) => {
      return (random() - 0.5) * 10 ** (Math.floor(i / inputs) - 3);
    });
    const { weight, scale } = quantizeChannels(values, outputs, inputs, 'w');
    for (let out = 0; out < outputs; out++) {
      const levels = Array.from({ length: inputs }, (_, i) => weight[i * outputs + out]!);
      // Two products with an activation of eight bits each, of neighbours on either side.
      const sums = levels.map((level, i) => Math.abs(level + (levels[i + 1] ?? 0)));
      expect(255 * Math.max(...sums)).toBeLessThan(2 ** 15);
      // And no level is given away: the largest weight or the largest pair is at the end of the range.
      expect(Math.max(...sums, ...levels.map(Math.abs))).toBeGreaterThanOrEqual(126);
      levels.forEach((level, i) => {
        const error = Math.abs(level * scale[out]! - values[out * inputs + i]!);
        expect(error).toBeLessThanOrEqual(scale[out]! * 0.5001);
      });
    }
  });

  test('a pair of the largest weights shares the range, one alone has it all', () => {
    expect([...quantizeChannels(Float32Array.of(1, 1, -1, 1), 1, 4, 'w').weight]).toEqual([64, 64, -64, 64]);
    expect([...quantizeChannels(Float32Array.of(1, -1, 1, -1), 1, 4, 'w').weight]).toEqual([127, -127, 127, -127]);
  });

  test('a channel of zeros stays zero, without a scale that divides by it', () => {
    const { weight, scale } = quantizeChannels(new Float32Array(6), 2, 3, 'w');
    expect([...weight]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([...scale]).toEqual([1, 1]);
  });

  test('channels so small that the scale is subnormal, or zero, give finite numbers', () => {
    const { weight, scale } = quantizeChannels(Float32Array.of(1e-45, 0, 3e-44, -3e-44), 2, 2, 'w');
    expect([...scale].every((value) => value > 0 && Number.isFinite(value))).toBe(true);
    expect([...weight].every((level) => Math.abs(level) <= 127)).toBe(true);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('%d is refused, naming the parameter', (value) => {
    expect(() => quantizeChannels(Float32Array.of(1, value), 1, 2, 'layers.0.x')).toThrow(
      failure('ERR_OPTION', /layers\.0\.x holds values that are not finite/),
    );
    expect(() => quantizeRows(Float32Array.of(1, value), 1, 2, 'layers.0.x')).toThrow(
      failure('ERR_OPTION', /layers\.0\.x holds values that are not finite/),
    );
  });
});

describe('a table, row by row', () => {
  test('within half a step of what it was, the largest value of a row exact', () => {
    const width = 19;
    const random = uniform(4);
    const values = Float32Array.from({ length: 5 * width }, (_, i) => (random() - 0.5) * 10 ** Math.floor(i / width));
    const { table, scale } = quantizeRows(values, 5, width, 't');
    for (let row = 0; row < 5; row++) {
      const levels = table.subarray(row * width, (row + 1) * width);
      expect(Math.max(...levels.map(Math.abs))).toBe(127);
      levels.forEach((level, i) => {
        expect(Math.abs(level * scale[row]! - values[row * width + i]!)).toBeLessThanOrEqual(scale[row]! * 0.5001);
      });
    }
  });

  test('a row of zeros, as the padding token has', () => {
    const { table, scale } = quantizeRows(Float32Array.of(0, 0, -2, 1), 2, 2, 't');
    expect([...table]).toEqual([0, 0, -127, 64]);
    expect(scale[0]).toBe(1);
  });
});

describe('at BERT-base size', () => {
  // Twelve layers of 768 with seeded weights: the size that the bar speaks of. The vocabulary is cut to keep the files small.
  const model = new BertModel(new BertConfig({ vocab_size: 4000 }), { seed: 1 });
  const folder = temporaryFolder();

  test('relative L2 error per token against fp32 at most 2e-6 in fp32, 4e-3 in fp16, 4e-2 in q8', async () => {
    const rows = randomRows(uniform(2), [48, 31, 9, 1], 4000);
    const expected = (await model(rows)).last_hidden_state;
    const H = expected.dims[2]!;
    const errors = async (dtype: OnnxDtype) => {
      const session = await InferenceSession.create(await exportTo(folder, model, { dtype }));
      const { last_hidden_state } = await runSession(session, rows);
      await session.release();
      const result: number[] = [];
      rows.attention_mask.flat().forEach((mask, token) => {
        if (mask === 0) return;
        const at = (data: Float32Array) => data.subarray(token * H, (token + 1) * H);
        const reference = at(expected.data);
        const difference = at(last_hidden_state!.data).map((value, i) => value - reference[i]!);
        result.push(Math.hypot(...difference) / Math.hypot(...reference));
      });
      expect(result).toHaveLength(48 + 31 + 9 + 1);
      const mean = result.reduce((sum, error) => sum + error, 0) / result.length;
      console.log(
        `${dtype}: relative L2 error per token, worst ${Math.max(...result).toExponential(2)}, mean ${mean.toExponential(2)}`,
      );
      return Math.max(...result);
    };
    expect(await errors('fp32')).toBeLessThanOrEqual(2e-6);
    expect(await errors('fp16')).toBeLessThanOrEqual(4e-3);
    expect(await errors('q8')).toBeLessThanOrEqual(4e-2);
    const { graph } = readOnnx(`${folder}/onnx/model_quantized.onnx`);
    expect(graph.node.filter(({ opType }) => opType === 'MatMulInteger')).toHaveLength(12 * 6 + 1);
  });
});
