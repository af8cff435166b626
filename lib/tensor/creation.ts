import { BertNativeError } from '../errors.ts';
import { createData } from './data-type.ts';
import { dimsText, product } from './shape.ts';
import { Tensor } from './tensor.ts';

/** What a tensor filled with a value of that JavaScript type holds. */
export type TypeOfFill<V> = V extends bigint ? 'int64' : V extends boolean ? 'bool' : 'float32';

/**
 * A tensor of dims `size`, every element `fill_value`: float32 for a number, int64 for a bigint, bool for a boolean.
 *
 * @throws BertNativeError `ERR_DTYPE` for a value of another kind
 */
export function full<V extends number | bigint | boolean>(
  size: readonly number[],
  fill_value: V,
): Tensor<TypeOfFill<V>> {
  const kinds: Partial<Record<string, 'float32' | 'int64' | 'bool'>> = {
    number: 'float32',
    bigint: 'int64',
    boolean: 'bool',
  };
  const type = kinds[typeof fill_value];
  if (type === undefined) {
    throw new BertNativeError('ERR_DTYPE', `full() takes a number, bigint or boolean; got ${typeof fill_value}`);
  }
  const data = createData(type, checkSize(size)) as unknown as { fill(value: unknown): never };
  return new Tensor(type as TypeOfFill<V>, data.fill(type === 'bool' ? Number(fill_value) : fill_value), size);
}

/** {@link full} with the dims of `tensor`. */
export function full_like<V extends number | bigint | boolean>(tensor: Tensor, fill_value: V): Tensor<TypeOfFill<V>> {
  return full(tensor.dims, fill_value);
}

/** Ones, int64. */
export function ones(size: readonly number[]): Tensor<'int64'> {
  return full(size, 1n);
}

/** Ones, int64, with the dims of `tensor`. */
export function ones_like(tensor: Tensor): Tensor<'int64'> {
  return ones(tensor.dims);
}

/** Zeros, int64. */
export function zeros(size: readonly number[]): Tensor<'int64'> {
  return full(size, 0n);
}

/** Zeros, int64, with the dims of `tensor`. */
export function zeros_like(tensor: Tensor): Tensor<'int64'> {
  return zeros(tensor.dims);
}

/** Random numbers of [0, 1), evenly distributed. */
export function rand(size: readonly number[]): Tensor<'float32'> {
  // One step of float32 below 1: a double close to 1 would be rounded up to it.
  const data = new Float32Array(checkSize(size)).map(() => Math.min(Math.random(), 1 - 2 ** -24));
  return new Tensor('float32', data, size);
}

/** Random numbers of the standard normal distribution (Box and Muller 1958). */
export function randn(size: readonly number[]): Tensor<'float32'> {
  const data = new Float32Array(checkSize(size)).map(
    () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()),
  );
  return new Tensor('float32', data, size);
}

/** The number of elements that `size` means. */
function checkSize(size: readonly number[]): number {
  if (!Array.isArray(size) || !size.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `the size of a tensor is an array of integers from 0 up; got ${String(size)}`,
    );
  }
  const count = product(size);
  if (count > 2 ** 32)
    throw new BertNativeError('ERR_MEMORY', `a tensor of dims ${dimsText(size)} has too many elements`);
  return count;
}
