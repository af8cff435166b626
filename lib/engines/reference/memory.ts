import { BertNativeError } from '../../errors.ts';

/** @throws BertNativeError `ERR_MEMORY` when there is not enough, or more is asked for than one array can hold */
export function allocateFloats(size: number): Float32Array {
  return allocate(size, Float32Array);
}

/** @throws BertNativeError `ERR_MEMORY` when there is not enough, or more is asked for than one array can hold */
export function allocateDoubles(size: number): Float64Array {
  return allocate(size, Float64Array);
}

function allocate<A>(size: number, ArrayType: new (size: number) => A): A {
  try {
    return new ArrayType(size);
  } catch (error) {
    throw new BertNativeError('ERR_MEMORY', `could not allocate ${size} elements (${ArrayType.name})`, {
      cause: error,
    });
  }
}
