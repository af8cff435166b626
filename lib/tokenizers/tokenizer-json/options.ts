import type { JsonObject } from '../../files.ts';
import type { GivenOptions } from '../../options.ts';
import type { Side } from '../encode-options.ts';
import type { CuttingOptionName, CuttingOptions } from '../family.ts';
import type { JsonPart } from './json-part.ts';

/** Where an option of transformers' classes stands in `tokenizer.json`. */
interface Place {
  readonly part: 'normalizer' | 'pre_tokenizer' | 'post_processor';
  readonly types: readonly string[];
  readonly member: string;
}

const inBertNormalizer = (member: string): readonly Place[] => [
  { part: 'normalizer', types: ['BertNormalizer'], member },
];

const places: Readonly<Partial<Record<CuttingOptionName, readonly Place[]>>> = {
  do_lower_case: inBertNormalizer('lowercase'),
  strip_accents: inBertNormalizer('strip_accents'),
  tokenize_chinese_chars: inBertNormalizer('handle_chinese_chars'),
  add_prefix_space: [
    { part: 'pre_tokenizer', types: ['ByteLevel'], member: 'add_prefix_space' },
    { part: 'post_processor', types: ['RobertaProcessing'], member: 'add_prefix_space' },
  ],
  trim_offsets: [{ part: 'post_processor', types: ['RobertaProcessing', 'ByteLevel'], member: 'trim_offsets' }],
};

const isAt = (definition: JsonObject, { part, types }: Place): boolean => {
  const found = definition[part] as { type?: unknown } | null | undefined;
  return typeof found === 'object' && found !== null && types.includes(String(found.type));
};

/** A definition with those options in it that it has a place for. */
export function withOptions(definition: JsonObject, options: GivenOptions<CuttingOptions>): JsonObject {
  const changed = { ...definition };
  for (const [name, found] of Object.entries(places)) {
    const value = options[name as CuttingOptionName];
    if (value === undefined) continue;
    for (const place of found) {
      if (!isAt(changed, place)) continue;
      changed[place.part] = { ...(changed[place.part] as object), [place.member]: value };
    }
  }
  return changed;
}

/**
 * Refuses options of the caller's that would change nothing.
 *
 * @throws BertNativeError `ERR_OPTION`
 */
export function checkApplicable(part: JsonPart, options: GivenOptions<CuttingOptions>): void {
  const definition = part.object();
  for (const name of cuttingOptionNames) {
    const value = options[name];
    if (value === undefined) continue;
    if (Array.isArray(value) && value.length === 0) continue;
    const found = places[name] ?? [];
    if (found.some((place) => isAt(definition, place))) continue;
    const expected =
      found.length === 0
        ? 'it holds only for tokenizers that are read from other files'
        : `expected ${found.map(({ part, types }) => `a ${part} of the type ${types.join(' or ')}`).join(', or ')}`;
    throw part.error('ERR_OPTION', `has no place for the option ${name}: ${expected}`);
  }
}

const cuttingOptionNames = [
  'do_lower_case',
  'strip_accents',
  'tokenize_chinese_chars',
  'never_split',
  'add_prefix_space',
  'trim_offsets',
  'add_bos_token',
  'keep_accents',
  'split_by_punct',
] as const;

/** What a file says about padding and truncation besides how much, which a call says. */
export function readDefaults(part: JsonPart): { pad_token?: string; padding_side?: Side; truncation_side?: Side } {
  const [padding, truncation] = [part.member('padding'), part.member('truncation')];
  return {
    ...(padding.isAbsent
      ? {}
      : { pad_token: padding.member('pad_token').string(), padding_side: readSide(padding.member('direction')) }),
    ...(truncation.isAbsent ? {} : { truncation_side: readSide(truncation.member('direction')) }),
  };
}

function readSide(part: JsonPart): Side {
  return part.isAbsent ? 'right' : (part.oneOf(['Left', 'Right']).toLowerCase() as Side);
}
