import { BertNativeError } from '../errors.ts';
import { isPlainPath } from './file-names.ts';

/**
 * What a caller is going to read of a model: its configuration; what makes its tokenizer; its configuration and weights;
 * or all of that, with the modules of sentence-transformers.
 */
export type Needs = 'config' | 'tokenizer' | 'model' | 'everything';

/** The files of a repository as far as they are known. */
export interface FileView {
  has(path: string): Promise<boolean>;
  /** A file's bytes, fetched if need be. */
  read(path: string): Promise<Uint8Array>;
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

/** In transformers' order: the first that is there counts. */
const weights = [
  { name: 'model.safetensors', sharded: false },
  { name: 'model.safetensors.index.json', sharded: true },
  { name: 'pytorch_model.bin', sharded: false },
  { name: 'pytorch_model.bin.index.json', sharded: true },
] as const;

/** How sentence-transformers calls the settings of a Transformer module, by the class that saved it. */
const transformerSettings = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map(
  (family) => `sentence_${family}_config.json`,
);

export function isWeightsFile(path: string): boolean {
  return /\.(safetensors|bin)$|\.index\.json$/.test(path);
}

const maxModules = 64;
const maxShards = 10_000;

/**
 * The files of a repository that `needs` means.
 *
 * @param folder of the repository in which the model is; '' for the repository itself
 * @throws BertNativeError `ERR_FILE_FORMAT` for an index of shards or a `modules.json` that cannot be one; and what the
 *   view throws
 */
export async function selectFiles(view: FileView, needs: Needs, folder: string): Promise<Selection> {
  const chosen = new Chosen(view);
  const at = folder === '' ? '' : `${folder}/`;
  if (needs === 'config') await chosen.require(`${at}config.json`);
  else await chosen.add(`${at}config.json`);
  if (needs === 'tokenizer' || needs === 'everything') await chosen.addTokenizer(at, needs === 'tokenizer');
  if (needs === 'model' || needs === 'everything') await chosen.addWeights(at, needs === 'model');
  if (needs === 'everything') await chosen.addModules(at);
  return chosen;
}

class Chosen implements Selection {
  readonly missing: string[] = [];
  readonly #files = new Set<string>();
  readonly #view: FileView;

  constructor(view: FileView) {
    this.#view = view;
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

  /** One set of them. */
  async addWeights(at: string, required: boolean): Promise<void> {
    for (const { name, sharded } of weights) {
      if (!(await this.add(at + name))) continue;
      if (sharded)
        for (const shard of shardNames(at + name, await this.#view.read(at + name))) await this.require(at + shard);
      return;
    }
    if (required) this.missing.push(`${at}model.safetensors (or other weights)`);
  }

  async addModules(at: string): Promise<void> {
    for (const name of ['config_sentence_transformers.json', 'sentence_bert_config.json', ...transformerSettings]) {
      await this.add(at + name);
    }
    if (!(await this.add(`${at}modules.json`))) return;
    for (const folder of moduleFolders(`${at}modules.json`, await this.#view.read(`${at}modules.json`))) {
      const inside = `${at}${folder}/`;
      await this.add(`${inside}config.json`);
      for (const name of ['sentence_bert_config.json', ...transformerSettings]) await this.add(inside + name);
      await this.addTokenizer(inside, false);
      await this.addWeights(inside, false);
    }
  }
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

/** The folders that `modules.json` names, other than the model's own. */
function moduleFolders(path: string, bytes: Uint8Array): string[] {
  const modules = parseJson(path, bytes);
  if (!Array.isArray(modules) || modules.length > maxModules) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: expected an array of at most ${maxModules} modules`);
  }
  const folders = modules
    .map((module) => (module as { path?: unknown } | null)?.path ?? '')
    .filter((name) => name !== '');
  for (const folder of folders) {
    if (typeof folder !== 'string' || !isPlainPath(folder)) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: ${JSON.stringify(folder)} is not the folder of a module`);
    }
  }
  return [...new Set(folders)] as string[];
}
