import type { NativeEncodeOptions, NativePackedCall } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import { booleanRule, describe, type GivenOptions, type OptionRules } from '../options.ts';
import {
  type EncodeDefaults,
  type EncodeOptions,
  encodeOptionRules,
  planTruncation,
  type WarnOnce,
} from './encode-options.ts';

/** Options of `encode_packed`; what they share with `tokenizer()` means the same. */
export interface PackedOptions
  extends Pick<
    EncodeOptions,
    'truncation' | 'max_length' | 'add_special_tokens' | 'truncation_side' | 'return_token_type_ids' | 'verbose'
  > {
  /** The second text of the pair, or of every pair. */
  readonly text_pair?: string | readonly string[] | null;
}

/** Rows of tokens back to back, without padding: row r lies between `row_starts[r]` and `row_starts[r + 1]`. */
export interface PackedEncoding {
  readonly ids: Int32Array;
  /** From 0 to the number of all tokens, one entry more than there are rows (what others call `cu_seqlens`). */
  readonly row_starts: Int32Array;
  /** Of each token, with `return_token_type_ids: true`; else null. */
  readonly type_ids: Uint8Array | null;
}

export const packedOptionRules: OptionRules<PackedOptions> = {
  text_pair: encodeOptionRules.text_pair,
  truncation: encodeOptionRules.truncation,
  max_length: encodeOptionRules.max_length,
  add_special_tokens: booleanRule,
  truncation_side: encodeOptionRules.truncation_side,
  return_token_type_ids: booleanRule,
  verbose: booleanRule,
};

const strategies: Record<NativeEncodeOptions['truncation'], number> = {
  none: 0,
  longest_first: 1,
  only_first: 2,
  only_second: 3,
};

/**
 * A call of the native tokenizer.
 *
 * @throws BertNativeError `ERR_DTYPE` for what is not a text, saying where; `ERR_SHAPE` where texts and their pairs differ
 *   in number
 */
export function packedCall(
  text: unknown,
  options: GivenOptions<PackedOptions>,
  defaults: Pick<EncodeDefaults, 'model_max_length' | 'truncation_side'>,
  warn: WarnOnce,
): NativePackedCall {
  const single = typeof text === 'string';
  const texts = checkTexts('text', single ? [text] : text);
  const { text_pair } = options;
  const pairs =
    text_pair === undefined
      ? null
      : checkTexts('text_pair', single && typeof text_pair === 'string' ? [text_pair] : text_pair);
  if (pairs !== null && pairs.length !== texts.length) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `text_pair has ${pairs.length} texts: expected ${texts.length}, as many as text has`,
    );
  }
  const { strategy, max_length } = planTruncation(options, defaults, warn);
  return [
    texts,
    pairs,
    options.add_special_tokens ?? true,
    strategies[strategy],
    max_length,
    (options.truncation_side ?? defaults.truncation_side) === 'left',
    options.return_token_type_ids ?? false,
  ];
}

function checkTexts(name: string, texts: unknown): readonly string[] {
  if (!Array.isArray(texts)) {
    throw new BertNativeError('ERR_DTYPE', `${name} is ${describe(texts)}: expected a string or an array of strings`);
  }
  const own: unknown[] = texts.slice(); // read once, whatever stands behind the caller's
  for (let i = 0; i < own.length; ++i) {
    if (typeof own[i] !== 'string') {
      throw new BertNativeError('ERR_DTYPE', `${name}[${i}] is ${describe(own[i])}: expected a string`);
    }
  }
  return own as string[];
}
