import { BertNativeError } from '../../errors.ts';
import { describe } from '../../options.ts';

/** `[row, column]` for each position. */
export type PositionsInput = readonly (readonly [row: number, column: number])[];

/** Positions as an engine takes them, each there once and ascending, and the way back to the caller's order. */
export interface ReadPositions {
  /** How many the caller gave. */
  readonly size: number;
  readonly ascending: Int32Array;
  /** Whether that is the caller's order. */
  readonly isAscending: boolean;
  /** The caller's rows of N numbers from the engine's. */
  inOrder(data: Float32Array, N: number): Float32Array;
}

/**
 * @param indexOf an engine's index of a position of one of the rows; null where the row does not have it
 * @throws BertNativeError `ERR_OPTION` for what is no list of pairs, `ERR_SHAPE` for a position that is not there
 */
export function readPositions(
  input: PositionsInput,
  rows: number,
  indexOf: (row: number, column: number) => number | null,
): ReadPositions {
  if (!Array.isArray(input)) {
    throw new BertNativeError('ERR_OPTION', `logits_positions is ${describe(input)}: expected [[row, column], …]`);
  }
  const given = input.map((pair: unknown, i) => {
    const [row, column] = pairAt(pair, i);
    const index = row < rows ? indexOf(row, column) : null;
    if (index !== null) return index;
    throw new BertNativeError('ERR_SHAPE', `logits_positions[${i}] is [${row}, ${column}]: there is no such position`);
  });
  const ascending = Int32Array.from(new Set(given)).sort();
  const isAscending = given.length === ascending.length && given.every((index, i) => index === ascending[i]);
  const placeOf = new Map([...ascending].map((index, place) => [index, place]));
  return {
    size: given.length,
    ascending,
    isAscending,
    inOrder(data, N) {
      if (isAscending) return data;
      const ordered = new Float32Array(given.length * N);
      given.forEach((index, i) => {
        const place = placeOf.get(index)!;
        ordered.set(data.subarray(place * N, (place + 1) * N), i * N);
      });
      return ordered;
    },
  };
}

function pairAt(pair: unknown, i: number): readonly [number, number] {
  const isIndex = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  if (Array.isArray(pair) && pair.length === 2 && pair.every(isIndex)) return pair as [number, number];
  throw new BertNativeError('ERR_OPTION', `logits_positions[${i}] is ${describe(pair)}: expected [row, column]`);
}

/** Indices of packed positions, of rows with these lengths. */
export function packedPositions(lengths: Int32Array): (row: number, column: number) => number | null {
  let total = 0;
  const begins = Array.from(lengths, (length) => {
    total += length;
    return total - length;
  });
  return (row, column) => (column < lengths[row]! ? begins[row]! + column : null);
}
