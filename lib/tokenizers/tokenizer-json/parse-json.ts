import { BertNativeError } from '../../errors.ts';

/**
 * Values in a tokenizer's JSON: more than twice those of the largest there are. Where JSON.parse reaches the end of a heap, V8
 * may end the process, even if the heap is a worker's: what it makes of so many fits into any.
 */
export const maxJsonValues = 1 << 22;

/** @throws BertNativeError `ERR_FILE_FORMAT` */
export function parseTokenizersJson(bytes: Uint8Array, path: string): unknown {
  if (hasMoreValues(bytes, maxJsonValues)) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} has more than ${maxJsonValues} values`);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not JSON in UTF-8: ${(cause as Error).message}`, {
      cause,
    });
  }
}

const quote = 0x22;
const comma = 0x2c;
const bracket = 0x5b;
const backslash = 0x5c;
const brace = 0x7b;

/** Each value but the outermost stands behind a comma or is the first behind what opens; none of them is within a string. */
function hasMoreValues(bytes: Uint8Array, limit: number): boolean {
  if (bytes.length <= limit) return false;
  let count = 0;
  let isString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (isString) {
      if (byte === backslash) i++;
      else if (byte === quote) isString = false;
    } else if (byte === quote) isString = true;
    else if ((byte === comma || byte === bracket || byte === brace) && ++count > limit) return true;
  }
  return false;
}
