import type { NativePattern } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import { compileRegex } from '../regex/compile.ts';
import type { JsonPart } from './json-part.ts';

/** `{ "String": … }` or `{ "Regex": … }`. */
export function readPattern(part: JsonPart): NativePattern {
  const [entry, ...more] = part.entries();
  const [kind] = entry ?? [];
  if (more.length > 0 || (kind !== 'String' && kind !== 'Regex'))
    throw part.refusal('{ "String": … } or { "Regex": … }');
  const source = part.member(kind);
  const string = source.string();
  // The empty string is found between all characters, as the regular expression of no characters is.
  if (kind === 'String' && string !== '') return { type: 'String', string };
  try {
    return { type: 'Regex', ...compileRegex(string) };
  } catch (cause) {
    if (!(cause instanceof BertNativeError)) throw cause;
    throw source.error(cause.code, `cannot be used: ${cause.message}`, cause);
  }
}
