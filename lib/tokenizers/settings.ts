import { booleanRule, integerRule, type OptionRules } from '../options.ts';
import { type Side, sideRule } from './encode-options.ts';
import { type AddedTokenInput, addedTokenRule } from './special-tokens.ts';
import { isTokenId } from './token-ids.ts';

/** What every kind of tokenizer is made with. */
export interface TokenizerSettings {
  readonly model_max_length?: number | null;
  readonly padding_side?: Side | null;
  readonly truncation_side?: Side | null;
  readonly clean_up_tokenization_spaces?: boolean | null;
  readonly model_input_names?: readonly string[] | null;
  /** Tokens beyond the vocabulary, and those of the vocabulary that are found in the raw text, by id. */
  readonly added_tokens_decoder?: Readonly<Record<string, AddedTokenInput>> | null;
}

export const tokenizerSettingRules: OptionRules<TokenizerSettings> = {
  model_max_length: integerRule(1),
  padding_side: sideRule,
  truncation_side: sideRule,
  clean_up_tokenization_spaces: booleanRule,
  model_input_names: {
    expected: 'an array of names, input_ids among them',
    accepts: (value) =>
      Array.isArray(value) && value.every((name) => typeof name === 'string') && value.includes('input_ids'),
  },
  added_tokens_decoder: {
    expected: 'an object of tokens by id',
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.entries(value).every(
        ([id, token]) => /^\d+$/.test(id) && isTokenId(Number(id)) && addedTokenRule.accepts(token),
      ),
  },
};
