import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve, sep } from 'node:path';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { booleanRule, type OptionRules, optionError, stringRule } from '../options.ts';

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
}

export const resolveRules: OptionRules<ResolveOptions> = {
  revision: stringRule,
  cache_dir: stringRule,
  subfolder: stringRule,
  local_files_only: booleanRule,
};

/**
 * The folder that holds a model's files: the path itself where it is a folder, else `env.localModelPath/<id>`, else the
 * snapshot in the hub cache.
 *
 * @throws BertNativeError `ERR_NOT_FOUND` with every place that was looked at
 */
export async function resolveModelFolder(pathOrId: string, options: ResolveOptions = {}): Promise<string> {
  if (typeof pathOrId !== 'string' || pathOrId === '') {
    throw optionError('the model', pathOrId, 'the path of a folder or the id of a model, such as "beomi/kcbert-base"');
  }
  const candidates = [resolve(pathOrId)];
  if (isModelId(pathOrId)) {
    candidates.push(resolve(env.localModelPath, pathOrId));
    const snapshot = await cachedSnapshot(pathOrId, options);
    if (snapshot !== undefined) candidates.push(snapshot);
  }
  for (const candidate of candidates) {
    if (!(await isFolder(candidate))) continue;
    if (options.subfolder == null) return candidate;
    const folder = resolve(candidate, options.subfolder);
    if (folder !== candidate && !folder.startsWith(candidate + sep)) {
      throw optionError('subfolder', options.subfolder, 'a folder inside the model folder');
    }
    if (await isFolder(folder)) return folder;
    throw new BertNativeError('ERR_NOT_FOUND', `'${candidate}' has no folder '${options.subfolder}'`);
  }
  if (await exists(candidates[0]!)) {
    throw new BertNativeError('ERR_NOT_FOUND', `'${pathOrId}' is a file; the folder that holds the model is needed`);
  }
  const cache = isModelId(pathOrId)
    ? ` and the hub cache '${options.cache_dir ?? env.cacheDir}'; nothing is downloaded, ` +
      `but what 'huggingface-cli download ${pathOrId}' fetches is found there`
    : '';
  throw new BertNativeError(
    'ERR_NOT_FOUND',
    `no model folder '${pathOrId}': looked at ${candidates.map((path) => `'${path}'`).join(', ')}${cache}`,
  );
}

/** `name` or `organisation/name` as the hub allows them; anything else can only be a path. */
function isModelId(text: string): boolean {
  return !isAbsolute(text) && /^[\w][\w.-]*(\/[\w][\w.-]*)?$/.test(text) && !text.includes('..');
}

/** Layout of the cache: huggingface_hub's guide "Understand caching": refs/<revision> names a folder of snapshots/. */
async function cachedSnapshot(id: string, options: ResolveOptions): Promise<string | undefined> {
  const revision = options.revision ?? 'main';
  if (revision.split('/').includes('..') || isAbsolute(revision)) {
    throw optionError('revision', revision, 'a branch, tag or commit');
  }
  const repository = join(options.cache_dir ?? env.cacheDir, `models--${id.replaceAll('/', '--')}`);
  const commit = /^[0-9a-f]{40}$/.test(revision)
    ? revision
    : await readFile(join(repository, 'refs', revision), 'utf8').then(
        (text) => text.trim(),
        () => undefined,
      );
  return commit === undefined || !/^[0-9a-f]{40}$/.test(commit) ? undefined : join(repository, 'snapshots', commit);
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
