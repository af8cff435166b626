import { open } from 'node:fs/promises';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';

/**
 * The lines of a UTF-8 file, or of standard input for `-`, read piece by piece. A line ends at `\n` or `\r\n` and
 * nowhere else (a text may hold U+2028); empty lines count; a byte order mark at the start does not.
 *
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO`; `ERR_FILE_FORMAT` for bytes that are not UTF-8, with the line
 */
export async function* readLines(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let number = 0;
  const decode = (pieces: readonly Uint8Array[]): string => {
    number++;
    let bytes: Uint8Array = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    if (bytes.at(-1) === carriageReturn) bytes = bytes.subarray(0, -1);
    try {
      const line = decoder.decode(bytes);
      return number === 1 && line.startsWith('\ufeff') ? line.slice(1) : line;
    } catch (cause) {
      throw new BertNativeError('ERR_FILE_FORMAT', `'${path}' is not UTF-8 in line ${number}`, { cause });
    }
  };

  // Cut as bytes: in UTF-8 the line feed is never part of another character. What a line is made of is joined once.
  let pieces: Uint8Array[] = [];
  for await (const bytes of chunks(path)) {
    let start = 0;
    for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, start)) {
      yield decode([...pieces, bytes.subarray(start, end)]);
      pieces = [];
      start = end + 1;
    }
    if (start < bytes.length) pieces.push(bytes.subarray(start));
  }
  if (pieces.length > 0) yield decode(pieces);
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

async function* chunks(path: string): AsyncGenerator<Uint8Array> {
  if (path === '-') {
    yield* process.stdin;
    return;
  }
  try {
    const handle = await open(path, 'r');
    yield* handle.createReadStream({ highWaterMark: 1 << 20 });
  } catch (error) {
    throw error instanceof BertNativeError ? error : fileError('reading', path, error);
  }
}
