import type {
  FlatStrings,
  NativeEncodeOptions,
  NativeEncoding,
  NativeTokenizerDescription,
} from '../../lib/binding/native.ts';

export function flatStrings(strings: readonly string[]): FlatStrings {
  const encoder = new TextEncoder();
  const parts = strings.map((string) => encoder.encode(string));
  const starts = new Uint32Array(parts.length + 1);
  parts.forEach((part, i) => {
    starts[i + 1] = starts[i]! + part.length;
  });
  const bytes = new Uint8Array(starts.at(-1)!);
  parts.forEach((part, i) => {
    bytes.set(part, starts[i]);
  });
  return { bytes, starts };
}

export interface BertSettings {
  readonly do_lower_case?: boolean;
  readonly strip_accents?: boolean;
  readonly tokenize_chinese_chars?: boolean;
  readonly never_split?: readonly string[];
}

/** BertTokenizer's description over a vocabulary that has BERT's five special tokens. */
export function bertDescription(
  vocabulary: readonly string[],
  settings: BertSettings = {},
): NativeTokenizerDescription {
  const lowercase = settings.do_lower_case ?? true;
  const id = (token: string) => vocabulary.lastIndexOf(token);
  const cls = { special_id: id('[CLS]'), type_id: 0 } as const;
  const sep = { special_id: id('[SEP]'), type_id: 0 } as const;
  const first = { sequence: 'A', type_id: 0 } as const;
  return {
    vocabulary: flatStrings(vocabulary),
    added_tokens: ['[UNK]', '[SEP]', '[PAD]', '[CLS]', '[MASK]'].map((content) => ({
      content,
      id: id(content),
      special: true,
      lstrip: false,
      rstrip: false,
      single_word: false,
    })),
    normalizer: {
      type: 'bert',
      clean_text: true,
      handle_chinese_chars: settings.tokenize_chinese_chars ?? true,
      strip_accents: settings.strip_accents ?? lowercase,
      lowercase,
    },
    pre_tokenizer: { type: 'bert', never_split: settings.never_split ?? [] },
    model: {
      type: 'wordpiece',
      unk_id: id('[UNK]'),
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
    },
    post_processor: {
      type: 'template',
      single: [cls, first, sep],
      pair: [cls, first, sep, { sequence: 'B', type_id: 1 }, { ...sep, type_id: 1 }],
    },
    decoder: { type: 'wordpiece', prefix: '##' },
  };
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
