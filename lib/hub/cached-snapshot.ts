import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileIfPresent } from '../files.ts';
import type { CachedRepository } from './cache.ts';
import type { ModelWish } from './model-files.ts';
import { type ProgressCallback, ProgressReporter } from './progress.ts';
import { type FileView, isWeightsFile, type Needs, selectFiles } from './selection.ts';

/** A model of the hub, and which of its files are wanted. */
export interface SnapshotRequest {
  readonly id: string;
  readonly revision: string;
  readonly cacheDir: string;
  /** Of the repository in which the model is; '' for the repository itself. */
  readonly subfolder: string;
  /** Files by what they are for, or those whose paths pass. */
  readonly wanted: Needs | ((path: string) => boolean);
  /** What the model is to be run from. */
  readonly wish: ModelWish;
  /** Why nothing may be downloaded; undefined: it may. */
  readonly offline: string | undefined;
  readonly token: string | boolean | undefined;
  readonly progress_callback: ProgressCallback | undefined;
  readonly signal: AbortSignal | undefined;
}

/** An index of shards, or `modules.json`. */
export const maxReadBytes = 64 << 20;

class NotKnown extends Error {}

/** Whether every file that is wanted is in the snapshot, and every other is known not to exist. */
export async function isComplete(cache: CachedRepository, commit: string, wish: SnapshotRequest): Promise<boolean> {
  const tree = await cache.readTree(commit);
  const view: FileView = {
    async has(path) {
      const known = tree === undefined ? await cache.has(commit, path) : tree.has(path);
      if (known === undefined) throw new NotKnown();
      return known;
    },
    read: (path) => readCached(cache, commit, path),
    locate: (path) => locateCached(cache, commit, path),
  };
  try {
    const { files, missing } = await selectWanted(view, wish, tree?.keys());
    if (files.length === 0 || missing.length > 0) return false;
    if ((await absentOf(cache, commit, files)).length > 0) return false;
    await reportCached(cache, commit, wish, files);
    return true;
  } catch (error) {
    if (error instanceof NotKnown) return false;
    throw error;
  }
}

/**
 * The folder of what is cached, if it is enough to go by; else what is missing. Any set of weights will do; of the other
 * files all that are known to exist must be there.
 */
export async function cachedSnapshot(
  cache: CachedRepository,
  wish: SnapshotRequest,
): Promise<string | readonly string[]> {
  const commit = await cache.commitOf(wish.revision);
  if (commit === undefined || !(await cache.hasSnapshot(commit))) return [];
  const tree = await cache.readTree(commit);
  const view: FileView = {
    has: async (path) => (await cache.has(commit, path)) === true || (tree?.has(path) === true && !isWeightsFile(path)),
    read: (path) => readCached(cache, commit, path),
    locate: (path) => locateCached(cache, commit, path),
  };
  try {
    const { files, missing } = await selectWanted(view, wish, tree?.keys() ?? (await cache.filesOf(commit)));
    const absent = [...missing, ...(await absentOf(cache, commit, files))];
    if (absent.length > 0 || files.length === 0) return absent;
    await reportCached(cache, commit, wish, files);
    return join(cache.snapshot(commit), wish.subfolder);
  } catch (error) {
    if (error instanceof NotKnown) return [];
    throw error;
  }
}

/** @param listed all files there are, where that is known */
async function selectWanted(
  view: FileView,
  { wanted, subfolder, wish }: SnapshotRequest,
  listed: Iterable<string> | undefined,
): Promise<{ files: readonly string[]; missing: readonly string[] }> {
  if (typeof wanted !== 'function') return selectFiles(view, wanted, subfolder, wish);
  if (listed === undefined) throw new NotKnown();
  return { files: [...listed].filter(wanted), missing: [] };
}

async function absentOf(cache: CachedRepository, commit: string, files: readonly string[]): Promise<string[]> {
  const known = await Promise.all(files.map((file) => cache.has(commit, file)));
  return files.filter((_, i) => known[i] !== true);
}

async function readCached(cache: CachedRepository, commit: string, path: string): Promise<Uint8Array> {
  const bytes = await readFileIfPresent(join(cache.snapshot(commit), path), maxReadBytes);
  if (bytes === undefined) throw new NotKnown();
  return bytes;
}

async function locateCached(cache: CachedRepository, commit: string, path: string): Promise<string> {
  if ((await cache.has(commit, path)) !== true) throw new NotKnown();
  return join(cache.snapshot(commit), path);
}

/** What is there is told like what comes, so that a display reaches its end. */
async function reportCached(
  cache: CachedRepository,
  commit: string,
  { id, progress_callback }: SnapshotRequest,
  files: readonly string[],
): Promise<void> {
  if (progress_callback === undefined) return;
  const reporter = new ProgressReporter(id, progress_callback);
  for (const file of files) {
    const { size } = await stat(join(cache.snapshot(commit), file)).catch(() => ({ size: 0 }));
    reporter.initiate(file, size);
  }
  for (const file of files) reporter.done(file);
}
