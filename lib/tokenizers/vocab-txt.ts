import { isUtf8 } from 'node:buffer';
import type { FlatStrings } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import { describe } from '../options.ts';
import { flatten } from './flat-strings.ts';

/** A `vocab.txt`: the vocabulary, and the bytes it was read from, which are what is saved again. */
export class VocabTxt {
  /** One for each line. */
  readonly tokens: FlatStrings;
  readonly bytes: Uint8Array;

  /**
   * Reads UTF-8, one token per line, its id the number of the line from 0. Lines end as in Python's text mode (`\n`, `\r\n`
   * or `\r`), the last one with or without; an empty line is an empty token. A byte order mark is left out.
   *
   * @param path for messages
   * @throws BertNativeError `ERR_FILE_FORMAT` for a file without lines or bytes that are not UTF-8, naming the line
   */
  constructor(bytes: Uint8Array, path: string) {
    if (!isUtf8(bytes)) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: line ${invalidLine(bytes)} is not UTF-8`);
    }
    if (lineBreaks(bytes) > maxTokens) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${path} has more than ${maxTokens} lines: expected one token per line`,
      );
    }
    const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/);
    if (lines.at(-1) === '') lines.pop();
    if (lines.length === 0) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path} is empty: expected one token per line`);
    }
    this.tokens = flatten(lines);
    this.bytes = bytes;
  }

  /**
   * The file that holds these tokens.
   *
   * @throws BertNativeError `ERR_OPTION` for a token that no line can hold
   */
  static fromTokens(tokens: readonly string[]): VocabTxt {
    tokens.forEach((token, id) => {
      if (typeof token !== 'string' || /[\r\n\p{Surrogate}]/u.test(token)) {
        throw new BertNativeError(
          'ERR_OPTION',
          `token ${id} of vocab is ${describe(token)}: expected a string without line breaks and lone surrogates`,
        );
      }
    });
    return new VocabTxt(Buffer.from(tokens.map((token) => `${token}\n`).join('')), 'vocab');
  }
}

/** Several times the largest vocabulary there is. */
const maxTokens = 1 << 23;

function lineBreaks(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === 0x0a || byte === 0x0d) count++;
  return count;
}

/** The first line, counted from 1, whose bytes are not UTF-8. */
function invalidLine(bytes: Uint8Array): number {
  const newline = 0x0a;
  let line = 1;
  for (let start = 0; ; ++line) {
    const end = bytes.indexOf(newline, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
  }
}
