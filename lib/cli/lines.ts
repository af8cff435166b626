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
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 1;
  let rest = '';
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch (error) {
      throw new BertNativeError('ERR_FILE_FORMAT', `'${path}' is not UTF-8 at or shortly after line ${number}`, {
        cause: error,
      });
    }
  };
  const withoutReturn = (line: string) => (line.endsWith('\r') ? line.slice(0, -1) : line);

  for await (const bytes of chunks(path)) {
    const pieces = decode(bytes).split('\n');
    // Joining only once a line ends keeps a line of many megabytes linear.
    rest += pieces[0]!;
    for (let i = 1; i < pieces.length; i++) {
      yield withoutReturn(rest);
      number++;
      rest = pieces[i]!;
    }
  }
  rest += decode();
  if (rest !== '') yield withoutReturn(rest);
}

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
