/**
 * Tokens with their scores to entities, as the token classification pipeline of Python's transformers does it.
 *
 * N: labels.
 */
import { argmax } from './scores.ts';

/** How tokens become entities: not at all, by their tags, or word by word. */
export type AggregationStrategy = 'none' | 'simple' | 'first' | 'average' | 'max';

/** A token of a text, and how likely each label is. */
export interface ScoredToken {
  /** Its position in its row, special tokens counted. */
  readonly index: number;
  readonly id: number;
  /** `[N]`, probabilities. */
  readonly scores: ArrayLike<number>;
  /** In its text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** Whether it goes on with the word of the token before it. */
  readonly is_subword: boolean;
}

/** Consecutive tokens with the label that they have together. */
export interface Entity {
  /** As the model calls it, `B-` or `I-` included. */
  readonly label: string;
  readonly score: number;
  readonly tokens: readonly ScoredToken[];
  readonly start: number;
  readonly end: number;
}

/** Every token by itself, or every word where the strategy decides by words, with its most likely label. */
export function labelled(
  tokens: readonly ScoredToken[],
  strategy: AggregationStrategy,
  labelOf: (id: number) => string,
): Entity[] {
  const byWord = strategy !== 'none' && strategy !== 'simple';
  const parts = byWord ? words(tokens) : tokens.map((token) => [token]);
  return parts.map((part) => {
    const scores = scoresOf(part, strategy);
    const best = argmax(scores);
    return entity(labelOf(best), scores[best]!, part);
  });
}

/** Neighbours of one entity as one: what carries on with a tag (`I-`, `E-`) joins what it follows. */
export function grouped(entities: readonly Entity[]): Entity[] {
  const groups: Entity[][] = [];
  let open: string | undefined;
  for (const next of entities) {
    const { prefix, tag } = splitLabel(next.label);
    const goesOn = open === tag && prefix !== 'B' && prefix !== 'S';
    if (goesOn) groups.at(-1)!.push(next);
    else groups.push([next]);
    open = prefix === 'S' || (prefix === 'E' && goesOn) ? undefined : tag;
  }
  return groups.map((group) => {
    const mean = group.reduce((sum, { score }) => sum + score, 0) / group.length;
    return entity(
      splitLabel(group[0]!.label).tag,
      mean,
      group.flatMap(({ tokens }) => tokens),
    );
  });
}

/** Of entities that lie over each other, found in overlapping windows, the longest, and of equally long ones the likeliest. */
export function withoutOverlaps(entities: readonly Entity[]): Entity[] {
  const kept: Entity[] = [];
  for (const next of entities.toSorted((a, b) => a.start - b.start)) {
    const last = kept.at(-1);
    if (last === undefined || next.start >= last.end) {
      kept.push(next);
      continue;
    }
    const longer = next.end - next.start - (last.end - last.start);
    if (longer > 0 || (longer === 0 && next.score > last.score)) kept[kept.length - 1] = next;
  }
  return kept;
}

/** `B-PER` is the begin of PER. A label without a prefix carries on like `I-`. */
function splitLabel(label: string): { readonly prefix: string; readonly tag: string } {
  const [, prefix, tag] = /^([BIES])-(.*)$/s.exec(label) ?? [];
  return prefix === undefined ? { prefix: 'I', tag: label } : { prefix, tag: tag! };
}

function entity(label: string, score: number, tokens: readonly ScoredToken[]): Entity {
  return { label, score, tokens, start: tokens[0]!.start, end: tokens.at(-1)!.end };
}

function words(tokens: readonly ScoredToken[]): ScoredToken[][] {
  const found: ScoredToken[][] = [];
  for (const token of tokens) {
    if (token.is_subword && found.length > 0) found.at(-1)!.push(token);
    else found.push([token]);
  }
  return found;
}

/** The scores that a word is judged by: its first token's, the means, or those of the token that is surest. */
function scoresOf(word: readonly ScoredToken[], strategy: AggregationStrategy): ArrayLike<number> {
  if (strategy === 'average') {
    return Float64Array.from(word[0]!.scores, (_, i) =>
      word.reduce((sum, { scores }) => sum + scores[i]! / word.length, 0),
    );
  }
  if (strategy !== 'max') return word[0]!.scores;
  const surest = ({ scores }: ScoredToken) => scores[argmax(scores)]!;
  return word.reduce((best, token) => (surest(token) > surest(best) ? token : best)).scores;
}
