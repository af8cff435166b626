import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BertNativeError } from '../errors.ts';

export type JsonObject = { readonly [key: string]: unknown };

/**
 * The JSON object in a file, or null where there is no such file.
 *
 * @throws BertNativeError `ERR_FILE_FORMAT` if it holds anything else, `ERR_IO` if it cannot be read
 */
export async function readJsonObject(path: string): Promise<JsonObject | null> {
  const bytes = await readFileIfPresent(path);
  if (bytes === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not JSON in UTF-8: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} holds no JSON object`);
  }
  return value as JsonObject;
}

/** @throws BertNativeError `ERR_IO` if there is such a file and it cannot be read */
export async function readFileIfPresent(path: string): Promise<Uint8Array | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw readError(path, error);
  }
}

/** The library's error for a failed read. */
export function readError(path: string, error: unknown): BertNativeError {
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  return new BertNativeError(
    missing ? 'ERR_NOT_FOUND' : 'ERR_IO',
    missing ? `there is no file ${path}` : `${path} cannot be read: ${(error as Error).message}`,
    { cause: error },
  );
}

/**
 * Writes files into a folder, which is created where it is missing: each under a temporary name first, so that no reader
 * ever sees half a file.
 *
 * @param files contents by name; null removes a file of that name
 * @returns the paths written
 * @throws BertNativeError `ERR_IO`
 */
export async function writeFiles(
  folder: string,
  files: ReadonlyMap<string, string | Uint8Array | null>,
): Promise<string[]> {
  const written: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, content] of files) {
      const path = join(folder, name);
      if (content === null) {
        await rm(path, { force: true });
      } else {
        await replaceFile(path, content);
        written.push(path);
      }
    }
  } catch (error) {
    throw new BertNativeError('ERR_IO', `cannot save into ${folder}: ${(error as Error).message}`, { cause: error });
  }
  return written;
}

async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, content, { flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
