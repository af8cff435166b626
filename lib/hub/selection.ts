import { BertNativeError } from '../errors.ts';
import { dataFiles, graphPaths } from '../onnx/graph-files.ts';
import { withFileSource } from '../weights/byte-source.ts';
import { isPlainPath } from './file-names.ts';
import { anyOrigin, type ConfigFields, chooseModelFiles, type ModelWish, wishedDtypes } from './model-files.ts';

/**
 * What a caller is going to read of a model: its configuration; what makes its tokenizer; its configuration and what it is
 * run from, weights or a graph; or all of that, with the modules of sentence-transformers.
 */
export type Needs = 'config' | 'tokenizer' | 'model' | 'everything';

/** The files of a repository as far as they are known. */
export interface FileView {
  has(path: string): Promise<boolean>;
  /** A file's bytes, fetched if need be. */
  read(path: string): Promise<Uint8Array>;
  /** Where a file is on this machine, fetched if need be. */
  locate(path: string): Promise<string>;
}

export interface Selection {
  readonly files: readonly string[];
  /** What the caller cannot do without and the repository lacks. */
  readonly missing: readonly string[];
}

/** What tokenizers are read from, in any family. */
export const tokenizerFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'spiece.model',
  'sentencepiece.bpe.model',
  'sentencepiece.model',
  'spm.model',
  'tokenizer.model',
  'tokenizer_78b3253a26.model',
] as const;

/** Any of them, with what stands beside it, makes a tokenizer. */
const vocabularies = /^(tokenizer\.json|vocab\.(txt|json)|.*\.model)$/;

/** How sentence-transformers calls the settings of a Transformer module, by the class that saved it. */
const transformerSettings = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map(
  (family) => `sentence_${family}_config.json`,
);

/** What a model is run from, weights or a graph, and parts of these. */
export function isWeightsFile(path: string): boolean {
  return /\.(safetensors|bin|onnx)$|\.index\.json$|\.onnx[_.]data(_\d+)?$/.test(path);
}

const maxModules = 64;
const maxShards = 10_000;

/**
 * The files of a repository that `needs` means.
 *
 * @param folder of the repository in which the model is; '' for the repository itself
 * @throws BertNativeError `ERR_FILE_FORMAT` for an index of shards, a `modules.json` or a graph that cannot be one; and what
 *   the view throws
 */
export async function selectFiles(
  view: FileView,
  needs: Needs,
  folder: string,
  wish: ModelWish = anyOrigin,
): Promise<Selection> {
  const chosen = new Chosen(view, wish);
  const at = await modelFolder(view, folder);
  if (needs === 'config') await chosen.require(`${at}config.json`);
  else await chosen.add(`${at}config.json`);
  if (needs === 'tokenizer' || needs === 'everything') await chosen.addTokenizer(at, needs === 'tokenizer');
  if (needs === 'model' || needs === 'everything') {
    const own = await chosen.addModel(at, wish);
    const ofModules = needs === 'everything' && (await chosen.addModules(at));
    const required = needs === 'model' || wish.required === true;
    if (required && !own && !ofModules) chosen.missing.push(at + describeWish(wish));
  }
  return chosen;
}

/** Where the model is, with a slash behind it: above a folder that holds nothing but its graphs. */
async function modelFolder(view: FileView, folder: string): Promise<string> {
  if (folder === '') return '';
  const parts = folder.split('/');
  const graphsAlone = parts.at(-1) === 'onnx' && !(await view.has(`${folder}/config.json`));
  return (graphsAlone ? parts.slice(0, -1) : parts).map((part) => `${part}/`).join('');
}

class Chosen implements Selection {
  readonly missing: string[] = [];
  readonly #files = new Set<string>();
  readonly #view: FileView;
  readonly #wish: ModelWish;

  constructor(view: FileView, wish: ModelWish) {
    this.#view = view;
    this.#wish = wish;
  }

  get files(): readonly string[] {
    return [...this.#files];
  }

  /** @returns whether it is there */
  async add(path: string): Promise<boolean> {
    const isThere = await this.#view.has(path);
    if (isThere) this.#files.add(path);
    return isThere;
  }

  async require(path: string): Promise<void> {
    if (!(await this.add(path))) this.missing.push(path);
  }

  async addTokenizer(at: string, required: boolean): Promise<void> {
    let hasVocabulary = false;
    for (const name of tokenizerFiles) {
      const isThere = await this.add(at + name);
      if (isThere && vocabularies.test(name)) hasVocabulary = true;
    }
    if (required && !hasVocabulary) this.missing.push(`${at}tokenizer.json (or another vocabulary)`);
  }

  /** One set of weights, or one graph. @returns whether there is one */
  async addModel(at: string, wish: ModelWish): Promise<boolean> {
    const has = (name: string) => this.#view.has(at + name);
    const found = await chooseModelFiles(has, wish, () => this.#config(`${at}config.json`));
    if (found?.origin === 'graph') await this.#addGraph(at + found.path);
    if (found?.origin === 'weights') await this.#addWeights(at, found.name, found.sharded);
    return found !== null;
  }

  async #config(path: string): Promise<ConfigFields> {
    if (!(await this.#view.has(path))) return {};
    const values = parseJson(path, await this.#view.read(path));
    return typeof values === 'object' && values !== null ? (values as ConfigFields) : {};
  }

  async #addWeights(at: string, name: string, sharded: boolean): Promise<void> {
    await this.add(at + name);
    if (!sharded) return;
    for (const shard of shardNames(at + name, await this.#view.read(at + name))) await this.require(at + shard);
  }

  /** A graph, and the files beside it that hold its weights: by their usual names, else as the graph names them. */
  async #addGraph(path: string): Promise<void> {
    await this.add(path);
    const usual = await dataFiles((name) => this.#view.has(name), path);
    for (const name of usual) await this.add(name);
    if (usual.length === 0) for (const name of await externalData(path, this.#view)) await this.require(name);
  }

  /** @returns whether what is run lies in a folder of its own */
  async addModules(at: string): Promise<boolean> {
    for (const name of ['config_sentence_transformers.json', 'sentence_bert_config.json', ...transformerSettings]) {
      await this.add(at + name);
    }
    if (!(await this.add(`${at}modules.json`))) return false;
    let hasModel = false;
    const folders = moduleFolders(`${at}modules.json`, await this.#view.read(`${at}modules.json`));
    for (const [index, folder] of folders.entries()) {
      if (folder === '') continue;
      const inside = `${at}${folder}/`;
      await this.add(`${inside}config.json`);
      for (const name of ['sentence_bert_config.json', ...transformerSettings]) await this.add(inside + name);
      await this.addTokenizer(inside, false);
      // The first module is the encoder; those behind it are small and run from weights.
      const wish: ModelWish = index === 0 ? this.#wish : { ...anyOrigin, origins: ['weights'] };
      const found = await this.addModel(inside, wish);
      if (index === 0) hasModel = found;
    }
    return hasModel;
  }
}

/** As an error says what is missing. */
function describeWish(wish: ModelWish): string {
  if (wish.origins.includes('weights')) return 'model.safetensors (or other weights)';
  const dtypes = wishedDtypes(wish);
  const [path] = graphPaths(dtypes[0] ?? 'fp32', wish.model_file_name);
  return dtypes.length === 1 ? path! : `${path} (or another ONNX model)`;
}

function parseJson(path: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not JSON in UTF-8: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Files beside a graph, by their paths in the repository. */
async function externalData(path: string, view: FileView): Promise<string[]> {
  const { readGraph } = await import('../onnx/reading/graph-file.ts');
  const { external_data } = await withFileSource(await view.locate(path), readGraph);
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  // What leads elsewhere is refused by whoever loads the graph.
  return external_data
    .map(({ location }) => location)
    .filter(isPlainPath)
    .map((location) => folder + location);
}

/** The files that an index of shards names. */
function shardNames(path: string, bytes: Uint8Array): string[] {
  const map = (parseJson(path, bytes) as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: expected an object weight_map that names the shards`);
  }
  const names = [...new Set(Object.values(map))];
  if (names.length > maxShards) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: ${names.length} shards; at most ${maxShards} are read`);
  }
  for (const name of names) {
    if (typeof name !== 'string' || !isPlainPath(name)) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: ${JSON.stringify(name)} is not the name of a shard`);
    }
  }
  return names as string[];
}

/** The folders that `modules.json` names, each once; '': the model's own. */
function moduleFolders(path: string, bytes: Uint8Array): string[] {
  const modules = parseJson(path, bytes);
  if (!Array.isArray(modules) || modules.length > maxModules) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: expected an array of at most ${maxModules} modules`);
  }
  const folders = modules.map((module) => (module as { path?: unknown } | null)?.path ?? '');
  for (const folder of folders) {
    if (folder !== '' && (typeof folder !== 'string' || !isPlainPath(folder))) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: ${JSON.stringify(folder)} is not the folder of a module`);
    }
  }
  return [...new Set(folders)] as string[];
}
