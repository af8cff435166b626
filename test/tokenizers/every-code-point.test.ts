import * as rust from 'tokenizers';
import { describe, expect, test } from 'vitest';
import { nativeBinding } from '../../lib/binding/load.ts';
import type {
  NativeModelOptions,
  NativeNormalizer,
  NativePreTokenizer,
  NativeTokenizer,
} from '../../lib/binding/native.ts';
import { flatStrings, plainOptions } from './native-support.ts';
import { codePointsToUnits } from './random-texts.ts';

// The Rust library has tables of several old versions of Unicode; tokenizer.json means what they say.

interface Parts {
  readonly normalizer?: NativeNormalizer;
  readonly pre_tokenizer?: NativePreTokenizer;
  readonly vocabulary?: readonly string[];
  readonly model?: NativeModelOptions;
}

function tokenizerWith(parts: Parts): NativeTokenizer {
  const { vocabulary = ['?'], model = { type: 'WordLevel', unk_id: 0 } } = parts;
  const sequenceA = { sequence: 'A', type_id: 0 } as const;
  return nativeBinding().create_tokenizer({
    model: nativeBinding().create_tokenizer_model({ vocabulary: flatStrings(vocabulary), model }),
    added_tokens: [],
    normalizer: parts.normalizer ?? null,
    pre_tokenizer: parts.pre_tokenizer ?? null,
    post_processor: {
      single: [sequenceA],
      pair: [sequenceA, { sequence: 'B', type_id: 0 }],
      always_type_ids: true,
      trim_offsets: null,
    },
    decoder: null,
  });
}

const blockSize = 0x400;
const blocks = Array.from({ length: 0x110000 / blockSize }, (_, i) =>
  Array.from({ length: blockSize }, (_, k) => i * blockSize + k)
    .filter((c) => c < 0xd800 || c > 0xdfff)
    .map((c) => String.fromCodePoint(c)),
).filter((block) => block.length > 0);

type Step = 'clean_text' | 'handle_chinese_chars' | 'strip_accents' | 'lowercase';
const bert = (...steps: Step[]) =>
  ({
    type: 'BertNormalizer',
    clean_text: steps.includes('clean_text'),
    handle_chinese_chars: steps.includes('handle_chinese_chars'),
    strip_accents: steps.includes('strip_accents'),
    lowercase: steps.includes('lowercase'),
    characters: 'rust',
  }) as const;
const rustBert = (...steps: Step[]) =>
  rust.bertNormalizer({
    cleanText: steps.includes('clean_text'),
    handleChineseChars: steps.includes('handle_chinese_chars'),
    stripAccents: steps.includes('strip_accents'),
    lowercase: steps.includes('lowercase'),
  });
const bertSteps: readonly Step[][] = [
  ['clean_text'],
  ['handle_chinese_chars'],
  ['strip_accents'],
  ['lowercase'],
  ['clean_text', 'handle_chinese_chars', 'strip_accents', 'lowercase'],
];

const normalizers: readonly (readonly [string, NativeNormalizer, rust.Normalizer])[] = [
  ...bertSteps.map((steps) => [`BertNormalizer: ${steps}`, bert(...steps), rustBert(...steps)] as const),
  ['NFC', { type: 'NFC' }, rust.nfcNormalizer()],
  ['NFD', { type: 'NFD' }, rust.nfdNormalizer()],
  ['NFKC', { type: 'NFKC' }, rust.nfkcNormalizer()],
  ['NFKD', { type: 'NFKD' }, rust.nfkdNormalizer()],
  ['StripAccents', { type: 'StripAccents' }, rust.stripAccentsNormalizer()],
];

describe('normalizers change every code point as the Rust library does', () => {
  test.each(normalizers)('%s', (_, normalizer, reference) => {
    const tokenizer = tokenizerWith({ normalizer });
    for (const block of blocks) {
      // Marks of classes 220 and 240 show where its own stands among them.
      const text = block.map((c) => `x${c}y\u0345${c}\u0323`).join('');
      expect(tokenizer.normalize(text), `from U+${block[0]!.codePointAt(0)!.toString(16)}`).toBe(
        reference.normalizeString(text),
      );
    }
  });
});

const preTokenizers: readonly (readonly [string, NativePreTokenizer, rust.PreTokenizer])[] = [
  ['BertPreTokenizer', { type: 'BertPreTokenizer', never_split: [] }, rust.bertPreTokenizer()],
  ['Punctuation', { type: 'Punctuation', behavior: 'Isolated' }, rust.punctuationPreTokenizer('isolated')],
  ['Whitespace', { type: 'Whitespace' }, rust.whitespacePreTokenizer()],
];

describe('pre-tokenizers cut at every code point as the Rust library does', () => {
  test.each(preTokenizers)('%s', (_, pre_tokenizer, reference) => {
    const tokenizer = tokenizerWith({ pre_tokenizer });
    for (const block of blocks) {
      const text = `a${block.join('a')}a`;
      const expected = reference.preTokenizeString(text).map(([piece]) => piece);
      expect(tokenizer.pre_tokenize(text).pieces, `from U+${block[0]!.codePointAt(0)!.toString(16)}`).toEqual(expected);
    }
  });
});

test('BERT in one pass gives the ids and offsets of the Rust library for marks, punctuation and controls', async () => {
  const chosen = blocks
    .flat()
    .filter((c) => /[\p{M}\p{P}\p{Cc}\p{Cf}]/u.test(c) || c.normalize('NFKD') !== c || c.toLowerCase() !== c)
    .filter((c) => !/[\uac00-\ud7a3]/.test(c));
  const characters = new Set([...chosen, 'a', 'b', '\u0378', '\u{2b820}', '\u{2b920}', '\u{e0000}']);
  const vocabulary = ['[UNK]', ...[...characters].flatMap((c) => [c, `##${c}`])];
  const model = { type: 'WordPiece', continuing_subword_prefix: '##', max_input_chars_per_word: 100 } as const;
  const steps: Step[] = ['clean_text', 'handle_chinese_chars', 'strip_accents', 'lowercase'];
  const ours = tokenizerWith({
    normalizer: bert(...steps),
    pre_tokenizer: { type: 'BertPreTokenizer', never_split: [] },
    vocabulary,
    model: { ...model, unk_id: 0 },
  });
  const { characters: _, ...normalizer } = bert(...steps);
  const reference = rust.Tokenizer.fromString(
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      normalizer,
      pre_tokenizer: { type: 'BertPreTokenizer' },
      model: { ...model, unk_token: '[UNK]', vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])) },
    }),
  );
  const list = [...characters];
  for (let i = 0; i < list.length; i += 100) {
    const some = list.slice(i, i + 100);
    const text = some.map((c) => `${c} a${c}b a\u0323${c}\u0301 ${c}\u{1d16d}${c} .${c}.`).join(' ');
    const encoding = ours.encode(
      { first: { texts: [text], word_starts: null }, second: null },
      { ...plainOptions, add_special_tokens: false, return_offsets: true },
    );
    const expected = await reference.encode(text);
    const units = codePointsToUnits(text);
    expect([...encoding.ids], `from U+${some[0]!.codePointAt(0)!.toString(16)}`).toEqual(expected.getIds());
    expect([...encoding.offsets!]).toEqual(expected.getOffsets().flatMap((span) => span.map((at) => units[at]!)));
  }
});
