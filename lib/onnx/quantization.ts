import { BertNativeError } from '../errors.ts';
import { asBytes, floatTensor, type GraphBuilder, type InitializerGroup, type Value } from './graph-builder.ts';
import { dataTypes } from './messages.ts';
import type { ParameterReader } from './parameters.ts';
import type { WeightOperators } from './weight-operators.ts';

// Dynamic quantisation, with the operators and the settings by which the files that transformers.js calls
// `model_quantized.onnx` are made (scripts/quantize.py there, over onnxruntime's `quantize_dynamic`):
//
// - Matrices are int8, symmetric, with a scale per output channel: channels differ, and one scale for all of them would
//   leave the small ones few of the levels.
// - x86 processors without VNNI add pairs of u8·s8 products in 16 bits with saturation: 255·(a + b) must stay below 2¹⁵
//   for neighbouring weights a, b. quantize_dynamic keeps every weight within seven bits for that (`reduce_range`). Here a
//   channel's scale also bounds the sums of its neighbours, which guarantees the same and keeps most of the eighth bit: at
//   BERT-base size with random weights the relative error per token is about 3.4e-2, where seven bits give 3.8e-2 to 4.3e-2.
// - Activations are uint8 with one scale per tensor, found anew in every run (DynamicQuantizeLinear).
// - Tables are uint8 with one scale and zero point for all of them, since DequantizeLinear stands behind Gather and could
//   not know the rows' own.

/** The largest magnitude of a weight, and, rounding aside, of the sum of two neighbours: 255 · (127 + 1) < 2¹⁵. */
const weightRange = 127;
const tableRange = 255;

/** Parameters in eight bits. */
export class QuantizedOperators implements WeightOperators {
  readonly #graph: GraphBuilder;
  readonly #parameters: ParameterReader;
  /** Values that were quantised already: query, key and value share one. */
  readonly #quantized = new Map<Value, readonly [data: Value, scale: Value, zero_point: Value]>();

  constructor(graph: GraphBuilder, parameters: ParameterReader) {
    this.#graph = graph;
    this.#parameters = parameters;
  }

  matmul(x: Value, parameter: string): Value {
    const graph = this.#graph;
    const [outputs, inputs] = this.#parameters.shape(parameter) as [number, number];
    const weight = `${parameter}_quantized`;
    const scale = `${parameter}_scale`;
    const zeroPoint = `${parameter}_zero_point`;
    graph.initializers({
      tensors: [
        { name: weight, dtype: 'int8', shape: [inputs, outputs] },
        floatTensor(scale, [outputs]),
        { name: zeroPoint, dtype: 'int8', shape: [outputs] },
      ],
      read: async () => {
        const quantized = quantizeChannels(await this.#parameters.read(parameter), outputs, inputs, parameter);
        return [asBytes(quantized.weight), asBytes(quantized.scale), new Uint8Array(outputs)];
      },
    });
    const [data, dataScale, dataZeroPoint] = this.#quantize(x);
    const product = graph.node('MatMulInteger', [data, weight, dataZeroPoint, zeroPoint]);
    const asFloat = graph.node('Cast', [product], { attributes: { to: dataTypes.float32.code } });
    return graph.node('Mul', [asFloat, graph.node('Mul', [dataScale, scale])]);
  }

  lookup(parameter: string, indices: Value): Value {
    const graph = this.#graph;
    const table = `${parameter}_quantized`;
    const scale = `${parameter}_scale`;
    const zeroPoint = `${parameter}_zero_point`;
    const group: InitializerGroup = {
      tensors: [
        { name: table, dtype: 'uint8', shape: this.#parameters.shape(parameter) },
        floatTensor(scale, []),
        { name: zeroPoint, dtype: 'uint8', shape: [] },
      ],
      read: async () => {
        const quantized = quantizeTable(await this.#parameters.read(parameter), parameter);
        return [quantized.table, asBytes(Float32Array.of(quantized.scale)), Uint8Array.of(quantized.zeroPoint)];
      },
    };
    graph.initializers(group);
    return graph.node('DequantizeLinear', [graph.node('Gather', [table, indices]), scale, zeroPoint]);
  }

  #quantize(x: Value): readonly [data: Value, scale: Value, zero_point: Value] {
    let known = this.#quantized.get(x);
    if (known === undefined) {
      known = this.#graph.nodes('DynamicQuantizeLinear', [x], ['output', 'scale', 'zero_point']);
      this.#quantized.set(x, known);
    }
    return known;
  }
}

/**
 * A matrix `[outputs, inputs]` as int8 `[inputs, outputs]` and a scale per output: w ≈ scale · q, |q| ≤ 127, and |q + q'| ≤ 128
 * for neighbours in a channel.
 *
 * @throws BertNativeError `ERR_OPTION` for values that are not finite
 */
export function quantizeChannels(
  values: Float32Array,
  outputs: number,
  inputs: number,
  name: string,
): { weight: Int8Array; scale: Float32Array } {
  const weight = new Int8Array(values.length);
  const scale = new Float32Array(outputs);
  for (let out = 0; out < outputs; ++out) {
    const channel = values.subarray(out * inputs, (out + 1) * inputs);
    const largest = largestNeighbours(channel);
    if (!Number.isFinite(largest)) throw notFinite(name);
    const step = Math.fround(largest / weightRange) || 1;
    scale[out] = step;
    for (let i = 0; i < inputs; ++i) {
      const level = Math.round(channel[i]! / step);
      weight[i * outputs + out] = Math.max(-weightRange, Math.min(weightRange, level));
    }
  }
  return { weight, scale };
}

/** The largest magnitude of a value or of the sum of two neighbours. NaN where a value is none. */
function largestNeighbours(values: Float32Array): number {
  let largest = 0;
  let previous = 0;
  for (const value of values) {
    largest = Math.max(largest, Math.abs(value), Math.abs(value + previous));
    previous = value;
  }
  return largest;
}

/**
 * A table as uint8 with one scale for all of it: w ≈ scale · (q - zeroPoint). Zero is represented exactly.
 *
 * @throws BertNativeError `ERR_OPTION` for values that are not finite
 */
export function quantizeTable(
  values: Float32Array,
  name: string,
): { table: Uint8Array; scale: number; zeroPoint: number } {
  let smallest = 0;
  let largest = 0;
  for (const value of values) {
    smallest = Math.min(smallest, value);
    largest = Math.max(largest, value);
  }
  if (!Number.isFinite(largest - smallest)) throw notFinite(name);
  const scale = Math.fround((largest - smallest) / tableRange) || 1;
  const zeroPoint = Math.round((0 - smallest) / scale);
  const table = new Uint8Array(values.length);
  for (let i = 0; i < values.length; ++i) {
    table[i] = Math.max(0, Math.min(tableRange, Math.round(values[i]! / scale) + zeroPoint));
  }
  return { table, scale, zeroPoint };
}

function notFinite(name: string): BertNativeError {
  return new BertNativeError(
    'ERR_OPTION',
    `dtype is 'q8', but ${name} holds values that are not finite or too far apart: expected numbers that eight bits can scale`,
  );
}
