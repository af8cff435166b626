import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, writeFileAtomically } from '../files.ts';

/** @throws BertNativeError `ERR_IO` if there is such a file and it cannot be read */
export async function readFileIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError('reading', path, error);
  }
}

/**
 * Writes files into a folder, which is created where it is missing. No reader ever sees half a file.
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
  for (const [name, content] of files) {
    const path = join(folder, name);
    if (content === null) {
      await rm(path, { force: true }).catch((error) => Promise.reject(fileError('removing', path, error)));
    } else {
      await writeFileAtomically(path, content);
      written.push(path);
    }
  }
  return written;
}
