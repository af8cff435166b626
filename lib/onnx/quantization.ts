import { BertNativeError } from '../errors.ts';
import { asBytes, floatTensor } from './float-types.ts';
import type { GraphBuilder, Value } from './graph-builder.ts';
import type { ParameterReader } from './parameters.ts';
import type { WeightOperators } from './weight-operators.ts';

// Dynamic quantisation in the operators of onnxruntime's `quantize_dynamic`, by which the files that transformers.js calls
// `model_quantized.onnx` are made (scripts/quantize.py there). Where they lose accuracy for nothing, this does otherwise.
//
// - Activations are uint8 with one scale per tensor, found anew in every run (DynamicQuantizeLinear).
// - Matrices are int8, symmetric, with a scale per output channel, as there: channels differ, and one scale for all of them
//   would leave the small ones few of the levels.
// - x86 processors without VNNI add pairs of u8·s8 products in 16 bits with saturation: 255·(a + b) must stay below 2¹⁵
//   for neighbouring weights a, b. `quantize_dynamic` keeps every weight within seven bits for that (`reduce_range`). Here a
//   channel's scale also bounds the sums of its neighbours, which guarantees the same and keeps most of the eighth bit: at
//   BERT-base size with random weights the relative error per token is 3.0e-2 on average, where seven bits give 3.5e-2 to
//   3.8e-2 and eight without regard to saturation 2.4e-2.
// - Tables are int8 with a scale per row, which is looked up beside it. One scale for the whole table (Gather, then
//   DequantizeLinear) takes the same space and work, and where a table has outliers much of its accuracy.

/** The largest magnitude of a weight, and, rounding aside, of the sum of two neighbours: 255 · (127 + 1) < 2¹⁵. */
const weightRange = 127;

/** Parameters in eight bits. */
export class QuantizedOperators implements WeightOperators {
  readonly dtype = 'float32';
  readonly #graph: GraphBuilder;
  readonly #parameters: ParameterReader;
  /** Values that were quantised already: query, key and value share one. */
  readonly #quantized = new Map<Value, readonly [data: Value, scale: Value, zero_point: Value]>();

  constructor(graph: GraphBuilder, parameters: ParameterReader) {
    this.#graph = graph;
    this.#parameters = parameters;
  }

  matmul(x: Value, parameter: string): Value {
    return this.#matmul(x, parameter, parameter);
  }

  /** The product wants the table transposed and its levels chosen otherwise: it is held twice, as `quantize_dynamic` does. */
  matmulTable(x: Value, parameter: string): Value {
    return this.#matmul(x, parameter, `${parameter}_transposed`);
  }

  #matmul(x: Value, parameter: string, name: string): Value {
    const graph = this.#graph;
    const [outputs, inputs] = this.#parameters.shape(parameter) as [number, number];
    const weight = `${name}_quantized`;
    const scale = `${name}_scale`;
    const zeroPoint = `${name}_zero_point`;
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
    return graph.node('Mul', [graph.cast(product, 'float32'), graph.node('Mul', [dataScale, scale])]);
  }

  lookup(parameter: string, indices: Value): Value {
    const graph = this.#graph;
    const [rows, width] = this.#parameters.shape(parameter) as [number, number];
    const table = `${parameter}_quantized`;
    const scale = `${parameter}_scale`;
    graph.initializers({
      tensors: [{ name: table, dtype: 'int8', shape: [rows, width] }, floatTensor(scale, [rows, 1])],
      read: async () => {
        const quantized = quantizeRows(await this.#parameters.read(parameter), rows, width, parameter);
        return [asBytes(quantized.table), asBytes(quantized.scale)];
      },
    });
    const levels = graph.cast(graph.node('Gather', [table, indices]), 'float32');
    return graph.node('Mul', [levels, graph.node('Gather', [scale, indices])]);
  }

  #quantize(x: Value): readonly [data: Value, scale: Value, zero_point: Value] {
    let known = this.#quantized.get(x);
    if (known === undefined) {
      const parts = ['output', 'scale', 'zero_point'] as const;
      known = this.#graph.nodes('DynamicQuantizeLinear', [x], parts, { dtypes: ['uint8', 'float32', 'uint8'] });
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
 * A table `[rows, width]` as int8 and a scale per row: w ≈ scale · q, |q| ≤ 127.
 *
 * @throws BertNativeError `ERR_OPTION` for values that are not finite
 */
export function quantizeRows(
  values: Float32Array,
  rows: number,
  width: number,
  name: string,
): { table: Int8Array; scale: Float32Array } {
  const table = new Int8Array(values.length);
  const scale = new Float32Array(rows);
  for (let row = 0; row < rows; ++row) {
    const start = row * width;
    let largest = 0;
    for (let i = start; i < start + width; ++i) largest = Math.max(largest, Math.abs(values[i]!));
    if (!Number.isFinite(largest)) throw notFinite(name);
    const step = Math.fround(largest / weightRange) || 1;
    scale[row] = step;
    for (let i = start; i < start + width; ++i) {
      table[i] = Math.max(-weightRange, Math.min(weightRange, Math.round(values[i]! / step)));
    }
  }
  return { table, scale };
}

function notFinite(name: string): BertNativeError {
  return new BertNativeError(
    'ERR_OPTION',
    `dtype is 'q8', but ${name} holds values that are not finite or too far apart: expected numbers that eight bits can scale`,
  );
}
