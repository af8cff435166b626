import type { FileHandle } from 'node:fs/promises';
import { BertNativeError } from '../../errors.ts';
import { identify, openForReading } from '../../weights/byte-source.ts';
import {
  type CheckpointFile,
  type StoredDtype,
  storedDtypeSizeBytes,
  type TensorSpan,
} from '../../weights/tensor-span.ts';
import { allocateFloats } from './memory.ts';

/** At most so much of a file is in memory besides the result. */
const blockSizeBytes = 1 << 20;

/** One dimension of a span: how far its steps go in the file and in the row-major result, in elements. */
interface Dimension {
  readonly length: number;
  readonly fileStride: number;
  readonly outStride: number;
}

/**
 * Reads spans of checkpoint files as float32. Files stay open from their first span to `finish`, and are compared with
 * what they were when their headers were read: at opening and again in `finish`, so that a checkpoint rewritten in
 * between never passes for the one whose header was checked.
 */
export class SpanReader {
  readonly #open = new Map<string, { readonly handle: FileHandle; readonly expected: CheckpointFile }>();

  /**
   * The span's elements in row-major order. F32, F16 and BF16 keep every bit, F64 is rounded to nearest even.
   *
   * @throws BertNativeError `ERR_IO` when the file cannot be read, ends early or has changed; `ERR_MEMORY`
   */
  async read(span: TensorSpan): Promise<Float32Array> {
    const handle = await this.#handle(span.file);
    const out = allocateFloats(elementCount(span.shape));
    if (out.length === 0) return out;

    const elementSize = storedDtypeSizeBytes[span.dtype];
    const toFloat32 = decoders[span.dtype];
    const outStrides = span.shape.map((_, dim) => elementCount(span.shape.slice(dim + 1)));
    // Widest steps outermost: what is left of a part that has been cut to one step is as compact as can be.
    const dimensions = span.shape
      .map((length, dim): Dimension => ({ length, fileStride: span.strides[dim]!, outStride: outStrides[dim]! }))
      .filter(({ length }) => length > 1)
      .sort((a, b) => b.fileStride - a.fileStride);

    for (const part of splitIntoBlocks(dimensions, Math.floor(blockSizeBytes / elementSize))) {
      const bytes = await readExactly(
        handle,
        span.file.path,
        span.byte_offset + part.fileOffset * elementSize,
        extent(part.dimensions) * elementSize,
      );
      scatter(toFloat32(bytes), part.dimensions, out, part.outOffset);
    }
    return out;
  }

  /** @throws BertNativeError `ERR_IO` if a file has changed since its header was read */
  async finish(): Promise<void> {
    for (const { handle, expected } of this.#open.values()) await checkIdentity(handle, expected);
  }

  /** Closes every file, whatever happened before. */
  async [Symbol.asyncDispose](): Promise<void> {
    const handles = [...this.#open.values()].map(({ handle }) => handle);
    this.#open.clear();
    await Promise.all(handles.map((handle) => handle.close()));
  }

  async #handle(file: CheckpointFile): Promise<FileHandle> {
    const known = this.#open.get(file.path);
    if (known !== undefined) return known.handle;
    const handle = await openForReading(file.path).catch((error: BertNativeError) => {
      throw new BertNativeError('ERR_IO', error.message, { cause: error });
    });
    this.#open.set(file.path, { handle, expected: file });
    await checkIdentity(handle, file);
    return handle;
  }
}

async function checkIdentity(handle: FileHandle, expected: CheckpointFile): Promise<void> {
  const found = await identify(handle, expected.path);
  const changed = (['size_bytes', 'modified_ns', 'changed_ns', 'inode', 'device'] as const).filter(
    (field) => found[field] !== expected[field],
  );
  if (changed.length > 0) {
    throw new BertNativeError(
      'ERR_IO',
      `${expected.path} changed after its header was read: another ${changed.join(', ')}`,
    );
  }
}

async function readExactly(handle: FileHandle, path: string, position: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let done = 0; done < size; ) {
    const { bytesRead } = await handle.read(bytes, done, size - done, position + done).catch((error: Error) => {
      throw new BertNativeError('ERR_IO', `${path} cannot be read at byte ${position}: ${error.message}`, {
        cause: error,
      });
    });
    if (bytesRead === 0) {
      throw new BertNativeError(
        'ERR_IO',
        `${path} ends at byte ${position + done}; expected ${size - done} bytes more`,
      );
    }
    done += bytesRead;
  }
  return bytes;
}

interface Part {
  readonly dimensions: readonly Dimension[];
  readonly fileOffset: number;
  readonly outOffset: number;
}

/** Parts whose elements lie within `blockSize` elements of each other in the file; together they are the whole. */
function* splitIntoBlocks(
  dimensions: readonly Dimension[],
  blockSize: number,
  fileOffset = 0,
  outOffset = 0,
): Generator<Part> {
  if (extent(dimensions) <= blockSize) {
    yield { dimensions, fileOffset, outOffset };
    return;
  }
  const [outer, ...inner] = dimensions as [Dimension, ...Dimension[]];
  // As many steps as fit into a block; the whole does not, so this is less than its length.
  const steps = Math.max(1, Math.floor((blockSize - extent(inner)) / outer.fileStride) + 1);
  for (let i = 0; i < outer.length; i += steps) {
    const length = Math.min(steps, outer.length - i);
    yield* splitIntoBlocks(
      length === 1 ? inner : [{ ...outer, length }, ...inner],
      blockSize,
      fileOffset + i * outer.fileStride,
      outOffset + i * outer.outStride,
    );
  }
}

/** Elements in the file from the first to the last, both included. */
function extent(dimensions: readonly Dimension[]): number {
  return dimensions.reduce((sum, { length, fileStride }) => sum + (length - 1) * fileStride, 1);
}

function scatter(elements: Float32Array, dimensions: readonly Dimension[], out: Float32Array, outOffset: number): void {
  // Bits are moved, not numbers: a NaN keeps its payload.
  const source = new Uint32Array(elements.buffer, elements.byteOffset, elements.length);
  const target = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const copy = (depth: number, from: number, to: number): void => {
    const dimension = dimensions[depth];
    if (dimension === undefined) {
      target[to] = source[from]!;
      return;
    }
    const { length, fileStride, outStride } = dimension;
    if (depth === dimensions.length - 1 && fileStride === 1 && outStride === 1) {
      target.set(source.subarray(from, from + length), to);
      return;
    }
    for (let i = 0; i < length; ++i) copy(depth + 1, from + i * fileStride, to + i * outStride);
  };
  copy(0, 0, outOffset);
}

/** Stored bytes, little-endian and aligned, to float32. */
const decoders: Readonly<Record<StoredDtype, (bytes: Uint8Array) => Float32Array>> = {
  F32: (bytes) => new Float32Array(bytes.buffer),
  F64: (bytes) => Float32Array.from(new Float64Array(bytes.buffer)),
  BF16: (bytes) => expandHalves(bytes, (half) => half << 16),
  F16: (bytes) => expandHalves(bytes, float32BitsOfFloat16),
};

function expandHalves(bytes: Uint8Array, toFloat32Bits: (half: number) => number): Float32Array {
  return new Float32Array(Uint32Array.from(new Uint16Array(bytes.buffer), toFloat32Bits).buffer);
}

/** IEEE 754 binary16 to binary32: every value, infinity and NaN has an exact counterpart. */
function float32BitsOfFloat16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // brings the leading one of a subnormal to bit 10
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
