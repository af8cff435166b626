import { isUtf8 } from 'node:buffer';
import type { FlatStrings } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import { describe } from '../options.ts';
import { countOf } from './flat-strings.ts';
import { maxTokens } from './tokenizer-json/models.ts';

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
    const breaks = lineBreaks(bytes);
    if (breaks > maxTokens) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${path} has more than ${maxTokens} lines: expected one token per line`,
      );
    }
    this.tokens = splitLines(bytes, breaks + 1);
    if (countOf(this.tokens) === 0) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path} is empty: expected one token per line`);
    }
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

const newline = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = [0xef, 0xbb, 0xbf];

function lineBreaks(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === newline || byte === carriageReturn) count++;
  return count;
}

/** The lines, at most `limit` of them, without making a string of each: vocabularies have half a million. */
function splitLines(bytes: Uint8Array, limit: number): FlatStrings {
  const text = new Uint8Array(bytes.length);
  const starts = new Uint32Array(limit + 1);
  let lines = 0;
  let end = 0;
  const first = byteOrderMark.every((byte, i) => bytes[i] === byte) ? byteOrderMark.length : 0;
  for (let i = first; i < bytes.length; ++i) {
    const byte = bytes[i]!;
    if (byte !== newline && byte !== carriageReturn) {
      text[end++] = byte;
      continue;
    }
    if (byte === carriageReturn && bytes[i + 1] === newline) ++i;
    starts[++lines] = end;
  }
  // The last line may lack its end.
  if (end > starts[lines]!) starts[++lines] = end;
  return { bytes: text.slice(0, end), starts: starts.slice(0, lines + 1) };
}

/** The first line, counted from 1, whose bytes are not UTF-8. */
function invalidLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; ; ++line) {
    const end = bytes.indexOf(newline, start);
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
  }
}
