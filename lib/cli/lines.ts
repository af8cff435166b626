import { createReadStream, fstatSync, open } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';

/** A line without its end. */
export interface Line {
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
  /** Where the next line starts, in bytes from the start of the input. */
  readonly end_bytes: number;
}

export interface LineOptions {
  /** Leaves so many lines out, without decoding them; default 0. */
  readonly skip?: number;
}

/** A longer line is not a text but a file of another kind; held as text it would take several times its size. */
const maxLineBytes = 64 << 20;

/**
 * The lines of a UTF-8 file, or of standard input for `-`, read piece by piece. A line ends at `\n` or `\r\n` and
 * nowhere else (a text may hold U+2028); empty lines count; a byte order mark at the start does not.
 *
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO`; `ERR_FILE_FORMAT`, naming the line, for bytes that are not UTF-8 and
 *   for a line of more than 64 MiB; and for fewer lines than should be left out
 */
export async function* readLines(path: string, { skip = 0 }: LineOptions = {}): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let count = 0;
  for await (const { bytes, number, end_bytes } of byteLines(path)) {
    count = number;
    if (number <= skip) continue;
    try {
      const text = decoder.decode(bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes);
      yield { text: number === 1 && text.startsWith('\ufeff') ? text.slice(1) : text, number, end_bytes };
    } catch (cause) {
      throw new BertNativeError('ERR_FILE_FORMAT', `'${path}' is not UTF-8 in line ${number}`, { cause });
    }
  }
  if (count < skip) {
    throw new BertNativeError('ERR_FILE_FORMAT', `'${path}' has ${count} lines: expected at least ${skip}`);
  }
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

interface ByteLine extends Omit<Line, 'text'> {
  readonly bytes: Uint8Array;
}

/** Cuts as bytes: in UTF-8 the line feed is never part of another character. What a line is made of is joined once. */
async function* byteLines(path: string): AsyncGenerator<ByteLine> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  let number = 1;
  let end_bytes = 0;
  const add = (piece: Uint8Array): void => {
    if (piece.length === 0) return;
    pieces.push(piece);
    size += piece.length;
    if (size > maxLineBytes) {
      throw new BertNativeError('ERR_FILE_FORMAT', `'${path}': line ${number} has more than ${maxLineBytes} bytes`);
    }
  };
  const take = (): ByteLine => {
    const line = { bytes: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), number, end_bytes };
    pieces = [];
    size = 0;
    number++;
    return line;
  };

  for await (const chunk of chunks(path)) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      add(chunk.subarray(start, end));
      end_bytes += end + 1 - start;
      start = end + 1;
      yield take();
    }
    add(chunk.subarray(start));
    end_bytes += chunk.length - start;
  }
  if (size > 0) yield take();
}

async function* chunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* path === '-' ? process.stdin : await openForReading(path);
  } catch (cause) {
    throw fileError('reading', path === '-' ? 'standard input' : path, cause);
  }
}

async function openForReading(path: string): Promise<AsyncIterable<Uint8Array>> {
  const fd = await promisify(open)(path, 'r');
  // A named pipe, such as <(zcat texts.gz) of a shell: as a file it would be read by a thread that blocks while the pipe
  // is silent, and the process could not end before it does.
  return fstatSync(fd).isFIFO()
    ? new Socket({ fd, readable: true, writable: false })
    : createReadStream(path, { fd, highWaterMark: 1 << 20 });
}
