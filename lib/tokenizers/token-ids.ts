import { BertNativeError } from '../errors.ts';
import { describe } from '../options.ts';
import { Tensor } from '../tensor/tensor.ts';

/** Token ids of one row. */
export type TokenIds = Tensor | ArrayLike<number> | ArrayLike<bigint>;

/** The rows of a tensor or of an array of rows. */
export function splitRows(rows: unknown): readonly unknown[] {
  if (!(rows instanceof Tensor)) {
    if (Array.isArray(rows)) return rows;
    throw new BertNativeError('ERR_DTYPE', `ids are ${describe(rows)}: expected an array of rows or a tensor`);
  }
  const [count, width] = rows.dims;
  if (rows.dims.length !== 2) {
    throw new BertNativeError('ERR_SHAPE', `ids have the dims [${rows.dims.join(', ')}]: expected [rows, tokens]`);
  }
  return Array.from({ length: count! }, (_, i) => rows.data.subarray(i * width!, (i + 1) * width!));
}

/** Token ids of one row, checked for what they are, not yet against the vocabulary. */
export function checkIds(ids: unknown, name: string): Int32Array {
  if (ids instanceof Tensor) {
    const { dims } = ids;
    if (dims.length !== 1 && !(dims.length === 2 && dims[0] === 1)) {
      const found = `${name} have the dims [${dims.join(', ')}]`;
      throw new BertNativeError('ERR_SHAPE', `${found}: expected one row, [tokens]; batch_decode() takes several`);
    }
    return checkIds(ids.data, name);
  }
  if (!Array.isArray(ids) && (!ArrayBuffer.isView(ids) || ids instanceof DataView)) {
    throw new BertNativeError('ERR_DTYPE', `${name} is ${describe(ids)}: expected an array of ids or a tensor`);
  }
  const { length } = ids as ArrayLike<unknown>;
  const checked = new Int32Array(length);
  for (let i = 0; i < length; ++i) checked[i] = checkId((ids as ArrayLike<unknown>)[i], name, i);
  return checked;
}

function checkId(id: unknown, name: string, i: number): number {
  if (typeof id !== 'number' && typeof id !== 'bigint') {
    throw new BertNativeError('ERR_DTYPE', `${name}[${i}] is ${describe(id)}: expected a token id`);
  }
  const number = Number(id);
  if (!isTokenId(number)) {
    throw new BertNativeError(
      'ERR_TOKEN_ID',
      `${name}[${i}] is ${id}: expected the id of a token, an integer from 0 up`,
    );
  }
  return number;
}

export function isTokenId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id < 2 ** 31;
}
