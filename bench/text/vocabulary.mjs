/** One WordPiece vocabulary for both languages, of BERT's size, made from the words that the texts are made of. */

import { koreanEndings, makeSyllables, makeWords } from './words.mjs';

export const vocabularySize = 30_522;

/** Words of each language that texts use. The vocabulary holds the more frequent part; the rest falls into pieces. */
export const wordCounts = { en: 20_000, ko: 40_000 };

const specialTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const characters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const marks = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'];

/** @param {readonly string[]} pieces */
const continued = (pieces) => pieces.map((piece) => `##${piece}`);

/**
 * Tokens in the order of their ids: every character that a text may hold, alone and as a continuation, so that no word
 * is unknown; endings and syllables; then words of both languages by frequency, until the vocabulary is full.
 *
 * @returns {string[]}
 */
export function makeVocabulary() {
  const english = makeWords('en', wordCounts.en);
  const korean = makeWords('ko', wordCounts.ko);
  const hangul = [...new Set([...korean, ...koreanEndings].flatMap((word) => [...word]))];
  const englishPieces = makeSyllables('en', 6_000).filter((syllable) => syllable.length > 1);
  const tokens = new Set([
    ...specialTokens,
    ...marks,
    ...characters,
    ...continued(characters),
    ...hangul,
    ...continued(hangul),
    ...continued(koreanEndings),
    ...continued(englishPieces),
  ]);
  for (let i = 0; tokens.size < vocabularySize; i++) {
    tokens.add(english[i]);
    if (tokens.size < vocabularySize) tokens.add(korean[i]);
  }
  return [...tokens];
}

/** Pieces of words by longest match, as WordPiece cuts them: enough to know how long a generated text will be. */
export class PieceCounter {
  #vocabulary;
  #longest;
  /** @type {Map<string, number>} */
  #known = new Map();

  /** @param {readonly string[]} vocabulary */
  constructor(vocabulary) {
    this.#vocabulary = new Set(vocabulary);
    this.#longest = Math.max(...vocabulary.map((token) => token.length));
  }

  /** @param {string} word lower-case letters, digits or Hangul, without white space or punctuation */
  count(word) {
    let count = this.#known.get(word);
    if (count === undefined) {
      count = this.#cut(word);
      this.#known.set(word, count);
    }
    return count;
  }

  /** @param {string} word */
  #cut(word) {
    let count = 0;
    for (let start = 0; start < word.length; count++) {
      const prefix = start === 0 ? '' : '##';
      let end = Math.min(word.length, start + this.#longest);
      while (end > start && !this.#vocabulary.has(prefix + word.slice(start, end))) end--;
      if (end === start) throw new Error(`the vocabulary has no piece for ${JSON.stringify(word.slice(start))}`);
      start = end;
    }
    return count;
  }
}
