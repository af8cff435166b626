import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { onAbort } from '../abort.ts';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import { warnOnce } from '../options.ts';
import { CachedRepository } from './cache.ts';
import { cachedSnapshot, isComplete, maxReadBytes, type SnapshotRequest } from './cached-snapshot.ts';
import { hubError } from './failures.ts';
import { ProgressReporter } from './progress.ts';
import { currentCommit, isCommit, type Listing, listFilesOf } from './repository.ts';
import { type FileView, type Selection, selectFiles } from './selection.ts';
import { openSession, patience, type Session } from './session.ts';
import { fetchBlob, isOutage } from './transfer.ts';

/** Files that are fetched at once. */
const parallel = 4;

/**
 * The folder of a model's snapshot in the cache, with the files that are wanted.
 *
 * Of a commit whose files are all there nothing is asked; for a branch or tag the hub is asked which commit it stands for.
 * Where the hub cannot be reached or refuses, what is cached does, with a warning.
 *
 * @throws BertNativeError `ERR_OFFLINE`, `ERR_NOT_FOUND`, `ERR_HUB`, `ERR_IO`, `ERR_ABORTED`, `ERR_OPTION` (token, address),
 *   `ERR_FILE_FORMAT` (an index that is none)
 */
export async function hubSnapshot(wish: SnapshotRequest): Promise<string> {
  const cache = new CachedRepository(wish.cacheDir, wish.id);
  if (wish.offline !== undefined) {
    const found = await cachedSnapshot(cache, wish);
    if (typeof found !== 'string') throw offlineError(wish, found);
    return found;
  }
  try {
    return await onlineSnapshot(cache, wish);
  } catch (error) {
    if (!isOutage(error)) throw error;
    const found = await cachedSnapshot(cache, wish);
    if (typeof found !== 'string') throw error;
    warnOnce(
      'BERT_NATIVE_HUB_CACHED',
      `${wish.id} ${wish.revision}`,
      `'${wish.id}' is taken from the cache as it was last seen: ${(error as Error).message}`,
    );
    return found;
  }
}

async function onlineSnapshot(cache: CachedRepository, wish: SnapshotRequest): Promise<string> {
  const { id, revision, subfolder } = wish;
  if (isCommit(revision) && (await isComplete(cache, revision, wish))) {
    return join(cache.snapshot(revision), subfolder);
  }
  const session = await sessionFor(cache, wish);
  const commit = isCommit(revision) ? revision : await currentCommit(session, id, revision);
  if (!(await isComplete(cache, commit, wish))) {
    const known = await cache.readTree(commit);
    const listing = known ?? (await listFilesOf(session, id, commit));
    if (known === undefined) await cache.writeTree(commit, listing);
    await fetchWanted(cache, wish, commit, session, listing);
  }
  // Not before its files are there: until then the cache's state of the revision is the older one, which is whole.
  await cache.writeRef(revision, commit);
  return join(cache.snapshot(commit), subfolder);
}

/** What is cached is not kept waiting for long. */
async function sessionFor(cache: CachedRepository, { revision, token, signal }: SnapshotRequest): Promise<Session> {
  const session = await openSession(token, signal);
  const cached = await cache.commitOf(revision);
  const isCached = cached !== undefined && (await cache.hasSnapshot(cached));
  return isCached ? { ...session, tries: patience.tries_with_cache } : session;
}

function offlineError(
  { id, revision, cacheDir, offline }: SnapshotRequest,
  missing: readonly string[],
): BertNativeError {
  const state =
    missing.length === 0
      ? `'${id}' at revision '${revision}' is not in the hub cache '${cacheDir}'`
      : `the hub cache '${cacheDir}' has '${id}' at revision '${revision}' without ${shortened(missing)}`;
  return new BertNativeError('ERR_OFFLINE', `${state}, and nothing is downloaded: ${offline}`);
}

function shortened(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

async function fetchWanted(
  cache: CachedRepository,
  wish: SnapshotRequest,
  commit: string,
  session: Session,
  listing: Listing,
): Promise<void> {
  const download = new Download(cache, wish, commit, session, listing);
  const selection = await download.select();
  if (selection.missing.length > 0) {
    throw hubError(
      'file',
      `'${wish.id}' at revision '${wish.revision}' on ${session.endpoint} has no ${shortened(selection.missing)}` +
        describeOthers(listing, wish),
    );
  }
  await download.fetchAll(selection.files);
}

/** What is there in the place of what was wanted. */
function describeOthers(listing: Listing, { wish }: SnapshotRequest): string {
  const others = [...listing.keys()].filter((path) => /\.(h5|msgpack|onnx|gguf|ot|ckpt)$/.test(path));
  if (others.length === 0) return '';
  const runs = wish.origins.includes('graph') ? '' : ", and engine 'onnxruntime' runs ONNX models";
  return `; it has ${shortened(others)}${others.some((path) => path.endsWith('.onnx')) ? runs : ''}`;
}

/** Fetches files of one commit. */
class Download {
  readonly #cache: CachedRepository;
  readonly #wish: SnapshotRequest;
  readonly #commit: string;
  readonly #session: Session;
  readonly #listing: Listing;
  readonly #reporter: ProgressReporter;
  readonly #initiated = new Set<string>();
  readonly #done = new Set<string>();

  constructor(cache: CachedRepository, wish: SnapshotRequest, commit: string, session: Session, listing: Listing) {
    this.#cache = cache;
    this.#wish = wish;
    this.#commit = commit;
    this.#session = session;
    this.#listing = listing;
    this.#reporter = new ProgressReporter(wish.id, wish.progress_callback);
  }

  async select(): Promise<Selection> {
    const { wanted, subfolder, id, wish } = this.#wish;
    if (typeof wanted === 'function') {
      const files = [...this.#listing.keys()].filter(wanted);
      if (files.length > 0) return { files, missing: [] };
      throw hubError('file', `'${id}' has no file that was asked for; it has ${shortened([...this.#listing.keys()])}`);
    }
    return selectFiles(this.#view(), wanted, subfolder, wish);
  }

  #view(): FileView {
    return {
      has: async (path) => this.#listing.has(path),
      read: async (path) => {
        const { size_bytes } = this.#listing.get(path)!;
        if (size_bytes > maxReadBytes) {
          throw new BertNativeError(
            'ERR_FILE_FORMAT',
            `${path}: ${size_bytes} bytes; at most ${maxReadBytes} are read`,
          );
        }
        const file = await this.#locate(path);
        return readFile(file).catch((cause) => {
          throw fileError('reading', file, cause);
        });
      },
      locate: (path) => this.#locate(path),
    };
  }

  async #locate(path: string): Promise<string> {
    await this.#fetch(path, this.#session);
    return join(this.#cache.snapshot(this.#commit), path);
  }

  /** A few at a time. What fails stops the others, which have ended when this rejects. */
  async fetchAll(files: readonly string[]): Promise<void> {
    for (const file of files) this.#initiate(file);
    const stop = new AbortController();
    const { signal } = this.#session;
    const forget = signal && onAbort(signal, () => stop.abort(signal.reason));
    const session = { ...this.#session, signal: stop.signal };
    const queue = [...files];
    let failure: { readonly error: unknown } | undefined;
    const work = async () => {
      for (let file = queue.shift(); file !== undefined && failure === undefined; file = queue.shift()) {
        await this.#fetch(file, session).catch((error) => {
          failure ??= { error };
          stop.abort(error);
        });
      }
    };
    await Promise.all(Array.from({ length: parallel }, work));
    forget?.();
    if (failure !== undefined) throw failure.error;
  }

  #initiate(path: string): void {
    if (this.#initiated.has(path)) return;
    this.#initiated.add(path);
    this.#reporter.initiate(path, this.#listing.get(path)!.size_bytes);
  }

  async #fetch(path: string, session: Session): Promise<void> {
    if (this.#done.has(path)) return;
    const file = this.#listing.get(path)!;
    this.#initiate(path);
    this.#reporter.download(path);
    const source = { session, id: this.#wish.id, commit: this.#commit, file };
    // A file may be there without its blob: a copy, where links are not allowed.
    if (!(await this.#isPresent(path, file.size_bytes))) {
      await fetchBlob(this.#cache, source, (loaded) => this.#reporter.progress(path, loaded));
      await this.#cache.link(this.#commit, path, file.oid);
    }
    this.#done.add(path);
    this.#reporter.done(path);
  }

  async #isPresent(path: string, size_bytes: number): Promise<boolean> {
    return stat(join(this.#cache.snapshot(this.#commit), path)).then(
      (entry) => entry.isFile() && entry.size === size_bytes,
      () => false,
    );
  }
}
