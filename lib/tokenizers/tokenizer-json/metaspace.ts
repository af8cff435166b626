import type { PrependScheme } from '../../binding/native.ts';
import type { JsonPart } from './json-part.ts';

const prependSchemes = ['always', 'never', 'first'] as const;

/**
 * How Metaspace says where it puts itself before a text: `prepend_scheme`, or `add_prefix_space` in files written before
 * there was one.
 */
export function readPrependScheme(part: JsonPart): PrependScheme {
  const scheme = part.member('prepend_scheme');
  const add_prefix_space = part.member('add_prefix_space');
  const adds = add_prefix_space.isAbsent ? true : add_prefix_space.boolean();
  if (scheme.isAbsent) return adds ? 'always' : 'never';
  const found = scheme.oneOf(prependSchemes);
  if (!adds && found !== 'never') {
    throw scheme.error('ERR_FILE_FORMAT', `is "${found}" while add_prefix_space is false: expected "never"`);
  }
  return found;
}

/** The character that stands for a space. */
export function readReplacement(part: JsonPart): string {
  return part.member('replacement').character();
}
