import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BertNativeError, type ErrorCode } from './errors.ts';

/** A failed file operation as this library's error: the path, and what the system said. */
export function fileError(action: string, path: string, error: unknown): BertNativeError {
  const { code, message } = error as NodeJS.ErrnoException;
  const errorCode: ErrorCode = code === 'ENOENT' ? 'ERR_NOT_FOUND' : 'ERR_IO';
  const reason = code === 'ENOENT' ? 'there is no such file' : message;
  return new BertNativeError(errorCode, `${action} '${path}' failed: ${reason}`, { cause: error });
}

/**
 * The JSON object in a file.
 *
 * @param limit_bytes a larger file is refused before it is read
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO`, `ERR_FILE_FORMAT`
 */
export async function readJsonObject(path: string, limit_bytes = 64 << 20): Promise<Record<string, unknown>> {
  let text: string;
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      if (size > limit_bytes) {
        throw new BertNativeError('ERR_FILE_FORMAT', `'${path}' has ${size} bytes: expected at most ${limit_bytes}`);
      }
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof BertNativeError ? error : fileError('reading', path, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BertNativeError('ERR_FILE_FORMAT', `'${path}' is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BertNativeError('ERR_FILE_FORMAT', `'${path}' holds no JSON object`);
  }
  return value as Record<string, unknown>;
}

/** As {@link readJsonObject}, or undefined where the file does not exist. */
export async function readJsonObjectIfPresent(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    return await readJsonObject(path);
  } catch (error) {
    if (error instanceof BertNativeError && error.code === 'ERR_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * Writes a file that is either wholly there or not at all: into a temporary file beside it, then renamed.
 *
 * @throws BertNativeError `ERR_IO`
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError('writing', path, error);
  }
}
