import { BertNativeError } from '../errors.ts';
import {
  convertElement,
  createData,
  type DataArray,
  type DataType,
  type Element,
  type ElementInput,
} from './data-type.ts';

/** Arrays in arrays to any depth, all of one depth the same length; the innermost may be typed arrays. */
export type NestedInput = ElementInput | ArrayLike<ElementInput> | readonly NestedInput[];
/** A Tensor's elements as arrays in arrays, one level for each dimension. */
export type NestedList<T extends DataType = DataType> = Element<T> | NestedList<T>[];

/** Deeper nesting than this is a mistake, or an array that contains itself. */
const maxDimensions = 32;

type Row = ArrayLike<unknown>;

function isRow(value: unknown): value is Row {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/**
 * The elements of nested arrays in row-major order, and their dimensions.
 *
 * @throws BertNativeError `ERR_SHAPE` for ragged rows, naming the first that differs; `ERR_DTYPE` for an element that
 *   does not fit the type
 */
export function flattenNested<T extends DataType>(value: NestedInput, type: T): { data: DataArray<T>; dims: number[] } {
  const dims = nestedDims(value);
  const data = createData(
    type,
    dims.reduce((product, dim) => product * dim, 1),
  );
  const path: number[] = [];
  let next = 0;

  const fill = (part: unknown, depth: number): void => {
    if (depth === dims.length) {
      if (isRow(part)) throw raggedError(path, `an array of ${part.length} elements`, 'a single element');
      data[next++] = convertElement(part, type, () => (depth > 0 ? `element ${pathText(path)}` : 'the value'));
      return;
    }
    if (!isRow(part)) throw raggedError(path, 'a single element', `an array of ${dims[depth]} elements`);
    if (part.length !== dims[depth]) {
      throw raggedError(path, `${part.length} elements`, `${dims[depth]}, as the rows before have`);
    }
    for (let i = 0; i < part.length; ++i) {
      path[depth] = i;
      path.length = depth + 1;
      fill(part[i], depth + 1);
    }
    path.length = depth;
  };
  fill(value, 0);
  return { data, dims };
}

/** The dimensions along the first element of each depth: what every other row has to have too. */
function nestedDims(value: unknown): number[] {
  const dims: number[] = [];
  for (let part = value; isRow(part); part = part[0]) {
    dims.push(part.length);
    if (dims.length > maxDimensions) {
      throw new BertNativeError('ERR_SHAPE', `arrays nested more than ${maxDimensions} deep are not a tensor`);
    }
  }
  return dims;
}

function raggedError(path: readonly number[], found: string, expected: string): BertNativeError {
  return new BertNativeError('ERR_SHAPE', `ragged rows: row ${pathText(path)} has ${found}; expected ${expected}`);
}

function pathText(path: readonly number[]): string {
  return path.map((index) => `[${index}]`).join('');
}

/** The inverse of {@link flattenNested}: nested arrays of the data; a bare element where there are no dimensions. */
export function nestData<T extends DataType>(data: DataArray<T>, dims: readonly number[]): NestedList<T> {
  let next = 0;
  const build = (depth: number): NestedList<T> =>
    depth === dims.length ? (data[next++] as Element<T>) : Array.from({ length: dims[depth]! }, () => build(depth + 1));
  return build(0);
}
