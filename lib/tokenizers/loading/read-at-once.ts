import { readFileSync, statSync } from 'node:fs';
import { BertNativeError } from '../../errors.ts';
import { fileError } from '../../files.ts';
import { optionError } from '../../options.ts';
import { maxTokenizerBytes } from './limits.ts';

/**
 * A tokenizer's file, read on the calling thread.
 *
 * @param what the option, for messages, and what is expected of it
 * @throws BertNativeError `ERR_OPTION` for a folder; `ERR_NOT_FOUND`, `ERR_IO`; `ERR_FILE_FORMAT` for more than any tokenizer has
 */
export function readAtOnce(path: string, what: string, expected: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > maxTokenizerBytes) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: ${size} bytes; at most ${maxTokenizerBytes} are read`);
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof BertNativeError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') throw optionError(what, path, expected);
    throw fileError('reading', path, error);
  }
}
