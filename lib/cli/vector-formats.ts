import { extname } from 'node:path';
import { type AtomicFile, openAtomicFile } from '../files.ts';
import { optionError } from '../options.ts';

/** Takes rows of vectors as they come; the file appears whole when it is closed, and not at all when it is abandoned. */
export interface VectorWriter {
  /** @param rows `[n, size]`, row-major */
  write(rows: Float32Array, size: number): Promise<void>;
  close(): Promise<void>;
  abandon(): Promise<void>;
}

/**
 * A writer for `.npy` (numpy's format, float32, `[texts, size]`) or `.jsonl` (an array of numbers per line).
 *
 * @throws BertNativeError `ERR_OPTION` for another ending, `ERR_IO`
 */
export async function openVectorWriter(path: string): Promise<VectorWriter> {
  const ending = extname(path);
  if (ending !== '.npy' && ending !== '.jsonl')
    throw optionError('--output', path, 'a file that ends in .npy or .jsonl');
  const file = await openAtomicFile(path);
  return ending === '.npy' ? npyWriter(file) : jsonLinesWriter(file);
}

async function npyWriter(file: AtomicFile): Promise<VectorWriter> {
  let rowCount = 0;
  let rowSize = 0;
  await file.write(npyHeader(0, 0));
  return {
    async write(rows, size) {
      rowSize = size;
      rowCount += rows.length / size;
      await file.write(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
    },
    async close() {
      await file.writeAt(0, npyHeader(rowCount, rowSize));
      await file.commit();
    },
    abandon: () => file.abandon(),
  };
}

const npyHeaderBytes = 128;

/** numpy.lib.format, version 1.0: a header of fixed size, so that the number of rows can be filled in at the end. */
function npyHeader(rows: number, size: number): Uint8Array {
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${size}), }`;
  const header = new Uint8Array(npyHeaderBytes).fill(0x20);
  header.set([0x93, ...Buffer.from('NUMPY'), 1, 0, npyHeaderBytes - 10, 0]);
  header.set(Buffer.from(description), 10);
  header[npyHeaderBytes - 1] = 0x0a;
  return header;
}

function jsonLinesWriter(file: AtomicFile): VectorWriter {
  return {
    async write(rows, size) {
      let text = '';
      for (let start = 0; start < rows.length; start += size) {
        text += `${JSON.stringify(Array.from(rows.subarray(start, start + size), shortestFloat32))}\n`;
      }
      await file.write(Buffer.from(text));
    },
    close: () => file.commit(),
    abandon: () => file.abandon(),
  };
}

/** The number with the fewest digits that is still this float32: nine are always enough, and a double would show 17. */
function shortestFloat32(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
