import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { BertNativeError } from './errors.ts';

/** A failed file operation as this library's error, the original as its cause; an error of this library as it is. */
export function fileError(action: string, path: string, cause: unknown): BertNativeError {
  if (cause instanceof BertNativeError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const absent = code === 'ENOENT' || code === 'ENOTDIR';
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'a part of the path is a file',
    EEXIST: 'a file of that name is in the way',
  };
  const reason = reasons[code ?? ''] ?? message;
  return new BertNativeError(absent ? 'ERR_NOT_FOUND' : 'ERR_IO', `${path}: ${action} failed: ${reason}`, { cause });
}

/** The largest file that is read whole: far above any vocabulary. */
const maxWholeFileBytes = 64 << 20;
/** A megabyte holds the labels of 20,000 classes. What JSON of this size expands to still fits into a default heap. */
const maxJsonBytes = 16 << 20;

/**
 * A file's bytes, or undefined where there is no such file.
 *
 * @throws BertNativeError `ERR_IO` if it cannot be read, `ERR_FILE_FORMAT` if it is too large to be what was looked for
 */
export async function readFileIfPresent(
  path: string,
  limit_bytes = maxWholeFileBytes,
): Promise<Uint8Array | undefined> {
  try {
    const entry = await stat(path);
    if (!entry.isFile()) throw new BertNativeError('ERR_IO', `${path}: not a regular file`);
    if (entry.size > limit_bytes) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: ${entry.size} bytes; at most ${limit_bytes} are read`);
    }
    return await readFile(path);
  } catch (cause) {
    const error = fileError('reading', path, cause);
    if (error.code === 'ERR_NOT_FOUND') return undefined;
    throw error;
  }
}

export type JsonObject = Record<string, unknown>;

/**
 * The JSON object in a file, or undefined where there is no such file.
 *
 * @throws BertNativeError `ERR_IO`; `ERR_FILE_FORMAT` if the file holds anything else
 */
export async function readJsonObjectIfPresent(path: string): Promise<JsonObject | undefined> {
  const bytes = await readFileIfPresent(path, maxJsonBytes);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not JSON in UTF-8: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} holds no JSON object`);
  }
  return value as JsonObject;
}

/** As {@link readJsonObjectIfPresent}, but a missing file is `ERR_NOT_FOUND`. */
export async function readJsonObject(path: string): Promise<JsonObject> {
  const value = await readJsonObjectIfPresent(path);
  if (value === undefined) throw new BertNativeError('ERR_NOT_FOUND', `there is no file ${path}`);
  return value;
}

/** Makes a folder and those above it where they are missing. @throws BertNativeError `ERR_IO` */
export async function makeFolder(path: string): Promise<void> {
  await makeFolders(resolve(path)).catch((cause) => {
    throw fileError('making the folder', path, cause);
  });
}

/** Not by `recursive: true`, which never returns where a file system has no room for new folders, such as /proc. */
async function makeFolders(path: string): Promise<void> {
  const failure = await mkdir(path).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
  if (failure === undefined) return;
  if (failure.code === 'ENOENT') {
    if (!(await isFolder(dirname(path)))) await makeFolders(dirname(path));
    // Somebody else may have made it meanwhile, or the folder above it.
    await mkdir(path).catch(async (error) => {
      if (!(await isFolder(path))) throw error;
    });
  } else if (!(await isFolder(path))) throw failure;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}

/** A file being written under a temporary name beside its own, which it takes when it is complete. */
export interface AtomicFile {
  /** Appends. @throws BertNativeError `ERR_IO` */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes over what was written before. @throws BertNativeError `ERR_IO` */
  writeAt(position: number, bytes: Uint8Array): Promise<void>;
  /** Flushes to the disk and renames. @throws BertNativeError `ERR_IO` */
  commit(): Promise<void>;
  /** Leaves nothing behind. */
  abandon(): Promise<void>;
}

/** @throws BertNativeError `ERR_IO`, `ERR_NOT_FOUND` (no such folder) */
export async function openAtomicFile(path: string): Promise<AtomicFile> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  const guarded = <T>(action: Promise<T>): Promise<T> =>
    action.catch((cause) => {
      throw fileError('writing', path, cause);
    });
  const handle = await guarded(open(temporary, 'wx'));
  let end = 0;
  const writeAt = (position: number, bytes: Uint8Array): Promise<void> => guarded(writeFully(handle, bytes, position));
  return {
    writeAt,
    async write(bytes) {
      await writeAt(end, bytes);
      end += bytes.length;
    },
    async commit() {
      await guarded(handle.sync());
      await guarded(handle.close());
      await guarded(rename(temporary, path));
      await syncFolder(dirname(path));
    },
    async abandon() {
      await handle.close().catch(() => {});
      await rm(temporary, { force: true }).catch(() => {});
    },
  };
}

/** Writes all of the bytes: a single write may stop short, on a disk that is filling up for one. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/**
 * Writes a file so that `path` holds either what it held before or the whole new content. When anything fails, nothing is
 * left behind.
 *
 * @param content bytes, text (as UTF-8), or a function that writes them
 * @throws BertNativeError `ERR_IO`, `ERR_NOT_FOUND` (no such folder), and what `content` throws
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array | ((file: Pick<AtomicFile, 'write'>) => Promise<void>),
): Promise<void> {
  const file = await openAtomicFile(path);
  try {
    if (typeof content === 'function') await content(file);
    else await file.write(typeof content === 'string' ? Buffer.from(content) : content);
    await file.commit();
  } catch (cause) {
    await file.abandon();
    throw fileError('writing', path, cause);
  }
}

/** Makes the rename itself durable. Some file systems, and Windows, cannot flush a folder. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  try {
    await folder?.sync().catch(() => {});
  } finally {
    await folder?.close();
  }
}
