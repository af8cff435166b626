import { nativeBinding } from '../../lib/binding/load.ts';
import type {
  NativeEncodeOptions,
  NativeEncoding,
  NativeTokenizer,
  NativeTokenizerDescription,
  NativeTokenizerModelDescription,
} from '../../lib/binding/native.ts';
import { flatten } from '../../lib/tokenizers/flat-strings.ts';

export { flatten as flatStrings } from '../../lib/tokenizers/flat-strings.ts';

export interface BertSettings {
  readonly do_lower_case?: boolean;
  readonly strip_accents?: boolean;
  readonly tokenize_chinese_chars?: boolean;
  readonly never_split?: readonly string[];
}

/** WordPiece over a vocabulary that has BERT's unknown token. */
export function wordPieceDescription(vocabulary: readonly string[]) {
  return {
    vocabulary: flatten(vocabulary),
    model: {
      type: 'WordPiece',
      unk_id: vocabulary.lastIndexOf('[UNK]'),
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
    },
  } as const satisfies NativeTokenizerModelDescription;
}

/** BertTokenizer's description, but for the model, over a vocabulary that has BERT's five special tokens. */
export function bertParts(vocabulary: readonly string[], settings: BertSettings = {}) {
  const lowercase = settings.do_lower_case ?? true;
  const id = (token: string) => vocabulary.lastIndexOf(token);
  const cls = { special_id: id('[CLS]'), type_id: 0 } as const;
  const sep = { special_id: id('[SEP]'), type_id: 0 } as const;
  const first = { sequence: 'A', type_id: 0 } as const;
  return {
    added_tokens: ['[UNK]', '[SEP]', '[PAD]', '[CLS]', '[MASK]'].map((content) => ({
      content,
      id: id(content),
      special: true,
      lstrip: false,
      rstrip: false,
      single_word: false,
      normalized: false,
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: settings.tokenize_chinese_chars ?? true,
      strip_accents: settings.strip_accents ?? lowercase,
      lowercase,
      characters: 'python',
    },
    pre_tokenizer: { type: 'BertPreTokenizer', never_split: settings.never_split ?? [] },
    post_processor: {
      single: [cls, first, sep],
      pair: [cls, first, sep, { sequence: 'B', type_id: 1 }, { ...sep, type_id: 1 }],
      always_type_ids: false,
      trim_offsets: null,
    },
    decoder: { type: 'SlowWordPiece', prefix: '##' },
  } as const satisfies Omit<NativeTokenizerDescription, 'model'>;
}

/** BertTokenizer's description over a vocabulary that has BERT's five special tokens. */
export function bertDescription(vocabulary: readonly string[], settings: BertSettings = {}) {
  const model = nativeBinding().create_tokenizer_model(wordPieceDescription(vocabulary));
  return { ...bertParts(vocabulary, settings), model };
}

export const plainOptions: NativeEncodeOptions = {
  add_special_tokens: true,
  truncation: 'none',
  max_length: 0,
  stride: 0,
  truncation_side: 'right',
  return_overflowing_tokens: false,
  return_offsets: false,
  return_word_ids: false,
};

export interface Row {
  readonly ids: number[];
  readonly type_ids: number[];
  readonly sequence_ids: number[];
  readonly offsets: number[] | null;
  readonly word_ids: number[] | null;
  readonly sample: number;
}

export function rowsOf(encoding: NativeEncoding): Row[] {
  return Array.from(encoding.sample_of_row, (sample, r) => {
    const [begin, end] = [encoding.row_starts[r]!, encoding.row_starts[r + 1]!];
    return {
      ids: [...encoding.ids.subarray(begin, end)],
      type_ids: [...encoding.type_ids.subarray(begin, end)],
      sequence_ids: [...encoding.sequence_ids.subarray(begin, end)],
      offsets: encoding.offsets && [...encoding.offsets.subarray(2 * begin, 2 * end)],
      word_ids: encoding.word_ids && [...encoding.word_ids.subarray(begin, end)],
      sample,
    };
  });
}

export const texts = (...strings: string[]) => ({ texts: strings, word_starts: null });

/** A tokenizer that has a normalizer, a pre-tokenizer, or both, over a model that knows nothing. */
export function partsTokenizer(
  parts: Partial<Pick<NativeTokenizerDescription, 'normalizer' | 'pre_tokenizer'>>,
): NativeTokenizer {
  const binding = nativeBinding();
  return binding.create_tokenizer({
    model: binding.create_tokenizer_model({
      vocabulary: flatten(['[UNK]']),
      model: { type: 'WordLevel', unk_id: 0 },
    }),
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    ...parts,
    post_processor: {
      single: [{ sequence: 'A', type_id: 0 }],
      pair: [
        { sequence: 'A', type_id: 0 },
        { sequence: 'B', type_id: 0 },
      ],
      always_type_ids: true,
      trim_offsets: null,
    },
    decoder: null,
  });
}
