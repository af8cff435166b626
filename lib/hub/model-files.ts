import { findGraph, type GraphDtype, type GraphFile, graphDtypes, usualName } from '../onnx/graph-files.ts';

/** What a model is run from: a checkpoint's weights, or an ONNX graph. */
export type ModelOrigin = 'weights' | 'graph';

/** Of `config.json`, as it stands there. */
export type ConfigFields = Readonly<Record<string, unknown>>;

/** What a caller would like to run a model from. */
export interface ModelWish {
  /** Most wished for first; the first that is there is taken. */
  readonly origins: readonly ModelOrigin[];
  /** Of a graph; null: the one that `config.json` prefers, else the best that is there. */
  readonly dtype: string | null;
  /** What the graph's file is called before its suffix; null: as usual. */
  readonly model_file_name: string | null;
  /** Whether weights are of use, by the fields of `config.json`; unless given, they are. */
  readonly runs_weights?: (config: ConfigFields) => boolean;
  /** Whether it has to be there; unless given, whoever loads it says if not. */
  readonly required?: boolean;
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
 * @param config reads the fields of the model's configuration, where they decide
 * @returns null where nothing that is wished for is there
 */
export async function chooseModelFiles(
  has: Has,
  wish: ModelWish,
  config: () => Promise<ConfigFields>,
): Promise<ModelFiles | null> {
  let useless: ModelFiles | null = null;
  for (const origin of wish.origins) {
    const found = origin === 'graph' ? await chooseGraph(has, wish, config) : await chooseWeights(has);
    if (found === null) continue;
    // Whoever loads weights of no use says why they are; but a graph, where there is one, serves.
    if (found.origin === 'graph' || wish.runs_weights === undefined || wish.runs_weights(await config())) return found;
    useless = found;
  }
  return useless;
}

/** The dtypes of graphs that a wish accepts, best first. */
export function wishedDtypes({ dtype }: ModelWish): readonly GraphDtype[] {
  return dtype === null ? graphDtypes : graphDtypes.filter((each) => each === dtype);
}

async function chooseGraph(has: Has, wish: ModelWish, config: () => Promise<ConfigFields>): Promise<ModelFiles | null> {
  const { model_file_name: name } = wish;
  const found = await findGraph(has, wishedDtypes(wish), name);
  if (found === null) return null;
  const preferred = wish.dtype === null ? preferredDtype(await config(), name ?? usualName) : undefined;
  const better = preferred === undefined ? null : await findGraph(has, [preferred], name);
  return { origin: 'graph', ...(better ?? found) };
}

/**
 * The dtype that a configuration names for callers who name none, as transformers.js reads it: for all of the model's graphs,
 * or for each by its name; undefined: it does not.
 */
function preferredDtype(config: ConfigFields, name: string): GraphDtype | undefined {
  const told = config['transformers.js_config'];
  const { dtype } = (typeof told === 'object' && told !== null ? told : {}) as { dtype?: unknown };
  const own = typeof dtype === 'object' && dtype !== null ? (dtype as Record<string, unknown>)[name] : dtype;
  return graphDtypes.find((each) => each === own);
}

async function chooseWeights(has: Has): Promise<ModelFiles | null> {
  for (const file of weightsFiles) {
    if (await has(file.name)) return { origin: 'weights', ...file };
  }
  return null;
}
