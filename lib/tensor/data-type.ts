import { BertNativeError } from '../errors.ts';

/** The array that holds a tensor's elements, by element type. `bool` is 0 or 1 in a byte, as in ONNX. */
export interface DataArrays {
  float32: Float32Array;
  int64: BigInt64Array;
  int32: Int32Array;
  bool: Uint8Array;
}

export type DataType = keyof DataArrays;
export type DataArray<T extends DataType = DataType> = DataArrays[T];
/** What one element is in JavaScript. */
export type Element<T extends DataType = DataType> = T extends 'int64' ? bigint : number;
/** What an element may be made of: `convertElement` says which values fit which type. */
export type ElementInput = number | bigint | boolean;

const constructors = {
  float32: Float32Array,
  int64: BigInt64Array,
  int32: Int32Array,
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

/** An array of zeros. */
export function createData<T extends DataType>(type: T, size: number): DataArray<T> {
  return new constructors[type](size) as DataArray<T>;
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

/** The value's counterpart, or null where there is none. */
const conversions: Readonly<Record<DataType, (value: ElementInput) => number | bigint | null>> = {
  float32: Number,
  int64: (value) => {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) return null;
    const integer = BigInt(value);
    return BigInt.asIntN(64, integer) === integer ? integer : null;
  },
  int32: (value) => {
    const number = Number(value);
    return (number | 0) === number ? number : null;
  },
  bool: (value) => {
    const number = Number(value);
    return number === 0 || number === 1 ? number : null;
  },
};

const expectations: Readonly<Record<DataType, string>> = {
  float32: 'a number for a float32 tensor',
  int64: 'a 64-bit integer for an int64 tensor (a bigint, or a number up to 2^53 - 1)',
  int32: 'a 32-bit integer for an int32 tensor',
  bool: '0, 1, true or false for a bool tensor',
};
