import { realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import { quoted } from './checkpoint-tensor.ts';

/** A file's name in another file, which is as untrusted as the rest of a download. */
export interface NamedFile {
  /** Where the name is from, for messages. */
  readonly named_in: string;
  readonly name: string;
  /** What the file is, for messages: `shard`. */
  readonly kind: string;
}

/**
 * The path of a file that another file names, links followed, so that what is opened is what was checked. The name must be a
 * plain relative path, and the file must lie in the folder. In the hub's cache every file is a link into `blobs/` beside
 * `snapshots/`; there, the links may lead anywhere inside the model's own `models--…` folder.
 *
 * @throws BertNativeError `ERR_FILE_FORMAT`; `ERR_NOT_FOUND` where there is no such file, `ERR_IO`
 */
export async function locateInside(folder: string, { named_in, name, kind }: NamedFile): Promise<string> {
  if (!isPlainRelativePath(name)) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${named_in}: ${quoted(name)} is not the name of a ${kind}: expected a file in the same folder or below it`,
    );
  }
  const target = await resolveLinks(join(folder, name), kind);
  const boundary = modelBoundary(await resolveLinks(folder, kind));
  if (!isInside(boundary, target)) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${named_in}: the ${kind} ${quoted(name)} is a link to ${target}, which lies outside ${boundary}`,
    );
  }
  return target;
}

function isPlainRelativePath(name: string): boolean {
  const hasForeignCharacters = /[\\\0]|^[a-z]:/i.test(name);
  return !hasForeignCharacters && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

async function resolveLinks(path: string, kind: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw fileError(`looking for a ${kind}`, path, cause);
  }
}

/** The folder itself or, for `…/models--OWNER--NAME/snapshots/REVISION[/…]`, the model's folder in the hub's cache. */
function modelBoundary(folder: string): string {
  const parts = folder.split(sep);
  const snapshots = parts.findLastIndex(
    (part, index) => part === 'snapshots' && parts[index - 1]?.startsWith('models--') && index + 1 < parts.length,
  );
  return snapshots === -1 ? folder : parts.slice(0, snapshots).join(sep);
}

function isInside(folder: string, path: string): boolean {
  const route = relative(folder, path);
  return !isAbsolute(route) && route.split(sep)[0] !== '..';
}
