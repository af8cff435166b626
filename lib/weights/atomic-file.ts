import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ioError } from './byte-source.ts';

/**
 * Writes a file so that `path` holds either what it held before or the whole new content: a temporary file beside it is
 * filled, flushed to the disk and renamed. When anything fails, the temporary file is removed.
 * @throws BertNativeError `ERR_IO`, `ERR_NOT_FOUND` (no such folder); what `write` throws, as `ioError` gives it
 */
export async function writeFileAtomically(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw ioError('writing', path, cause);
  }
  await syncFolder(dirname(path));
}

/** Makes the rename itself durable. Some file systems, and Windows, cannot flush a folder. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  try {
    await folder?.sync().catch(() => {});
  } finally {
    await folder?.close();
  }
}
