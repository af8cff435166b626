import { BertNativeError } from '../errors.ts';
import { createData, type DataType } from './data-type.ts';
import { checkDim, dimsText, gather, product, rowMajorStrides, sameDims } from './shape.ts';
import { Tensor } from './tensor.ts';

/**
 * Tensors one after the other along dimension `dim`.
 *
 * @throws BertNativeError `ERR_SHAPE` for no tensors, or dims that differ elsewhere; `ERR_DTYPE` for types that differ
 */
export function cat<T extends DataType>(tensors: readonly Tensor<T>[], dim = 0): Tensor<T> {
  const [first] = tensors;
  if (first === undefined) throw new BertNativeError('ERR_SHAPE', 'cat and stack take one tensor or more');
  const along = checkDim(dim, first.dims);
  tensors.forEach((tensor, i) => {
    if (tensor.type !== first.type) {
      throw new BertNativeError('ERR_DTYPE', `cat: tensor ${i} is ${tensor.type}; the first is ${first.type}`);
    }
    if (tensor.dims.length <= along || !sameDims(tensor.dims.with(along, 0), first.dims.with(along, 0))) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `cat: tensor ${i} of dims ${dimsText(tensor.dims)} does not fit to ${dimsText(first.dims)} along dimension ${along}`,
      );
    }
  });
  const dims = first.dims.with(
    along,
    tensors.reduce((sum, tensor) => sum + tensor.dims[along]!, 0),
  );
  const data = createData(first.type, product(dims));
  const outer = product(dims.slice(0, along));
  let next = 0;
  for (let i = 0; i < outer; ++i) {
    for (const tensor of tensors) {
      const length = tensor.size / outer;
      data.set(tensor.data.subarray(i * length, (i + 1) * length) as never, next);
      next += length;
    }
  }
  return new Tensor(first.type, data, dims);
}

/**
 * Tensors of the same dims along a new dimension, in front of dimension `dim`.
 *
 * @throws BertNativeError as {@link cat}
 */
export function stack<T extends DataType>(tensors: readonly Tensor<T>[], dim = 0): Tensor<T> {
  const [first] = tensors;
  const other = tensors.findIndex((tensor) => !sameDims(tensor.dims, first!.dims));
  if (other > 0) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `stack: tensor ${other} has dims ${dimsText(tensors[other]!.dims)}; the first has ${dimsText(first!.dims)}`,
    );
  }
  return cat(
    tensors.map((tensor) => tensor.unsqueeze(dim)),
    dim,
  );
}

/** `tensor.permute(...axes)`. */
export function permute<T extends DataType>(tensor: Tensor<T>, axes: readonly number[]): Tensor<T> {
  return tensor.permute(...axes);
}

/**
 * Along dimension `axes[i]` every `steps[i]`th element from `starts[i]` up to but without `ends[i]`, as ONNX's Slice does:
 * bounds count from the end where they are negative and are cut to what there is; a negative step runs backwards.
 *
 * @throws BertNativeError `ERR_SHAPE` for lists of different lengths, an axis that is not there or named twice, a step of 0
 */
export async function slice<T extends DataType>(
  data: Tensor<T>,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[],
  steps: readonly number[] = axes.map(() => 1),
): Promise<Tensor<T>> {
  if (new Set([starts.length, ends.length, axes.length, steps.length]).size > 1) {
    throw new BertNativeError('ERR_SHAPE', 'slice takes one start, end and step for each axis');
  }
  const dims = [...data.dims];
  const strides = rowMajorStrides(dims);
  let origin = 0;
  const seen = new Set<number>();
  axes.forEach((axis, i) => {
    const dim = checkDim(axis, dims);
    const step = steps[i]!;
    if (seen.has(dim) || !Number.isInteger(step) || step === 0) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `slice: axis ${axis} is named twice, or its step of ${step} is no integer but 0`,
      );
    }
    seen.add(dim);
    const length = dims[dim]!;
    const [least, greatest] = step > 0 ? [0, length] : [-1, length - 1];
    const bound = (value: number): number => Math.min(Math.max(value < 0 ? value + length : value, least), greatest);
    const start = bound(starts[i]!);
    origin += start * strides[dim]!;
    dims[dim] = Math.max(Math.ceil((bound(ends[i]!) - start) / step), 0);
    strides[dim]! *= step;
  });
  return new Tensor(data.type, gather(data.type, data.data, origin, dims, strides), dims);
}
