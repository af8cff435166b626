/** Distinct texts of made-up words, the same on every machine. */

import { Random, Weighted } from './random.mjs';
import { PieceCounter, wordCounts } from './vocabulary.mjs';
import { koreanEndings, makeWords, zipfWeight } from './words.mjs';

/** @import { Language } from './words.mjs' */
/** @import { TextSet, BenchText } from '../types.ts' */

/** A text that is longer loses its end, as `truncation: true` says. */
export const maxTokens = 512;
const specialTokenCount = 2; // [CLS] and [SEP]

/** Words of a text: log-normal, with the spread at which three quarters of a batch of 32 texts are padding. */
const mixedLengths = { median: 25, sigma: 1, shortest: 3, longest: 250 };

const sentenceLengths = { median: 12, sigma: 0.5, shortest: 3, longest: 40 };
const commaChance = 0.07;
const numberChance = 0.015;
const endingChance = 0.8;

export class TextMaker {
  #language;
  #words;
  #endings = new Weighted(koreanEndings, zipfWeight);
  #pieces;

  /** @param {Language} language @param {readonly string[]} vocabulary */
  constructor(language, vocabulary) {
    this.#language = language;
    this.#words = new Weighted(makeWords(language, wordCounts[language]), zipfWeight);
    this.#pieces = new PieceCounter(vocabulary);
  }

  /**
   * @param {TextSet} set `mixed`, or a number of tokens that every text has, special tokens included
   * @param {number} count
   * @returns {BenchText[]} no two alike
   */
  make(set, count) {
    const random = new Random(`texts ${this.#language} ${set}`);
    /** @type {Map<string, BenchText>} */
    const texts = new Map();
    while (texts.size < count) {
      const made =
        set === 'mixed' ? this.#ofWords(random, drawLength(random, mixedLengths)) : this.#ofTokens(random, set);
      if (made !== null && !texts.has(made.text)) texts.set(made.text, made);
    }
    return [...texts.values()];
  }

  /** @param {Random} random @param {number} wordCount @returns {BenchText} */
  #ofWords(random, wordCount) {
    const writer = new SentenceWriter(random);
    let tokens = specialTokenCount;
    for (let i = 0; i < wordCount; i++) {
      const word = this.#word(random);
      tokens += this.#pieces.count(word) + writer.add(word, i === wordCount - 1);
    }
    return { text: writer.text, words: wordCount, tokens: Math.min(tokens, maxTokens) };
  }

  /**
   * A text of exactly `length` tokens, or null where no word fits the end.
   *
   * @param {Random} random
   * @param {number} length
   */
  #ofTokens(random, length) {
    const writer = new SentenceWriter(random);
    let tokens = specialTokenCount + 1; // with the full stop at the end
    let words = 0;
    for (let tries = 0; tokens < length; ) {
      const word = this.#word(random);
      const pieces = this.#pieces.count(word);
      // Room for a mark after the word, unless the word ends the text.
      if (tokens + pieces !== length && tokens + pieces + 1 >= length) {
        if (++tries > 100) return null;
        continue;
      }
      const last = tokens + pieces === length;
      const marks = writer.add(word, last);
      tokens += pieces + (last ? 0 : marks);
      words++;
    }
    return { text: writer.text, words, tokens };
  }

  /** @param {Random} random */
  #word(random) {
    if (random.next() < numberChance) return String(random.below(random.next() < 0.5 ? 100 : 3000));
    const word = this.#words.draw(random);
    if (this.#language !== 'ko' || random.next() >= endingChance) return word;
    return word + this.#endings.draw(random);
  }
}

/** Puts words into sentences: a capital at the start, now and then a comma, a mark at the end. */
class SentenceWriter {
  text = '';
  #random;
  #left = 0;

  /** @param {Random} random */
  constructor(random) {
    this.#random = random;
  }

  /** @param {string} word @param {boolean} last ends the text @returns {number} marks written behind the word */
  add(word, last) {
    const starts = this.#left === 0;
    if (starts) this.#left = drawLength(this.#random, sentenceLengths);
    this.#left--;
    const chance = this.#random.next();
    const ends = last || this.#left === 0;
    const mark = last
      ? '.'
      : ends
        ? chance < 0.85
          ? '.'
          : chance < 0.95
            ? '?'
            : '!'
        : chance < commaChance
          ? ','
          : '';
    this.text += `${this.text === '' ? '' : ' '}${starts ? word[0]?.toUpperCase() + word.slice(1) : word}${mark}`;
    return mark.length;
  }
}

/** @param {Random} random @param {{ median: number, sigma: number, shortest: number, longest: number }} lengths */
function drawLength(random, { median, sigma, shortest, longest }) {
  for (;;) {
    const length = Math.round(random.logNormal(median, sigma));
    if (length >= shortest && length <= longest) return length;
  }
}
