// What the Rust library tokenizers (its npm package) makes of code points. Its tables are of several old versions of
// Unicode, and tokenizer.json means what they say.

import { createRequire } from 'node:module';
import * as rust from 'tokenizers';
import { isSurrogate, lastCodePoint } from './code-points.mjs';

export const rustVersion = createRequire(import.meta.url)('tokenizers/package.json').version;

/** What a normalizer makes of every code point (undefined: a surrogate), many at a call: one at a time takes minutes. */
function resultOfEach(normalizer) {
  const separator = '\u16a0'; // nothing else becomes this letter, and it changes nothing that stands beside it
  const results = new Array(lastCodePoint + 1);
  for (let first = 0; first <= lastCodePoint; first += 0x1000) {
    const texts = Array.from({ length: 0x1000 }, (_, i) => String.fromCodePoint(first + i));
    const block = texts.filter((text) => text !== separator && !isSurrogate(text));
    const normalized = normalizer.normalizeString(block.join(separator)).split(separator);
    if (normalized.length !== Math.max(block.length, 1)) throw new Error(`block ${first.toString(16)} came apart`);
    block.forEach((text, i) => {
      results[text.codePointAt(0)] = normalized[i];
    });
  }
  results[separator.codePointAt(0)] = separator;
  return results;
}

/** `make`, but not before it is needed, and once. */
function lazily(make) {
  let value;
  return () => {
    value ??= make();
    return value;
  };
}

const formNormalizers = {
  NFC: rust.nfcNormalizer(),
  NFD: rust.nfdNormalizer(),
  NFKC: rust.nfkcNormalizer(),
  NFKD: rust.nfkdNormalizer(),
};
const formOfEach = Object.fromEntries(
  Object.entries(formNormalizers).map(([form, normalizer]) => [form, lazily(() => resultOfEach(normalizer))]),
);

/** As String.prototype.normalize. */
export function rustNormalize(text, form) {
  const c = text.codePointAt(0);
  const isSingle = text.length === (c > 0xffff ? 2 : 1);
  if (isSingle) return formOfEach[form]()[c] ?? text;
  return formNormalizers[form].normalizeString(text);
}

const bertStep = (step) =>
  lazily(() =>
    resultOfEach(
      rust.bertNormalizer({
        cleanText: false,
        handleChineseChars: false,
        stripAccents: false,
        lowercase: false,
        ...step,
      }),
    ),
  );
const cleaned = bertStep({ cleanText: true });
const setApart = bertStep({ handleChineseChars: true });
const stripped = bertStep({ stripAccents: true });
const withoutMarks = lazily(() => resultOfEach(rust.stripAccentsNormalizer()));
const punctuation = rust.punctuationPreTokenizer('isolated');
const whitespace = rust.whitespacePreTokenizer();

/** Whether clean_text of BertNormalizer drops it. A lone surrogate is U+FFFD by then, which goes. */
export const rustRemoves = (text) => isSurrogate(text) || cleaned()[text.codePointAt(0)] === '';

/** Whether handle_chinese_chars of BertNormalizer sets it apart. */
export const rustIsChinese = (text) => setApart()[text.codePointAt(0)] === ` ${text} `;

/** Whether strip_accents of BertNormalizer drops it, or all that it decomposes to. */
export const rustStrips = (text) => stripped()[text.codePointAt(0)] === '';

/** Whether the normalizer StripAccents drops it. */
export const rustIsMark = (text) => withoutMarks()[text.codePointAt(0)] === '';

/** Whether BertPreTokenizer and Punctuation cut at it. */
export const rustIsPunctuation = (text) => punctuation.preTokenizeString(`a${text}b`).length === 3;

const byteLevel = rust.byteLevelPreTokenizer(false, true);

/** Whether \p{L} and \p{N} of GPT-2's pattern match it, as ByteLevel has it. */
export const rustIsPatternLetter = (text) => byteLevel.preTokenizeString(`a${text}`).length === 1;
export const rustIsPatternNumber = (text) => byteLevel.preTokenizeString(`1${text}`).length === 1;

/** Whether \w of Whitespace matches it. */
export const rustIsWordCharacter = (text) => whitespace.preTokenizeString(`a${text}b`).length === 1;
