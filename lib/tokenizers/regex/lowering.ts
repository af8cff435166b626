import { caseEquivalents, foldedSequence, foldedTo } from './case-folding.ts';
import { type CodePointSet, contains, setOf } from './code-point-set.ts';
import type { Assertion, RegexNode, RepeatMode } from './syntax-tree.ts';

/** A syntax tree without letter case and groups; sequences hold no sequences. */
export type LoweredNode =
  | { readonly type: 'set'; readonly set: CodePointSet }
  | { readonly type: 'sequence'; readonly items: readonly LoweredNode[] }
  | { readonly type: 'alternation'; readonly branches: readonly LoweredNode[] }
  | {
      readonly type: 'repeat';
      readonly body: LoweredNode;
      readonly min: number;
      readonly max: number;
      readonly mode: RepeatMode;
    }
  | { readonly type: 'atomic'; readonly body: LoweredNode }
  | { readonly type: 'lookahead' | 'lookbehind'; readonly negative: boolean; readonly body: LoweredNode }
  | { readonly type: 'assertion'; readonly assertion: Assertion }
  | { readonly type: 'wordBoundary'; readonly negative: boolean; readonly word: CodePointSet };

/**
 * Replaces letter case by sets. A character that folds to several (ß to ss) matches those, and they match it, where they stand
 * together; not inside a lookbehind, as in Oniguruma.
 */
export function lower(node: RegexNode, inLookbehind = false): LoweredNode {
  switch (node.type) {
    case 'character':
      return sequenceOf(lowerCharacters([node], inLookbehind));
    case 'class':
      return alternationOf([{ type: 'set', set: node.set }, ...node.strings.map(lowerString)]);
    case 'sequence':
      return sequenceOf(lowerItems(flatten(node.items), inLookbehind));
    case 'alternation':
      return alternationOf(node.branches.map((branch) => lower(branch, inLookbehind)));
    case 'repeat':
      return lowerRepeat(node, inLookbehind);
    case 'capture':
      return lower(node.body, inLookbehind);
    case 'atomic':
      return atomicOf(lower(node.body, inLookbehind));
    case 'lookahead':
    case 'lookbehind': {
      const body = lower(node.body, inLookbehind || node.type === 'lookbehind');
      return { type: node.type, negative: node.negative, body };
    }
    case 'assertion':
    case 'wordBoundary':
      return node;
  }
}

/** @returns how many code points a match has at least and at most; Infinity where there is no limit */
export function matchLength(node: LoweredNode): { readonly min: number; readonly max: number } {
  switch (node.type) {
    case 'set':
      return { min: 1, max: 1 };
    case 'sequence': {
      const lengths = node.items.map(matchLength);
      return { min: sum(lengths.map(({ min }) => min)), max: sum(lengths.map(({ max }) => max)) };
    }
    case 'alternation': {
      const lengths = node.branches.map(matchLength);
      return {
        min: lengths.reduce((least, { min }) => Math.min(least, min), Number.POSITIVE_INFINITY),
        max: lengths.reduce((most, { max }) => Math.max(most, max), 0),
      };
    }
    case 'repeat': {
      const { min, max } = matchLength(node.body);
      return { min: min * node.min, max: max === 0 ? 0 : max * node.max };
    }
    case 'atomic':
      return matchLength(node.body);
    default:
      return { min: 0, max: 0 };
  }
}

type Character = Extract<RegexNode, { type: 'character' }>;
type Repeat = Extract<RegexNode, { type: 'repeat' }>;

function flatten(items: readonly RegexNode[]): RegexNode[] {
  return items.flatMap((item) => (item.type === 'sequence' ? flatten(item.items) : [item]));
}

function lowerItems(items: readonly RegexNode[], inLookbehind: boolean): LoweredNode[] {
  const lowered: LoweredNode[] = [];
  let characters: Character[] = [];
  for (const item of items) {
    if (item.type === 'character') {
      characters.push(item);
      continue;
    }
    lowered.push(...lowerCharacters(characters, inLookbehind), lower(item, inLookbehind));
    characters = [];
  }
  lowered.push(...lowerCharacters(characters, inLookbehind));
  return lowered;
}

/** The most characters that one folds to. */
const longestFold = 3;

function lowerCharacters(characters: readonly Character[], inLookbehind: boolean): LoweredNode[] {
  const lowered: LoweredNode[] = [];
  for (let i = 0; i < characters.length; ) {
    const folded = inLookbehind ? undefined : foldTogether(characters, i);
    lowered.push(folded?.node ?? { type: 'set', set: setOfCharacter(characters[i]!) });
    i += folded?.length ?? 1;
  }
  return lowered;
}

function setOfCharacter({ codePoint, ignoreCase }: Character): CodePointSet {
  if (ignoreCase === 'no') return setOf([codePoint]);
  const equivalents = caseEquivalents(codePoint);
  if (ignoreCase === 'unicode') return setOf(equivalents);
  return setOf(codePoint < 0x80 ? equivalents.filter((equivalent) => equivalent < 0x80) : [codePoint]);
}

/** The longest beginning of `characters` from `start` that is one character in another case, or one that is several. */
function foldTogether(
  characters: readonly Character[],
  start: number,
): { readonly node: LoweredNode; readonly length: number } | undefined {
  for (let length = Math.min(longestFold, characters.length - start); length > 1; length--) {
    const part = characters.slice(start, start + length);
    if (part.some(({ ignoreCase }) => ignoreCase !== 'unicode')) continue;
    const codePoints = part.map(({ codePoint }) => codePoint);
    const together = foldedTo(codePoints);
    if (together === undefined) continue;
    return { node: alternationOf([{ type: 'set', set: setOf(together) }, lowerString(codePoints)]), length };
  }
  const character = characters[start]!;
  const sequence = character.ignoreCase === 'unicode' ? foldedSequence(character.codePoint) : undefined;
  if (sequence === undefined) return undefined;
  const one: LoweredNode = { type: 'set', set: setOfCharacter(character) };
  return { node: alternationOf([one, lowerString(sequence)]), length: 1 };
}

function lowerString(codePoints: readonly number[]): LoweredNode {
  return sequenceOf(codePoints.map((codePoint) => ({ type: 'set', set: setOf(caseEquivalents(codePoint)) })));
}

function lowerRepeat(node: Repeat, inLookbehind: boolean): LoweredNode {
  const { min, max, mode } = node;
  const body = lower(withoutNeedlessStrings(node), inLookbehind);
  if (max === 0 || (body.type === 'sequence' && body.items.length === 0)) return sequenceOf([]);
  // (a+)* and its like say no more than a*.
  if (
    body.type === 'repeat' &&
    mode === 'greedy' &&
    body.mode === 'greedy' &&
    max === Number.POSITIVE_INFINITY &&
    body.min <= 1 &&
    (body.max === 1 || body.max === Number.POSITIVE_INFINITY)
  ) {
    return { type: 'repeat', body: body.body, min: min * body.min, max, mode };
  }
  return { type: 'repeat', body, min, max, mode };
}

/** Strings add nothing to a repeated class that has all of their characters. */
function withoutNeedlessStrings({ body, min, max }: Repeat): RegexNode {
  if (body.type !== 'class' || min > 1 || max !== Number.POSITIVE_INFINITY) return body;
  const { set, strings } = body;
  const areNeedless = strings.every((string) =>
    string.every((codePoint) => caseEquivalents(codePoint).every((equivalent) => contains(set, equivalent))),
  );
  return areNeedless ? { type: 'class', set, strings: [] } : body;
}

function sequenceOf(items: readonly LoweredNode[]): LoweredNode {
  return items.length === 1 ? items[0]! : { type: 'sequence', items };
}

function alternationOf(branches: readonly LoweredNode[]): LoweredNode {
  return branches.length === 1 ? branches[0]! : { type: 'alternation', branches };
}

function atomicOf(body: LoweredNode): LoweredNode {
  if (body.type === 'repeat' && body.body.type === 'set' && body.mode !== 'lazy')
    return { ...body, mode: 'possessive' };
  return { type: 'atomic', body };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
