import { arrayRule, booleanRule, type OptionRules, stringRule } from '../options.ts';
import type { ByteLevelLayout } from './conversions/byte-level-bpe.ts';
import type { SentencePieceLayout } from './conversions/sentencepiece.ts';
import type { ParseTask } from './loading/parse-job.ts';
import { type TokenizerSettings, tokenizerSettingRules } from './settings.ts';
import {
  type AddedToken,
  type SpecialTokenName,
  type SpecialTokenOptions,
  specialTokenRules,
} from './special-tokens.ts';

/** Options about how texts are cut, of all families; each takes those that it names. */
export interface CuttingOptions {
  /** Lower-cases texts. */
  readonly do_lower_case?: boolean | null;
  /** Removes accents; default: as `do_lower_case` says. */
  readonly strip_accents?: boolean | null;
  /** Sets every Chinese character apart as a word. */
  readonly tokenize_chinese_chars?: boolean | null;
  /** Words that are neither lower-cased nor split at punctuation. Special tokens never are. */
  readonly never_split?: readonly string[] | null;
  /** Only true: texts are cleaned and split at punctuation before WordPiece. */
  readonly do_basic_tokenize?: boolean | null;
  /** Cuts a text's first word as if a space stood before it. */
  readonly add_prefix_space?: boolean | null;
  /** Leaves white space out of offsets. */
  readonly trim_offsets?: boolean | null;
  /** Puts the token for the beginning before every text. */
  readonly add_bos_token?: boolean | null;
  /** Leaves accents on. */
  readonly keep_accents?: boolean | null;
  /** Sets punctuation apart. */
  readonly split_by_punct?: boolean | null;
}

export type CuttingOptionName = keyof CuttingOptions;

/** Options of every family's tokenizers. */
export interface CommonOptions extends TokenizerSettings, SpecialTokenOptions {}

/** Settings of any tokenizer, in place of the folder's. */
export interface TokenizerOptions extends CommonOptions, CuttingOptions {}

/** Files that a tokenizer can be read from. */
export interface TokenizerSource {
  readonly task: ParseTask;
  /** For each file that is needed, the names that it may have, best first. */
  readonly files: readonly (readonly string[])[];
  /** A file that is read with them where it is there. */
  readonly optional?: string;
}

/** What sets the tokenizers of one family of models apart. */
export interface TokenizerFamily {
  /** The name of the class, which is saved. */
  readonly name: string;
  readonly special_tokens: SpecialTokenOptions;
  /** Flags of special tokens that are given by their content alone. */
  readonly special_token_flags: Readonly<Partial<Record<SpecialTokenName, Partial<AddedToken>>>>;
  /** Special tokens for which a SentencePiece model's own may stand in. */
  readonly replaceable: readonly SpecialTokenName[];
  readonly model_input_names: readonly string[];
  readonly clean_up_tokenization_spaces: boolean;
  readonly options: readonly CuttingOptionName[];
  /** Those of them that only a caller can give: in a configuration they were left by some other class. */
  readonly caller_options: readonly CuttingOptionName[];
  /** Best first. */
  readonly sources: readonly TokenizerSource[];
}

export const tokenizerJson: TokenizerSource = { task: { kind: 'tokenizer.json' }, files: [['tokenizer.json']] };

export const vocabTxt: TokenizerSource = { task: { kind: 'vocab.txt' }, files: [['vocab.txt']] };

export function byteLevelBpe(layout: ByteLevelLayout): TokenizerSource {
  return { task: { kind: 'byte-level-bpe', layout }, files: [['vocab.json'], ['merges.txt']] };
}

/** @param names of the model's file, best first */
export function sentencePiece(layout: SentencePieceLayout, names: readonly string[]): TokenizerSource {
  return { task: { kind: 'sentencepiece', layout }, files: [names] };
}

const cuttingOptionRules: OptionRules<CuttingOptions> = {
  do_lower_case: booleanRule,
  strip_accents: booleanRule,
  tokenize_chinese_chars: booleanRule,
  never_split: arrayRule(stringRule, 'an array of words'),
  do_basic_tokenize: booleanRule,
  add_prefix_space: booleanRule,
  trim_offsets: booleanRule,
  add_bos_token: booleanRule,
  keep_accents: booleanRule,
  split_by_punct: booleanRule,
};

/** The options that a family's tokenizers take. */
export function familyOptionRules({ options }: TokenizerFamily): OptionRules<TokenizerOptions> {
  const rules = {
    ...tokenizerSettingRules,
    ...specialTokenRules,
    ...Object.fromEntries(options.map((name) => [name, cuttingOptionRules[name]])),
  };
  // Those that it does not take have no rule, so that they are unknown.
  return rules as OptionRules<TokenizerOptions>;
}
