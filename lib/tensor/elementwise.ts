import { BertNativeError } from '../errors.ts';
import { type DataArray, type DataType, isBigIntType } from './data-type.ts';

// What is done to each element by itself. Results are stored in arrays of the tensor's own type: fractions are cut, and
// integers past the range wrap around, as JavaScript's typed arrays do.

/** An operation on two elements, in both kinds of number. */
export interface BinaryOperation {
  readonly name: string;
  readonly numbers: (a: number, b: number) => number;
  readonly bigints: (a: bigint, b: bigint) => bigint;
}

export const add: BinaryOperation = { name: 'add', numbers: (a, b) => a + b, bigints: (a, b) => a + b };
export const sub: BinaryOperation = { name: 'sub', numbers: (a, b) => a - b, bigints: (a, b) => a - b };
export const mul: BinaryOperation = { name: 'mul', numbers: (a, b) => a * b, bigints: (a, b) => a * b };
export const div: BinaryOperation = {
  name: 'div',
  numbers: (a, b) => a / b,
  bigints: (a, b) => a / divisor('div', b),
};

/** What is left of a division, with the sign of the divisor, as in Python. */
export const remainder: BinaryOperation = {
  name: 'remainder',
  numbers: (a, b) => {
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  bigints: (a, b) => {
    const rest = a % divisor('remainder', b);
    return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
  },
};

function divisor(name: string, value: bigint): bigint {
  if (value === 0n) throw new BertNativeError('ERR_OPTION', `${name}: division of integers by zero`);
  return value;
}

/** A constant as a number for numbers, as a bigint for bigints. */
export function toOperand(name: string, value: number | bigint, type: DataType): number | bigint {
  if (typeof value === 'number' && isBigIntType(type)) {
    if (Number.isSafeInteger(value)) return BigInt(value);
  } else if (typeof value === 'bigint' && !isBigIntType(type)) {
    return Number(value);
  } else if (typeof value === 'number' || typeof value === 'bigint') {
    return value;
  }
  throw new BertNativeError('ERR_DTYPE', `${name}() of a tensor of type ${type} does not take ${String(value)}`);
}

/** data[i] = operation(data[i], operand[i]), where an operand that is no array is the same for all. */
export function applyInPlace(
  { name, numbers, bigints }: BinaryOperation,
  type: DataType,
  data: DataArray,
  operand: number | bigint | DataArray,
): void {
  if (type === 'bool') {
    throw new BertNativeError(
      'ERR_DTYPE',
      `${name}() takes a tensor of numbers; this one is bool: convert it with to()`,
    );
  }
  if (isBigIntType(type)) {
    const out = data as BigInt64Array;
    const at = typeof operand === 'object' ? (i: number) => (operand as BigInt64Array)[i]! : () => operand as bigint;
    for (let i = 0; i < out.length; ++i) out[i] = bigints(out[i]!, at(i));
    return;
  }
  const out = data as Float32Array;
  const integers = type !== 'float32' && type !== 'float64';
  const at = typeof operand === 'object' ? (i: number) => (operand as Float32Array)[i]! : () => operand as number;
  for (let i = 0; i < out.length; ++i) {
    const value = at(i);
    if (integers && value === 0 && (name === 'div' || name === 'remainder')) {
      throw new BertNativeError('ERR_OPTION', `${name}: division of integers by zero`);
    }
    out[i] = numbers(out[i]!, value);
  }
}

/** data[i] = change(data[i]), for numbers only. */
export function changeInPlace(data: DataArray, change: (value: number) => number): void {
  const out = data as Float32Array;
  for (let i = 0; i < out.length; ++i) out[i] = change(out[i]!);
}

/** data[i] limited to [least, greatest]. */
export function clampInPlace(data: DataArray, least: number | bigint, greatest: number | bigint): void {
  const out = data as (number | bigint)[] & DataArray;
  for (let i = 0; i < out.length; ++i) {
    const value = out[i]!;
    if (value < least) out[i] = least as never;
    if (out[i]! > greatest) out[i] = greatest as never;
  }
}

/** 1 where the test holds. */
export function compare(data: DataArray, holds: (value: number | bigint) => boolean): Uint8Array {
  const mask = new Uint8Array(data.length);
  for (let i = 0; i < data.length; ++i) mask[i] = holds(data[i]!) ? 1 : 0;
  return mask;
}
