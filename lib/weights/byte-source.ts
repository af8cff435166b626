import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import type { CheckpointFile } from './tensor-span.ts';

/** Bytes that can be read at any offset: a file of a checkpoint, or memory that stands for one. */
export interface ByteSource {
  readonly file: CheckpointFile;
  /**
   * Exactly `length_bytes` bytes. The range is checked before anything is allocated.
   * @throws BertNativeError `ERR_FILE_FORMAT` when the range leaves the file, `ERR_IO` when reading fails
   */
  read(byte_offset: number, length_bytes: number): Promise<Uint8Array>;
}

/**
 * Opens a file, hands it to `use` and closes it. The identity is taken from the open handle, and again afterwards: a file
 * that was written to while it was read is refused.
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO`, and what `use` throws
 */
export async function withFileSource<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const handle = await openForReading(path);
  try {
    const file = await identify(handle, path);
    const result = await use({ file, read: (offset, length) => readExactly(handle, file, offset, length) });
    requireUnchanged(file, await identify(handle, path));
    return result;
  } finally {
    await handle.close();
  }
}

/** Memory that stands for a file: what tests and fuzzers feed to the readers. */
export function memorySource(bytes: Uint8Array, path = '(memory)'): ByteSource {
  const file: CheckpointFile = {
    path,
    size_bytes: bytes.byteLength,
    modified_ns: 0n,
    changed_ns: 0n,
    device: 0n,
    inode: 0n,
  };
  return {
    file,
    read: async (offset, length) => {
      requireRange(file, offset, length);
      return bytes.slice(offset, offset + length);
    },
  };
}

/** @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO` */
export async function openForReading(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer for ever. Windows has neither.
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    throw fileError('opening', path, cause);
  }
}

/** What the open file is now. @throws BertNativeError `ERR_IO` */
export async function identify(handle: FileHandle, path: string): Promise<CheckpointFile> {
  const stat = await handle.stat({ bigint: true }).catch((cause) => {
    throw fileError('stat', path, cause);
  });
  if (!stat.isFile()) throw new BertNativeError('ERR_IO', `${path}: not a regular file`);
  const { dev, ino, mtimeNs } = stat;
  // Windows keeps no such time that both Node and the native side could read.
  const changed_ns = process.platform === 'win32' ? 0n : stat.ctimeNs;
  // Node reads both as signed; NTFS and network file systems use all 64 bits.
  const [device, inode] = [BigInt.asUintN(64, dev), BigInt.asUintN(64, ino)];
  return { path, size_bytes: Number(stat.size), modified_ns: mtimeNs, changed_ns, device, inode };
}

function requireUnchanged(before: CheckpointFile, after: CheckpointFile): void {
  if (
    before.size_bytes !== after.size_bytes ||
    before.modified_ns !== after.modified_ns ||
    before.changed_ns !== after.changed_ns
  ) {
    throw new BertNativeError('ERR_IO', `${before.path}: the file was changed while its header was read`);
  }
}

function requireRange(file: CheckpointFile, offset: number, length: number): void {
  const end = offset + length;
  if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || !(end <= file.size_bytes)) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${file.path}: ${length} bytes were expected at offset ${offset}, but the file has ${file.size_bytes} bytes`,
    );
  }
}

async function readExactly(handle: FileHandle, file: CheckpointFile, offset: number, length: number) {
  requireRange(file, offset, length);
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled).catch((cause) => {
      throw fileError('reading', file.path, cause);
    });
    if (bytesRead === 0) {
      throw new BertNativeError('ERR_IO', `${file.path}: the file became shorter while it was read`);
    }
    filled += bytesRead;
  }
  return bytes;
}
