import type { NativeRegex } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';

/** @throws BertNativeError `ERR_UNSUPPORTED_TOKENIZER` */
export function compileRegex(source: string): NativeRegex {
  throw new BertNativeError(
    'ERR_UNSUPPORTED_TOKENIZER',
    `the regular expression ${JSON.stringify(source)}: regular expressions are not supported`,
  );
}
