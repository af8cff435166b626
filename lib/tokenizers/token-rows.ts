import type { NativeTokenRows } from '../binding/native.ts';

/**
 * Tokens of texts, a row for each, in memory of the library: `model.embed` takes them without their passing through
 * JavaScript.
 */
export class TokenRows {
  /** @internal */
  readonly handle: NativeTokenRows;
  /** @internal The rows of the handle that these are. */
  readonly rows: Int32Array;

  /** @internal */
  constructor(handle: NativeTokenRows, rows: Int32Array = Int32Array.from(handle.lengths.keys())) {
    this.handle = handle;
    this.rows = rows;
  }

  get size(): number {
    return this.rows.length;
  }

  /** Tokens of each row, special ones included. */
  get lengths(): Int32Array {
    return this.rows.map((row) => this.handle.lengths[row]!);
  }

  /** Whether a row lost tokens to truncation. */
  isTruncated(row: number): boolean {
    return this.handle.truncated[this.rows[row]!] === 1;
  }

  /** A copy of a row's ids. */
  ids(row: number): Int32Array {
    return this.handle.ids(this.rows[row]!);
  }

  /** A copy of a row's type ids: zeros where the model takes none. */
  type_ids(row: number): Int32Array {
    return this.handle.type_ids(this.rows[row]!);
  }

  /** Some of the rows, in that order; nothing is copied. */
  select(rows: readonly number[]): TokenRows {
    return new TokenRows(
      this.handle,
      Int32Array.from(rows, (row) => this.rows[row]!),
    );
  }
}
