import { BertNativeError } from '../errors.ts';
import { optionError } from '../options.ts';

/** Two texts that a model sees together. */
export interface TextPair {
  readonly text: string;
  readonly text_pair: string;
}

/** @throws BertNativeError `ERR_OPTION` */
export function readText(item: unknown, name: string): string {
  if (typeof item !== 'string') throw optionError(name, item, 'a string');
  return item;
}

/** @throws BertNativeError `ERR_OPTION` for what is not an array of strings */
export function readTexts(items: unknown, name: string): readonly string[] {
  if (!Array.isArray(items)) throw optionError(name, items, 'an array of strings');
  return items.map((item, i) => readText(item, `${name}[${i}]`));
}

/** Reads texts or pairs; all items of a call have to be of one kind. */
export function textOrPairReader(): (item: unknown, name: string) => TextPair | string {
  let first: { readonly name: string; readonly pair: boolean } | undefined;
  return (item, name) => {
    const pair = typeof item === 'object' && item !== null && !Array.isArray(item);
    if (!pair && typeof item !== 'string') throw optionError(name, item, 'a string, or { text, text_pair }');
    first ??= { name, pair };
    if (first.pair !== pair) {
      const kinds = ['a string', 'a pair of texts'];
      throw new BertNativeError(
        'ERR_OPTION',
        `${name} is ${kinds[Number(pair)]} and ${first.name} ${kinds[Number(first.pair)]}: expected all of one kind`,
      );
    }
    return pair ? readPair(item as Partial<TextPair>, name) : (item as string);
  };
}

/** @throws BertNativeError `ERR_OPTION` */
function readPair({ text, text_pair }: Partial<TextPair>, name: string): TextPair | string {
  const first = readText(text, `${name}.text`);
  if (text_pair === undefined || text_pair === null) {
    throw optionError(`${name}.text_pair`, text_pair, 'a string: the second text of the pair');
  }
  return { text: first, text_pair: readText(text_pair, `${name}.text_pair`) };
}

/** The texts of items of one kind, and their pairs. */
export function splitPairs(items: readonly (TextPair | string)[]): {
  readonly texts: string[];
  readonly pairs: string[] | null;
} {
  const texts = items.map((item) => (typeof item === 'string' ? item : item.text));
  const paired = items.length > 0 && typeof items[0] !== 'string';
  return { texts, pairs: paired ? items.map((item) => (item as TextPair).text_pair) : null };
}

export function sizeOfTexts(item: TextPair | string): number {
  return typeof item === 'string' ? item.length : item.text.length + item.text_pair.length;
}
