/** Element types in which a checkpoint may store a parameter, as safetensors spells them. */
export type StoredDtype = 'F32' | 'F16' | 'BF16' | 'F64';

export const storedDtypeSizeBytes: Readonly<Record<StoredDtype, number>> = { F32: 4, F16: 2, BF16: 2, F64: 8 };

/** A file of a checkpoint as it was when its header was read. Readers compare these again before and after loading. */
export interface CheckpointFile {
  readonly path: string;
  readonly size_bytes: number;
  readonly modified_ns: bigint;
  /** The inode's time of change, which copying with preserved times does not bring along; 0 where there is none. */
  readonly changed_ns: bigint;
  readonly device: bigint;
  readonly inode: bigint;
}

/**
 * A tensor inside a file, checked by the reader of that format: every element lies inside the file. Element `(i, j, …)`
 * stands at `byte_offset + (i·strides[0] + j·strides[1] + …) · storedDtypeSizeBytes[dtype]`.
 */
export interface TensorSpan {
  readonly file: CheckpointFile;
  readonly byte_offset: number;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** In elements, one per dimension, never negative. */
  readonly strides: readonly number[];
}
