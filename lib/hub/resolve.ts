import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { booleanRule, type OptionRules, optionError, signalRule, stringRule } from '../options.ts';
import { failureOf } from './failures.ts';
import { isPlainPath } from './file-names.ts';
import { anyOrigin, type ModelWish } from './model-files.ts';
import { callbackRule, type ProgressCallback } from './progress.ts';
import { type Needs, tokenizerFiles } from './selection.ts';

/** Where a model comes from. */
export interface ResolveOptions {
  /** A branch, tag or commit of a hub model; `main` unless given. */
  readonly revision?: string | null;
  /** The hub cache; `env.cacheDir` unless given. */
  readonly cache_dir?: string | null;
  /** A folder inside the model's own. */
  readonly subfolder?: string | null;
  /** Nothing is downloaded in any case. */
  readonly local_files_only?: boolean | null;
  /** For the hub: a token, `false` to send none, `true` to insist on the one of the environment or of `hf auth login`. */
  readonly token?: string | boolean | null;
  /** Is told how the files of a hub model come, in the form of transformers.js. */
  readonly progress_callback?: ProgressCallback | null;
  /** Stops a download; what has come stays, and the next download goes on from it. */
  readonly signal?: AbortSignal | null;
}

export const resolveRules: OptionRules<ResolveOptions> = {
  revision: stringRule,
  cache_dir: stringRule,
  subfolder: stringRule,
  local_files_only: booleanRule,
  token: { expected: 'a token, true or false', accepts: (value) => ['string', 'boolean'].includes(typeof value) },
  progress_callback: callbackRule,
  signal: signalRule,
};

// Most programs run with what is there.
const importSnapshot = () => import('./snapshot.ts');

/** Where a model's files are. */
export interface ModelPlace {
  readonly folder: string;
  /** The ONNX file that the caller named in place of a folder. */
  readonly graph: string | null;
}

/**
 * The folder that holds a model's files, as {@link findModel} finds it.
 *
 * @throws BertNativeError as {@link findModel}
 */
export async function resolveModelFolder(
  pathOrId: string,
  options: ResolveOptions = {},
  needs: Needs = 'everything',
  wish: ModelWish = anyOrigin,
): Promise<string> {
  return (await findModel(pathOrId, options, needs, wish)).folder;
}

/**
 * The folder that holds a model's files: the path itself where it is a folder, else `env.localModelPath/<id>`, else the
 * snapshot in the hub cache, into which the files are downloaded that `needs` and `wish` mean and that are not there. For the
 * path of an `.onnx` file: its folder or the one above, whichever has what is needed.
 *
 * @throws BertNativeError `ERR_NOT_FOUND` with every place that was looked at; `ERR_OFFLINE` where a download was needed and
 *   not allowed, or the hub cannot be reached; `ERR_HUB` where it refuses or fails; `ERR_OPTION`, `ERR_IO`, `ERR_ABORTED`
 */
export async function findModel(
  pathOrId: string,
  options: ResolveOptions = {},
  needs: Needs = 'everything',
  wish: ModelWish = anyOrigin,
): Promise<ModelPlace> {
  if (typeof pathOrId !== 'string' || pathOrId === '') {
    const expected = 'the path of a folder or the id of a model, such as "beomi/kcbert-base"';
    const isUrl = (pathOrId as unknown) instanceof URL;
    throw optionError(
      'the model',
      pathOrId,
      `${expected}${isUrl ? '; fileURLToPath(url) gives the path of a URL' : ''}`,
    );
  }
  const isId = isModelId(pathOrId);
  const candidates = env.allowLocalModels
    ? [resolve(pathOrId), ...(isId ? [resolve(env.localModelPath, pathOrId)] : [])]
    : [];
  for (const candidate of candidates) {
    if (await isFolder(candidate)) {
      const folder = await withSubfolder(candidate, options.subfolder);
      return { folder: await aboveGraphs(folder, needs), graph: null };
    }
    if (/\.onnx$/i.test(candidate) && (await exists(candidate))) return placeOfGraph(candidate, needs);
  }
  const looked = candidates.length === 0 ? '' : `looked at ${candidates.map((path) => `'${path}'`).join(', ')}`;
  if (isId) {
    const folder = await remoteModel(pathOrId, options, needs, wish).catch((error) => {
      throw withPlaces(error, looked);
    });
    return { folder: await aboveGraphs(folder, needs), graph: null };
  }
  if (candidates.length > 0 && (await exists(candidates[0]!))) {
    throw new BertNativeError(
      'ERR_NOT_FOUND',
      `'${pathOrId}' is a file; the folder that holds the model is needed, or an .onnx file`,
    );
  }
  const reason = looked || 'env.allowLocalModels is false, and this is no id of the hub';
  const meant = whatIsMeant(pathOrId);
  throw new BertNativeError(
    'ERR_NOT_FOUND',
    `no model folder '${pathOrId}': ${reason}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
  );
}

/** By a name that is neither a path nor an id: the address of a model's page or of a file, a path that a shell expands. */
function whatIsMeant(text: string): string | undefined {
  const id = /^https?:\/\/[^/]+\/([^/?#]+\/[^/?#]+)/.exec(text)?.[1];
  if (id !== undefined && isModelId(id)) return `the id '${id}'`;
  if (text.startsWith('~/')) return `the path '${join(homedir(), text.slice(2))}'`;
  try {
    return text.startsWith('file:') ? `the path '${fileURLToPath(text)}'` : undefined;
  } catch {
    return undefined; // of another host
  }
}

/** What tells the folder of a model from one that only holds graphs. */
const tellingFiles: Readonly<Record<Needs, readonly string[]>> = {
  config: ['config.json'],
  model: ['config.json'],
  tokenizer: tokenizerFiles,
  everything: ['modules.json', 'config.json', ...tokenizerFiles],
};

async function placeOfGraph(graph: string, needs: Needs): Promise<ModelPlace> {
  return { folder: await nearestWith(tellingFiles[needs], dirname(graph)), graph };
}

/** The model's folder, where a caller named the one inside that holds its graphs. */
async function aboveGraphs(folder: string, needs: Needs): Promise<string> {
  return basename(folder) === 'onnx' ? nearestWith(tellingFiles[needs], folder) : folder;
}

/** This folder or the one above it, whichever has a file of these names; best names first. */
async function nearestWith(names: readonly string[], folder: string): Promise<string> {
  for (const name of names) {
    for (const each of [folder, dirname(folder)]) {
      if (await exists(join(each, name))) return each;
    }
  }
  return folder;
}

async function withSubfolder(folder: string, subfolder: string | null | undefined): Promise<string> {
  if (subfolder == null) return folder;
  const inner = resolve(folder, subfolder);
  if (inner !== folder && !inner.startsWith(folder + sep)) {
    throw optionError('subfolder', subfolder, 'a folder inside the model folder');
  }
  if (await isFolder(inner)) return inner;
  throw new BertNativeError('ERR_NOT_FOUND', `'${folder}' has no folder '${subfolder}'`);
}

/**
 * The folder of a hub model in the cache.
 *
 * @param wanted what of it is needed, or which files, by their paths
 * @throws BertNativeError as {@link resolveModelFolder}
 */
export async function remoteModel(
  id: string,
  options: ResolveOptions,
  wanted: Needs | ((path: string) => boolean),
  wish: ModelWish = anyOrigin,
): Promise<string> {
  const revision = options.revision ?? 'main';
  if (!isPlainPath(revision)) throw optionError('revision', revision, 'a branch, tag or commit');
  const subfolder = (options.subfolder ?? '').replace(/\/+$/, '');
  if (subfolder !== '' && !isPlainPath(subfolder)) {
    throw optionError('subfolder', subfolder, 'a folder inside the model folder');
  }
  const { hubSnapshot } = await importSnapshot();
  return hubSnapshot({
    id,
    revision,
    cacheDir: resolve(options.cache_dir ?? env.cacheDir),
    subfolder,
    wanted,
    wish,
    offline: offlineReason(options),
    token: options.token ?? undefined,
    progress_callback: options.progress_callback ?? undefined,
    signal: options.signal ?? undefined,
  });
}

function offlineReason({ local_files_only }: ResolveOptions): string | undefined {
  if (local_files_only) return 'local_files_only is true';
  return env.allowRemoteModels ? undefined : 'env.allowRemoteModels is false (HF_HUB_OFFLINE)';
}

/** A name that is not on the hub was perhaps meant as a folder's. */
function withPlaces(error: unknown, looked: string): unknown {
  if (!(error instanceof BertNativeError) || looked === '') return error;
  const kind = failureOf(error)?.kind;
  const isAbsent = kind === undefined ? error.code === 'ERR_OFFLINE' : kind === 'repository' || kind === 'unreachable';
  if (!isAbsent) return error;
  const { cause } = error;
  return new BertNativeError(error.code, `${error.message}; ${looked} before`, cause === undefined ? {} : { cause });
}

/** `name` or `organisation/name` as the hub allows them; anything else can only be a path. */
export function isModelId(text: string): boolean {
  const isName = !isAbsolute(text) && /^[\w][\w.-]*(\/[\w][\w.-]*)?$/.test(text);
  return isName && text.length <= 200 && !/\.\.|--/.test(text);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
