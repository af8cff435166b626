import { BertNativeError } from '../errors.ts';
import { optionError } from '../options.ts';
import { dimsText } from '../tensor/shape.ts';
import { Tensor } from '../tensor/tensor.ts';

/** How alike two vectors are; distances are negated, so that more is always more alike. */
export type SimilarityFunctionName = (typeof similarityFunctionNames)[number];

export const similarityFunctionNames = ['cosine', 'dot', 'euclidean', 'manhattan'] as const;

/** Vectors: `[n, size]`, or `[size]` for one; or as arrays. */
export type Vectors = Tensor | readonly ArrayLike<number>[] | Float32Array | readonly number[];

/** Rows of a matrix in fp32. */
export interface Rows {
  readonly data: Float32Array;
  readonly count: number;
  readonly size: number;
}

/** Of row i of `a` and row j of `b`. */
type Score = (a: Float32Array, i: number, b: Float32Array, j: number, size: number) => number;

const dotOfRows: Score = (a, i, b, j, size) => {
  let sum = 0;
  for (let k = 0, p = i * size, q = j * size; k < size; ++k) sum += a[p + k]! * b[q + k]!;
  return sum;
};

const scores: Readonly<Record<SimilarityFunctionName, Score>> = {
  // Its rows have been normalized.
  cosine: dotOfRows,
  dot: dotOfRows,
  euclidean: (a, i, b, j, size) => {
    let sum = 0;
    for (let k = 0, p = i * size, q = j * size; k < size; ++k) sum += (a[p + k]! - b[q + k]!) ** 2;
    return -Math.sqrt(sum);
  },
  manhattan: (a, i, b, j, size) => {
    let sum = 0;
    for (let k = 0, p = i * size, q = j * size; k < size; ++k) sum += Math.abs(a[p + k]! - b[q + k]!);
    return -sum;
  },
};

/**
 * How alike each of the vectors `a` and each of `b` are.
 *
 * @param a `[n, size]` @param b `[m, size]`
 * @returns `[n, m]`
 * @throws BertNativeError `ERR_SHAPE` for other dims, or vectors of different lengths; `ERR_MEMORY`
 */
export function similarity(name: SimilarityFunctionName, a: Vectors, b: Vectors): Tensor<'float32'> {
  const [rowsA, rowsB] = preparedRows(name, a, b);
  const out = allocate(rowsA.count, rowsB.count);
  for (let i = 0; i < rowsA.count; ++i) out.set(rowScores(name, rowsA, i, rowsB), i * rowsB.count);
  return new Tensor('float32', out, [rowsA.count, rowsB.count]);
}

/**
 * How alike the vectors at the same place in `a` and `b` are.
 *
 * @param a `[n, size]` @param b `[n, size]`
 * @returns `[n]`
 * @throws BertNativeError `ERR_SHAPE` for other dims, or where they differ
 */
export function similarity_pairwise(name: SimilarityFunctionName, a: Vectors, b: Vectors): Tensor<'float32'> {
  const [rowsA, rowsB] = preparedRows(name, a, b);
  if (rowsA.count !== rowsB.count) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `pairs are made of as many vectors: got ${rowsA.count} and ${rowsB.count} of them`,
    );
  }
  const data = Float32Array.from({ length: rowsA.count }, (_, i) =>
    scores[name](rowsA.data, i, rowsB.data, i, rowsA.size),
  );
  return new Tensor('float32', data, [rowsA.count]);
}

function allocate(n: number, m: number): Float32Array {
  try {
    return new Float32Array(n * m);
  } catch (cause) {
    const message = `${n} × ${m} scores do not fit into one array: semantic_search gives the best of them alone`;
    throw new BertNativeError('ERR_MEMORY', message, { cause });
  }
}

/** The scores of row i of `a` with each of `b`, both prepared. */
export function rowScores(name: SimilarityFunctionName, a: Rows, i: number, b: Rows): Float32Array {
  const score = scores[name];
  const out = new Float32Array(b.count);
  for (let j = 0; j < b.count; ++j) out[j] = score(a.data, i, b.data, j, a.size);
  return out;
}

/** @throws BertNativeError `ERR_OPTION` */
export function checkSimilarityName(name: unknown): asserts name is SimilarityFunctionName {
  if ((similarityFunctionNames as readonly unknown[]).includes(name)) return;
  throw optionError('the similarity function', name, `one of ${similarityFunctionNames.join(', ')}`);
}

/** Both sides as rows; normalized where the function asks for it. */
function preparedRows(name: SimilarityFunctionName, a: Vectors, b: Vectors): [Rows, Rows] {
  checkSimilarityName(name);
  const [rowsA, rowsB] = [readRows('the first vectors', a), readRows('the second vectors', b)];
  checkSizes(rowsA, rowsB);
  return name === 'cosine' ? [normalizedRows(rowsA), normalizedRows(rowsB)] : [rowsA, rowsB];
}

/** @throws BertNativeError `ERR_SHAPE` for vectors of different lengths */
export function checkSizes(a: Pick<Rows, 'count' | 'size'>, b: Pick<Rows, 'count' | 'size'>): void {
  if (a.size === b.size || a.count === 0 || b.count === 0) return;
  throw new BertNativeError(
    'ERR_SHAPE',
    `vectors are compared where they have one length: got ${a.size} and ${b.size}`,
  );
}

/** @throws BertNativeError `ERR_SHAPE` for anything but vectors or a matrix of them, `ERR_DTYPE` */
export function readRows(name: string, vectors: Vectors): Rows {
  const isText = (value: unknown) => typeof value === 'string';
  if (isText(vectors) || (Array.isArray(vectors) && isText(vectors[0]))) {
    throw new BertNativeError('ERR_DTYPE', `${name}: expected vectors, got texts; encode() makes vectors of texts`);
  }
  const tensor = vectors instanceof Tensor ? vectors.to('float32') : Tensor.from(vectors, 'float32');
  const { dims, data, size } = tensor;
  if (dims.length === 1) return { data, count: size > 0 ? 1 : 0, size };
  if (dims.length === 2) return { data, count: dims[0]!, size: dims[1]! };
  throw new BertNativeError('ERR_SHAPE', `${name} are [n, size]: got the dims ${dimsText(dims)}`);
}

export function normalizedRows({ data, count, size }: Rows): Rows {
  return { data: new Tensor('float32', data, [count, size]).normalize(2, 1).data, count, size };
}
