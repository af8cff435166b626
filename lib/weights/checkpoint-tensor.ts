import { BertNativeError } from '../errors.ts';
import type { CheckpointFile, StoredDtype, TensorSpan } from './tensor-span.ts';

/**
 * A tensor that a file holds but no parameter can be loaded from, such as the `position_ids` (I64) of many BERT
 * checkpoints. It is listed so that names can be matched, and refused only where a model wants it.
 */
export interface UnloadableTensor {
  readonly file: CheckpointFile;
  /** As safetensors spells it: `I64`, `BOOL`, `F8_E4M3`, … */
  readonly unloadable_dtype: string;
  readonly shape: readonly number[];
}

export type CheckpointTensor = TensorSpan | UnloadableTensor;

export function isLoadable(tensor: CheckpointTensor): tensor is TensorSpan {
  return 'byte_offset' in tensor;
}

/** What one file of weights holds. */
export interface WeightsFile {
  readonly file: CheckpointFile;
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** The `__metadata__` of a safetensors file; empty for other formats. */
  readonly metadata: ReadonlyMap<string, string>;
}

const loadableDtypes: ReadonlySet<string> = new Set<StoredDtype>(['F32', 'F16', 'BF16', 'F64']);

export function isStoredDtype(dtype: string): dtype is StoredDtype {
  return loadableDtypes.has(dtype);
}

/** A name from a file, fit for a message: quoted, control characters escaped, cut to a readable length. */
export function quoted(name: string): string {
  return JSON.stringify(name.length <= 200 ? name : `${name.slice(0, 200)}…`);
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= Math.max(shape[axis]!, 1);
  }
  return strides;
}

/**
 * The number of elements of a shape.
 * @param where file and tensor, for the message
 * @throws BertNativeError `ERR_FILE_FORMAT` past 2^53 − 1
 */
export function elementCount(shape: readonly number[], where: string): number {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${where}: shape [${shape}] has too many elements`);
    }
  }
  return count;
}

/** A non-negative integer that a double holds exactly. */
export function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
