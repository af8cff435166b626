import { BertNativeError } from '../errors.ts';
import { createData, type DataType, type FloatType, isFloatType } from './data-type.ts';
import { mapLines, meanOf, reduceLines, standardDeviationOf } from './reductions.ts';
import { checkDim, dimsText, product, sameDims } from './shape.ts';
import { Tensor } from './tensor.ts';

/** `input.mean(dim, keepdim)`. */
export function mean<T extends DataType>(input: Tensor<T>, dim: number | null = null, keepdim = false): Tensor<T> {
  return input.mean(dim, keepdim);
}

/**
 * Standard deviation and mean along `dim`, or of all elements where it is null.
 *
 * @param correction what is subtracted from the number of elements: 1 (Bessel's) for a sample, 0 for all there are
 * @throws BertNativeError `ERR_DTYPE` for a tensor that is not of floats
 */
export function std_mean<T extends DataType>(
  input: Tensor<T>,
  dim: number | null = null,
  correction = 1,
  keepdim = false,
): [std: Tensor<T>, mean: Tensor<T>] {
  checkFloats('std_mean', input);
  const reduce = (of: ReturnType<typeof meanOf>): Tensor<T> => {
    const { data, dims } = reduceLines(input, dim, keepdim, input.type, of);
    return new Tensor(input.type, data, dims);
  };
  return [reduce(standardDeviationOf(input.data, correction)), reduce(meanOf(input.data))];
}

/**
 * (x − mean) / √(variance + eps) over the last dimensions, which have to be `normalized_shape` (Ba et al. 2016).
 *
 * @throws BertNativeError `ERR_SHAPE` where they are not, `ERR_DTYPE` for a tensor that is not of floats
 */
export function layer_norm<T extends DataType>(
  input: Tensor<T>,
  normalized_shape: readonly number[],
  { eps = 1e-5 }: { eps?: number } = {},
): Tensor<T> {
  const outer = input.dims.length - normalized_shape.length;
  if (normalized_shape.length === 0 || outer < 0 || !sameDims(input.dims.slice(outer), normalized_shape)) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `layer_norm: the dims ${dimsText(input.dims)} do not end in normalized_shape ${dimsText(normalized_shape)}`,
    );
  }
  const result = input.clone();
  const length = product(normalized_shape);
  mapLines(checkFloats('layer_norm', result), [input.size / Math.max(length, 1), length], 1, (line) => {
    const center = line.reduce((sum, value) => sum + value, 0) / length;
    const variance = line.reduce((sum, value) => sum + (value - center) ** 2, 0) / length;
    const scale = 1 / Math.sqrt(variance + eps);
    for (let i = 0; i < length; ++i) line[i] = (line[i]! - center) * scale;
  });
  return result;
}

/**
 * The mean of each row's vectors where the mask is 1; zeros where it is nowhere 1.
 *
 * @param last_hidden_state `[batch, sequence, hidden_size]`
 * @param attention_mask `[batch, sequence]`
 * @returns `[batch, hidden_size]`
 * @throws BertNativeError `ERR_SHAPE` for other dims, `ERR_DTYPE` for hidden states that are not floats
 */
export function mean_pooling<T extends DataType>(last_hidden_state: Tensor<T>, attention_mask: Tensor): Tensor<T> {
  const hidden = checkFloats('mean_pooling', last_hidden_state);
  const { dims } = last_hidden_state;
  if (dims.length !== 3 || !sameDims(dims.slice(0, 2), attention_mask.dims)) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `mean_pooling takes [batch, sequence, hidden_size] and [batch, sequence]; got ${dimsText(dims)} and ${dimsText(attention_mask.dims)}`,
    );
  }
  const [batch, sequence, size] = dims as readonly [number, number, number];
  const pooled = new Float64Array(batch * size);
  for (let row = 0; row < batch; ++row) {
    const out = pooled.subarray(row * size, (row + 1) * size);
    let count = 0;
    for (let position = row * sequence; position < (row + 1) * sequence; ++position) {
      const weight = Number(attention_mask.data[position]);
      if (weight === 0) continue;
      count += weight;
      for (let i = 0; i < size; ++i) out[i]! += weight * hidden[position * size + i]!;
    }
    if (count !== 0) for (let i = 0; i < size; ++i) out[i]! /= count;
  }
  return new Tensor(last_hidden_state.type, (hidden.constructor as Float64ArrayConstructor).from(pooled) as never, [
    batch,
    size,
  ]);
}

/**
 * The `k` largest elements of each line along the last dimension, largest first, and their indices there. Of equals, the
 * first comes first; NaN is the largest. `k` is cut to what there is; without it, all are sorted.
 *
 * @throws BertNativeError `ERR_OPTION` for a `k` that is no integer from 0 up, `ERR_SHAPE` for a tensor without dimensions
 */
export async function topk<T extends DataType>(x: Tensor<T>, k?: number | null): Promise<[Tensor<T>, Tensor<'int64'>]> {
  const length = x.dims[checkDim(-1, x.dims)]!;
  if (k != null && (!Number.isInteger(k) || k < 0)) {
    throw new BertNativeError('ERR_OPTION', `topk: k is an integer from 0 up; got ${k}`);
  }
  const count = Math.min(k ?? length, length);
  const dims = x.dims.with(-1, count);
  const data = createData(x.type, product(dims));
  const indices = new BigInt64Array(data.length);
  const rank = (value: number | bigint): number | bigint => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value);
  for (let row = 0, next = 0; next < data.length; ++row) {
    const ranks = Array.from({ length }, (_, i) => rank(x.data[row * length + i]!));
    const largest = ranks
      .map((_, i) => i)
      .sort((a, b) => (ranks[a]! > ranks[b]! ? -1 : ranks[a]! < ranks[b]! ? 1 : a - b));
    for (const index of largest.slice(0, count)) {
      data[next] = x.data[row * length + index]!;
      indices[next++] = BigInt(index);
    }
  }
  return [new Tensor(x.type, data, dims), new Tensor('int64', indices, dims)];
}

function checkFloats(name: string, { type, data }: Tensor): Float32Array | Float64Array {
  if (!isFloatType(type)) {
    throw new BertNativeError('ERR_DTYPE', `${name}() takes a float32 or float64 tensor; this one is ${type}`);
  }
  return data as Tensor<FloatType>['data'];
}
