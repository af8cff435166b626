import * as rust from 'tokenizers';
import { describe, expect, test } from 'vitest';
import { nativeBinding } from '../../lib/binding/load.ts';
import type { NativeAddedToken, NativeNormalizer, NativeTokenizer } from '../../lib/binding/native.ts';
import { makeRandom } from '../../tools/random.mjs';
import { buildCharacterMap, type CharacterMap, encodeCharacterMap } from './character-map.ts';
import { flatStrings, plainOptions } from './native-support.ts';
import { codePointsToUnits, randomTexts } from './random-texts.ts';

const sequenceA = { sequence: 'A', type_id: 0 } as const;

/** A tokenizer that makes a token of each code point, so that offsets show where each came from. */
function tokenizerWith(normalizer: NativeNormalizer, added_tokens: readonly NativeAddedToken[] = []): NativeTokenizer {
  const model = nativeBinding().create_tokenizer_model({
    vocabulary: flatStrings(['?']),
    model: {
      type: 'BPE',
      merges: flatStrings([]),
      unk_id: 0,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
    },
  });
  return nativeBinding().create_tokenizer({
    model,
    added_tokens,
    normalizer,
    pre_tokenizer: null,
    post_processor: {
      single: [sequenceA],
      pair: [sequenceA, { sequence: 'B', type_id: 0 }],
      always_type_ids: true,
      trim_offsets: null,
    },
    decoder: null,
  });
}

/** The same in the Rust library; `normalizer` as tokenizer.json has it. */
function rustTokenizerWith(normalizer: object, added_tokens: readonly NativeAddedToken[] = []): rust.Tokenizer {
  const model = { type: 'BPE', unk_token: '?', vocab: { '?': 0 }, merges: [] };
  return rust.Tokenizer.fromString(JSON.stringify({ version: '1.0', added_tokens, normalizer, model }));
}

function offsetsOf(tokenizer: NativeTokenizer, text: string): number[] {
  const encoding = tokenizer.encode(
    { first: { texts: [text], word_starts: null }, second: null },
    { ...plainOptions, add_special_tokens: false, return_offsets: true },
  );
  return [...encoding.offsets!];
}

async function rustOffsetsOf(tokenizer: rust.Tokenizer, text: string): Promise<number[]> {
  const units = codePointsToUnits(text);
  return (await tokenizer.encode(text)).getOffsets().flatMap((span) => span.map((i) => units[i]!));
}

// Every kind of rule: as long, longer, shorter, nothing; of several characters, within a cluster and across; a key that
// another one begins with.
const rules = {
  A: 'a',
  '\u2026': '...',
  '\u3000': ' ',
  '\u0001': '',
  '\u00ad': '',
  '\ufb01': 'fi',
  'e\u0301': '\u00e9',
  'e\u0301\u0302': '!',
  '\u0302': '',
  '\u0303': '~~',
  '\r\n': '\n',
  ab: 'x',
  '\u{1f600}': ':-)',
  '\u1100\u1161': '\uac00',
};

const theirs = (normalizer: NativeNormalizer): object => {
  if (normalizer.type === 'Precompiled') {
    return { type: 'Precompiled', precompiled_charsmap: encodeCharacterMap(normalizer) };
  }
  if (normalizer.type === 'Sequence') {
    return { type: 'Sequence', normalizers: normalizer.normalizers.map(theirs) };
  }
  if (normalizer.type === 'Replace' && normalizer.pattern.type === 'String') {
    return { type: 'Replace', pattern: { String: normalizer.pattern.string }, content: normalizer.content };
  }
  if (normalizer.type === 'BertNormalizer') {
    const { characters: _, ...steps } = normalizer;
    return steps;
  }
  return normalizer;
};

const precompiled = { type: 'Precompiled', ...buildCharacterMap(rules) } as const;
const replace = (string: string, content: string) =>
  ({ type: 'Replace', pattern: { type: 'String', string }, content }) as const;
const bert = (clean_text: boolean, handle_chinese_chars: boolean, strip_accents: boolean, lowercase: boolean) =>
  ({ type: 'BertNormalizer', clean_text, handle_chinese_chars, strip_accents, lowercase, characters: 'rust' }) as const;
const strip = (strip_left: boolean, strip_right: boolean) => ({ type: 'Strip', strip_left, strip_right }) as const;
const sequence = (...normalizers: NativeNormalizer[]) => ({ type: 'Sequence', normalizers }) as const;

const cases: readonly (readonly [name: string, normalizer: NativeNormalizer])[] = [
  ...(['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt', 'ByteLevel'] as const).map(
    (type) => [type, { type }] as const,
  ),
  ['Strip on both sides', strip(true, true)],
  ['Strip on the left', strip(true, false)],
  ['Strip on the right', strip(false, true)],
  ['Replace with something longer', replace('a', 'xyz')],
  ['Replace with nothing', replace('a', '')],
  ['Prepend', { type: 'Prepend', prepend: '\u2581_' }],
  ['Prepend nothing', { type: 'Prepend', prepend: '' }],
  ['Precompiled', precompiled],
  ['BertNormalizer, all of it', bert(true, true, true, true)],
  ['BertNormalizer, clean_text', bert(true, false, false, false)],
  ['BertNormalizer, handle_chinese_chars', bert(false, true, false, false)],
  ['BertNormalizer, strip_accents', bert(false, false, true, false)],
  ['decomposed, then composed', sequence({ type: 'NFKD' }, replace('a', 'xyz'), { type: 'NFC' })],
  ['as of a SentencePiece model', sequence({ type: 'Nmt' }, precompiled, { type: 'NFKC' }, strip(true, true))],
  ['many', sequence({ type: 'NFD' }, { type: 'StripAccents' }, bert(true, true, false, true), { type: 'ByteLevel' })],
  ['none', sequence()],
];

describe('normalizers make of texts what the Rust library makes of them', () => {
  const random = makeRandom(3);
  const ruleTexts = Array.from({ length: 150 }, () =>
    Array.from({ length: random(8) + 1 }, () => {
      const keys = [...Object.keys(rules), 'e', '\u0301', '\r', '\u00c9', '\u1100', '\u11a8', ' ', 'n'];
      return keys[random(keys.length)]!;
    }).join(''),
  );
  const texts = [
    ...['', ' ', '\u3000 a \u00e9 ', 'a\u0344\u0323e\u0301\u1112\u1161\u11ab', '\u0001\u0001', '\u4e00a\u4e8c\u0130'],
    ...randomTexts(250, 12),
    ...ruleTexts,
  ];

  test.each(cases)('%s', async (_, normalizer) => {
    const ours = tokenizerWith(normalizer);
    const reference = rustTokenizerWith(theirs(normalizer));
    const rustNormalizer = reference.getNormalizer()!;
    for (const text of texts) {
      const shown = JSON.stringify(text);
      expect(ours.normalize(text), shown).toBe(rustNormalizer.normalizeString(text));
      expect(offsetsOf(ours, text), shown).toEqual(await rustOffsetsOf(reference, text));
    }
  });

  test('what has nothing before it comes from where its part of the text begins', async () => {
    const added = { content: '[X]', id: 1, special: true, lstrip: false, rstrip: false, single_word: false };
    const addedTokens = [{ ...added, normalized: false }];
    const normalizer = { type: 'Prepend', prepend: '' } as const;
    const text = 'ab[X]cd';
    const offsets = offsetsOf(tokenizerWith(normalizer, addedTokens), text);
    expect(offsets).toEqual([0, 0, 1, 2, 2, 5, 5, 5, 6, 7]);
    expect(offsets).toEqual(await rustOffsetsOf(rustTokenizerWith(normalizer, addedTokens), text));
  });
});

const formNormalizers = {
  NFC: rust.nfcNormalizer(),
  NFD: rust.nfdNormalizer(),
  NFKC: rust.nfkcNormalizer(),
  NFKD: rust.nfkdNormalizer(),
};
const formNames = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

describe('normalization forms', () => {
  const pool = [
    ...[0x0301, 0x0323, 0x0327, 0x0344, 0x0345, 0x0f71, 0x0f72, 0x0f73, 0x0f74, 0x0f81, 0x05b0, 0x064b, 0x3099, 0x302a],
    ...[0x61, 0xe9, 0x1e09, 0x212b, 0x1100, 0x1161, 0x11a8, 0xac00, 0xac01, 0x30ab, 0x9c7, 0x9be, 0x1d157, 0x1d165],
    ...[0x11099, 0x110ba, 0x113c2, 0x16121, 0x1611e, 0xfb2c, 0xfdfa, 0x3316, 0x2f82c, 0x1d400],
  ];

  test.each(formNames)('%s of random sequences is what the Rust library makes of them', (form) => {
    const tokenizer = tokenizerWith({ type: form });
    const random = makeRandom(11);
    for (let i = 0; i < 3000; i++) {
      const length = random(12) + 1;
      const text = String.fromCodePoint(...Array.from({ length }, () => pool[random(pool.length)]!));
      expect(tokenizer.normalize(text), JSON.stringify(text)).toBe(formNormalizers[form].normalizeString(text));
    }
  });

  test.each(formNames)('%s of a megabyte of marks', (form) => {
    const ordered = ['\u0334', '\u0327', '\u0323', '\u0301', '\u0345'];
    const marks = ordered.toReversed().join('').repeat(100_000);
    // JavaScript takes quadratic time to put marks in order, but none for what is.
    const sorted = `a${ordered.map((mark) => mark.repeat(100_000)).join('')}`;
    expect(tokenizerWith({ type: form }).normalize(`a${marks}`) === sorted.normalize(form)).toBe(true);
  });
});

describe('hostile character maps', () => {
  const normalize = (map: CharacterMap, text: string) => tokenizerWith({ type: 'Precompiled', ...map }).normalize(text);
  const { trie, normalized } = buildCharacterMap(rules);

  test('a trie of random units reads nothing outside of itself', () => {
    const random = makeRandom(23);
    const text = randomTexts(40, 20).join('');
    for (let i = 0; i < 40; i++) {
      const length = random(1000) + 1;
      const units = Uint32Array.from({ length }, (_, at) => (random(2 ** 22) << 10) | (random(4) << 8) | (at & 0xff));
      expect(normalize({ trie: units, normalized }, text)).toBeTypeOf('string');
    }
  });

  test('a value that is no place among the replacements is no value', () => {
    const outside = trie.map((unit) => (unit >= 0x80000000 ? 0xffffffff : unit));
    expect(normalize({ trie: outside, normalized }, 'Aab\u2026')).toBe('Aab\u2026');
  });

  test('a map that is none is refused', () => {
    const refused = (map: CharacterMap) => expect(() => normalize(map, 'a'));
    refused({ trie: new Uint32Array(0), normalized }).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
    refused({ trie, normalized: Uint8Array.of(0xff) }).toThrow(/not well-formed UTF-8/);
  });
});
