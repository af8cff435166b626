/**
 * How a graph holds its weights, in the names of transformers.js, best first: of those that a folder has, the first is run
 * where the caller names none.
 */
export const graphDtypes = [
  'fp32',
  'fp16',
  'q8',
  'uint8',
  'int8',
  'q4',
  'q4f16',
  'bnb4',
  'q2',
  'q2f16',
  'q1',
  'q1f16',
] as const;

/** How an ONNX graph holds its weights: the suffix of its file's name says it. */
export type GraphDtype = (typeof graphDtypes)[number];

/** What stands behind a graph's name, as on the hub. */
const suffixes: Readonly<Record<GraphDtype, string>> = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  uint8: '_uint8',
  int8: '_int8',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
  q2: '_q2',
  q2f16: '_q2f16',
  q1: '_q1',
  q1f16: '_q1f16',
};

export const usualName = 'model';

/** Where graphs lie in a model's folder: on the hub, then as Optimum writes them. */
const folders = ['onnx/', ''] as const;

/** A graph of a folder, by its path inside. */
export interface GraphFile {
  readonly path: string;
  readonly dtype: GraphDtype;
}

/**
 * Where a folder's graph of a dtype may be, best first.
 *
 * @param name what its file is called before the suffix and `.onnx`; null: `model`, in fp32 also Optimum's `model_optimized`
 */
export function graphPaths(dtype: GraphDtype, name: string | null): string[] {
  const stem = `${name ?? usualName}${suffixes[dtype]}`;
  const stems = name === null && dtype === 'fp32' ? [stem, `${usualName}_optimized`] : [stem];
  return folders.flatMap((folder) => stems.map((each) => `${folder}${each}.onnx`));
}

/** The graph of the name that is there, of the first dtype that there is; null: there is none. */
export async function findGraph(
  has: (path: string) => boolean | Promise<boolean>,
  dtypes: readonly GraphDtype[],
  name: string | null,
): Promise<GraphFile | null> {
  for (const dtype of dtypes) {
    for (const path of graphPaths(dtype, name)) {
      // A caller's name may have a suffix of its own: `model_quantized`.
      if (await has(path)) return { path, dtype: dtype === 'fp32' ? dtypeOfName(path) : dtype };
    }
  }
  return null;
}

/** What a file's name says of its dtype: those above, and sentence-transformers' `model_qint8_avx512.onnx`; else fp32. */
export function dtypeOfName(path: string): GraphDtype {
  return dtypeInName(path) ?? 'fp32';
}

/** The same; null: it says nothing. */
export function dtypeInName(path: string): GraphDtype | null {
  const stem = path.replace(/^.*[\\/]/, '').replace(/\.onnx$/, '');
  const longestFirst = [...graphDtypes].sort((a, b) => suffixes[b].length - suffixes[a].length);
  const named = longestFirst.find((dtype) => suffixes[dtype] !== '' && stem.endsWith(suffixes[dtype]));
  if (named !== undefined) return named;
  if (/_quint8(_|$)/.test(stem)) return 'uint8';
  return /_qint8(_|$)/.test(stem) ? 'int8' : null;
}

/** The files besides a graph's own in which its weights may lie, as exporters name them: `model.onnx_data`, `…_data_1`, … */
export async function dataFiles(has: (path: string) => boolean | Promise<boolean>, graph: string): Promise<string[]> {
  const found: string[] = [];
  for (const first of [`${graph}_data`, `${graph}.data`]) {
    if (!(await has(first))) continue;
    found.push(first);
    for (let i = 1; i < maxDataFiles && (await has(`${first}_${i}`)); i++) found.push(`${first}_${i}`);
  }
  return found;
}

const maxDataFiles = 1000;
