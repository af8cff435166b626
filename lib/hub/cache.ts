import { randomBytes } from 'node:crypto';
import { copyFile, link, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileError, makeFolder, readFileIfPresent, writeFileAtomically } from '../files.ts';
import { isCommit, type Listing, type RemoteFile, remoteFile } from './repository.ts';

/** Where links are not allowed: Windows without developer mode, and file systems without links. */
const noLinks = new Set(['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN']);

/**
 * A model's folder in the hub cache, laid out as Python's huggingface_hub does ("Understand caching" in its guides):
 * `blobs/` holds content by hash, `snapshots/<commit>/` links to it under the files' names, `refs/<revision>` says which
 * commit a branch or tag stood for, `trees/<commit>.json` lists all files of a commit, and `.no_exist/<commit>/` has an
 * empty file for what a commit is known to lack, which is only read here.
 */
export class CachedRepository {
  readonly folder: string;
  readonly #locks: string;

  constructor(cacheDir: string, id: string) {
    const name = `models--${id.replaceAll('/', '--')}`;
    this.folder = join(cacheDir, name);
    this.#locks = join(cacheDir, '.locks', name);
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  blob(oid: string): string {
    return join(this.folder, 'blobs', oid);
  }

  /** Beside the lock of the same blob that Python holds, which is a file. */
  lock(oid: string): string {
    return join(this.#locks, `${oid}.lock.d`);
  }

  /** The commit that a branch or tag stood for when it was last asked for. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(join(this.folder, 'refs', ...revision.split('/')), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /** A cache that is only read keeps what it says. @throws BertNativeError `ERR_IO` */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.commitOf(revision)) === commit) return;
    const path = join(this.folder, 'refs', ...revision.split('/'));
    await unlessReadOnly(async () => {
      await makeFolder(dirname(path));
      await writeFileAtomically(path, commit);
    });
  }

  /** Whether a snapshot has a file; undefined where that is not known. */
  async has(commit: string, path: string): Promise<boolean | undefined> {
    if (await isFile(join(this.snapshot(commit), path))) return true;
    return (await isFile(join(this.folder, '.no_exist', commit, path))) ? false : undefined;
  }

  async hasSnapshot(commit: string): Promise<boolean> {
    return stat(this.snapshot(commit)).then(
      (entry) => entry.isDirectory(),
      () => false,
    );
  }

  /** The files of a snapshot, by path. */
  async filesOf(commit: string): Promise<string[]> {
    const folder = this.snapshot(commit);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  }

  /**
   * All files of a commit, as far as they have been listed: by this library, or by Python's huggingface_hub from version 2
   * on. Anything that is no such list is as if it were not there.
   */
  async readTree(commit: string): Promise<Listing | undefined> {
    const bytes = await readFileIfPresent(this.#tree(commit), maxTreeBytes).catch(() => undefined);
    return bytes === undefined ? undefined : parseTree(bytes);
  }

  /** Where the cache can be written. @throws BertNativeError `ERR_IO` */
  async writeTree(commit: string, listing: Listing): Promise<void> {
    const text = formatTree(listing);
    if (text === undefined) return;
    await unlessReadOnly(async () => {
      await makeFolder(dirname(this.#tree(commit)));
      await writeFileAtomically(this.#tree(commit), text);
    });
  }

  #tree(commit: string): string {
    return join(this.folder, 'trees', `${commit}.json`);
  }

  async hasBlob(oid: string, size_bytes: number): Promise<boolean> {
    return stat(this.blob(oid)).then(
      (entry) => entry.isFile() && entry.size === size_bytes,
      () => false,
    );
  }

  /**
   * Makes a file of a snapshot a link to its blob; where such links are not allowed, a hard link or a copy.
   *
   * @throws BertNativeError `ERR_IO`
   */
  async link(commit: string, path: string, oid: string): Promise<void> {
    const file = join(this.snapshot(commit), path);
    const target = relative(dirname(file), this.blob(oid));
    await makeFolder(dirname(file));
    if ((await readlink(file).catch(() => undefined)) === target) return;
    const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await symlink(target, temporary).catch(async (cause: NodeJS.ErrnoException) => {
        if (!noLinks.has(cause.code ?? '')) throw cause;
        await link(this.blob(oid), temporary).catch(() => copyFile(this.blob(oid), temporary));
      });
      await rename(temporary, file);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => {});
      throw fileError('linking', file, cause);
    }
  }
}

/** The names of 100,000 files. */
const maxTreeBytes = 64 << 20;
const treeVersion = 1;

interface TreeFile {
  readonly size: unknown;
  readonly blob_id: unknown;
  readonly lfs_sha256?: unknown;
  readonly lfs_size?: unknown;
  readonly xet_hash?: unknown;
}

function parseTree(bytes: Uint8Array): Listing | undefined {
  try {
    const { format_version, files } = JSON.parse(Buffer.from(bytes).toString()) as {
      format_version?: unknown;
      files?: Record<string, TreeFile>;
    };
    if (format_version !== treeVersion) return undefined;
    const listing = new Map<string, RemoteFile>();
    for (const [path, { size, blob_id, lfs_sha256, lfs_size, xet_hash }] of Object.entries(files!)) {
      const isLarge = lfs_sha256 != null;
      const [size_bytes, oid] = isLarge ? [lfs_size ?? size, lfs_sha256] : [size, blob_id];
      const file = remoteFile(path, isLarge, { size_bytes, oid, blob_id, xet_hash });
      if (file !== undefined) listing.set(path, file);
    }
    return listing;
  } catch {
    return undefined;
  }
}

/** Undefined where the hub did not say all that belongs there. */
function formatTree(listing: Listing): string | undefined {
  const files: Record<string, TreeFile> = Object.create(null);
  for (const path of [...listing.keys()].sort()) {
    const { size_bytes: size, oid, blob_id, xet_hash } = listing.get(path)!;
    if (blob_id === undefined) return undefined;
    const large = oid.length === 64 ? { lfs_sha256: oid, lfs_size: size } : {};
    files[path] = { size, blob_id, ...large, xet_hash };
  }
  return JSON.stringify({ format_version: treeVersion, files }, null, 1);
}

const readOnly = new Set(['EROFS', 'EACCES', 'EPERM']);

/** For what the next call can find out again. */
async function unlessReadOnly(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!readOnly.has(((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? '')) throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
}
