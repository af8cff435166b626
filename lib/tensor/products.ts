import { BertNativeError } from '../errors.ts';
import { describe } from '../options.ts';
import { createData, type FloatType, isFloatType } from './data-type.ts';
import { logSoftmaxLine, softmaxLine } from './reductions.ts';
import { broadcastDims, broadcastStrides, dimsText, gather, product } from './shape.ts';
import { Tensor } from './tensor.ts';

/** A vector of plain numbers. */
export type Vector = number[] | Float32Array | Float64Array;

/** exp(x) / Σ exp(x) of a vector, as an array of its kind, or of a tensor along `dim`. */
export function softmax<V extends Vector>(values: V): V;
export function softmax<T extends FloatType>(values: Tensor<T>, dim?: number): Tensor<T>;
export function softmax(values: Vector | Tensor, dim = -1): Vector | Tensor {
  return values instanceof Tensor ? values.softmax(dim) : mapVector(values, softmaxLine);
}

/** The logarithm of {@link softmax}. */
export function log_softmax<V extends Vector>(values: V): V;
export function log_softmax<T extends FloatType>(values: Tensor<T>, dim?: number): Tensor<T>;
export function log_softmax(values: Vector | Tensor, dim = -1): Vector | Tensor {
  return values instanceof Tensor ? values.log_softmax(dim) : mapVector(values, logSoftmaxLine);
}

function mapVector(values: Vector, change: (line: Float64Array) => void): Vector {
  const line = Float64Array.from(values);
  change(line);
  return Array.isArray(values) ? [...line] : values.map((_, i) => line[i]!);
}

/** √Σ x² of a vector. */
export function magnitude(values: Vector): number {
  return Math.sqrt(dot(values, values));
}

/**
 * Σ a·b of two vectors. Of tensors, the products of each row of the one with each row of the other: `[n, size]` and
 * `[m, size]` give `[n, m]`; a tensor of one dimension is one row.
 *
 * @throws BertNativeError `ERR_SHAPE` for vectors or rows of different lengths
 */
export function dot(a: Vector, b: Vector): number;
export function dot(a: Tensor<FloatType>, b: Tensor<FloatType>): Tensor<'float32'>;
export function dot(a: Vector | Tensor<FloatType>, b: Vector | Tensor<FloatType>): number | Tensor<'float32'> {
  if (a instanceof Tensor && b instanceof Tensor) return pairwise('dot', a, b, (product) => product);
  const [first, second] = checkVectors('dot', a, b);
  return dotAt(first, 0, second, 0, first.length);
}

/**
 * {@link dot} of the vectors scaled to length 1: the cosine of the angle between them. Vectors of zeros give NaN, as in
 * transformers.js; rows of zeros give 0, as in sentence-transformers.
 *
 * @throws BertNativeError `ERR_SHAPE` for vectors or rows of different lengths
 */
export function cos_sim(a: Vector, b: Vector): number;
export function cos_sim(a: Tensor<FloatType>, b: Tensor<FloatType>): Tensor<'float32'>;
export function cos_sim(a: Vector | Tensor<FloatType>, b: Vector | Tensor<FloatType>): number | Tensor<'float32'> {
  if (a instanceof Tensor && b instanceof Tensor) {
    return pairwise('cos_sim', a, b, (product, ofA, ofB) => product / (Math.max(ofA, 1e-12) * Math.max(ofB, 1e-12)));
  }
  const [first, second] = checkVectors('cos_sim', a, b);
  return dot(first, second) / (magnitude(first) * magnitude(second));
}

function checkVectors(name: string, a: Vector | Tensor, b: Vector | Tensor): [Vector, Vector] {
  if (a instanceof Tensor || b instanceof Tensor) {
    throw new BertNativeError('ERR_DTYPE', `${name}() takes two tensors or two arrays of numbers`);
  }
  for (const vector of [a, b] as unknown[]) {
    if (Array.isArray(vector) || ArrayBuffer.isView(vector)) continue;
    throw new BertNativeError('ERR_DTYPE', `${name}() takes vectors, not ${describe(vector)}`);
  }
  if (a.length !== b.length) {
    throw new BertNativeError('ERR_SHAPE', `${name}() takes vectors of one length; got ${a.length} and ${b.length}`);
  }
  return [a, b];
}

function dotAt(a: Vector, startA: number, b: Vector, startB: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; ++i) sum += a[startA + i]! * b[startB + i]!;
  return sum;
}

function pairwise(
  name: string,
  a: Tensor<FloatType>,
  b: Tensor<FloatType>,
  score: (product: number, lengthA: number, lengthB: number) => number,
): Tensor<'float32'> {
  const [n, size] = rowsOf(name, a);
  const [m, sizeB] = rowsOf(name, b);
  if (size !== sizeB) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `${name}() takes rows of one length; got dims ${dimsText(a.dims)} and ${dimsText(b.dims)}`,
    );
  }
  const lengths = ({ data }: Tensor<FloatType>, count: number): number[] =>
    Array.from({ length: count }, (_, row) => Math.sqrt(dotAt(data, row * size, data, row * size, size)));
  const lengthsOfB = lengths(b, m);
  const out = new Float32Array(n * m);
  lengths(a, n).forEach((length, i) => {
    for (let j = 0; j < m; ++j) {
      out[i * m + j] = score(dotAt(a.data, i * size, b.data, j * size, size), length, lengthsOfB[j]!);
    }
  });
  return new Tensor('float32', out, [n, m]);
}

function rowsOf(name: string, { dims, type }: Tensor): [count: number, size: number] {
  checkFloats(name, type);
  if (dims.length === 1) return [1, dims[0]!];
  if (dims.length === 2) return [dims[0]!, dims[1]!];
  throw new BertNativeError('ERR_SHAPE', `${name}() takes tensors of one or two dimensions; got ${dimsText(dims)}`);
}

/**
 * The product of matrices `[…, n, k]` and `[…, k, m]`: `[…, n, m]`. The dimensions in front are stretched to fit; a vector
 * is a row on the left and a column on the right, without the dimension in the result.
 *
 * @throws BertNativeError `ERR_SHAPE` where the dims do not fit, `ERR_DTYPE` for tensors that are not of one float type
 */
export async function matmul<T extends FloatType>(a: Tensor<T>, b: Tensor<T>): Promise<Tensor<T>> {
  checkFloats('matmul', a.type);
  if (a.type !== b.type) throw new BertNativeError('ERR_DTYPE', `matmul() of ${a.type} and ${b.type}`);
  const dimsA = a.dims.length === 1 ? [1, ...a.dims] : a.dims;
  const dimsB = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  const [n, k] = dimsA.slice(-2) as [number, number];
  const [depth, m] = dimsB.slice(-2) as [number, number];
  if (a.dims.length === 0 || b.dims.length === 0 || k !== depth) {
    throw new BertNativeError('ERR_SHAPE', `matmul() of dims ${dimsText(a.dims)} and ${dimsText(b.dims)}`);
  }
  const batch = broadcastDims('matmul', dimsA.slice(0, -2), dimsB.slice(0, -2));
  const stretch = (tensor: Tensor<T>, dims: readonly number[], rows: number, columns: number): Tensor<T>['data'] => {
    const wider = [...batch, rows, columns];
    return gather(tensor.type, tensor.data, 0, wider, broadcastStrides(dims, wider));
  };
  const left = stretch(a, dimsA, n, k);
  const right = stretch(b, dimsB, k, m);
  const rows = product(batch) * n;
  const out = createData(a.type, rows * m);
  const sums = new Float64Array(m);
  for (let row = 0; row < rows; ++row) {
    sums.fill(0);
    const matrix = Math.floor(row / n) * k * m;
    for (let i = 0; i < k; ++i) {
      const factor = left[row * k + i]!;
      for (let j = 0; j < m; ++j) sums[j]! += factor * right[matrix + i * m + j]!;
    }
    out.set(sums, row * m);
  }
  const dims = [...batch, ...(a.dims.length === 1 ? [] : [n]), ...(b.dims.length === 1 ? [] : [m])];
  return new Tensor(a.type, out, dims);
}

function checkFloats(name: string, type: Tensor['type']): void {
  if (!isFloatType(type)) throw new BertNativeError('ERR_DTYPE', `${name}() takes tensors of floats; got ${type}`);
}
