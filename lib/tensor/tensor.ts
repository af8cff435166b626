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
  isBigIntType,
  isDataArray,
  isFloatType,
} from './data-type.ts';
import {
  add,
  applyInPlace,
  type BinaryOperation,
  changeInPlace,
  clampInPlace,
  compare,
  div,
  mul,
  remainder,
  sub,
  toOperand,
} from './elementwise.ts';
import { formatTensor } from './format.ts';
import { flattenNested, type NestedInput, type NestedList, nestData } from './nested.ts';
import {
  checkOrder,
  extremeOf,
  type Line,
  logSoftmaxLine,
  mapLines,
  meanOf,
  normOf,
  reduceLines,
  softmaxLine,
  sumOf,
} from './reductions.ts';
import {
  broadcastDims,
  broadcastStrides,
  checkDim,
  checkIndex,
  dimsText,
  flattenedDims,
  gather,
  product,
  rowMajorStrides,
  type Slice,
  sameDims,
  squeezedDims,
  toRange,
  unsqueezedDims,
  viewDims,
} from './shape.ts';

/** The other side of an operation: a constant, or a tensor of the same type whose dims can be stretched to fit. */
export type Operand<T extends DataType = DataType> = number | bigint | Tensor<T>;

/**
 * A typed array with dimensions, row-major, under the names of transformers.js.
 *
 * `tensor[i]`, iteration, `view`, `squeeze` and `unsqueeze` share the data of the tensor they come from; `slice`,
 * `permute`, `to`, `clone` and everything that computes return tensors of their own. Methods whose name ends in `_` change
 * the tensor itself, and with it all that share its data, and return it. Dimensions may be given as negative numbers,
 * counted from the end.
 *
 * Results have the tensor's own type: what is computed from integers is cut to integers. Sums are accumulated in double
 * precision.
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

  /** Where the data are: always in JavaScript's memory. */
  get location(): 'cpu' {
    return 'cpu';
  }

  /** Does nothing: a tensor's memory is freed when nobody refers to it. For programs that also run on transformers.js. */
  dispose(): void {}

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
    const strides = this.stride();
    const origin = starts.reduce((offset, start, dim) => offset + start * strides[dim]!, 0);
    const kept = lengths.filter((_, dim) => typeof slices[dim] !== 'number');
    return new Tensor(this.type, gather(this.type, this.data, origin, lengths, strides), kept);
  }

  // --- shape ---

  /** The distance between neighbours along each dimension, in elements. */
  stride(): number[] {
    return rowMajorStrides(this.dims);
  }

  /**
   * The same data under other dimensions; one of them may be -1 and is computed.
   *
   * @throws BertNativeError `ERR_SHAPE` where the number of elements would differ
   */
  view(...dims: number[]): Tensor<T> {
    return new Tensor(this.type, this.data, viewDims(dims, this.size));
  }

  /** The same as {@link Tensor.view}. */
  reshape(...dims: number[]): Tensor<T> {
    return this.view(...dims);
  }

  /** Without dimensions of length 1: all, or those of them that are named. */
  squeeze(dim: number | readonly number[] | null = null): Tensor<T> {
    return this.view(...squeezedDims(this.dims, dim));
  }

  squeeze_(dim: number | readonly number[] | null = null): this {
    return this.#rename(squeezedDims(this.dims, dim));
  }

  /** Inserts a dimension of length 1 in front of dimension `dim`; -1 means after the last. */
  unsqueeze(dim: number): Tensor<T> {
    return this.view(...unsqueezedDims(this.dims, dim));
  }

  unsqueeze_(dim: number): this {
    return this.#rename(unsqueezedDims(this.dims, dim));
  }

  /** The dimensions from `start_dim` to `end_dim`, both included, as one. A copy. */
  flatten(start_dim = 0, end_dim = -1): Tensor<T> {
    return this.clone().flatten_(start_dim, end_dim);
  }

  flatten_(start_dim = 0, end_dim = -1): this {
    return this.#rename(flattenedDims(this.dims, start_dim, end_dim));
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
    const strides = this.stride();
    return this.#gather(
      from.map((dim) => this.dims[dim]!),
      from.map((dim) => strides[dim]!),
    );
  }

  /** The same as {@link Tensor.permute}, as in transformers.js. */
  transpose(...order: number[]): Tensor<T> {
    return this.permute(...order);
  }

  /**
   * The tensor `repeats[i]` times along dimension i; counts beyond its dimensions stand for dimensions in front.
   *
   * @throws BertNativeError `ERR_SHAPE` for fewer counts than dimensions
   */
  repeat(...repeats: number[]): Tensor<T> {
    if (repeats.length < this.dims.length || !repeats.every((count) => Number.isSafeInteger(count) && count >= 0)) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `repeat takes a count from 0 for each dimension of ${dimsText(this.dims)}; got ${dimsText(repeats)}`,
      );
    }
    const dims = [...repeats.map(() => 1).slice(this.dims.length), ...this.dims];
    const strides = rowMajorStrides(dims);
    // Each dimension is read as two: how often, then the elements.
    const data = gather(
      this.type,
      this.data,
      0,
      dims.flatMap((length, dim) => [repeats[dim]!, length]),
      strides.flatMap((stride) => [0, stride]),
    );
    return new Tensor(
      this.type,
      data,
      dims.map((length, dim) => length * repeats[dim]!),
    );
  }

  /** {@link Tensor.repeat}, where counts that are missing in front are 1. */
  tile(...repeats: number[]): Tensor<T> {
    const missing = Math.max(this.dims.length - repeats.length, 0);
    return this.repeat(...new Array<number>(missing).fill(1), ...repeats);
  }

  // --- each element by itself ---

  /** `this + operand`. */
  add(operand: Operand<T>): Tensor<T> {
    return this.#combine(add, operand);
  }

  add_(operand: Operand<T>): this {
    return this.#combineInPlace(add, operand);
  }

  /** `this - operand`. */
  sub(operand: Operand<T>): Tensor<T> {
    return this.#combine(sub, operand);
  }

  sub_(operand: Operand<T>): this {
    return this.#combineInPlace(sub, operand);
  }

  /** `this * operand`. */
  mul(operand: Operand<T>): Tensor<T> {
    return this.#combine(mul, operand);
  }

  mul_(operand: Operand<T>): this {
    return this.#combineInPlace(mul, operand);
  }

  /** `this / operand`. */
  div(operand: Operand<T>): Tensor<T> {
    return this.#combine(div, operand);
  }

  div_(operand: Operand<T>): this {
    return this.#combineInPlace(div, operand);
  }

  /** What is left of `this / operand`, with the sign of the operand, as Python's `%` gives it. */
  remainder(operand: Operand<T>): Tensor<T> {
    return this.#combine(remainder, operand);
  }

  remainder_(operand: Operand<T>): this {
    return this.#combineInPlace(remainder, operand);
  }

  neg(): Tensor<T> {
    return this.clone().neg_();
  }

  neg_(): this {
    return this.mul_(-1);
  }

  /** 1 / (1 + exp(-x)). */
  sigmoid(): Tensor<T> {
    return this.clone().sigmoid_();
  }

  sigmoid_(): this {
    changeInPlace(this.#floats('sigmoid'), (value) => 1 / (1 + Math.exp(-value)));
    return this;
  }

  /** Rounded to the nearest integer, halves upwards. */
  round(): Tensor<T> {
    return this.clone().round_();
  }

  round_(): this {
    if (isFloatType(this.type)) changeInPlace(this.data, Math.round);
    return this;
  }

  /** Limited to [min, max]. */
  clamp(min: number | bigint, max: number | bigint): Tensor<T> {
    return this.clone().clamp_(min, max);
  }

  clamp_(min: number | bigint, max: number | bigint): this {
    clampInPlace(this.data, toOperand('clamp', min, this.type), toOperand('clamp', max, this.type));
    return this;
  }

  /** What `callback` makes of each element. */
  map(callback: (value: Element<T>, index: number, data: DataArray<T>) => Element<T>): Tensor<T> {
    return this.clone().map_(callback);
  }

  map_(callback: (value: Element<T>, index: number, data: DataArray<T>) => Element<T>): this {
    for (let i = 0; i < this.size; ++i) this.data[i] = callback(this.data[i] as Element<T>, i, this.data);
    return this;
  }

  /** 1 where an element is greater than `value`. */
  gt(value: number | bigint): Tensor<'bool'> {
    return new Tensor(
      'bool',
      compare(this.data, (element) => element > value),
      this.dims,
    );
  }

  /** 1 where an element is less than `value`. */
  lt(value: number | bigint): Tensor<'bool'> {
    return new Tensor(
      'bool',
      compare(this.data, (element) => element < value),
      this.dims,
    );
  }

  // --- along a dimension; over all elements where `dim` is null. `keepdim` leaves the dimension, with length 1. ---

  /**
   * The sum; of bool tensors as int64.
   *
   * @throws BertNativeError `ERR_DTYPE` for a sum of integers outside the range of the type
   */
  sum(dim: number | null = null, keepdim = false): Tensor<T extends 'bool' ? 'int64' : T> {
    const type = (this.type === 'bool' ? 'int64' : this.type) as T extends 'bool' ? 'int64' : T;
    const sum = sumOf(this.type, this.data);
    return this.#reduce(type, dim, keepdim, (line) => convertElement(sum(line), type, () => 'the sum'));
  }

  mean(dim: number | null = null, keepdim = false): Tensor<T> {
    return this.#reduce(this.type, dim, keepdim, meanOf(this.#floats('mean')));
  }

  /** The p-norm. `fro` is 2; Infinity gives the largest magnitude. */
  norm(p: number | 'fro' = 'fro', dim: number | null = null, keepdim = false): Tensor<T> {
    return this.#reduce(this.type, dim, keepdim, normOf(this.#floats('norm'), checkOrder(p)));
  }

  /** The largest element. */
  max(dim: number | null = null, keepdim = false): Tensor<T> {
    return this.#extreme('max', 1, dim, keepdim);
  }

  /** The smallest element. */
  min(dim: number | null = null, keepdim = false): Tensor<T> {
    return this.#extreme('min', -1, dim, keepdim);
  }

  /** The index of the largest element: along `dim`, or in the data. The first of equals; NaN is the largest. */
  argmax(dim: number | null = null, keepdim = false): Tensor<'int64'> {
    const index = extremeOf('argmax', this, 1);
    return this.#reduce('int64', dim, keepdim, (line) => BigInt(index(line)));
  }

  /** The index of the smallest element: along `dim`, or in the data. The first of equals; NaN is the smallest. */
  argmin(dim: number | null = null, keepdim = false): Tensor<'int64'> {
    const index = extremeOf('argmin', this, -1);
    return this.#reduce('int64', dim, keepdim, (line) => BigInt(index(line)));
  }

  /** Divided by the p-norm along `dim`, or by 1e-12 where that is larger, as PyTorch does. */
  normalize(p: number | 'fro' = 2, dim = 1): Tensor<T> {
    return this.clone().normalize_(p, dim);
  }

  normalize_(p: number | 'fro' = 2, dim = 1): this {
    const order = checkOrder(p);
    mapLines(this.#floats('normalize'), this.dims, dim, (line) => {
      const divisor = Math.max(normOf(line, order)({ start: 0, stride: 1, length: line.length }), 1e-12);
      for (let i = 0; i < line.length; ++i) line[i]! /= divisor;
    });
    return this;
  }

  /** exp(x) / Σ exp(x) along `dim`. */
  softmax(dim = -1): Tensor<T> {
    const result = this.clone();
    mapLines(result.#floats('softmax'), this.dims, dim, softmaxLine);
    return result;
  }

  /** The logarithm of {@link Tensor.softmax}. */
  log_softmax(dim = -1): Tensor<T> {
    const result = this.clone();
    mapLines(result.#floats('log_softmax'), this.dims, dim, logSoftmaxLine);
    return result;
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

  #rename(dims: readonly number[]): this {
    (this as { dims: readonly number[] }).dims = Object.freeze([...dims]);
    return this;
  }

  #gather(dims: readonly number[], strides: readonly number[]): Tensor<T> {
    return new Tensor(this.type, gather(this.type, this.data, 0, dims, strides), dims);
  }

  #stretch(dims: readonly number[]): Tensor<T> {
    return this.#gather(dims, broadcastStrides(this.dims, dims));
  }

  #combine(operation: BinaryOperation, operand: Operand<T>): Tensor<T> {
    if (!(operand instanceof Tensor)) return this.clone().#combineInPlace(operation, operand);
    return this.#stretch(broadcastDims(operation.name, this.dims, operand.dims)).#combineInPlace(operation, operand);
  }

  #combineInPlace(operation: BinaryOperation, operand: Operand<T>): this {
    const { name } = operation;
    if (!(operand instanceof Tensor)) {
      applyInPlace(operation, this.type, this.data, toOperand(name, operand, this.type));
      return this;
    }
    if (operand.type !== this.type) {
      throw new BertNativeError('ERR_DTYPE', `${name}() of ${this.type} and ${operand.type}: convert one with to()`);
    }
    if (!sameDims(broadcastDims(name, this.dims, operand.dims), this.dims)) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `${name}_: a tensor of dims ${dimsText(operand.dims)} does not fit into one of ${dimsText(this.dims)}`,
      );
    }
    applyInPlace(operation, this.type, this.data, operand.#stretch(this.dims).data);
    return this;
  }

  #reduce<R extends DataType>(
    type: R,
    dim: number | null,
    keepdim: boolean,
    reduce: (line: Line) => number | bigint,
  ): Tensor<R> {
    const { data, dims } = reduceLines(this, dim, keepdim, type, reduce);
    return new Tensor(type, data, dims);
  }

  #extreme(name: string, sign: 1 | -1, dim: number | null, keepdim: boolean): Tensor<T> {
    const index = extremeOf(name, this, sign);
    return this.#reduce(this.type, dim, keepdim, (line) => this.data[line.start + index(line) * line.stride]!);
  }

  #floats(name: string): Float32Array | Float64Array {
    if (!isFloatType(this.type)) {
      throw new BertNativeError('ERR_DTYPE', `${name}() takes a float32 or float64 tensor; this one is ${this.type}`);
    }
    return this.data as Float32Array | Float64Array;
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
  if (typeof value === 'bigint' || isFloatType(type)) return value;
  const integer = Math.trunc(value);
  return isBigIntType(type) && Number.isFinite(integer) ? BigInt(integer) : integer;
}
