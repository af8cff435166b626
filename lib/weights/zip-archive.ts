import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { BertNativeError } from '../errors.ts';
import type { ByteSource } from './byte-source.ts';
import { quoted } from './checkpoint-tensor.ts';

/** Where the bytes of a stored (not compressed) entry lie in the archive. */
export interface StoredEntry {
  readonly byte_offset: number;
  readonly size_bytes: number;
}

/** Far more than any checkpoint has tensors. */
const maxEntries = 200_000;

/**
 * The entries of a zip archive in which nothing is compressed, by name. The data is not read, so checksums are not
 * compared; PyTorch does not either, and may leave them out when it saves.
 * @throws BertNativeError `ERR_FILE_FORMAT` for compressed or encrypted entries, entries that share bytes or a name, leave
 * the archive, or are described differently in the directory and in front of the data; `ERR_IO`
 */
export async function readStoredEntries(source: ByteSource): Promise<Map<string, StoredEntry>> {
  const { path, size_bytes } = source.file;
  try {
    const archive = await fromRandomAccessReaderPromise(new SourceReader(source), size_bytes, {
      autoClose: false,
      strictFileNames: true,
    });
    try {
      return await collectEntries(archive, path);
    } finally {
      archive.close();
    }
  } catch (cause) {
    if (cause instanceof BertNativeError) throw cause;
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: not a readable zip archive: ${(cause as Error).message}`, {
      cause,
    });
  }
}

class SourceReader extends RandomAccessReader {
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    super();
    this.#source = source;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#source.read(position, length).then((bytes) => {
      buffer.set(bytes, offset);
      callback(null);
    }, callback);
  }
}

/** An entry with everything that belongs to it, from its local header on. */
interface Extent {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

async function collectEntries(archive: ZipFile, path: string): Promise<Map<string, StoredEntry>> {
  if (archive.entryCount > maxEntries) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: ${archive.entryCount} zip entries; at most ${maxEntries}`);
  }
  const entries = new Map<string, StoredEntry>();
  const extents: Extent[] = [];
  for await (const entry of archive.eachEntry()) {
    const name = entry.fileName;
    if (entries.has(name)) throw entryError(path, name, 'it occurs twice');
    const byte_offset = await locateData(archive, entry, path);
    entries.set(name, { byte_offset, size_bytes: entry.uncompressedSize });
    extents.push({ name, begin: entry.relativeOffsetOfLocalHeader, end: byte_offset + entry.uncompressedSize });
  }
  requireDisjoint(extents, path);
  return entries;
}

async function locateData(archive: ZipFile, entry: Entry, path: string): Promise<number> {
  const name = entry.fileName;
  if (entry.isEncrypted()) throw entryError(path, name, 'it is encrypted');
  if (entry.compressionMethod !== 0) throw entryError(path, name, 'it is compressed, which PyTorch never does');
  const local = await archive.readLocalFileHeaderPromise(entry);
  if (local.compressionMethod !== 0 || !local.fileName.equals(entry.fileNameRaw)) {
    throw entryError(path, name, 'its local header contradicts the directory');
  }
  return local.fileDataStart;
}

function requireDisjoint(extents: Extent[], path: string): void {
  let end = 0;
  for (const extent of extents.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (extent.begin < end) throw entryError(path, extent.name, 'it overlaps another entry');
    end = extent.end;
  }
}

function entryError(path: string, name: string, message: string): BertNativeError {
  return new BertNativeError('ERR_FILE_FORMAT', `${path}: zip entry ${quoted(name)}: ${message}`);
}
