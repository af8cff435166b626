import { endianness } from 'node:os';
import { BertNativeError } from '../errors.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { PaddingPlan } from './encode-options.ts';

/** V8 keeps a longer plain array as a hash table. */
const maxArrayLength = 2 ** 27;
/** Which 32-bit half of a 64-bit integer is the low one. */
const lowHalf = endianness() === 'LE' ? 0 : 1;

/** A token's place among all tokens, and in its padded row. */
export interface PlacedToken {
  readonly token: number;
  readonly position: number;
}

/** Rows that lie back to back, and where padding puts their tokens: R rows, row r of width W_r. */
export class PaddedRows {
  /** R. */
  readonly count: number;
  /** Tokens in the longest row before padding. */
  readonly longest: number;
  /** Row r's tokens lie between `starts[r]` and `starts[r + 1]`. */
  readonly #starts: Int32Array;
  readonly #padding: PaddingPlan;
  /** The width that every row is padded to at least; 0: none. */
  readonly #target: number;

  constructor(starts: Int32Array, padding: PaddingPlan) {
    this.count = starts.length - 1;
    this.#starts = starts;
    this.#padding = padding;
    this.longest = 0;
    for (let row = 0; row < this.count; ++row) this.longest = Math.max(this.longest, this.size(row));
    const { width, multiple_of } = padding;
    const target = width === 'longest' ? this.longest : (width ?? 0);
    this.#target = Math.ceil(target / multiple_of) * multiple_of;
  }

  /** Tokens in a row before padding. */
  size(row: number): number {
    return this.#starts[row + 1]! - this.#starts[row]!;
  }

  /** Tokens in a row, padding included: W_r. */
  width(row: number): number {
    return Math.max(this.size(row), this.#target);
  }

  /** The position of a row's first token that is not padding. */
  #left(row: number): number {
    return this.#padding.side === 'left' ? this.width(row) - this.size(row) : 0;
  }

  /** Where the token at a position of a padded row lies among all tokens; -1 for padding. */
  tokenAt(row: number, position: number): number {
    const token = position - this.#left(row);
    return token >= 0 && token < this.size(row) ? this.#starts[row]! + token : -1;
  }

  /** The inverse of {@link PaddedRows.tokenAt}: the tokens of a row, with their positions. */
  *tokens(row: number): Generator<PlacedToken> {
    const left = this.#left(row);
    for (let k = 0; k < this.size(row); ++k) yield { token: this.#starts[row]! + k, position: left + k };
  }

  /**
   * One value per token as an int64 tensor `[R, W]`, or `[R, W, components]` where there are several values per token.
   *
   * @param values integers from 0 up, `components` for each token
   * @throws BertNativeError `ERR_SHAPE` for rows of different widths, `ERR_MEMORY`
   */
  toTensor(name: string, values: ArrayLike<number>, pad: number, components = 1): Tensor<'int64'> {
    const width = this.count === 0 ? this.#target : this.width(0);
    this.#assertEqualWidths(width);
    const dims = components === 1 ? [this.count, width] : [this.count, width, components];
    const data = allocateInt64(name, dims);
    // Values are not negative, so that the high halves stay 0; a BigInt for every element takes ten times as long.
    const halves = new Int32Array(data.buffer);
    if (pad !== 0) {
      for (let i = 0; i < data.length; ++i) halves[2 * i + lowHalf] = pad;
    }
    for (let row = 0; row < this.count; ++row) {
      let source = this.#starts[row]! * components;
      const end = this.#starts[row + 1]! * components;
      let target = 2 * (row * width + this.#left(row)) * components + lowHalf;
      for (; source < end; ++source, target += 2) halves[target] = values[source]!;
    }
    return new Tensor('int64', data, dims);
  }

  /** One value per token as an array for each row. @throws BertNativeError `ERR_MEMORY` */
  toArrays<T>(valueAt: (token: number) => T, padding: () => T): T[][] {
    return Array.from({ length: this.count }, (_, row) => {
      const width = this.width(row);
      if (width > maxArrayLength) {
        throw new BertNativeError(
          'ERR_MEMORY',
          `row ${row} has ${width} positions: expected at most ${maxArrayLength}`,
        );
      }
      const values: T[] = [];
      for (let position = 0; position < width; ++position) {
        const token = this.tokenAt(row, position);
        values.push(token < 0 ? padding() : valueAt(token));
      }
      return values;
    });
  }

  #assertEqualWidths(width: number): void {
    for (let row = 1; row < this.count; ++row) {
      if (this.width(row) === width) continue;
      const remedy =
        this.#padding.width === null
          ? 'pass padding: true, or return_tensor: false for arrays'
          : 'pass truncation: true with a max_length, or padding: true';
      throw new BertNativeError(
        'ERR_SHAPE',
        `row 0 has ${width} tokens and row ${row} has ${this.width(row)}: expected rows of one length for a tensor; ${remedy}`,
      );
    }
  }
}

function allocateInt64(name: string, dims: readonly number[]): BigInt64Array<ArrayBuffer> {
  try {
    return new BigInt64Array(dims.reduce((product, dim) => product * dim, 1));
  } catch (error) {
    throw new BertNativeError('ERR_MEMORY', `${name} of ${dims.join(' × ')} int64 elements cannot be allocated`, {
      cause: error,
    });
  }
}
