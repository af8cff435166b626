import { encodeStored } from '../weights/stored-tensor.ts';
import type { TensorDescription } from './messages.ts';

/** What a graph computes with. */
export type FloatType = 'float32' | 'float16';

/** The largest magnitude of binary16; from 65520 on, rounding to nearest would give infinity. */
export const largestHalf = 65504;

/**
 * The elements of a tensor as a graph holds them. In float16 rounded to nearest, ties to even; finite numbers beyond its range
 * become its largest, as converters of ONNX files have it. Infinities and NaNs stay what they are.
 */
export function encodeFloats(values: Float32Array, dtype: FloatType): Uint8Array {
  if (dtype === 'float32') return asBytes(values);
  return encodeStored(isBeyondHalf(values) ? values.map(clampToHalf) : values, 'F16');
}

function isBeyondHalf(values: Float32Array): boolean {
  for (const value of values) if (Math.abs(value) > largestHalf) return true;
  return false;
}

function clampToHalf(value: number): number {
  return Number.isFinite(value) ? Math.max(-largestHalf, Math.min(largestHalf, value)) : value;
}

/** The elements of a typed array as they lie in memory, which is little-endian wherever Node runs on supported machines. */
export function asBytes(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

export function floatTensor(name: string, shape: readonly number[], dtype: FloatType = 'float32'): TensorDescription {
  return { name, dtype, shape };
}
