import { createHash, type Hash } from 'node:crypto';
import { constants, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { throwIfAborted } from '../abort.ts';
import { BertNativeError } from '../errors.ts';
import { fileError, makeFolder, syncFolder, writeFully } from '../files.ts';
import type { CachedRepository } from './cache.ts';
import { failureOf, hubError } from './failures.ts';
import { withLock } from './lock.ts';
import type { RemoteFile } from './repository.ts';
import { type Answer, bodyPieces, patience, Retries, request, type Session } from './session.ts';

/** One file at one commit of one repository. */
export interface Source {
  readonly session: Session;
  readonly id: string;
  readonly commit: string;
  readonly file: RemoteFile;
}

/**
 * Fetches a blob into the cache unless it is there. It is written under the name that Python's huggingface_hub gives to
 * what is not complete; what an interrupted download left there is gone on from. It takes its own name once its size and
 * hash are what the hub says.
 *
 * @param onProgress with the bytes that are there so far, also those of an earlier download
 * @throws BertNativeError `ERR_HUB`, `ERR_NOT_FOUND`, `ERR_OFFLINE`, `ERR_IO`, `ERR_ABORTED`
 */
export async function fetchBlob(
  cache: CachedRepository,
  source: Source,
  onProgress: (loaded_bytes: number) => void,
): Promise<void> {
  const { session, file } = source;
  if (await cache.hasBlob(file.oid, file.size_bytes)) return;
  await withLock(cache.lock(file.oid), session.signal, async (signal) => {
    if (await cache.hasBlob(file.oid, file.size_bytes)) return;
    const path = cache.blob(file.oid);
    await makeFolder(dirname(path));
    const partial = await PartialFile.open(`${path}.incomplete`, file);
    try {
      onProgress(partial.loaded_bytes);
      await fill(partial, { ...source, session: { ...session, signal } }, onProgress);
      await partial.commit(path);
    } finally {
      await partial.close();
    }
  });
}

/** Asks for what is missing until it is there, and once more for all of it where the hash says that a part was wrong. */
async function fill(partial: PartialFile, source: Source, onProgress: (loaded_bytes: number) => void): Promise<void> {
  const isResumed = partial.loaded_bytes > 0;
  await receiveAll(partial, source, onProgress);
  if (partial.isRight()) return;
  await partial.restart();
  if (isResumed) {
    await receiveAll(partial, source, onProgress);
    if (partial.isRight()) return;
    await partial.restart();
  }
  const { id, file } = source;
  throw hubError(
    'answer',
    `'${file.path}' of '${id}' arrived with another hash than ${source.session.endpoint} lists, ${file.oid}: ` +
      'what came was thrown away',
  );
}

async function receiveAll(
  partial: PartialFile,
  source: Source,
  onProgress: (loaded_bytes: number) => void,
): Promise<void> {
  const { session, file } = source;
  const retries = new Retries(session.signal, patience.tries, true);
  while (partial.loaded_bytes < file.size_bytes) {
    const before = partial.loaded_bytes;
    try {
      await receive(partial, source, onProgress);
    } catch (error) {
      // A server that gives a little each time may go on for as many times as the file has megabytes.
      if (partial.loaded_bytes - before >= 1 << 20) retries.reset();
      await retries.wait(error);
    }
  }
  onProgress(partial.loaded_bytes);
}

/** One request for what is missing, as far as it goes. */
async function receive(
  partial: PartialFile,
  source: Source,
  onProgress: (loaded_bytes: number) => void,
): Promise<void> {
  const { session, id, commit, file } = source;
  const path = file.path.split('/').map(encodeURIComponent).join('/');
  const url = `${session.endpoint}/${id}/resolve/${commit}/${path}`;
  // The bytes themselves, not compressed: a range counts them. No If-Range: the ETag of where the bytes lie is another
  // than the hub's. The hub's says before the first byte which content it is, and the hash after the last.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (partial.loaded_bytes > 0) headers.range = `bytes=${partial.loaded_bytes}-`;
  const answer = await request(session, url, headers, { id, revision: commit, path: file.path });
  try {
    checkFacts(source, answer.first);
    if (!startsAt(partial.loaded_bytes, source, answer)) await partial.restart();
    for await (const piece of bodyPieces(answer.response, session.signal)) {
      throwIfAborted(session.signal);
      if (partial.loaded_bytes + piece.length > file.size_bytes) {
        throw hubError(
          'answer',
          `'${file.path}' of '${id}' is longer than the ${file.size_bytes} bytes that are listed`,
        );
      }
      await partial.append(piece);
      onProgress(partial.loaded_bytes);
    }
  } catch (error) {
    throwIfAborted(session.signal);
    throw error;
  } finally {
    answer.close();
  }
  if (partial.loaded_bytes < file.size_bytes) {
    throw hubError(
      'connection',
      `'${file.path}' of '${id}' ended after ${partial.loaded_bytes} of ${file.size_bytes} bytes`,
    );
  }
}

/** The hub says with every file which commit and which content it is about to send. */
function checkFacts({ session, id, commit, file }: Source, facts: Headers): void {
  const etag = (facts.get('x-linked-etag') ?? facts.get('etag'))?.replace(/^W\//, '').replaceAll('"', '');
  const isHash = etag !== undefined && etag.length === file.oid.length && /^[0-9a-f]+$/.test(etag);
  const size = facts.get('x-linked-size');
  const sent = facts.get('x-repo-commit');
  const isOther =
    (isHash && etag !== file.oid) ||
    (size !== null && Number(size) !== file.size_bytes) ||
    (sent !== null && sent !== commit);
  if (isOther) {
    throw hubError('answer', `${session.endpoint} sends another '${file.path}' of '${id}' than it lists for ${commit}`);
  }
}

/** Whether an answer goes on where the file ends so far; if not, it begins at the beginning. */
function startsAt(loaded_bytes: number, { id, file }: Source, { response }: Answer): boolean {
  if (response.status === 200) return loaded_bytes === 0;
  const range = response.headers.get('content-range')?.match(/^bytes (\d+)-\d+\/(\d+|\*)$/);
  const total = range?.[2];
  const fits = Number(range?.[1]) === loaded_bytes && (total === '*' || Number(total) === file.size_bytes);
  if (response.status === 206 && fits) return true;
  throw hubError('answer', `status ${response.status} for '${file.path}' of '${id}' is no answer to what was asked`);
}

/** What there is of a file, and the hash of it so far. */
class PartialFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #file: RemoteFile;
  #hash: Hash;
  #loaded_bytes = 0;

  private constructor(path: string, handle: FileHandle, file: RemoteFile) {
    this.#path = path;
    this.#handle = handle;
    this.#file = file;
    this.#hash = beginHash(file);
  }

  static async open(path: string, file: RemoteFile): Promise<PartialFile> {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o666).catch((cause) => {
      throw fileError('opening', path, cause);
    });
    const partial = new PartialFile(path, handle, file);
    try {
      await partial.#readWhatIsThere();
      return partial;
    } catch (cause) {
      await handle.close();
      throw fileError('reading', path, cause);
    }
  }

  get loaded_bytes(): number {
    return this.#loaded_bytes;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await writeFully(this.#handle, bytes, this.#loaded_bytes).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOSPC' && cause.code !== 'EDQUOT') throw fileError('writing', this.#path, cause);
      const missing = this.#file.size_bytes - this.#loaded_bytes;
      throw new BertNativeError(
        'ERR_IO',
        `${this.#path}: the disk is full: ${missing} bytes of '${this.#file.path}' are missing. What is there stays, ` +
          'and the next download goes on from it',
        { cause },
      );
    });
    this.#hash.update(bytes);
    this.#loaded_bytes += bytes.length;
  }

  /** Throws away what is there. */
  async restart(): Promise<void> {
    await this.#handle.truncate(0).catch((cause) => {
      throw fileError('writing', this.#path, cause);
    });
    this.#hash = beginHash(this.#file);
    this.#loaded_bytes = 0;
  }

  /** Whether the whole file has the hash that it should have. */
  isRight(): boolean {
    return this.#hash.copy().digest('hex') === this.#file.oid;
  }

  /** Gives the file the name of what is complete. */
  async commit(path: string): Promise<void> {
    try {
      // Python, which knows other locks, may have appended.
      await this.#handle.truncate(this.#file.size_bytes);
      await this.#handle.sync();
      // Windows renames no open file.
      await this.#handle.close();
      await rename(this.#path, path);
    } catch (cause) {
      throw fileError('writing', path, cause);
    }
    await syncFolder(dirname(path));
  }

  /** What was received stays; an empty file does not. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
    if (this.#loaded_bytes === 0) await rm(this.#path, { force: true }).catch(() => {});
  }

  async #readWhatIsThere(): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size > this.#file.size_bytes) return this.restart();
    const buffer = Buffer.allocUnsafe(1 << 20);
    while (this.#loaded_bytes < size) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#loaded_bytes);
      if (bytesRead === 0) return;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#loaded_bytes += bytesRead;
    }
  }
}

/** Large files are named by the SHA-256 of their bytes, others by git: the SHA-1 of a header and the bytes. */
function beginHash({ oid, size_bytes }: RemoteFile): Hash {
  return oid.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size_bytes}\0`);
}

/** Whether a failure leaves what is cached as good as it was: the hub is away, or does not want to talk. */
export function isOutage(error: unknown): boolean {
  const kind = failureOf(error)?.kind;
  return kind !== undefined && ['unreachable', 'connection', 'rate', 'server', 'refused', 'repository'].includes(kind);
}
