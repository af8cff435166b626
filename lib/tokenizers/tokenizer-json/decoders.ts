import type { NativeDecoder } from '../../binding/native.ts';
import { type JsonPart, type PartReader, readTyped } from './json-part.ts';
import { readPrependScheme, readReplacement } from './metaspace.ts';
import { readPattern } from './patterns.ts';

/** `decoder`; null where there is none. */
export function readDecoder(part: JsonPart): NativeDecoder | null {
  return part.isAbsent ? null : readTyped(part, readers, 0);
}

/** More characters than a token has. */
const maxStripped = 2 ** 20;

const readers: ReadonlyMap<string, PartReader<NativeDecoder>> = new Map<string, PartReader<NativeDecoder>>([
  [
    'WordPiece',
    (part) => ({
      type: 'WordPiece',
      prefix: part.member('prefix').string(),
      cleanup: part.member('cleanup').boolean(),
    }),
  ],
  ...(['ByteLevel', 'ByteFallback', 'Fuse'] as const).map(
    (type) => [type, () => ({ type })] as [string, PartReader<NativeDecoder>],
  ),
  [
    'Metaspace',
    (part) => ({ type: 'Metaspace', replacement: readReplacement(part), prepend_scheme: readPrependScheme(part) }),
  ],
  ['BPEDecoder', (part) => ({ type: 'BPEDecoder', suffix: part.member('suffix').string() })],
  [
    'Strip',
    (part) => ({
      type: 'Strip',
      content: part.member('content').character(),
      start: part.member('start').integer(0, maxStripped),
      stop: part.member('stop').integer(0, maxStripped),
    }),
  ],
  [
    'Replace',
    (part) => ({
      type: 'Replace',
      pattern: readPattern(part.member('pattern')),
      content: part.member('content').string(),
    }),
  ],
  [
    'CTC',
    (part) => ({
      type: 'CTC',
      pad_token: part.member('pad_token').string(),
      word_delimiter_token: part.member('word_delimiter_token').string(),
      cleanup: part.member('cleanup').boolean(),
    }),
  ],
  [
    'Sequence',
    (part, depth) => ({
      type: 'Sequence',
      decoders: part
        .member('decoders')
        .elements()
        .map((decoder) => readTyped(decoder, readers, depth + 1)),
    }),
  ],
]);
