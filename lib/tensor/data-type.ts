import { BertNativeError } from '../errors.ts';

/** The array that holds a tensor's elements, by element type. `bool` is 0 or 1 in a byte, as in ONNX. */
export interface DataArrays {
  float32: Float32Array;
  float64: Float64Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint64: BigUint64Array;
  uint32: Uint32Array;
  uint16: Uint16Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

/** The type of a Tensor's elements. */
export type DataType = keyof DataArrays;
/** The types whose elements are floating-point numbers. */
export type FloatType = 'float32' | 'float64';
/** The types whose elements are bigints. */
export type BigIntType = 'int64' | 'uint64';
export type DataArray<T extends DataType = DataType> = DataArrays[T];
/** What one element is in JavaScript. */
export type Element<T extends DataType = DataType> = T extends BigIntType ? bigint : number;
/** What an element may be made of: `convertElement` says which values fit which type. */
export type ElementInput = number | bigint | boolean;

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** @throws BertNativeError `ERR_DTYPE` for anything that is not the name of an element type */
export function assertDataType(type: unknown): asserts type is DataType {
  if (typeof type !== 'string' || !Object.hasOwn(constructors, type)) {
    throw new BertNativeError(
      'ERR_DTYPE',
      `unknown element type ${JSON.stringify(type) ?? String(type)}; expected one of ${Object.keys(constructors).join(', ')}`,
    );
  }
}

/** An array of zeros. @throws BertNativeError `ERR_MEMORY` */
export function createData<T extends DataType>(type: T, size: number): DataArray<T> {
  try {
    return new constructors[type](size) as DataArray<T>;
  } catch (cause) {
    throw new BertNativeError('ERR_MEMORY', `there is no memory for ${size} elements of ${type}`, { cause });
  }
}

export function isDataArray<T extends DataType>(data: unknown, type: T): data is DataArray<T> {
  return data instanceof constructors[type];
}

/**
 * `value` as an element of `type`, where it has an exact counterpart (floats are rounded to float32).
 *
 * @param where names the value for the error message
 * @throws BertNativeError `ERR_DTYPE` for a value outside the type
 */
export function convertElement(value: unknown, type: DataType, where: () => string): number | bigint {
  const converted = isElementInput(value) ? conversions[type](value) : null;
  if (converted === null) {
    const shown = typeof value === 'bigint' ? `${value}n` : String(value);
    throw new BertNativeError('ERR_DTYPE', `${where()} is ${shown} (${typeof value}); expected ${expectations[type]}`);
  }
  return converted;
}

function isElementInput(value: unknown): value is ElementInput {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
}

type Conversion = (value: ElementInput) => number | bigint | null;

function integers(least: number, greatest: number): Conversion {
  return (value) => {
    const number = Number(value);
    return Number.isInteger(number) && number >= least && number <= greatest ? number : null;
  };
}

function bigints(cut: (integer: bigint) => bigint): Conversion {
  return (value) => {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) return null;
    const integer = BigInt(value);
    return cut(integer) === integer ? integer : null;
  };
}

/** The value's counterpart, or null where there is none. */
const conversions: Readonly<Record<DataType, Conversion>> = {
  float32: Number,
  float64: Number,
  int64: bigints((integer) => BigInt.asIntN(64, integer)),
  int32: integers(-(2 ** 31), 2 ** 31 - 1),
  int16: integers(-(2 ** 15), 2 ** 15 - 1),
  int8: integers(-128, 127),
  uint64: bigints((integer) => BigInt.asUintN(64, integer)),
  uint32: integers(0, 2 ** 32 - 1),
  uint16: integers(0, 2 ** 16 - 1),
  uint8: integers(0, 255),
  bool: integers(0, 1),
};

const expectations: Readonly<Record<DataType, string>> = {
  float32: 'a number for a float32 tensor',
  float64: 'a number for a float64 tensor',
  int64: 'a 64-bit integer for an int64 tensor (a bigint, or a number up to 2^53 - 1)',
  int32: 'a 32-bit integer for an int32 tensor',
  int16: 'a 16-bit integer for an int16 tensor',
  int8: 'an integer from -128 to 127 for an int8 tensor',
  uint64: 'a 64-bit integer from 0 for a uint64 tensor (a bigint, or a number up to 2^53 - 1)',
  uint32: 'an integer from 0 to 2^32 - 1 for a uint32 tensor',
  uint16: 'an integer from 0 to 65535 for a uint16 tensor',
  uint8: 'an integer from 0 to 255 for a uint8 tensor',
  bool: '0, 1, true or false for a bool tensor',
};

export function isFloatType(type: DataType): type is FloatType {
  return type === 'float32' || type === 'float64';
}

export function isBigIntType(type: DataType): type is BigIntType {
  return type === 'int64' || type === 'uint64';
}
