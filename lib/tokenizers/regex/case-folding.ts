import { type CodePointSet, codePointsOf, contains, setOf, union } from './code-point-set.ts';
import { unicodeProperty } from './unicode-properties.ts';

/**
 * Full case folding without the Turkic rules: CaseFolding.txt of Unicode, derived from JavaScript's case mappings. Upper and
 * lower case of a character fold to the same string.
 */
interface CaseFolding {
  /** For each character that folds together with others: all of them, it included. */
  readonly equivalents: ReadonlyMap<number, readonly number[]>;
  /** Characters that fold to several, by what they fold to. */
  readonly ofSequence: ReadonlyMap<string, readonly number[]>;
  /** What such a character folds to. */
  readonly sequenceOf: ReadonlyMap<number, readonly number[]>;
}

/** @returns the characters that are the same as this one but for case, it included */
export function caseEquivalents(codePoint: number): readonly number[] {
  return caseFolding().equivalents.get(codePoint) ?? [codePoint];
}

/** @returns the characters that are folded to this sequence of two or three, such as ß to ss */
export function foldedTo(codePoints: readonly number[]): readonly number[] | undefined {
  return caseFolding().ofSequence.get(String.fromCodePoint(...codePoints.map(simpleFold)));
}

/** @returns the two or three characters that this one is folded to, or undefined */
export function foldedSequence(codePoint: number): readonly number[] | undefined {
  return caseFolding().sequenceOf.get(codePoint);
}

/** The set and everything that is the same but for case; of ASCII alone, if `asciiOnly`. */
export function addCaseEquivalents(set: CodePointSet, asciiOnly: boolean): CodePointSet {
  const added: number[] = [];
  for (const [codePoint, equivalents] of caseFolding().equivalents) {
    if (!contains(set, codePoint)) continue;
    for (const equivalent of equivalents) {
      if (!asciiOnly || (codePoint < 0x80 && equivalent < 0x80)) added.push(equivalent);
    }
  }
  return union(set, setOf(added));
}

/** The sequences that characters of the set are folded to, each once. */
export function foldedSequencesOf(set: CodePointSet): (readonly number[])[] {
  const sequences: (readonly number[])[] = [];
  for (const codePoints of caseFolding().ofSequence.values()) {
    const member = codePoints.find((codePoint) => contains(set, codePoint));
    if (member !== undefined) sequences.push(foldedSequence(member)!);
  }
  return sequences;
}

let folding: CaseFolding | undefined;

function caseFolding(): CaseFolding {
  folding ??= makeCaseFolding();
  return folding;
}

function makeCaseFolding(): CaseFolding {
  const byFold = new Map<string, number[]>();
  for (const codePoint of codePointsOf(unicodeProperty('Changes_When_Casemapped')!)) {
    const fold = fullFold(codePoint);
    const codePoints = byFold.get(fold);
    if (codePoints === undefined) byFold.set(fold, [codePoint]);
    else codePoints.push(codePoint);
  }
  const equivalents = new Map<number, readonly number[]>();
  const ofSequence = new Map<string, readonly number[]>();
  const sequenceOf = new Map<number, readonly number[]>();
  for (const [fold, codePoints] of byFold) {
    const folded = Array.from(fold, (character) => character.codePointAt(0)!);
    if (folded.length > 1) {
      ofSequence.set(fold, codePoints);
      for (const codePoint of codePoints) sequenceOf.set(codePoint, folded);
    }
    if (codePoints.length > 1) for (const codePoint of codePoints) equivalents.set(codePoint, codePoints);
  }
  return { equivalents, ofSequence, sequenceOf };
}

const dotlessI = 0x131;

function fullFold(codePoint: number): string {
  // Its upper case is I, but outside Turkic languages it is not the same letter.
  if (codePoint === dotlessI) return 'ı';
  let fold = '';
  for (const lower of String.fromCodePoint(codePoint).toLowerCase()) {
    for (const upper of lower.toUpperCase()) fold += upper.toLowerCase();
  }
  return fold;
}

function simpleFold(codePoint: number): number {
  const fold = fullFold(codePoint);
  const folded = fold.codePointAt(0)!;
  return fold.length === String.fromCodePoint(folded).length ? folded : codePoint;
}
