import { arrayRule, type OptionRule, type OptionRules } from '../options.ts';

/** The special tokens that have a name of their own, in the order in which transformers lists them. */
export const specialTokenNames = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;

export type SpecialTokenName = (typeof specialTokenNames)[number];

/** A token that is found as a whole, in the raw text or in the normalised one. */
export interface AddedToken {
  readonly content: string;
  /** Takes the white space to its left with it. */
  readonly lstrip: boolean;
  /** Takes the white space to its right with it. */
  readonly rstrip: boolean;
  /** Found only where it is not part of a longer word. */
  readonly single_word: boolean;
  /** Left out by `skip_special_tokens`. */
  readonly special: boolean;
  /** Found in what the normalizer makes of the text, and goes through the normalizer itself. */
  readonly normalized: boolean;
}

/**
 * An added token as files and callers spell it; members that are left out are false, but for `normalized`, which is true
 * for tokens that are not special.
 */
export type AddedTokenInput =
  | string
  | AddedToken
  | ({ readonly content: string } & { readonly [key: string]: unknown });

export interface SpecialTokenOptions extends Partial<Record<SpecialTokenName, AddedTokenInput | null>> {
  readonly additional_special_tokens?: readonly AddedTokenInput[] | null;
}

/** Devlin et al. 2018; the names in their released vocabularies. */
export const bertSpecialTokens = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
} as const;

/** Those of fairseq's models: Liu et al. 2019, Conneau et al. 2020, Martin et al. 2020. */
export const fairseqSpecialTokens = {
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  sep_token: '</s>',
  pad_token: '<pad>',
  cls_token: '<s>',
  mask_token: '<mask>',
} as const;

/** Whether a string has no lone surrogate, so that it survives UTF-8. */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

/** @param special makes the token special even if it does not say so itself */
export function toAddedToken(token: AddedTokenInput, special: boolean): AddedToken {
  const object = typeof token === 'string' ? { content: token } : token;
  const given = object as { [key: string]: unknown };
  const flag = (name: string): boolean => given[name] === true;
  const isSpecial = special || flag('special');
  return {
    content: object.content,
    lstrip: flag('lstrip'),
    rstrip: flag('rstrip'),
    single_word: flag('single_word'),
    special: isSpecial,
    normalized: typeof given.normalized === 'boolean' ? given.normalized : !isSpecial,
  };
}

/** As `special_tokens_map.json` spells it: the bare string unless a member says more. */
export function fromAddedToken(token: AddedToken): AddedTokenInput {
  const { content, lstrip, rstrip, single_word, normalized } = token;
  return lstrip || rstrip || single_word ? { content, lstrip, rstrip, single_word, normalized } : content;
}

export const addedTokenRule: OptionRule = {
  expected: 'a token: a string that is not empty, or an object with one as its content',
  accepts: (value) => {
    const content = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    return typeof content === 'string' && content !== '' && isWellFormed(content);
  },
};

export const specialTokenRules: OptionRules<SpecialTokenOptions> = {
  bos_token: addedTokenRule,
  eos_token: addedTokenRule,
  unk_token: addedTokenRule,
  sep_token: addedTokenRule,
  pad_token: addedTokenRule,
  cls_token: addedTokenRule,
  mask_token: addedTokenRule,
  additional_special_tokens: arrayRule(addedTokenRule, 'an array of tokens: strings that are not empty'),
};
