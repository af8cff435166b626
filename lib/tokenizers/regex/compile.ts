import type { NativeRegex } from '../../binding/native.ts';
import { generateProgram } from './code-generator.ts';
import { lower } from './lowering.ts';
import { parseRegex } from './parser.ts';
import { refusal } from './pattern-source.ts';

/**
 * Compiles a regular expression of tokenizer.json, in the syntax of Oniguruma, which the Rust library tokenizers runs it with.
 *
 * Not supported: backreferences, calls of groups, conditionals, absent groups, callouts, `\G`, `\K`, `\X`, `\y`, properties by
 * block, and programs of more than 65,536 instructions.
 *
 * @throws BertNativeError `ERR_UNSUPPORTED_TOKENIZER`, naming the construct and its offset in code points
 */
export function compileRegex(source: string): NativeRegex {
  const program = generateProgram(lower(parseRegex(source)), source);
  if (program === undefined) throw refusal(source, 'is too large: its repetitions or classes take too much memory');
  return program;
}
