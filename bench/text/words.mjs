/**
 * Made-up words of two languages, most frequent first. They mean nothing; their lengths and their repetition are what a
 * tokenizer sees in real text: few words make up most of a text, and frequent words are short (Zipf 1935, 1949).
 */

import { Random, Weighted } from './random.mjs';

/** @typedef {'en' | 'ko'} Language */

/**
 * Zipf's law with Mandelbrot's shift: the weight of the word of rank `index`, from 0.
 *
 * @param {number} index
 */
export const zipfWeight = (index) => 1 / (index + 3.7);

// ---------- English-like ----------

/** @param {string} text parts with their weights: `b 4 c 3` @returns {Weighted<string>} `_` stands for nothing */
function weightedParts(text) {
  const fields = text.trim().split(/\s+/);
  const parts = fields.filter((_, i) => i % 2 === 0).map((part) => (part === '_' ? '' : part));
  return new Weighted(parts, (i) => Number(fields[2 * i + 1]));
}

const onsets = weightedParts(`
  t 9 s 8 b 6 c 6 d 6 f 5 g 4 h 6 l 6 m 6 n 6 p 6 r 7 w 5 v 2 k 2 j 1 y 1 z 1 _ 10
  th 4 sh 2 ch 2 st 4 tr 3 pr 3 gr 2 br 2 cl 2 pl 2 fr 1 dr 1 sp 2 sl 1 str 1 qu 1 wh 1`);
const nuclei = weightedParts('a 9 e 12 i 9 o 8 u 4 ea 3 ou 2 ai 1 ee 2 oo 1 io 1 y 1');
const codas = weightedParts(`
  _ 22 n 9 r 8 s 6 t 7 l 6 d 5 m 3 p 2 ck 1 ng 3 nd 2 st 2 nt 2 rt 1 ll 1 ss 1 x 1 ve 2 ce 1 te 2 ne 1 re 1`);

/** @param {Random} random */
const englishSyllable = (random) => onsets.draw(random) + nuclei.draw(random) + codas.draw(random);

/** Syllables of the word of a rank, from 0. @param {Random} random @param {number} rank */
function englishSyllableCount(random, rank) {
  const chance = random.next();
  if (rank < 150) return 1;
  if (rank < 1_500) return chance < 0.6 ? 1 : 2;
  if (rank < 8_000) return chance < 0.1 ? 1 : chance < 0.65 ? 2 : 3;
  return chance < 0.35 ? 2 : chance < 0.8 ? 3 : 4;
}

// ---------- Korean-like ----------

const vowels = 21;
const finals = 28;
const firstSyllable = 0xac00;

/** Order of the letters within Unicode's Hangul Syllables: The Unicode Standard, section 3.12. */
const initialLetters = 'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ';
const vowelLetters = 'ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ';
const finalLetters = '_ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ';

const initialPart = weightedParts('ㅇ 14 ㄱ 10 ㅅ 10 ㅈ 8 ㄷ 7 ㅎ 7 ㅂ 6 ㄴ 6 ㅁ 6 ㄹ 5 ㅊ 3 ㅌ 2 ㅍ 2 ㅋ 1');
const vowelPart = weightedParts('ㅏ 14 ㅣ 12 ㅗ 9 ㅓ 9 ㅡ 6 ㅜ 8 ㅐ 5 ㅕ 6 ㅔ 4 ㅘ 2 ㅚ 2 ㅛ 2 ㅠ 1 ㅝ 1');
const finalPart = weightedParts('_ 50 ㄴ 13 ㅇ 10 ㄹ 8 ㄱ 7 ㅁ 5 ㅂ 3 ㅅ 2');

/** @param {Random} random */
function koreanSyllable(random) {
  const initial = initialLetters.indexOf(initialPart.draw(random));
  const vowel = vowelLetters.indexOf(vowelPart.draw(random));
  const final = finalLetters.indexOf(finalPart.draw(random) || '_');
  return String.fromCharCode(firstSyllable + (initial * vowels + vowel) * finals + final);
}

/** Particles and endings, which follow most stems within the same word. */
export const koreanEndings = `
  을 를 이 가 은 는 의 에 에서 으로 로 와 과 도 만 까지 부터 에게 처럼 보다 들 들이 들은 이다 하고 하는 한 할 했다 합니다
  입니다 했습니다 되는 된다 하여 에는 에도 이라고 라는 지만
`
  .trim()
  .split(/\s+/);

/** @param {Random} random @param {number} rank */
function koreanSyllableCount(random, rank) {
  const chance = random.next();
  if (rank < 100) return chance < 0.6 ? 1 : 2;
  if (rank < 3_000) return chance < 0.85 ? 2 : 3;
  return chance < 0.5 ? 2 : chance < 0.9 ? 3 : 4;
}

// ---------- lists ----------

const makers = {
  en: { syllable: englishSyllable, count: englishSyllableCount },
  ko: { syllable: koreanSyllable, count: koreanSyllableCount },
};

/**
 * Distinct words (for Korean: stems), the most frequent first.
 *
 * @param {Language} language
 * @param {number} count
 * @returns {string[]}
 */
export function makeWords(language, count) {
  const random = new Random(`words ${language}`);
  const { syllable, count: syllableCount } = makers[language];
  /** @type {Set<string>} */
  const words = new Set();
  while (words.size < count) {
    // A length whose words are used up would never end: after some tries the word becomes longer.
    let length = syllableCount(random, words.size);
    const before = words.size;
    for (let tries = 1; words.size === before; tries++) {
      let word = '';
      for (let i = 0; i < length; i++) word += syllable(random);
      words.add(word);
      if (tries % 20 === 0) length++;
    }
  }
  return [...words];
}

/**
 * The distinct syllables that words are made of.
 *
 * @param {Language} language
 * @param {number} draws how many are drawn; rare ones among them are found only by chance
 */
export function makeSyllables(language, draws) {
  const random = new Random(`syllables ${language}`);
  /** @type {Set<string>} */
  const syllables = new Set();
  for (let i = 0; i < draws; i++) syllables.add(makers[language].syllable(random));
  return [...syllables];
}
