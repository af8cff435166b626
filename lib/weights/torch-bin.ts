import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { BertNativeError } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { type ByteSource, withFileSource } from './byte-source.ts';
import { type CheckpointTensor, isStoredDtype, quoted, type WeightsFile } from './checkpoint-tensor.ts';
import { type AllowedGlobals, PickleTruncatedError, type PickleValue, unpickle } from './pickle.ts';
import {
  pickleStateDict,
  type StorageReference,
  stateDictGlobals,
  type TensorReference,
  tensorsOfStateDict,
} from './state-dict.ts';
import { checkStoredTensors, type StoredTensor, storedBytes, storedSizeBytes } from './stored-tensor.ts';
import type { CheckpointFile } from './tensor-span.ts';
import { readStoredEntries, type StoredEntry } from './zip-archive.ts';

// What `torch.save` writes (torch/serialization.py).
//
// Since PyTorch 1.6: a zip archive without compression. All entries lie in one folder, whatever its name: `data.pkl`, the
// pickle; `data/KEY`, one per storage; `byteorder`, since 2.0.
//
// Before ("legacy"): pickles one after the other (magic number, protocol, system, object, list of storage keys), then per
// key an int64 count and the elements.

/** A state dict of BERT-base takes 30 KB. */
const maxPickleBytes = 64 * 2 ** 20;

/**
 * The tensors of a file that `torch.save` wrote. Only headers and pickles are read, and nothing in them is executed.
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO`, `ERR_FILE_FORMAT`, `ERR_UNSAFE_PICKLE`
 */
export function openTorchBin(path: string): Promise<WeightsFile> {
  return withFileSource(path, readTorchBin);
}

/** @throws BertNativeError `ERR_FILE_FORMAT`, `ERR_UNSAFE_PICKLE`, `ERR_IO` */
export async function readTorchBin(source: ByteSource): Promise<WeightsFile> {
  const { path, size_bytes } = source.file;
  const start = Buffer.from(await source.read(0, Math.min(size_bytes, 64))).toString('latin1');
  if (start.startsWith('PK\x03\x04')) return readZip(source);
  if (start.startsWith('\x80')) return readLegacy(source);
  const hint = start.startsWith('version https://git-lfs') ? ': it is a Git LFS pointer; run "git lfs pull"' : '';
  throw new BertNativeError('ERR_FILE_FORMAT', `${path}: not a file that torch.save wrote${hint}`);
}

/** Where the elements of a storage lie in the file. */
type StorageLocations = ReadonlyMap<string, StoredEntry>;

/** Turns views of storages into spans of the file, now that the storages' places are known. */
function locateTensors(
  references: ReadonlyMap<string, TensorReference>,
  locations: StorageLocations,
  file: CheckpointFile,
): WeightsFile {
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, reference] of references) {
    const { storage, storage_offset, shape, strides } = reference;
    const { dtype, element_size_bytes } = storage;
    const where = `${file.path}: tensor ${quoted(name)}`;
    const byte_offset = locateStorage(storage, locations, where) + storage_offset * element_size_bytes;
    tensors.set(
      name,
      isStoredDtype(dtype) ? { file, byte_offset, dtype, shape, strides } : { file, unloadable_dtype: dtype, shape },
    );
  }
  return { file, tensors, metadata: new Map() };
}

function locateStorage(storage: StorageReference, locations: StorageLocations, where: string): number {
  const location = locations.get(storage.key);
  if (location === undefined) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${where}: the file holds no storage ${quoted(storage.key)}`);
  }
  const expected = storage.elements * storage.element_size_bytes;
  if (location.size_bytes !== expected) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${where}: storage ${quoted(storage.key)} should have ${expected} bytes, but has ${location.size_bytes}`,
    );
  }
  return location.byte_offset;
}

// The zip format

async function readZip(source: ByteSource): Promise<WeightsFile> {
  const { file } = source;
  const entries = await readStoredEntries(source);
  const folder = findPickleFolder(entries, file.path);
  await requireLittleEndian(source, entries.get(`${folder}byteorder`));
  const bytes = await readSmallEntry(source, `${folder}data.pkl`, entries.get(`${folder}data.pkl`)!, maxPickleBytes);
  const where = `${file.path}: data.pkl`;
  const { value } = unpickle(bytes, where, stateDictGlobals);
  const storagePrefix = `${folder}data/`;
  const storages = [...entries].filter(([name]) => name.startsWith(storagePrefix));
  const locations = new Map(storages.map(([name, entry]) => [name.slice(storagePrefix.length), entry]));
  return locateTensors(tensorsOfStateDict(value, where), locations, file);
}

/** The name of the folder that holds everything, with its slash. */
function findPickleFolder(entries: ReadonlyMap<string, StoredEntry>, path: string): string {
  const folders = [...entries.keys()].map((name) => /^([^/]+\/)data\.pkl$/.exec(name)?.[1]).filter((name) => name);
  const [folder] = folders;
  if (folder === undefined || folders.length > 1) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path}: expected one data.pkl in the archive, found ${folders.length}`,
    );
  }
  if (entries.has(`${folder}constants.pkl`)) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: a TorchScript program, not a state dict`);
  }
  return folder;
}

async function requireLittleEndian(source: ByteSource, entry: StoredEntry | undefined): Promise<void> {
  if (entry === undefined) return;
  const order = Buffer.from(await readSmallEntry(source, 'byteorder', entry, 16)).toString('latin1');
  if (order !== 'little') {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${source.file.path}: the byte order is ${quoted(order)}; only files saved as "little" can be read`,
    );
  }
}

function readSmallEntry(source: ByteSource, name: string, entry: StoredEntry, limit: number): Promise<Uint8Array> {
  if (entry.size_bytes > limit) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${source.file.path}: ${name} has ${entry.size_bytes} bytes; at most ${limit} are read`,
    );
  }
  return source.read(entry.byte_offset, entry.size_bytes);
}

// The legacy format

const legacyMagic = 0x1950a86a20f9469cfc6cn;
const legacyProtocol = 1001;
const noGlobals: AllowedGlobals = new Map();

async function readLegacy(source: ByteSource): Promise<WeightsFile> {
  const { path } = source.file;
  const pickles = new PickleSequence(source);
  if ((await pickles.next('magic number', noGlobals)) !== legacyMagic) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: a pickle, but not one that torch.save wrote`);
  }
  if ((await pickles.next('protocol', noGlobals)) !== legacyProtocol) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: not protocol ${legacyProtocol} of torch.save`);
  }
  const system = await pickles.next('system', noGlobals);
  if (!(system instanceof Map) || system.get('little_endian') !== true) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: it was not saved on a little-endian machine`);
  }
  const references = tensorsOfStateDict(await pickles.next('state dict', stateDictGlobals), path);
  const keys = await pickles.next('storage keys', noGlobals);
  const locations = await locateLegacyStorages(source, pickles.position, keys, references);
  return locateTensors(references, locations, source.file);
}

/** Reads pickles that follow one another and do not say how long they are. */
class PickleSequence {
  readonly #source: ByteSource;
  /** Where the next pickle starts. */
  position = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async next(what: string, globals: AllowedGlobals): Promise<PickleValue> {
    const { path, size_bytes } = this.#source.file;
    const available = Math.min(size_bytes - this.position, maxPickleBytes);
    for (let window = Math.min(2 ** 16, available); ; window = Math.min(2 * window, available)) {
      const bytes = await this.#source.read(this.position, window);
      try {
        const { value, end } = unpickle(bytes, `${path}: ${what}`, globals);
        this.position += end;
        return value;
      } catch (error) {
        if (!(error instanceof PickleTruncatedError) || window === available) throw error;
      }
    }
  }
}

/** Walks over the storages, which stand in the order of the list of keys. */
async function locateLegacyStorages(
  source: ByteSource,
  start: number,
  keys: PickleValue,
  references: ReadonlyMap<string, TensorReference>,
): Promise<StorageLocations> {
  const { path } = source.file;
  if (!Array.isArray(keys)) throw new BertNativeError('ERR_FILE_FORMAT', `${path}: the storage keys are not a list`);
  const storages = new Map([...references.values()].map(({ storage }) => [storage.key, storage]));
  const locations = new Map<string, StoredEntry>();
  let position = start;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined || locations.has(storage.key)) {
      const name = typeof key === 'string' ? quoted(key) : 'without a name';
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: storage ${name} belongs to no tensor, or is listed twice`);
    }
    const elements = Buffer.from(await source.read(position, 8)).readBigInt64LE();
    if (elements !== BigInt(storage.elements)) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${path}: storage ${quoted(storage.key)} should have ${storage.elements} elements, but has ${elements}`,
      );
    }
    const size_bytes = storage.elements * storage.element_size_bytes;
    locations.set(storage.key, { byte_offset: position + 8, size_bytes });
    position += 8 + size_bytes;
    if (position > source.file.size_bytes) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: the file ends inside storage ${quoted(storage.key)}`);
    }
  }
  return locations;
}

// Writing

/** Small enough that computing a chunk's checksum does not hold up the event loop. */
const chunkBytes = 2 ** 20;

/**
 * Writes a state dict as `torch.load` reads it, also with `weights_only=True`. Tensors that are given the same `data`
 * function, dtype and number of elements (tied weights) share one storage. One tensor's data is in memory at a time; the
 * file appears only when it is complete.
 * @throws BertNativeError `ERR_OPTION`, `ERR_DTYPE`, `ERR_SHAPE`, `ERR_NOT_FOUND` (no such folder), `ERR_IO`, and what a
 * producer throws: a BertNativeError as it is, anything else as the cause of an `ERR_IO`
 */
export async function writeTorchBin(path: string, tensors: readonly StoredTensor[]): Promise<void> {
  checkStoredTensors(tensors, path);
  const storages: StoredTensor[] = [];
  const pickled = pickleStateDict(
    tensors.map((tensor) => {
      const { name, dtype, shape } = tensor;
      return { name, dtype, shape, storage_key: String(storageIndex(storages, tensor)) };
    }),
  );
  await writeFileAtomically(path, async (file) => {
    for await (const chunk of zipStream(pickled, storages)) await file.write(chunk as Uint8Array);
  });
}

/** The index of the storage that holds a tensor, which joins the list if it is new. */
function storageIndex(storages: StoredTensor[], tensor: StoredTensor): number {
  const known = storages.findIndex(
    ({ data, dtype, shape }) =>
      data === tensor.data &&
      dtype === tensor.dtype &&
      storedSizeBytes({ ...tensor, shape }) === storedSizeBytes(tensor),
  );
  return known === -1 ? storages.push(tensor) - 1 : known;
}

// Same bytes for the same weights, whenever they are written.
const zipOptions = { compress: false, mtime: new Date(1980, 0, 1), forceDosTimestamp: true };

function zipStream(pickled: Uint8Array, storages: readonly StoredTensor[]): NodeJS.ReadableStream {
  const zip = new ZipFile();
  const stream = zip.outputStream as Readable;
  zip.on('error', (error) => stream.destroy(error));
  zip.addBuffer(Buffer.from(pickled), 'archive/data.pkl', zipOptions);
  zip.addBuffer(Buffer.from('little'), 'archive/byteorder', zipOptions);
  storages.forEach((storage, index) => {
    const options = { ...zipOptions, size: storedSizeBytes(storage) };
    zip.addReadStreamLazy(`archive/data/${index}`, options, (deliver) => {
      storedBytes(storage).then(
        (bytes) => deliver(null, Readable.from(chunksOf(bytes), { objectMode: false })),
        (error) => deliver(error, Readable.from([])),
      );
    });
  });
  zip.addBuffer(Buffer.from('3\n'), 'archive/version', zipOptions);
  zip.end();
  return stream;
}

function* chunksOf(bytes: Uint8Array): Generator<Buffer> {
  for (let start = 0; start < bytes.byteLength; start += chunkBytes) {
    yield Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(chunkBytes, bytes.byteLength - start));
  }
}
