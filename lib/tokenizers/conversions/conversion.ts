import type { AddedToken, SpecialTokenName } from '../special-tokens.ts';

/** What a conversion is told by the tokenizer's class, by its configuration and by the caller. */
export interface ConversionOptions {
  /** The special tokens. */
  readonly special_tokens: Readonly<Partial<Record<SpecialTokenName, AddedToken>>>;
  /** Names of special tokens that a model's own ones replace where it lacks them. */
  readonly replaceable: readonly SpecialTokenName[];
  /** Ids of tokens that stand beside the vocabulary, by their content. */
  readonly added_ids: Readonly<Record<string, number>>;
  readonly add_prefix_space?: boolean;
  readonly trim_offsets?: boolean;
  readonly add_bos_token?: boolean;
  readonly do_lower_case?: boolean;
  readonly keep_accents?: boolean;
  readonly split_by_punct?: boolean;
}

/** A member of `added_tokens` in `tokenizer.json`. */
export interface JsonAddedToken extends AddedToken {
  readonly id: number;
}

/**
 * `added_tokens` of a vocabulary of `length` ids: its special tokens. Those that neither it nor `added_ids` has stand behind
 * all others.
 */
export function addedTokensOf(
  ids: ReadonlyMap<string, number>,
  length: number,
  tokens: readonly AddedToken[],
  added_ids: ConversionOptions['added_ids'],
): JsonAddedToken[] {
  const added = new Map<string, JsonAddedToken>();
  let nextId = Object.values(added_ids).reduce((next, id) => Math.max(next, id + 1), length);
  for (const token of tokens) {
    const { content } = token;
    const beside = Object.hasOwn(added_ids, content) ? added_ids[content] : undefined;
    added.set(content, { ...token, id: added.get(content)?.id ?? ids.get(content) ?? beside ?? nextId++ });
  }
  return [...added.values()].sort((a, b) => a.id - b.id);
}

/** A piece of a template: a special token, or the text `A` or `B`. */
export type TemplateItem = readonly [
  piece: 'A' | 'B' | { readonly content: string; readonly id: number },
  type_id: number,
];

/** `TemplateProcessing` of `tokenizer.json`. */
export function templateProcessing(single: readonly TemplateItem[], pair: readonly TemplateItem[]): object {
  const tokens = [...single, ...pair].flatMap(([piece]) => (typeof piece === 'string' ? [] : [piece]));
  const toJson = ([piece, type_id]: TemplateItem): object =>
    typeof piece === 'string' ? { Sequence: { id: piece, type_id } } : { SpecialToken: { id: piece.content, type_id } };
  return {
    type: 'TemplateProcessing',
    single: single.map(toJson),
    pair: pair.map(toJson),
    special_tokens: Object.fromEntries(
      tokens.map(({ content, id }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  };
}
