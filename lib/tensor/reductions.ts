import { BertNativeError } from '../errors.ts';
import { createData, type DataArray, type DataType, isBigIntType } from './data-type.ts';
import { checkDim, dimsText, product } from './shape.ts';

// One number for each line of elements along a dimension, or lines replaced by others. Sums are accumulated in double
// precision.

/** What is read of a tensor. */
export interface Elements {
  readonly type: DataType;
  readonly data: DataArray;
  readonly dims: readonly number[];
}

/** A line: where it starts in the data, the distance between its elements, how many it has. */
export interface Line {
  start: number;
  stride: number;
  length: number;
}

/** The lines along dimension `along`, in row-major order of the other dimensions. */
export function* lines(dims: readonly number[], along: number): Generator<Line> {
  const length = dims[along]!;
  const outer = product(dims.slice(0, along));
  const stride = product(dims.slice(along + 1));
  for (let i = 0; i < outer; ++i) {
    for (let j = 0; j < stride; ++j) yield { start: i * length * stride + j, stride, length };
  }
}

/**
 * One element of type `type` for each line along `dim`; for all elements together where it is null.
 *
 * @param keepdim leaves the dimensions that are reduced in place, with length 1
 */
export function reduceLines<R extends DataType>(
  { data, dims }: Elements,
  dim: number | null,
  keepdim: boolean,
  type: R,
  reduce: (line: Line) => number | bigint,
): { data: DataArray<R>; dims: number[] } {
  if (dim === null) {
    const out = createData(type, 1);
    out[0] = reduce({ start: 0, stride: 1, length: data.length });
    return { data: out, dims: keepdim ? dims.map(() => 1) : [] };
  }
  const along = checkDim(dim, dims);
  const reduced = keepdim ? dims.with(along, 1) : dims.toSpliced(along, 1);
  const out = createData(type, product(reduced));
  let next = 0;
  for (const line of lines(dims, along)) out[next++] = reduce(line);
  return { data: out, dims: reduced };
}

/** Every line along `dim` replaced by what `change` makes of it, in place. */
export function mapLines(
  data: Float32Array | Float64Array,
  dims: readonly number[],
  dim: number,
  change: (line: Float64Array) => void,
): void {
  const along = checkDim(dim, dims);
  const values = new Float64Array(dims[along]!);
  for (const { start, stride, length } of lines(dims, along)) {
    for (let i = 0; i < length; ++i) values[i] = data[start + i * stride]!;
    change(values);
    for (let i = 0; i < length; ++i) data[start + i * stride] = values[i]!;
  }
}

export function sumOf(type: DataType, data: DataArray): (line: Line) => number | bigint {
  if (isBigIntType(type)) {
    return ({ start, stride, length }) => {
      let sum = 0n;
      for (let i = 0; i < length; ++i) sum += (data as BigInt64Array)[start + i * stride]!;
      return sum;
    };
  }
  return ({ start, stride, length }) => {
    let sum = 0;
    for (let i = 0; i < length; ++i) sum += (data as Float32Array)[start + i * stride]!;
    return sum;
  };
}

export function meanOf(data: DataArray): (line: Line) => number {
  const sum = sumOf('float64', data);
  return (line) => (sum(line) as number) / line.length;
}

/** √(Σ (x − mean)² / (length − correction)), in two passes; NaN where that divides by less than 1. */
export function standardDeviationOf(data: DataArray, correction: number): (line: Line) => number {
  const mean = meanOf(data);
  return (line) => {
    const center = mean(line);
    let sum = 0;
    for (let i = 0; i < line.length; ++i) sum += ((data[line.start + i * line.stride] as number) - center) ** 2;
    return line.length > correction ? Math.sqrt(sum / (line.length - correction)) : Number.NaN;
  };
}

/** Where the largest (`sign` 1) or smallest (-1) element of a line stands in it: the first of equals; NaN before all. */
export function extremeOf(name: string, { data, dims }: Elements, sign: 1 | -1): (line: Line) => number {
  return ({ start, stride, length }) => {
    if (length === 0)
      throw new BertNativeError('ERR_SHAPE', `${name}() of no elements: the dims are ${dimsText(dims)}`);
    let best = 0;
    for (let i = 0; i < length; ++i) {
      const value = data[start + i * stride]!;
      const current = data[start + best * stride]!;
      if (Number.isNaN(value)) return i;
      if (sign > 0 ? value > current : value < current) best = i;
    }
    return best;
  };
}

/** The order of a norm as a number. */
export function checkOrder(p: number | 'fro'): number {
  if (p === 'fro') return 2;
  if (typeof p !== 'number' || !(p > 0)) {
    throw new BertNativeError('ERR_OPTION', `the order of a norm is a number above 0 or 'fro'; got ${p}`);
  }
  return p;
}

/** (Σ |x|^p)^(1/p); the largest magnitude where p is Infinity. */
export function normOf(data: ArrayLike<number>, p: number): (line: Line) => number {
  return ({ start, stride, length }) => {
    let total = 0;
    for (let i = 0; i < length; ++i) {
      const magnitude = Math.abs(data[start + i * stride]!);
      if (p === Number.POSITIVE_INFINITY) total = Math.max(total, magnitude);
      else total += p === 2 ? magnitude * magnitude : magnitude ** p;
    }
    if (p === Number.POSITIVE_INFINITY) return total;
    return p === 2 ? Math.sqrt(total) : total ** (1 / p);
  };
}

/** exp(x) / Σ exp(x), the maximum subtracted first. */
export function softmaxLine(line: Float64Array): void {
  const maximum = line.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (let i = 0; i < line.length; ++i) {
    line[i] = Math.exp(line[i]! - maximum);
    sum += line[i]!;
  }
  for (let i = 0; i < line.length; ++i) line[i]! /= sum;
}

/** log of {@link softmaxLine}. */
export function logSoftmaxLine(line: Float64Array): void {
  const maximum = line.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY);
  const sum = line.reduce((total, value) => total + Math.exp(value - maximum), 0);
  const shift = maximum + Math.log(sum);
  for (let i = 0; i < line.length; ++i) line[i]! -= shift;
}
