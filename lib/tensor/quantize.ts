import { BertNativeError } from '../errors.ts';
import { warnOnce } from '../options.ts';
import { type FloatType, isFloatType } from './data-type.ts';
import { dimsText } from './shape.ts';
import { Tensor } from './tensor.ts';

/** The type of the elements at each precision. */
export interface QuantizedTypes {
  int8: 'int8';
  uint8: 'uint8';
  binary: 'int8';
  ubinary: 'uint8';
}

/** What {@link quantize_embeddings} makes of float32 values. */
export type QuantizedPrecision = keyof QuantizedTypes;

/** Between which values {@link quantize_embeddings} divides the range. */
export interface QuantizeOptions {
  /** int8 and uint8: the least and the greatest value of each dimension, `[2, size]`. */
  readonly ranges?: Tensor<FloatType>;
  /** int8 and uint8: embeddings whose least and greatest values are the ranges, `[texts, size]`. */
  readonly calibration_embeddings?: Tensor<FloatType>;
}

/**
 * Embeddings in fewer bits, as sentence-transformers makes them.
 *
 * - `binary`, `ubinary`: one bit for each value, 1 where it is above 0, eight to a byte with the first the highest; `binary`
 *   stores the byte less 128.
 * - `int8`, `uint8`: each dimension's range in 255 steps, from -128 or 0; values outside the range become its ends. The
 *   ranges are those given, or of `calibration_embeddings`, or of the embeddings themselves, which means little for few.
 *
 * @param tensor `[texts, size]`
 * @returns `[texts, size]`; `[texts, size / 8]` for `binary` and `ubinary`
 * @throws BertNativeError `ERR_SHAPE` for other dims, or a size that is not a multiple of 8 where bits are packed
 */
export function quantize_embeddings<P extends QuantizedPrecision>(
  tensor: Tensor<FloatType>,
  precision: P,
  options: QuantizeOptions = {},
): Tensor<QuantizedTypes[P]> {
  checkMatrix('embeddings', tensor);
  if (precision === 'binary' || precision === 'ubinary') {
    return packBits(tensor, precision === 'binary') as Tensor<QuantizedTypes[P]>;
  }
  if (precision === 'int8' || precision === 'uint8') {
    return toSteps(tensor, precision, rangesOf(tensor, options)) as Tensor<QuantizedTypes[P]>;
  }
  throw new BertNativeError(
    'ERR_OPTION',
    `the precision ${String(precision)} is not one of int8, uint8, binary and ubinary`,
  );
}

function packBits(tensor: Tensor<FloatType>, signed: boolean): Tensor<'int8' | 'uint8'> {
  const [rows, size] = tensor.dims as readonly [number, number];
  if (size % 8 !== 0) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `bits are packed by eight: the last dimension has to be a multiple of 8; the dims are ${dimsText(tensor.dims)}`,
    );
  }
  const bytes = new Uint8Array(tensor.size / 8);
  tensor.data.forEach((value, i) => {
    if (value > 0) bytes[i >> 3]! |= 0x80 >> (i & 7);
  });
  const dims = [rows, size / 8];
  if (!signed) return new Tensor('uint8', bytes, dims);
  return new Tensor(
    'int8',
    Int8Array.from(bytes, (byte) => byte - 128),
    dims,
  );
}

function toSteps(
  tensor: Tensor<FloatType>,
  type: 'int8' | 'uint8',
  { least, greatest }: Ranges,
): Tensor<'int8' | 'uint8'> {
  const size = least.length;
  const lowest = type === 'int8' ? -128 : 0;
  const data = new (type === 'int8' ? Int8Array : Uint8Array)(tensor.size);
  // Each operation is rounded to float32, as numpy does it: else values next to a step fall on its other side.
  const steps = least.map((from, dim) => Math.fround(Math.fround(greatest[dim]! - from) / 255));
  tensor.data.forEach((value, i) => {
    const step = steps[i % size]!;
    // A dimension that never varies has no steps: all of it is at the start.
    const position = step > 0 ? Math.fround(Math.fround(value - least[i % size]!) / step) : 0;
    data[i] = Math.trunc(Math.fround(Math.min(Math.max(position, 0), 255) + lowest));
  });
  return new Tensor(type, data as never, tensor.dims);
}

interface Ranges {
  readonly least: Float64Array;
  readonly greatest: Float64Array;
}

function rangesOf(tensor: Tensor<FloatType>, { ranges, calibration_embeddings }: QuantizeOptions): Ranges {
  const size = tensor.dims[1]!;
  const source = ranges ?? calibration_embeddings ?? tensor;
  checkMatrix(ranges === undefined ? 'calibration_embeddings' : 'ranges', source);
  if (source.dims[1] !== size || (ranges !== undefined && ranges.dims[0] !== 2)) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `ranges are [2, ${size}] and calibration_embeddings [texts, ${size}]; got ${dimsText(source.dims)}`,
    );
  }
  if (ranges === undefined && source.dims[0]! < 100) {
    warnOnce(
      'BERT_NATIVE_FEW_CALIBRATION_EMBEDDINGS',
      'quantize_embeddings',
      `ranges of int8 and uint8 embeddings are taken from ${source.dims[0]} embeddings: pass ranges, or calibration_embeddings of 100 or more`,
    );
  }
  const least = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  const greatest = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  source.data.forEach((value, i) => {
    least[i % size] = Math.min(least[i % size]!, value);
    greatest[i % size] = Math.max(greatest[i % size]!, value);
  });
  return { least, greatest };
}

function checkMatrix(name: string, { type, dims }: Tensor): void {
  if (!isFloatType(type)) throw new BertNativeError('ERR_DTYPE', `${name} are floats; got a tensor of type ${type}`);
  if (dims.length !== 2) throw new BertNativeError('ERR_SHAPE', `${name} have two dimensions; got ${dimsText(dims)}`);
}
