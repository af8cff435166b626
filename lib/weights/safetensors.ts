import { Buffer } from 'node:buffer';
import { BertNativeError } from '../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { type ByteSource, withFileSource } from './byte-source.ts';
import {
  type CheckpointTensor,
  contiguousStrides,
  elementCount,
  isIndex,
  isStoredDtype,
  quoted,
  type WeightsFile,
} from './checkpoint-tensor.ts';
import { checkStoredTensors, type StoredTensor, storedBytes, storedSizeBytes } from './stored-tensor.ts';
import { objectEntries, parseJsonObject } from './strict-json.ts';
import type { CheckpointFile } from './tensor-span.ts';

// The safetensors format (https://github.com/huggingface/safetensors): eight bytes with the header's length, the header
// as JSON, then the data. Offsets in the header count from the data's first byte.

const lengthFieldBytes = 8;
/**
 * The reference allows 100 MB. A tensor takes about 120 bytes, so this is enough for 100,000 of them, and a header made to be
 * slow is read in seconds.
 */
const maxHeaderBytes = 16 << 20;

/** Bits per element of every dtype of the format, in the order in which the reference declares them. */
const dtypeBits: ReadonlyMap<string, number> = new Map([
  ['BOOL', 8],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['U8', 8],
  ['I8', 8],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E5M2FNUZ', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E8M0', 8],
  ['I16', 16],
  ['U16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['I32', 32],
  ['U32', 32],
  ['F32', 32],
  ['C64', 64],
  ['F64', 64],
  ['I64', 64],
  ['U64', 64],
]);

/**
 * The tensors of a safetensors file. Only its header is read.
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO`, `ERR_FILE_FORMAT`
 */
export function openSafetensors(path: string): Promise<WeightsFile> {
  return withFileSource(path, readSafetensors);
}

/** @throws BertNativeError `ERR_FILE_FORMAT` naming file and tensor, `ERR_IO` */
export async function readSafetensors(source: ByteSource): Promise<WeightsFile> {
  const { file } = source;
  const headerBytes = await readHeaderLength(source);
  const header = await source.read(lengthFieldBytes, headerBytes);
  return parseSafetensorsHeader(header, file);
}

/**
 * As the reference implementation checks it: the tensors cover everything behind the header, without holes, overlaps or
 * a remainder.
 * @param header the JSON text between the length field and the data
 * @throws BertNativeError `ERR_FILE_FORMAT` naming file and tensor
 */
export function parseSafetensorsHeader(header: Uint8Array, file: CheckpointFile): WeightsFile {
  const where = `${file.path}: safetensors header`;
  if (header[0] !== 0x7b) throw new BertNativeError('ERR_FILE_FORMAT', `${where}: it must start with "{"`);
  const entries = parseJsonObject(header, where);
  const metadata = parseMetadata(entries.get('__metadata__'), where);
  entries.delete('__metadata__');

  const data_offset = lengthFieldBytes + header.byteLength;
  const headerTensors = [...entries].map(([name, entry]) => parseEntry(name, entry, file));
  requireFullCover(headerTensors, file, file.size_bytes - data_offset);
  const tensors = new Map(headerTensors.map((tensor) => [tensor.name, toCheckpointTensor(tensor, file, data_offset)]));
  return { file, tensors, metadata };
}

async function readHeaderLength(source: ByteSource): Promise<number> {
  const { path, size_bytes } = source.file;
  if (size_bytes < lengthFieldBytes) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: not a safetensors file: it has only ${size_bytes} bytes`);
  }
  const field = Buffer.from(await source.read(0, lengthFieldBytes));
  const headerBytes = field.readBigUInt64LE();
  if (headerBytes > maxHeaderBytes) {
    // A clone without Git LFS leaves text in the place of the weights: "version https://git-lfs…".
    const hint = field.toString('latin1') === 'version ' ? '; it looks like a Git LFS pointer: run "git lfs pull"' : '';
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path}: not a safetensors file: a header of ${headerBytes} bytes (at most ${maxHeaderBytes} are allowed)${hint}`,
    );
  }
  if (headerBytes > size_bytes - lengthFieldBytes) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path}: the header should have ${headerBytes} bytes, but the file ends after ${size_bytes}: is it truncated?`,
    );
  }
  return Number(headerBytes);
}

/** A tensor as the header describes it; `begin` and `end` in bytes from the start of the data. */
interface HeaderTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function parseMetadata(value: unknown, where: string): Map<string, string> {
  if (value === undefined) return new Map();
  const entries = objectEntries(value, `${where}: __metadata__`);
  for (const [key, text] of entries) {
    if (typeof text !== 'string') {
      throw new BertNativeError('ERR_FILE_FORMAT', `${where}: __metadata__ ${quoted(key)} is not a string`);
    }
  }
  return entries as Map<string, string>;
}

function parseEntry(name: string, value: unknown, file: CheckpointFile): HeaderTensor {
  const where = `${file.path}: tensor ${quoted(name)}`;
  const refuse = (message: string) => new BertNativeError('ERR_FILE_FORMAT', `${where}: ${message}`);
  const entry = objectEntries(value, where);
  const dtype = entry.get('dtype');
  const shape = entry.get('shape');
  const offsets = entry.get('data_offsets');

  const bits = typeof dtype === 'string' ? dtypeBits.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) throw refuse(`unknown dtype ${quoted(String(dtype))}`);
  if (!Array.isArray(shape) || !shape.every(isIndex)) throw refuse('the shape is not a list of non-negative integers');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isIndex)) {
    throw refuse('data_offsets is not a pair of non-negative integers');
  }
  const [begin, end] = offsets as [number, number];
  const size_bits = elementCount(shape, where) * bits;
  if (end < begin || !Number.isSafeInteger(size_bits) || size_bits !== (end - begin) * 8) {
    throw refuse(`${dtype} [${shape}] takes ${size_bits / 8} bytes, but data_offsets is [${begin}, ${end}]`);
  }
  return { name, dtype, shape, begin, end };
}

function requireFullCover(tensors: readonly HeaderTensor[], file: CheckpointFile, data_bytes: number): void {
  let covered = 0;
  for (const { name, begin, end } of tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${file.path}: tensor ${quoted(name)}: it starts at byte ${begin} of the data, where ${covered} was expected ` +
          `(${begin < covered ? 'it overlaps the tensor before it' : 'there is a hole before it'})`,
      );
    }
    covered = end;
  }
  if (covered !== data_bytes) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${file.path}: the header describes ${covered} bytes of data, but the file holds ${data_bytes}: is it truncated?`,
    );
  }
}

function toCheckpointTensor(tensor: HeaderTensor, file: CheckpointFile, data_offset: number): CheckpointTensor {
  const { dtype, shape, begin } = tensor;
  if (!isStoredDtype(dtype)) return { file, unloadable_dtype: dtype, shape };
  return { file, byte_offset: data_offset + begin, dtype, shape, strides: contiguousStrides(shape) };
}

/**
 * Writes a safetensors file, the same bytes as the reference implementation writes: tensors of wide dtypes first, then
 * by name. One tensor's data is in memory at a time; the file appears only when it is complete.
 * @throws BertNativeError `ERR_OPTION`, `ERR_DTYPE`, `ERR_SHAPE`, `ERR_NOT_FOUND` (no such folder), `ERR_IO`, and what a
 * producer throws: a BertNativeError as it is, anything else as the cause of an `ERR_IO`
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly StoredTensor[],
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Promise<void> {
  checkStoredTensors(tensors, path);
  if (tensors.some(({ name }) => name === '__metadata__')) {
    throw new BertNativeError('ERR_OPTION', `${path}: no tensor can be called "__metadata__"`);
  }
  const ordered = tensors.toSorted(compareAsReference);
  await writeFileAtomically(path, async (file) => {
    await file.write(safetensorsHeader(ordered, metadata));
    for (const tensor of ordered) await file.write(await storedBytes(tensor));
  });
}

/** The length field and the header, padded with spaces so that the data starts at a multiple of eight. */
function safetensorsHeader(tensors: readonly StoredTensor[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const members = [`"__metadata__":${JSON.stringify(metadata)}`];
  let begin = 0;
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    const end = begin + storedSizeBytes(tensor);
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  const json = Buffer.from(`{${members.join(',')}}`);
  const header = Buffer.alloc(lengthFieldBytes + Math.ceil(json.byteLength / 8) * 8, ' ');
  header.writeBigUInt64LE(BigInt(header.byteLength - lengthFieldBytes));
  json.copy(header, lengthFieldBytes);
  return header;
}

const dtypeOrder: readonly string[] = [...dtypeBits.keys()];

function compareAsReference(a: StoredTensor, b: StoredTensor): number {
  const byDtype = dtypeOrder.indexOf(b.dtype) - dtypeOrder.indexOf(a.dtype);
  return byDtype || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}
