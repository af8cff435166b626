import { findGraphs, type GraphDtype, type GraphFile, graphDtypes } from '../onnx/graph-files.ts';

/** What a model is run from: a checkpoint's weights, or an ONNX graph. */
export type ModelOrigin = 'weights' | 'graph';

/** What a caller would like to run a model from. */
export interface ModelWish {
  /** Most wished for first; the first that is there is taken. */
  readonly origins: readonly ModelOrigin[];
  /** Of a graph; null: the best that is there. */
  readonly dtype: string | null;
  /** What the graph's file is called before its suffix; null: as usual. */
  readonly model_file_name: string | null;
  /** Whether weights are of use, by the fields of `config.json`; unless given, they are. */
  readonly runs_weights?: (config: Readonly<Record<string, unknown>>) => boolean;
}

export const anyOrigin: ModelWish = { origins: ['weights', 'graph'], dtype: null, model_file_name: null };

/** In transformers' order: the first that is there counts. */
export const weightsFiles = [
  { name: 'model.safetensors', sharded: false },
  { name: 'model.safetensors.index.json', sharded: true },
  { name: 'pytorch_model.bin', sharded: false },
  { name: 'pytorch_model.bin.index.json', sharded: true },
] as const;

export type ModelFiles =
  | ({ readonly origin: 'weights' } & (typeof weightsFiles)[number])
  | ({ readonly origin: 'graph' } & GraphFile);

type Has = (name: string) => boolean | Promise<boolean>;

/**
 * What a model is run from, of all that there is.
 *
 * @param has whether a file is there, by its path in the model's folder
 * @param runs_weights whether weights are of use
 * @returns null where nothing that is wished for is there
 */
export async function chooseModelFiles(
  has: Has,
  wish: ModelWish,
  runs_weights: () => boolean | Promise<boolean>,
): Promise<ModelFiles | null> {
  let useless: ModelFiles | null = null;
  for (const origin of wish.origins) {
    const found = origin === 'graph' ? await chooseGraph(has, wish) : await chooseWeights(has);
    if (found === null) continue;
    // Whoever loads weights of no use says why they are; but a graph, where there is one, serves.
    if (found.origin === 'graph' || (await runs_weights())) return found;
    useless = found;
  }
  return useless;
}

/** The dtypes of graphs that a wish accepts, best first. */
export function wishedDtypes({ dtype }: ModelWish): readonly GraphDtype[] {
  return dtype === null ? graphDtypes : graphDtypes.filter((each) => each === dtype);
}

async function chooseGraph(has: Has, wish: ModelWish): Promise<ModelFiles | null> {
  for (const dtype of wishedDtypes(wish)) {
    const [found] = await findGraphs(has, [dtype], wish.model_file_name);
    if (found !== undefined) return { origin: 'graph', ...found };
  }
  return null;
}

async function chooseWeights(has: Has): Promise<ModelFiles | null> {
  for (const file of weightsFiles) {
    if (await has(file.name)) return { origin: 'weights', ...file };
  }
  return null;
}
