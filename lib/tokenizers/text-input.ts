import type { NativeEncodeInput, SampleTexts } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import { describe } from '../options.ts';

/**
 * What a tokenizer takes: one text, several, or several pairs. With `is_split_into_words` a text is an array of its words,
 * so each of these is one level deeper.
 */
export type TextInput =
  | string
  | readonly string[]
  | readonly (readonly string[])[]
  | readonly (readonly (readonly string[])[])[];

export interface CheckedInput {
  readonly texts: NativeEncodeInput;
  /** Whether several texts were given, or one alone. */
  readonly batched: boolean;
}

/**
 * Tells one text from several and pairs from single texts as Python's `tokenizer()` does, and checks every one of them.
 * The strings are held in arrays of our own, so that later changes to the caller's do not matter.
 *
 * @param text_pair undefined: none
 * @throws BertNativeError `ERR_DTYPE` for what is not a text, saying where; `ERR_SHAPE` where texts and their pairs differ
 *   in number
 */
export function checkInput(text: unknown, text_pair: unknown, is_split_into_words: boolean): CheckedInput {
  const reader = is_split_into_words ? splitTextReader : textReader;
  if (!Array.isArray(text) || reader.isOne(text)) {
    const second = text_pair === undefined ? null : reader.read([text_pair], () => 'text_pair');
    return { texts: { first: reader.read([text], () => 'text'), second }, batched: false };
  }
  if (text_pair === undefined) {
    const pairs = text.length > 0 && !reader.isOne(text[0]);
    return {
      texts: pairs ? readPairs(text, reader) : { first: readBatch('text', text, reader), second: null },
      batched: true,
    };
  }
  if (!Array.isArray(text_pair) || (text_pair.length > 0 && reader.isOne(text_pair))) {
    throw typeError('text_pair', text_pair, `an array of ${text.length} texts, as text is one`);
  }
  if (text_pair.length !== text.length) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `text_pair has ${text_pair.length} texts: expected ${text.length}, as many as text has`,
    );
  }
  return {
    texts: { first: readBatch('text', text, reader), second: readBatch('text_pair', text_pair, reader) },
    batched: true,
  };
}

/** How texts are given: as strings, or as arrays of words. */
interface TextReader {
  /** Whether the value is one text rather than several, judged by its first element. */
  isOne(value: unknown): boolean;
  /** @throws BertNativeError `ERR_DTYPE`; `name` names text i */
  read(texts: readonly unknown[], name: (i: number) => string): SampleTexts;
}

const textReader: TextReader = {
  isOne: (value) => !Array.isArray(value),
  read(texts, name) {
    const strings: string[] = [];
    for (let i = 0; i < texts.length; ++i) {
      const text = texts[i];
      if (typeof text !== 'string') {
        throw typeError(name(i), text, name(i) === 'text' ? 'a string or an array of strings' : 'a string');
      }
      strings.push(text);
    }
    return { texts: strings, word_starts: null };
  },
};

const splitTextReader: TextReader = {
  isOne: (value) => !Array.isArray(value) || !Array.isArray(value[0]),
  read(texts, name) {
    const words: string[] = [];
    const word_starts = new Int32Array(texts.length + 1);
    texts.forEach((text, i) => {
      if (!Array.isArray(text)) {
        throw typeError(name(i), text, 'an array of words, as is_split_into_words is true');
      }
      for (let k = 0; k < text.length; ++k) {
        if (typeof text[k] !== 'string') throw typeError(`${name(i)}[${k}]`, text[k], 'a string');
        words.push(text[k]);
      }
      word_starts[i + 1] = words.length;
    });
    return { texts: words, word_starts };
  },
};

function readBatch(name: string, texts: readonly unknown[], reader: TextReader): SampleTexts {
  return reader.read(texts, (i) => `${name}[${i}]`);
}

function readPairs(pairs: readonly unknown[], reader: TextReader): NativeEncodeInput {
  pairs.forEach((pair, i) => {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw typeError(`text[${i}]`, pair, 'a pair of texts, as text[0] is one');
  });
  const side = (k: 0 | 1): SampleTexts =>
    reader.read(
      pairs.map((pair) => (pair as unknown[])[k]),
      (i) => `text[${i}][${k}]`,
    );
  return { first: side(0), second: side(1) };
}

function typeError(name: string, value: unknown, expected: string): BertNativeError {
  return new BertNativeError('ERR_DTYPE', `${name} is ${describe(value)}: expected ${expected}`);
}
