import type { NativeNormalizer } from '../../binding/native.ts';
import { readCharacterMap } from './character-map.ts';
import { type JsonPart, type PartReader, readTyped } from './json-part.ts';
import { readPattern } from './patterns.ts';

/** `normalizer`; null where there is none. */
export function readNormalizer(part: JsonPart): NativeNormalizer | null {
  return part.isAbsent ? null : readTyped(part, readers, 0);
}

const readers: ReadonlyMap<string, PartReader<NativeNormalizer>> = new Map<string, PartReader<NativeNormalizer>>([
  [
    'BertNormalizer',
    (part) => {
      const lowercase = part.member('lowercase').boolean();
      const strip_accents = part.member('strip_accents');
      return {
        type: 'BertNormalizer',
        clean_text: part.member('clean_text').boolean(),
        handle_chinese_chars: part.member('handle_chinese_chars').boolean(),
        strip_accents: strip_accents.isAbsent ? lowercase : strip_accents.boolean(),
        lowercase,
        characters: 'rust',
      };
    },
  ],
  ...(['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt', 'ByteLevel'] as const).map(
    (type) => [type, () => ({ type })] as [string, PartReader<NativeNormalizer>],
  ),
  [
    'Strip',
    (part) => ({
      type: 'Strip',
      strip_left: part.member('strip_left').boolean(),
      strip_right: part.member('strip_right').boolean(),
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
  ['Prepend', (part) => ({ type: 'Prepend', prepend: part.member('prepend').string() })],
  ['Precompiled', (part) => readCharacterMap(part.member('precompiled_charsmap'))],
  [
    'Sequence',
    (part, depth) => ({
      type: 'Sequence',
      normalizers: part
        .member('normalizers')
        .elements()
        .map((normalizer) => readTyped(normalizer, readers, depth + 1)),
    }),
  ],
]);
