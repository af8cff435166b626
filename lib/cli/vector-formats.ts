import { BertNativeError } from '../errors.ts';
import { linesFormat, type RowFormat } from './row-formats.ts';

export type OutputFormat = 'npy' | 'jsonl';

/** numpy's format: float32, `[texts, size]`. */
export function npyFormat(size: number): RowFormat<Float32Array> {
  const row_bytes = 4 * size;
  return {
    header: (rows) => npyHeader(rows, size),
    row: (vector) => new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength),
    async rowsOf(path, handle) {
      const { size: file_bytes } = await handle.stat();
      if (file_bytes === 0) return { count: 0, end_bytes: 0 };
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(npyHeaderBytes), 0, npyHeaderBytes, 0);
      const rows = Number(/'shape': \((\d+), /.exec(buffer.toString('latin1'))?.[1]);
      if (bytesRead < npyHeaderBytes || !buffer.equals(npyHeader(rows, size))) {
        throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not an .npy file of vectors of ${size} float32`);
      }
      const count = Math.floor((file_bytes - npyHeaderBytes) / row_bytes);
      return { count, end_bytes: npyHeaderBytes + count * row_bytes };
    },
  };
}

const npyHeaderBytes = 128;

/** numpy.lib.format, version 1.0, with space for any number of rows. */
function npyHeader(rows: number, size: number): Uint8Array {
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${size}), }`;
  const header = new Uint8Array(npyHeaderBytes).fill(0x20);
  header.set([0x93, ...Buffer.from('NUMPY'), 1, 0, npyHeaderBytes - 10, 0]);
  header.set(Buffer.from(description), 10);
  header[npyHeaderBytes - 1] = 0x0a;
  return header;
}

/** A line per text: an array of numbers, or `{"id": …, "embedding": […]}` where texts have ids. */
export const jsonLinesFormat = linesFormat((vector: Float32Array, id) => {
  const embedding = Array.from(vector, shortestFloat32);
  return JSON.stringify(id === undefined ? embedding : { id, embedding });
});

/** The number with the fewest digits that is still this float32: nine are always enough, and a double would show 17. */
function shortestFloat32(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
