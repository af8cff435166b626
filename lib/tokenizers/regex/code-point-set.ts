/** A set of code points: ranges `first, last, first, last, ...`, both ends in, in order, no two touching. */
export type CodePointSet = readonly number[];

export const maxCodePoint = 0x10ffff;
export const emptySet: CodePointSet = [];
export const allCodePoints: CodePointSet = [0, maxCodePoint];

export function setOfRange(first: number, last: number): CodePointSet {
  return [first, last];
}

/** Single code points, in any order. */
export function setOf(codePoints: Iterable<number>): CodePointSet {
  return union(...Array.from(codePoints, (codePoint) => setOfRange(codePoint, codePoint)));
}

export function union(...sets: readonly CodePointSet[]): CodePointSet {
  const filled = sets.filter((set) => set.length > 0);
  if (filled.length <= 1) return filled[0] ?? emptySet;
  const ranges: [number, number][] = [];
  for (const set of filled) {
    for (let i = 0; i < set.length; i += 2) ranges.push([set[i]!, set[i + 1]!]);
  }
  ranges.sort((a, b) => a[0] - b[0]);
  const merged: number[] = [];
  for (const [first, last] of ranges) {
    const end = merged.length - 1;
    if (end > 0 && first <= merged[end]! + 1) merged[end] = Math.max(merged[end]!, last);
    else merged.push(first, last);
  }
  return merged;
}

export function complement(set: CodePointSet): CodePointSet {
  const rest: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i]! > next) rest.push(next, set[i]! - 1);
    next = set[i + 1]! + 1;
  }
  if (next <= maxCodePoint) rest.push(next, maxCodePoint);
  return rest;
}

export function intersection(a: CodePointSet, b: CodePointSet): CodePointSet {
  const common: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const first = Math.max(a[i]!, b[j]!);
    const last = Math.min(a[i + 1]!, b[j + 1]!);
    if (first <= last) common.push(first, last);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return common;
}

export function contains(set: CodePointSet, codePoint: number): boolean {
  let low = 0;
  let high = set.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (set[2 * middle + 1]! < codePoint) low = middle + 1;
    else high = middle;
  }
  return 2 * low < set.length && set[2 * low]! <= codePoint;
}

export function* codePointsOf(set: CodePointSet): Generator<number> {
  for (let i = 0; i < set.length; i += 2) {
    for (let codePoint = set[i]!; codePoint <= set[i + 1]!; codePoint++) yield codePoint;
  }
}

/** The one code point of the set, or undefined where it has none or more. */
export function onlyCodePoint(set: CodePointSet): number | undefined {
  return set.length === 2 && set[0] === set[1] ? set[0] : undefined;
}
