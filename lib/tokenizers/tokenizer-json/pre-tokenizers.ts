import type { NativePreTokenizer, SplitBehavior } from '../../binding/native.ts';
import { type JsonPart, type PartReader, readTyped } from './json-part.ts';
import { readPrependScheme, readReplacement } from './metaspace.ts';
import { readPattern } from './patterns.ts';

/** `pre_tokenizer`; null where there is none. */
export function readPreTokenizer(part: JsonPart): NativePreTokenizer | null {
  return part.isAbsent ? null : readTyped(part, readers, 0);
}

const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;

const readBehavior = (part: JsonPart): SplitBehavior => part.member('behavior').oneOf(behaviors);

const optionalBoolean = (part: JsonPart, absent: boolean): boolean => (part.isAbsent ? absent : part.boolean());

const readers: ReadonlyMap<string, PartReader<NativePreTokenizer>> = new Map<string, PartReader<NativePreTokenizer>>([
  ['BertPreTokenizer', () => ({ type: 'BertPreTokenizer', never_split: [] })],
  ...(['Whitespace', 'WhitespaceSplit', 'UnicodeScripts'] as const).map(
    (type) => [type, () => ({ type })] as [string, PartReader<NativePreTokenizer>],
  ),
  [
    'ByteLevel',
    (part) => ({
      type: 'ByteLevel',
      add_prefix_space: part.member('add_prefix_space').boolean(),
      use_regex: optionalBoolean(part.member('use_regex'), true),
    }),
  ],
  [
    'Metaspace',
    (part) => ({
      type: 'Metaspace',
      replacement: readReplacement(part),
      prepend_scheme: readPrependScheme(part),
      split: optionalBoolean(part.member('split'), true),
    }),
  ],
  [
    'Punctuation',
    (part) => ({ type: 'Punctuation', behavior: part.member('behavior').isAbsent ? 'Isolated' : readBehavior(part) }),
  ],
  ['Digits', (part) => ({ type: 'Digits', individual_digits: part.member('individual_digits').boolean() })],
  [
    'Split',
    (part) => ({
      type: 'Split',
      pattern: readPattern(part.member('pattern')),
      behavior: readBehavior(part),
      invert: part.member('invert').boolean(),
    }),
  ],
  ['CharDelimiterSplit', (part) => ({ type: 'CharDelimiterSplit', delimiter: part.member('delimiter').character() })],
  [
    'Sequence',
    (part, depth) => ({
      type: 'Sequence',
      pretokenizers: part
        .member('pretokenizers')
        .elements()
        .map((pre_tokenizer) => readTyped(pre_tokenizer, readers, depth + 1)),
    }),
  ],
]);
