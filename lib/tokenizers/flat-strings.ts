import type { FlatStrings } from '../binding/native.ts';

/** Strings as one block of UTF-8. */
export function flatten(strings: readonly string[]): FlatStrings {
  const starts = new Uint32Array(strings.length + 1);
  strings.forEach((string, i) => {
    starts[i + 1] = starts[i]! + Buffer.byteLength(string);
  });
  return { bytes: new Uint8Array(Buffer.from(strings.join(''))), starts };
}

/** How many strings there are. */
export function countOf({ starts }: FlatStrings): number {
  return starts.length - 1;
}

/** All of the strings, one by one. */
export function* stringsOf(strings: FlatStrings): Generator<string> {
  const buffer = asBuffer(strings.bytes);
  const { starts } = strings;
  for (let i = 0; i + 1 < starts.length; ++i) yield buffer.toString('utf8', starts[i], starts[i + 1]);
}

/** The last index of a string, or -1: a search through all of them. */
export function lastIndexOf({ bytes, starts }: FlatStrings, string: string): number {
  const wanted = Buffer.from(string);
  const buffer = asBuffer(bytes);
  for (let i = starts.length - 2; i >= 0; --i) {
    const [start, end] = [starts[i]!, starts[i + 1]!];
    if (end - start === wanted.length && buffer.compare(wanted, 0, wanted.length, start, end) === 0) return i;
  }
  return -1;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
