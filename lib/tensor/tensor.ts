import { type InspectOptions, inspect } from 'node:util';
import { BertNativeError } from '../errors.ts';
import {
  assertDataType,
  convertElement,
  createData,
  type DataArray,
  type DataType,
  type Element,
  type ElementInput,
  isDataArray,
} from './data-type.ts';
import { formatTensor } from './format.ts';
import { flattenNested, type NestedInput, type NestedList, nestData } from './nested.ts';

/** One index, a range `[start, end)`, or null for all; negative numbers count from the end. */
export type Slice = number | readonly [start: number | null, end: number | null] | null;

/**
 * A typed array with dimensions, row-major, under the names of transformers.js.
 *
 * `tensor[i]`, iteration, `view`, `squeeze` and `unsqueeze` share the data of the tensor they come from; `slice`,
 * `permute`, `to`, `clone` and everything that computes return tensors of their own. Dimensions may be given as negative
 * numbers, counted from the end. Sums are accumulated in double precision.
 */
export class Tensor<T extends DataType = DataType> {
  readonly type: T;
  readonly data: DataArray<T>;
  readonly dims: readonly number[];
  /** The number of elements: the product of `dims`. */
  readonly size: number;

  /** The same as {@link Tensor._getitem}; numeric keys only. */
  readonly [index: number]: Tensor<T>;

  /**
   * @param data a typed array, taken over as it is, or a plain array, whose elements are converted
   * @param dims none: one dimension
   * @throws BertNativeError `ERR_DTYPE` if the data are not of that type, `ERR_SHAPE` if their number is not the product
   *   of the dimensions
   */
  constructor(type: T, data: DataArray<T> | readonly ElementInput[], dims: readonly number[] = [data?.length]) {
    assertDataType(type);
    this.type = type;
    this.data = toDataArray(type, data);
    this.size = this.data.length;
    if (!Array.isArray(dims) || !dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
      throw new BertNativeError('ERR_SHAPE', `dims are an array of integers from 0 up; got ${inspect(dims)}`);
    }
    this.dims = Object.freeze([...dims]);
    if (product(dims) !== this.size) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `dims ${dimsText(dims)} mean ${product(dims)} elements; the data hold ${this.size}`,
      );
    }
  }

  /**
   * A tensor of nested arrays: `Tensor.from([[1, 2], [3, 4]], 'int64')`.
   *
   * @throws BertNativeError `ERR_SHAPE` for ragged rows, naming the first that differs; `ERR_DTYPE` for elements that do
   *   not fit the type
   */
  static from<T extends DataType>(value: NestedInput, type: T): Tensor<T> {
    assertDataType(type);
    const { data, dims } = flattenNested(value, type);
    return new Tensor(type, data, dims);
  }

  // --- elements and parts ---

  /** Nested arrays of the elements (bigints where the type is int64); the bare element where there are no dimensions. */
  tolist(): NestedList<T> {
    return nestData<T>(this.data, this.dims);
  }

  /** The element of a tensor that has only one. */
  item(): Element<T> {
    if (this.size !== 1) {
      throw new BertNativeError('ERR_SHAPE', `item() takes a tensor of 1 element; this one has ${this.size}`);
    }
    return this.data[0] as Element<T>;
  }

  /** The parts along the first dimension: tensors, or the elements themselves where it is the only one. */
  // biome-ignore lint/suspicious/noExplicitAny: only the number of dimensions tells which; `any`, as in transformers.js.
  *[Symbol.iterator](): Generator<any, void, undefined> {
    if (this.dims.length === 0) throw new BertNativeError('ERR_SHAPE', 'a tensor without dimensions has no parts');
    if (this.dims.length === 1) {
      yield* this.data as Iterable<Element<T>>;
      return;
    }
    for (let i = 0; i < this.dims[0]!; ++i) yield this._getitem(i);
  }

  /**
   * Part `index` along the first dimension, over the same data; it has one dimension less.
   *
   * @throws BertNativeError `ERR_SHAPE` for an index past either end
   */
  _getitem(index: number): Tensor<T> {
    const i = checkIndex(index, this.dims, 0);
    const rest = this.dims.slice(1);
    const size = product(rest);
    return new Tensor(this.type, this.data.subarray(i * size, (i + 1) * size) as DataArray<T>, rest);
  }

  /**
   * The elements that one {@link Slice} per dimension selects, as a copy; dimensions not named are taken whole. A number
   * removes its dimension. Ranges are cut to what there is.
   *
   * @throws BertNativeError `ERR_SHAPE` for an index past either end, a range that ends before it starts, or more slices
   *   than dimensions
   */
  slice(...slices: Slice[]): Tensor<T> {
    if (slices.length > this.dims.length) {
      throw new BertNativeError('ERR_SHAPE', `${slices.length} slices for the dims ${dimsText(this.dims)}`);
    }
    const ranges = this.dims.map((_, dim) => toRange(slices[dim] ?? null, this.dims, dim));
    const starts = ranges.map(([start]) => start);
    const lengths = ranges.map(([start, end]) => end - start);
    const strides = rowMajorStrides(this.dims);
    const origin = starts.reduce((offset, start, dim) => offset + start * strides[dim]!, 0);
    const kept = lengths.filter((_, dim) => typeof slices[dim] !== 'number');
    return new Tensor(this.type, gather(this.type, this.data, origin, lengths, strides), kept);
  }

  // --- shape ---

  /**
   * The same data under other dimensions; one of them may be -1 and is computed.
   *
   * @throws BertNativeError `ERR_SHAPE` where the number of elements would differ
   */
  view(...dims: number[]): Tensor<T> {
    const unknown = dims.indexOf(-1);
    if (unknown < 0) return new Tensor(this.type, this.data, dims);
    const rest = product(dims.filter((_, dim) => dim !== unknown));
    if (rest <= 0 || this.size % rest !== 0) {
      throw new BertNativeError('ERR_SHAPE', `${this.size} elements cannot be viewed as ${dimsText(dims)}`);
    }
    return new Tensor(this.type, this.data, dims.with(unknown, this.size / rest));
  }

  /** The same as {@link Tensor.view}. */
  reshape(...dims: number[]): Tensor<T> {
    return this.view(...dims);
  }

  /** Removes dimensions of length 1: all, or those named, which have to be of length 1. */
  squeeze(dim: number | readonly number[] | null = null): Tensor<T> {
    const removed =
      dim === null
        ? this.dims.flatMap((length, i) => (length === 1 ? [i] : []))
        : (typeof dim === 'number' ? [dim] : dim).map((name) => checkDim(name, this.dims));
    for (const i of removed) {
      if (this.dims[i] !== 1) {
        throw new BertNativeError('ERR_SHAPE', `dimension ${i} of ${dimsText(this.dims)} is not 1: nothing to squeeze`);
      }
    }
    return this.view(...this.dims.filter((_, i) => !removed.includes(i)));
  }

  /** Inserts a dimension of length 1 in front of dimension `dim`; -1 means after the last. */
  unsqueeze(dim: number): Tensor<T> {
    const i = checkDim(dim, [...this.dims, 1]);
    return this.view(...this.dims.toSpliced(i, 0, 1));
  }

  /** Dimension i of the result is dimension `order[i]` of this tensor. A copy. */
  permute(...order: number[]): Tensor<T> {
    const from = order.map((dim) => checkDim(dim, this.dims));
    if (from.length !== this.dims.length || new Set(from).size !== from.length) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `permute takes each dimension of ${dimsText(this.dims)} once; got ${dimsText(order)}`,
      );
    }
    const strides = rowMajorStrides(this.dims);
    const dims = from.map((dim) => this.dims[dim]!);
    const data = gather(
      this.type,
      this.data,
      0,
      dims,
      from.map((dim) => strides[dim]!),
    );
    return new Tensor(this.type, data, dims);
  }

  /** The same as {@link Tensor.permute}, as in transformers.js. */
  transpose(...order: number[]): Tensor<T> {
    return this.permute(...order);
  }

  // --- arithmetic over float32 ---

  /**
   * The mean along a dimension, or of all elements where `dim` is null.
   *
   * @param keepdim leaves the dimension in place, with length 1
   */
  mean(dim: number | null = null, keepdim = false): Tensor<'float32'> {
    return this.#reduce(
      'mean',
      dim,
      keepdim,
      (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
    );
  }

  /**
   * The p-norm along a dimension, or of all elements where `dim` is null. `fro` is 2; Infinity gives the largest
   * magnitude.
   */
  norm(p: number | 'fro' = 'fro', dim: number | null = null, keepdim = false): Tensor<'float32'> {
    const order = checkOrder(p);
    return this.#reduce('norm', dim, keepdim, (values) => pNorm(values, order));
  }

  /** Divided by the p-norm along `dim`, or by 1e-12 where that is larger, as PyTorch does. */
  normalize(p = 2, dim = 1): Tensor<'float32'> {
    const order = checkOrder(p);
    return this.#mapLines('normalize', dim, (values) => {
      const divisor = Math.max(pNorm(values, order), 1e-12);
      return values.map((value) => value / divisor);
    });
  }

  /** exp(x) / Σ exp(x) along `dim`, the maximum subtracted first. */
  softmax(dim = -1): Tensor<'float32'> {
    return this.#mapLines('softmax', dim, (values) => {
      const maximum = values.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY);
      const exponentials = values.map((value) => Math.exp(value - maximum));
      const sum = exponentials.reduce((total, value) => total + value, 0);
      return exponentials.map((value) => value / sum);
    });
  }

  // --- copies ---

  /**
   * The tensor itself where it has that type already, else a converted copy. Floats lose their fraction on the way to
   * integers; to bool, everything but 0 is 1.
   *
   * @throws BertNativeError `ERR_DTYPE` for a value outside the range of the type
   */
  to<U extends DataType>(type: U): Tensor<U> {
    assertDataType(type);
    if ((type as DataType) === this.type) return this as unknown as Tensor<U>;
    const data = createData(type, this.size);
    for (let i = 0; i < this.size; ++i)
      data[i] = convertElement(castElement(this.data[i]!, type), type, () => `element ${i}`);
    return new Tensor(type, data, this.dims);
  }

  clone(): Tensor<T> {
    return new Tensor(this.type, this.data.slice() as DataArray<T>, this.dims);
  }

  [inspect.custom](_depth: number, _options: InspectOptions): string {
    return formatTensor(this);
  }

  /** One number for each line of elements along `dim`. */
  #reduce(
    name: string,
    dim: number | null,
    keepdim: boolean,
    reduceLine: (line: Float64Array) => number,
  ): Tensor<'float32'> {
    const source = this.#floats(name);
    if (dim === null) {
      const value = reduceLine(Float64Array.from(source));
      return new Tensor('float32', Float32Array.of(value), keepdim ? this.dims.map(() => 1) : []);
    }
    const along = checkDim(dim, this.dims);
    const dims = keepdim ? this.dims.with(along, 1) : this.dims.toSpliced(along, 1);
    const out = new Float32Array(product(dims));
    let next = 0;
    for (const { start, stride } of lines(this.dims, along)) {
      out[next++] = reduceLine(readLine(source, start, stride, this.dims[along]!));
    }
    return new Tensor('float32', out, dims);
  }

  /** Every line of elements along `dim` replaced by another of the same length. */
  #mapLines(name: string, dim: number, mapLine: (line: Float64Array) => Float64Array): Tensor<'float32'> {
    const source = this.#floats(name);
    const along = checkDim(dim, this.dims);
    const out = new Float32Array(this.size);
    for (const { start, stride } of lines(this.dims, along)) {
      mapLine(readLine(source, start, stride, this.dims[along]!)).forEach((value, i) => {
        out[start + i * stride] = value;
      });
    }
    return new Tensor('float32', out, this.dims);
  }

  #floats(name: string): Float32Array {
    if (this.type !== 'float32') {
      throw new BertNativeError('ERR_DTYPE', `${name}() takes a float32 tensor; this one is ${this.type}`);
    }
    return this.data as Float32Array;
  }
}

// Numeric keys are looked up behind the prototype, where only names that a tensor does not have arrive: `data`, `dims`
// and the methods cost what they cost on any object. A proxy around each tensor makes every access 5 to 50 times slower.
Object.setPrototypeOf(
  Tensor.prototype,
  new Proxy(Object.create(Object.prototype), {
    get(target, key, tensor) {
      return typeof key === 'string' && /^(0|-?[1-9]\d*)$/.test(key)
        ? (tensor as Tensor)._getitem(Number(key))
        : Reflect.get(target, key, tensor);
    },
  }),
);

function product(factors: readonly number[]): number {
  return factors.reduce((result, factor) => result * factor, 1);
}

function dimsText(dims: readonly number[]): string {
  return `[${dims.join(', ')}]`;
}

function toDataArray<T extends DataType>(type: T, data: unknown): DataArray<T> {
  if (isDataArray(data, type)) return data;
  const expected = createData(type, 0).constructor.name;
  if (!Array.isArray(data)) {
    throw new BertNativeError(
      'ERR_DTYPE',
      `the data of a tensor of type ${type} are a ${expected} or an array; got ${data?.constructor?.name ?? data}`,
    );
  }
  const out = createData(type, data.length);
  data.forEach((value, i) => {
    out[i] = convertElement(value, type, () => `element ${i}`);
  });
  return out;
}

/** `value` cut to what an element of `type` can be, as far as that is a matter of fractions; ranges are checked later. */
function castElement(value: number | bigint, type: DataType): number | bigint {
  if (type === 'bool') return Number(value) === 0 ? 0 : 1;
  if (typeof value === 'bigint' || type === 'float32') return value;
  const integer = Math.trunc(value);
  return type === 'int64' && Number.isFinite(integer) ? BigInt(integer) : integer;
}

/** `dim` as an index into `dims`. */
function checkDim(dim: number, dims: readonly number[]): number {
  const index = dim < 0 ? dim + dims.length : dim;
  if (!Number.isInteger(dim) || index < 0 || index >= dims.length) {
    throw new BertNativeError('ERR_SHAPE', `there is no dimension ${dim} in ${dimsText(dims)}`);
  }
  return index;
}

/** `index` along dimension `dim` as an offset from its start. */
function checkIndex(index: number, dims: readonly number[], dim: number): number {
  const length = dims[dim];
  if (length === undefined) throw new BertNativeError('ERR_SHAPE', 'a tensor without dimensions cannot be indexed');
  const offset = index < 0 ? index + length : index;
  if (!Number.isInteger(index) || offset < 0 || offset >= length) {
    throw new BertNativeError('ERR_SHAPE', `index ${index} lies outside dimension ${dim} of ${dimsText(dims)}`);
  }
  return offset;
}

/** Start and end of a slice along dimension `dim`. */
function toRange(slice: Slice, dims: readonly number[], dim: number): [number, number] {
  const length = dims[dim]!;
  if (slice === null) return [0, length];
  if (typeof slice === 'number') {
    const index = checkIndex(slice, dims, dim);
    return [index, index + 1];
  }
  const bound = (value: number | null, otherwise: number): number =>
    value === null ? otherwise : Math.min(Math.max(value < 0 ? value + length : value, 0), length);
  const start = bound(slice[0], 0);
  const end = bound(slice[1], length);
  if (slice.length !== 2 || !Number.isInteger(start) || !Number.isInteger(end) || start > end) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `slice [${slice.join(', ')}] of dimension ${dim} of ${dimsText(dims)} is not a range [start, end)`,
    );
  }
  return [start, end];
}

function rowMajorStrides(dims: readonly number[]): number[] {
  return dims.map((_, dim) => product(dims.slice(dim + 1)));
}

/** The elements at `origin + Σ index[d]·strides[d]`, indices in row-major order over `dims`. */
function gather<T extends DataType>(
  type: T,
  data: DataArray<T>,
  origin: number,
  dims: readonly number[],
  strides: readonly number[],
): DataArray<T> {
  const out = createData(type, product(dims));
  let next = 0;
  const copy = (dim: number, offset: number): void => {
    if (dim === dims.length) {
      out[next++] = data[offset]!;
      return;
    }
    for (let i = 0; i < dims[dim]!; ++i) copy(dim + 1, offset + i * strides[dim]!);
  };
  copy(0, origin);
  return out;
}

/** Where each line of elements along dimension `along` starts, in row-major order of the other dimensions. */
function* lines(dims: readonly number[], along: number): Generator<{ start: number; stride: number }> {
  const outer = product(dims.slice(0, along));
  const stride = product(dims.slice(along + 1));
  for (let i = 0; i < outer; ++i) {
    for (let j = 0; j < stride; ++j) yield { start: i * dims[along]! * stride + j, stride };
  }
}

function readLine(data: Float32Array, start: number, stride: number, length: number): Float64Array {
  const line = new Float64Array(length);
  for (let i = 0; i < length; ++i) line[i] = data[start + i * stride]!;
  return line;
}

function checkOrder(p: number | 'fro'): number {
  if (p === 'fro') return 2;
  if (typeof p !== 'number' || !(p > 0)) {
    throw new BertNativeError('ERR_OPTION', `the order of a norm is a number above 0 or 'fro'; got ${p}`);
  }
  return p;
}

function pNorm(values: Float64Array, p: number): number {
  const magnitudes = values.map(Math.abs);
  if (p === Number.POSITIVE_INFINITY) return magnitudes.reduce((largest, value) => Math.max(largest, value), 0);
  if (p === 2) return Math.sqrt(magnitudes.reduce((sum, value) => sum + value * value, 0));
  return magnitudes.reduce((sum, value) => sum + value ** p, 0) ** (1 / p);
}
