import type { FileHandle } from 'node:fs/promises';

/** Rows of a file that a run which may have been killed left behind. */
export interface WrittenRows {
  readonly count: number;
  /** Where the last whole row ends. */
  readonly end_bytes: number;
}

/** How rows stand in a file. */
export interface RowFormat<Row> {
  /** What stands before the rows; as long whatever their number, so that it can be written over. Empty: nothing. */
  header(rows: number): Uint8Array;
  /** One row. */
  row(row: Row, id: RecordId): Uint8Array;
  /** @throws BertNativeError `ERR_FILE_FORMAT` for a file that this format did not write; an empty one has no rows */
  rowsOf(path: string, handle: FileHandle): Promise<WrittenRows>;
}

/** What an input says a text is called. */
export type RecordId = string | number | undefined;

/** A line for each row. @param lineOf one line of text, without its end */
export function linesFormat<Row>(lineOf: (row: Row, id: RecordId) => string): RowFormat<Row> {
  return {
    header: () => new Uint8Array(0),
    row: (row, id) => Buffer.from(`${lineOf(row, id)}\n`),
    rowsOf: (_path, handle) => wholeLines(handle),
  };
}

async function wholeLines(handle: FileHandle): Promise<WrittenRows> {
  const chunk = Buffer.alloc(1 << 20);
  let [position, count, end_bytes] = [0, 0, 0];
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) return { count, end_bytes };
    const read = chunk.subarray(0, bytesRead);
    for (let at = read.indexOf(lineFeed); at >= 0; at = read.indexOf(lineFeed, at + 1)) {
      count++;
      end_bytes = position + at + 1;
    }
    position += bytesRead;
  }
}

const lineFeed = 0x0a;
