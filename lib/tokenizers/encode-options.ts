import type { NativeEncodeOptions } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import {
  booleanRule,
  type GivenOptions,
  integerRule,
  type OptionRule,
  type OptionRules,
  oneOfRule,
} from '../options.ts';
import type { TextInput } from './text-input.ts';

/** A `model_max_length` above this means that there is none; transformers writes 10^30 for it. */
const largeInteger = 1e20;
export const veryLargeInteger = 1e30;
/** What the native tokenizer counts with. */
const maxInt32 = 2 ** 31 - 1;

export type Side = 'left' | 'right';

/** Options of `tokenizer(text, options)`; null and undefined mean the default. */
export interface EncodeOptions {
  /** The second text of the pair, or of every pair: of the same kind and number as `text`. */
  readonly text_pair?: TextInput | null;
  /**
   * `true` or `'longest'`: up to the longest row. `'max_length'`: up to `max_length`. `false` (default) or
   * `'do_not_pad'`: not at all.
   */
  readonly padding?: boolean | 'longest' | 'max_length' | 'do_not_pad' | null;
  /**
   * What gives way where a row has more than `max_length` tokens. `true` or `'longest_first'`: the longer text of a pair,
   * token by token; `'only_first'`, `'only_second'`: that text; `false` or `'do_not_truncate'`: nothing. Special tokens
   * stay. Without this option, `max_length` alone (without padding) means `'longest_first'`.
   */
  readonly truncation?: boolean | 'longest_first' | 'only_first' | 'only_second' | 'do_not_truncate' | null;
  /** Tokens in a row, special ones included; default: the tokenizer's `model_max_length`. */
  readonly max_length?: number | null;
  /** Tokens that each overflow row repeats from the one before; default 0. */
  readonly stride?: number | null;
  /** Puts the model's special tokens around the texts; default true. */
  readonly add_special_tokens?: boolean | null;
  /** `true` (default): int64 tensors. `false`: arrays of numbers, of the rank of the input. */
  readonly return_tensor?: boolean | null;
  /** Python's spelling, `'pt'` or any other there: the same as `return_tensor: true`. */
  readonly return_tensors?: 'pt' | 'np' | 'tf' | 'jax' | 'mlx' | true | null;
  readonly return_token_type_ids?: boolean | null;
  readonly return_attention_mask?: boolean | null;
  /** `offset_mapping`: where each token stands in its text, `[start, end)` in UTF-16 units. */
  readonly return_offsets_mapping?: boolean | null;
  /** `special_tokens_mask`: 1 for special tokens that were put around the texts and for padding. */
  readonly return_special_tokens_mask?: boolean | null;
  /** What was cut off follows as further rows; `overflow_to_sample_mapping` says whose. */
  readonly return_overflowing_tokens?: boolean | null;
  /** `length`: tokens in each row, padding included. */
  readonly return_length?: boolean | null;
  readonly padding_side?: Side | null;
  readonly truncation_side?: Side | null;
  /** Every text is an array of its words. */
  readonly is_split_into_words?: boolean | null;
  /** Pads rows, where they are padded at all, to a multiple of this. */
  readonly pad_to_multiple_of?: number | null;
  /** `false` keeps warnings to itself. */
  readonly verbose?: boolean | null;
}

const anyRule: OptionRule = { expected: 'anything', accepts: () => true };
export const sideRule = oneOfRule('left', 'right');

export const encodeOptionRules: OptionRules<EncodeOptions> = {
  // Checked together with the text that it belongs to.
  text_pair: anyRule,
  padding: oneOfRule(true, false, 'longest', 'max_length', 'do_not_pad'),
  truncation: oneOfRule(true, false, 'longest_first', 'only_first', 'only_second', 'do_not_truncate'),
  max_length: integerRule(0),
  stride: integerRule(0),
  add_special_tokens: booleanRule,
  return_tensor: booleanRule,
  return_tensors: oneOfRule('pt', 'np', 'tf', 'jax', 'mlx', true),
  return_token_type_ids: booleanRule,
  return_attention_mask: booleanRule,
  return_offsets_mapping: booleanRule,
  return_special_tokens_mask: booleanRule,
  return_overflowing_tokens: booleanRule,
  return_length: booleanRule,
  padding_side: sideRule,
  truncation_side: sideRule,
  is_split_into_words: booleanRule,
  pad_to_multiple_of: integerRule(1),
  verbose: booleanRule,
};

/** What a tokenizer brings along where a call does not say. */
export interface EncodeDefaults {
  readonly model_max_length: number;
  readonly padding_side: Side;
  readonly truncation_side: Side;
  readonly model_input_names: readonly string[];
  /** null: the tokenizer has no padding token. */
  readonly pad_token_id: number | null;
}

export interface PaddingPlan {
  readonly side: Side;
  /** The width of every row; `longest`: that of the longest; null: every row keeps its own. */
  readonly width: number | 'longest' | null;
  /** The width is rounded up to a multiple of this. */
  readonly multiple_of: number;
  readonly pad_token_id: number;
}

/** A call's options with everything settled. */
export interface EncodePlan {
  readonly native: NativeEncodeOptions;
  readonly padding: PaddingPlan;
  readonly returns: {
    readonly tensor: boolean;
    readonly token_type_ids: boolean;
    readonly attention_mask: boolean;
    readonly offset_mapping: boolean;
    readonly special_tokens_mask: boolean;
    readonly overflow_to_sample_mapping: boolean;
    readonly length: boolean;
  };
  /** Rows longer than this deserve a warning; null: whoever called knows. */
  readonly warn_above: number | null;
}

/** Warns once for each code. */
export type WarnOnce = (code: string, message: string) => void;

/**
 * Settles what a call asks for as `_get_padding_truncation_strategies` of transformers does.
 *
 * @throws BertNativeError `ERR_OPTION` for options that contradict each other
 */
export function planEncoding(
  options: GivenOptions<EncodeOptions>,
  defaults: EncodeDefaults,
  warn: WarnOnce,
): EncodePlan {
  const { return_overflowing_tokens = false, pad_to_multiple_of = 1, max_length } = options;
  const truncation = planTruncation(options, defaults, warn);
  const padding = planPadding(options, defaults, warn);
  if (truncation.strategy !== 'none' && padding.width !== null && truncation.max_length % pad_to_multiple_of !== 0) {
    throw new BertNativeError(
      'ERR_OPTION',
      `max_length is ${truncation.max_length}: expected a multiple of pad_to_multiple_of (${pad_to_multiple_of}), ` +
        'as rows are both truncated and padded',
    );
  }
  if (options.return_tensor === false && options.return_tensors !== undefined) {
    throw new BertNativeError(
      'ERR_OPTION',
      'return_tensor is false while return_tensors asks for tensors: expected one of them',
    );
  }
  const isModelInput = (name: string): boolean => defaults.model_input_names.includes(name);
  return {
    native: {
      add_special_tokens: options.add_special_tokens ?? true,
      truncation: truncation.strategy,
      max_length: truncation.max_length,
      stride: return_overflowing_tokens ? Math.min(options.stride ?? 0, maxInt32) : 0,
      truncation_side: options.truncation_side ?? defaults.truncation_side,
      return_overflowing_tokens,
      return_offsets: options.return_offsets_mapping ?? false,
      return_word_ids: false,
    },
    padding,
    returns: {
      tensor: options.return_tensor ?? true,
      token_type_ids: options.return_token_type_ids ?? isModelInput('token_type_ids'),
      attention_mask: options.return_attention_mask ?? isModelInput('attention_mask'),
      offset_mapping: options.return_offsets_mapping ?? false,
      special_tokens_mask: options.return_special_tokens_mask ?? false,
      overflow_to_sample_mapping: return_overflowing_tokens,
      length: options.return_length ?? false,
    },
    warn_above: max_length === undefined && truncation.strategy === 'none' ? defaults.model_max_length : null,
  };
}

export function planTruncation(
  { truncation, max_length, padding }: GivenOptions<Pick<EncodeOptions, 'truncation' | 'max_length' | 'padding'>>,
  { model_max_length }: Pick<EncodeDefaults, 'model_max_length'>,
  warn: WarnOnce,
): { strategy: NativeEncodeOptions['truncation']; max_length: number } {
  const none = { strategy: 'none', max_length: 0 } as const;
  let strategy = truncation;
  if (strategy === undefined && max_length !== undefined) {
    if (padding === true) {
      warn(
        'BERT_NATIVE_MAX_LENGTH_IGNORED',
        "max_length has no effect with padding: true and no truncation: rows are padded to the longest. Pass truncation: true to cut them, or padding: 'max_length' to pad them to max_length.",
      );
    } else if (padding === undefined || padding === false) {
      warn(
        'BERT_NATIVE_IMPLICIT_TRUNCATION',
        'max_length without truncation: rows are truncated longest_first. Pass truncation: true to say so.',
      );
      strategy = 'longest_first';
    }
  }
  if (strategy === undefined || strategy === false || strategy === 'do_not_truncate') return none;
  if (max_length === undefined && model_max_length > largeInteger) {
    warn(
      'BERT_NATIVE_NO_MAX_LENGTH_TO_TRUNCATE',
      'truncation was asked for without max_length, and the tokenizer has no model_max_length: nothing is truncated.',
    );
    return none;
  }
  return {
    strategy: strategy === true ? 'longest_first' : strategy,
    max_length: Math.min(max_length ?? model_max_length, maxInt32),
  };
}

function planPadding(
  { padding, max_length, padding_side, pad_to_multiple_of }: GivenOptions<EncodeOptions>,
  defaults: EncodeDefaults,
  warn: WarnOnce,
): PaddingPlan {
  const side = padding_side ?? defaults.padding_side;
  const none: PaddingPlan = { side, width: null, multiple_of: 1, pad_token_id: 0 };
  if (padding === undefined || padding === false || padding === 'do_not_pad') return none;
  const width = padding === 'max_length' ? (max_length ?? defaults.model_max_length) : 'longest';
  if (max_length === undefined && width !== 'longest' && width > largeInteger) {
    warn(
      'BERT_NATIVE_NO_MAX_LENGTH_TO_PAD',
      "padding: 'max_length' was asked for without max_length, and the tokenizer has no model_max_length: nothing is padded.",
    );
    return none;
  }
  if (defaults.pad_token_id === null) {
    throw new BertNativeError('ERR_OPTION', 'padding was asked for, but the tokenizer has no pad_token');
  }
  return { side, width, multiple_of: pad_to_multiple_of ?? 1, pad_token_id: defaults.pad_token_id };
}
