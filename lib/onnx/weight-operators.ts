import { encodeFloats, type FloatType, floatTensor } from './float-types.ts';
import type { GraphBuilder, Value } from './graph-builder.ts';
import type { ParameterReader } from './parameters.ts';

/** The operators that meet the large parameters: what a dtype of the export changes. */
export interface WeightOperators {
  /** The element type of what is multiplied and of what comes out, unless a method says otherwise. */
  readonly dtype: FloatType;
  /** x Wᵀ for the parameter W `[out, in]` and x `[…, in]`, which may be of float32, too. */
  matmul(x: Value, parameter: string): Value;
  /** x Wᵀ for a table W `[rows, width]` that is looked up, too; x `[N, width]`. */
  matmulTable(x: Value, parameter: string): Value;
  /** Rows of the parameter `[rows, width]`: `[…, width]` for indices `[…]`, int64. */
  lookup(parameter: string, indices: Value): Value;
}

/** Parameters as floats. */
export class FloatOperators implements WeightOperators {
  readonly dtype: FloatType;
  readonly #graph: GraphBuilder;
  readonly #parameters: ParameterReader;

  constructor(graph: GraphBuilder, parameters: ParameterReader, dtype: FloatType) {
    this.dtype = dtype;
    this.#graph = graph;
    this.#parameters = parameters;
  }

  matmul(x: Value, parameter: string): Value {
    const [outputs, inputs] = this.#parameters.shape(parameter) as [number, number];
    this.#graph.initializers({
      tensors: [floatTensor(parameter, [inputs, outputs], this.dtype)],
      read: async () => [encodeFloats(transposed(await this.#parameters.read(parameter), outputs, inputs), this.dtype)],
    });
    return this.#graph.node('MatMul', [x, this.#graph.cast(parameter, this.#graph.dtypeOf(x) as FloatType)]);
  }

  /** Gemm multiplies by the table as it lies there: a transposed copy would take as much again. */
  matmulTable(x: Value, parameter: string): Value {
    const table = addParameter(this.#graph, this.#parameters, parameter, this.dtype);
    return this.#graph.node('Gemm', [x, table], { attributes: { transB: 1 } });
  }

  lookup(parameter: string, indices: Value): Value {
    return this.#graph.node('Gather', [addParameter(this.#graph, this.#parameters, parameter, this.dtype), indices]);
  }
}

/** A parameter in the shape in which it is stored; held in the type in which it was first wanted. */
export function addParameter(graph: GraphBuilder, parameters: ParameterReader, name: string, dtype: FloatType): Value {
  graph.initializers({
    tensors: [floatTensor(name, parameters.shape(name), dtype)],
    read: async () => [encodeFloats(await parameters.read(name), dtype)],
  });
  return graph.cast(name, dtype);
}

/** Side of the square blocks by which a matrix is transposed: two of them fit into a first-level cache. */
const blockSize = 32;

/** `[rows, columns]` → `[columns, rows]`. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row += blockSize) {
    for (let column = 0; column < columns; column += blockSize) {
      const lastRow = Math.min(row + blockSize, rows);
      const lastColumn = Math.min(column + blockSize, columns);
      for (let r = row; r < lastRow; ++r) {
        for (let c = column; c < lastColumn; ++c) result[c * rows + r] = values[r * columns + c]!;
      }
    }
  }
  return result;
}
