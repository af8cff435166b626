import { randomBytes } from 'node:crypto';
import { copyFile, link, open, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileError, makeFolder, writeFileAtomically } from '../files.ts';
import { isCommit } from './repository.ts';

/** Where links are not allowed: Windows without developer mode, and file systems without links. */
const noLinks = new Set(['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN']);

/**
 * A model's folder in the hub cache, laid out as Python's huggingface_hub does ("Understand caching" in its guides):
 * `blobs/` holds content by hash, `snapshots/<commit>/` links to it under the files' names, `refs/<revision>` says which
 * commit a branch or tag stood for, and `.no_exist/<commit>/` has an empty file for what a commit is known to lack.
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

  /** Notes what a commit lacks, where the cache can be written. @throws BertNativeError `ERR_IO` */
  async writeAbsent(commit: string, paths: Iterable<string>): Promise<void> {
    await unlessReadOnly(async () => {
      for (const path of paths) {
        const marker = join(this.folder, '.no_exist', commit, path);
        if (!(await isFile(marker))) await makeEmptyFile(marker);
      }
    });
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

async function makeEmptyFile(path: string): Promise<void> {
  await makeFolder(dirname(path));
  const handle = await open(path, 'a').catch((cause) => {
    throw fileError('writing', path, cause);
  });
  await handle.close();
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
