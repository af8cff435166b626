import { BertNativeError } from '../errors.ts';
import { createData, type DataArray, type DataType } from './data-type.ts';

// Dimensions, strides and indices of row-major arrays.

/** One index, a range `[start, end)`, or null for all; negative numbers count from the end. */
export type Slice = number | readonly [start: number | null, end: number | null] | null;

export function product(factors: readonly number[]): number {
  return factors.reduce((result, factor) => result * factor, 1);
}

export function dimsText(dims: readonly number[]): string {
  return `[${dims.join(', ')}]`;
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, dim) => length === b[dim]);
}

export function rowMajorStrides(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  for (let dim = dims.length - 1, stride = 1; dim >= 0; --dim) {
    strides[dim] = stride;
    stride *= dims[dim]!;
  }
  return strides;
}

/** `dim` as an index into `dims`. */
export function checkDim(dim: number, dims: readonly number[]): number {
  const index = dim < 0 ? dim + dims.length : dim;
  if (!Number.isInteger(dim) || index < 0 || index >= dims.length) {
    throw new BertNativeError('ERR_SHAPE', `there is no dimension ${dim} in ${dimsText(dims)}`);
  }
  return index;
}

/** `index` along dimension `dim` as an offset from its start. */
export function checkIndex(index: number, dims: readonly number[], dim: number): number {
  const length = dims[dim];
  if (length === undefined) throw new BertNativeError('ERR_SHAPE', 'a tensor without dimensions cannot be indexed');
  const offset = index < 0 ? index + length : index;
  if (!Number.isInteger(index) || offset < 0 || offset >= length) {
    throw new BertNativeError('ERR_SHAPE', `index ${index} lies outside dimension ${dim} of ${dimsText(dims)}`);
  }
  return offset;
}

/** Start and end of a slice along dimension `dim`. */
export function toRange(slice: Slice, dims: readonly number[], dim: number): [number, number] {
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

/** The dims of `view(…wanted)` over `size` elements: one of them may be -1 and is computed. */
export function viewDims(wanted: readonly number[], size: number): number[] {
  const unknown = wanted.indexOf(-1);
  if (unknown < 0) return [...wanted];
  const rest = product(wanted.filter((_, dim) => dim !== unknown));
  if (rest <= 0 || size % rest !== 0) {
    throw new BertNativeError('ERR_SHAPE', `${size} elements cannot be viewed as ${dimsText(wanted)}`);
  }
  return wanted.with(unknown, size / rest);
}

/** `dims` without those of length 1: all, or those of them that are named. */
export function squeezedDims(dims: readonly number[], dim: number | readonly number[] | null): number[] {
  const named =
    dim === null ? dims.map((_, i) => i) : (typeof dim === 'number' ? [dim] : dim).map((name) => checkDim(name, dims));
  return dims.filter((length, i) => length !== 1 || !named.includes(i));
}

/** `dims` with a 1 in front of dimension `dim`; -1 means after the last. */
export function unsqueezedDims(dims: readonly number[], dim: number): number[] {
  return dims.toSpliced(checkDim(dim, [...dims, 1]), 0, 1);
}

/** `dims` with those from `start` to `end`, both included, as one. */
export function flattenedDims(dims: readonly number[], start: number, end: number): number[] {
  if (dims.length === 0) return [1];
  const first = checkDim(start, dims);
  const last = checkDim(end, dims);
  if (first > last) {
    throw new BertNativeError('ERR_SHAPE', `flatten: dimension ${start} of ${dimsText(dims)} comes after ${end}`);
  }
  return dims.toSpliced(first, last - first + 1, product(dims.slice(first, last + 1)));
}

/** The dims that two tensors are brought to for elementwise work: aligned at the end, 1 stretched to the other's length. */
export function broadcastDims(name: string, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, dim) => {
    const ofA = a[dim - rank + a.length] ?? 1;
    const ofB = b[dim - rank + b.length] ?? 1;
    if (ofA !== ofB && ofA !== 1 && ofB !== 1) {
      throw new BertNativeError('ERR_SHAPE', `${name}: ${dimsText(a)} and ${dimsText(b)} do not fit together`);
    }
    return ofA === 1 ? ofB : ofA;
  });
}

/** The strides that read an array of `dims` as one of `wider`, to which it can be stretched. */
export function broadcastStrides(dims: readonly number[], wider: readonly number[]): number[] {
  const strides = rowMajorStrides(dims);
  const missing = wider.length - dims.length;
  return wider.map((_, dim) => (dim < missing || dims[dim - missing] === 1 ? 0 : strides[dim - missing]!));
}

/** The elements at `origin + Σ index[d]·strides[d]`, indices in row-major order over `dims`. */
export function gather<T extends DataType>(
  type: T,
  data: DataArray<T>,
  origin: number,
  dims: readonly number[],
  strides: readonly number[],
): DataArray<T> {
  const out = createData(type, product(dims));
  const innermost = dims.length - 1;
  let next = 0;
  const copy = (dim: number, offset: number): void => {
    const length = dims[dim]!;
    const stride = strides[dim]!;
    if (dim < innermost) {
      for (let i = 0; i < length; ++i) copy(dim + 1, offset + i * stride);
      return;
    }
    if (stride === 1) out.set(data.subarray(offset, offset + length) as never, next);
    else for (let i = 0; i < length; ++i) out[next + i] = data[offset + i * stride]!;
    next += length;
  };
  if (dims.length === 0) out[0] = data[origin]!;
  else if (out.length > 0) copy(0, origin);
  return out;
}
