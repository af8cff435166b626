import { BertNativeError } from '../errors.ts';
import { elementCount, isIndex, isStoredDtype, quoted } from './checkpoint-tensor.ts';
import { type StoredDtype, storedDtypeSizeBytes } from './tensor-span.ts';

/** A tensor to be written to a checkpoint. Writers call `data` once and hold one tensor's bytes at a time. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** The elements, row-major and little-endian. */
  readonly data: () => Promise<Uint8Array>;
}

/**
 * What every format demands of the tensors it is given.
 * @throws BertNativeError `ERR_OPTION` for a name given twice or not representable in UTF-8, `ERR_DTYPE`, `ERR_SHAPE`
 */
export function checkStoredTensors(tensors: readonly StoredTensor[], path: string): void {
  const names = new Set<string>();
  for (const { name, dtype, shape } of tensors) {
    const where = `${path}: tensor ${quoted(name)}`;
    if (names.has(name)) throw new BertNativeError('ERR_OPTION', `${where} is given twice`);
    if (Buffer.from(name).toString() !== name) {
      throw new BertNativeError('ERR_OPTION', `${where}: the name holds a lone surrogate`);
    }
    if (!isStoredDtype(dtype)) throw new BertNativeError('ERR_DTYPE', `${where}: cannot store dtype ${dtype}`);
    if (!shape.every(isIndex)) throw new BertNativeError('ERR_SHAPE', `${where}: impossible shape [${shape}]`);
    names.add(name);
  }
}

/** Bytes that the elements take in a file. */
export function storedSizeBytes({ name, dtype, shape }: StoredTensor): number {
  return elementCount(shape, `tensor ${quoted(name)}`) * storedDtypeSizeBytes[dtype];
}

/**
 * The bytes of a tensor, as many as its shape says.
 * @throws BertNativeError `ERR_SHAPE`, and what the producer throws
 */
export async function storedBytes(tensor: StoredTensor): Promise<Uint8Array> {
  const bytes = await tensor.data();
  const expected = storedSizeBytes(tensor);
  if (bytes.byteLength !== expected) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `tensor ${quoted(tensor.name)}: ${tensor.dtype} [${tensor.shape}] takes ${expected} bytes, got ${bytes.byteLength}`,
    );
  }
  return bytes;
}

/**
 * float32 values as a checkpoint stores them, little-endian. F32 and F64 are exact; F16 and BF16 round to nearest, ties
 * to even, and overflow to infinity. NaNs keep their sign and as much of their payload as fits.
 */
export function encodeStored(values: Float32Array, dtype: StoredDtype): Uint8Array {
  // As bits, never as numbers: an engine may change the payload of a NaN that passes through a double.
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  switch (dtype) {
    case 'F32':
      return bytesOf(bits.slice());
    case 'F16':
      return bytesOf(mapped(bits, halfBits));
    case 'BF16':
      return bytesOf(mapped(bits, bfloat16Bits));
    case 'F64':
      return bytesOf(doubles(values, bits));
  }
}

function bytesOf(array: Uint32Array | Uint16Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** `Uint16Array.from` would make a list of all the numbers first. */
function mapped(bits: Uint32Array, convert: (bits: number) => number): Uint16Array {
  const result = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; ++i) result[i] = convert(bits[i]!);
  return result;
}

/** binary32 → binary16 (IEEE 754-2008), on bits. */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {
    const payload = (magnitude >>> 13) & 0x3ff;
    return sign | 0x7c00 | (payload || 0x200);
  }
  // 65520 and more round to 2^16, which is infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14: the result is a multiple of 2^-24.
  if (magnitude < 0x38800000) return sign | subnormalHalf(magnitude);
  const rebiased = magnitude - ((127 - 15) << 23);
  return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
}

function subnormalHalf(magnitude: number): number {
  // Half of the smallest subnormal, 2^-25, ties to zero.
  if (magnitude <= 0x33000000) return 0;
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  const rounding = 2 ** (shift - 1) - 1 + ((significand >>> shift) & 1);
  return (significand + rounding) >>> shift;
}

/** binary32 → bfloat16, on bits. */
function bfloat16Bits(bits: number): number {
  const upper = bits >>> 16;
  if ((bits & 0x7fffffff) > 0x7f800000) return (upper & 0x7f) !== 0 ? upper : upper | 0x40;
  return (bits + 0x7fff + (upper & 1)) >>> 16;
}

function doubles(values: Float32Array, bits: Uint32Array): Float64Array {
  const result = Float64Array.from(values);
  const words = new Uint32Array(result.buffer);
  bits.forEach((word, index) => {
    if ((word & 0x7fffffff) <= 0x7f800000) return;
    words[2 * index] = word << 29;
    words[2 * index + 1] = (word & 0x80000000) | 0x7ff00000 | ((word & 0x7fffff) >>> 3);
  });
  return result;
}
