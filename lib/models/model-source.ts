import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskDescription } from '../engines/task.ts';
import { BertNativeError } from '../errors.ts';
import { readJsonObjectIfPresent } from '../files.ts';
import { chooseModelFiles, type ModelFiles, type ModelWish, weightsFiles, wishedDtypes } from '../hub/model-files.ts';
import type { ModelPlace } from '../hub/resolve.ts';
import { dtypeInName, dtypeOfName, type GraphDtype, graphPaths } from '../onnx/graph-files.ts';
import type { GraphSummary } from '../onnx/reading/graph-summary.ts';
import { optionError } from '../options.ts';
import type { Architecture } from './architecture.ts';
import { meantDtype } from './arithmetic.ts';
import { type ConfigValues, PretrainedConfig, readConfigValues } from './configuration.ts';
import { type EncoderSource, parametersSource } from './encoder-source.ts';
import { describeNativeOnly, type EngineWish, fileWish, weightsOptions } from './engine-choice.ts';
import { type ExtraHead, loadParameters, withExtraHeads } from './loading.ts';

/** What loading has to know of a model's class. */
export interface ModelDescription {
  readonly name: string;
  readonly config_class: new (values?: ConfigValues) => PretrainedConfig;
  readonly base_model_prefix: string;
  /** What a task's model makes of its heads' results; undefined: a bare encoder. */
  readonly task?: TaskDescription;
  /** Of a class that only graphs have: the fields of a configuration, with what the graph itself tells. */
  readonly describe_graph?: (values: ConfigValues, graph: GraphSummary) => ConfigValues;
  architecture(config: never, options: object): Architecture;
}

/** What a call of `from_pretrained` asks for. */
export interface ModelRequest {
  readonly wish: EngineWish;
  /** In place of the folder's, or fields that override some of it. */
  readonly config: PretrainedConfig | ConfigValues | null;
  /** Those of the class besides those of every model. */
  readonly class_options: object;
  readonly seed: number;
  readonly strict: boolean;
  readonly extra_heads: readonly ExtraHead[];
}

export interface OpenedModel {
  readonly config: PretrainedConfig;
  readonly source: EncoderSource;
}

// Most programs run weights.
const importGraphModel = () => import('./graph-model.ts');
const importNetwork = () => import('../onnx/network.ts');

/**
 * A model's configuration and what its encoder is made of: weights, or a graph.
 *
 * @throws BertNativeError `ERR_NOT_FOUND` for what is not there, naming what is, and as `from_pretrained`
 */
export async function openModel(
  model: ModelDescription,
  place: ModelPlace,
  request: ModelRequest,
): Promise<OpenedModel> {
  const { wish, class_options, seed, strict, extra_heads } = request;
  const files = await findFiles(place, wish);
  if (files?.origin === 'graph') {
    const { openGraphModel } = await importGraphModel();
    const config = await graphConfig(model, place.folder, request.config);
    return openGraphModel(model, config, files, request);
  }
  const config =
    request.config instanceof PretrainedConfig
      ? request.config
      : new model.config_class(await readConfigValues(place.folder, request.config ?? {}));
  if (files === null && wish.origins[0] === 'graph') throw await noGraph(model, place.folder, wish);
  const options = weightsOptions(wish.engine === 'reference' ? 'reference' : 'native', wish);
  const architecture = model.architecture(config as never, class_options);
  const parameters = await loadParameters(model, architecture, place.folder, seed, strict).catch(async (error) => {
    throw files === null ? await withGraphs(error, place.folder, wish) : error;
  });
  const all = withExtraHeads(parameters, architecture.specification, extra_heads);
  return { config, source: parametersSource(options.engine, architecture, all, options) };
}

/** The fields that a graph's configuration starts from: a graph may come without a `config.json`. */
async function graphConfig(
  { describe_graph }: ModelDescription,
  folder: string,
  given: PretrainedConfig | ConfigValues | null,
): Promise<PretrainedConfig | ConfigValues> {
  if (given instanceof PretrainedConfig) return given;
  const values = await readJsonObjectIfPresent(join(folder, 'config.json'));
  if (values !== undefined) return { ...values, ...given };
  if (given === null && describe_graph === undefined) return readConfigValues(folder); // which says what is missing
  return given ?? {};
}

/** What a model is run from; a graph by its full path. */
async function findFiles({ folder, graph }: ModelPlace, wish: EngineWish): Promise<ModelFiles | null> {
  if (graph !== null) {
    checkNamedGraph(graph, wish);
    return { origin: 'graph', path: graph, dtype: (wish.dtype as GraphDtype | null) ?? dtypeOfName(graph) };
  }
  return filesIn(folder, fileWish(wish));
}

async function filesIn(folder: string, wish: ModelWish): Promise<ModelFiles | null> {
  const names = await namesIn(folder);
  const config = async () => (await readJsonObjectIfPresent(join(folder, 'config.json'))) ?? {};
  const found = await chooseModelFiles((name) => names.has(name), wish, config);
  return found?.origin === 'graph' ? { ...found, path: join(folder, found.path) } : found;
}

/** The graph that a model of this place is run from; null: it is run from weights, or there is nothing to run. */
export async function findGraphFile({ folder, graph }: ModelPlace, wish: ModelWish): Promise<string | null> {
  if (graph !== null) return graph;
  const found = await filesIn(folder, wish);
  return found?.origin === 'graph' ? found.path : null;
}

function checkNamedGraph(graph: string, { engine, origins, dtype, model_file_name }: EngineWish): void {
  if (!origins.includes('graph')) {
    throw new BertNativeError(
      'ERR_OPTION',
      `'${graph}' is a graph, which engine 'onnxruntime' runs: expected a folder with weights for ` +
        (engine === null ? 'these options' : `engine '${engine}'`),
    );
  }
  if (model_file_name !== null) {
    throw optionError('model_file_name', model_file_name, `to be left out, as '${graph}' names the file`);
  }
  const named = dtypeInName(graph);
  if (dtype !== null && named !== null && dtype !== named) {
    throw optionError('dtype', dtype, `to be left out, or '${named}', as which '${graph}' is named`);
  }
}

/** The files of a folder and of its `onnx/`, links to files among them. */
async function namesIn(folder: string): Promise<Set<string>> {
  const list = (path: string) => readdir(path).catch((): string[] => []);
  const [own, inside] = await Promise.all([list(folder), list(join(folder, 'onnx'))]);
  return new Set([...own, ...inside.map((name) => `onnx/${name}`)]);
}

/** The graphs of a folder, by their paths inside. */
export async function graphsIn(folder: string): Promise<string[]> {
  return [...(await namesIn(folder))].filter((name) => name.endsWith('.onnx')).sort();
}

/** For a message: `onnx/model.onnx (fp32), …`; '' where there are none. */
async function describeGraphs(folder: string): Promise<string> {
  const graphs = await graphsIn(folder);
  const shown = graphs.slice(0, 12).map((name) => `${name} (${dtypeOfName(name)})`);
  return [...shown, ...(graphs.length > 12 ? ['…'] : [])].join(', ');
}

async function noGraph(
  { describe_graph }: ModelDescription,
  folder: string,
  wish: EngineWish,
): Promise<BertNativeError> {
  const { dtype, model_file_name } = wish;
  const graphs = await describeGraphs(folder);
  const dtypes = wishedDtypes(fileWish(wish));
  const expected = graphPaths(dtypes[0] ?? 'fp32', model_file_name).join(' or ');
  const what = dtype === null ? 'no ONNX graph' : `no ONNX graph of dtype '${dtype}'`;
  const named = model_file_name === null ? '' : ` by the name '${model_file_name}'`;
  const there = graphs === '' ? '' : `; there are ${graphs}`;
  // Weights of a family that is not known can't be exported either.
  const help = describe_graph === undefined ? await remedy(folder, dtype) : '';
  return new BertNativeError('ERR_NOT_FOUND', `'${folder}' holds ${what}${named}: expected ${expected}${there}${help}`);
}

/** What can be done with the weights that are there: a graph of the dtype, or another engine. */
async function remedy(folder: string, dtype: string | null): Promise<string> {
  const names = await namesIn(folder);
  if (!weightsFiles.some(({ name }) => names.has(name))) return '';
  const meant = dtype === null ? undefined : meantDtype(dtype);
  const runs = `engine 'native' runs its weights as they are${meant ? `: did you mean ${meant}?` : ''}`;
  const { onnxDtypes } = await importNetwork();
  if (dtype !== null && !onnxDtypes.some((each) => each === dtype)) return `; ${runs}`;
  const exports = `save_pretrained(folder, { format: 'onnx' }) or bert-native export --model ${folder}`;
  return `; ${exports} makes one of its weights, and ${runs}`;
}

/** Weights are missing; perhaps there is a graph in their place. */
async function withGraphs(error: unknown, folder: string, wish: EngineWish): Promise<unknown> {
  if (!(error instanceof BertNativeError) || error.code !== 'ERR_NOT_FOUND') return error;
  const graphs = await describeGraphs(folder);
  if (graphs === '') return error;
  const nativeOnly = describeNativeOnly(wish);
  const but = nativeOnly === null ? '' : `, but ${nativeOnly} is of engine 'native'`;
  const message = `${error.message}; it has ${graphs}, which engine 'onnxruntime' runs${but}`;
  return new BertNativeError(error.code, message, { cause: error });
}
