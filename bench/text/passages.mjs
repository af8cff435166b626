/**
 * Texts of sentences: real words of two languages in simple grammar, and what else stands in texts: names that nobody has
 * seen before, numbers, quotations, addresses, symbols. The same on every machine, no two texts alike.
 */

import { english, korean } from './lexicon.mjs';
import { Random, Weighted } from './random.mjs';
import { makeWords, zipfWeight } from './words.mjs';

/** @typedef {'en' | 'ko' | 'mixed'} PassageLanguage */

/** Names: a long tail, as the words have that real texts bring along. */
const nameCounts = { en: 30_000, ko: 30_000 };

/** Words of a text. */
const lengths = { median: 40, sigma: 0.9, shortest: 4, longest: 600 };

const emoji = ['😀', '🎉', '👍🏽', '❤️', '👨‍👩‍👧', '🇰🇷', '🌧️'];
const foreign = [
  '東京',
  '中文',
  '日本語',
  'café',
  'naïve',
  'Zürich',
  'Москва',
  'Ελλάδα',
  'São Paulo',
  'αβγ',
  '½',
  '…',
  '“',
  '”',
  '·',
  '℃',
];

export class PassageMaker {
  #random;
  #makers;

  /** @param {PassageLanguage} language */
  constructor(language) {
    this.#random = new Random(`passages ${language}`);
    const own = { en: () => new EnglishSentences(this.#random), ko: () => new KoreanSentences(this.#random) };
    this.#makers = language === 'mixed' ? [own.en(), own.ko()] : [own[language]()];
  }

  /** Distinct texts of at least so many bytes of UTF-8 together. @param {number} bytes */
  make(bytes) {
    /** @type {Set<string>} */
    const texts = new Set();
    for (let size = 0; size < bytes; ) {
      const text = this.#passage();
      if (texts.has(text)) continue;
      texts.add(text);
      size += Buffer.byteLength(text);
    }
    return [...texts];
  }

  #passage() {
    const random = this.#random;
    const { median, sigma, shortest, longest } = lengths;
    const length = Math.min(Math.max(Math.round(random.logNormal(median, sigma)), shortest), longest);
    let text = '';
    for (let words = 0; words < length; ) {
      const sentence = random.pick(this.#makers).sentence();
      words += sentence.length;
      const joined = this.#decorate(sentence).join(' ');
      text += text === '' ? joined : `${random.next() < 0.1 ? '\n' : ' '}${joined}`;
    }
    return text;
  }

  /** Marks, numbers and foreign words, here and there; a full stop, mostly. @param {string[]} sentence */
  #decorate(sentence) {
    const random = this.#random;
    const mixed = this.#makers.length > 1;
    const decorated = sentence.map((word, i) => {
      const chance = random.next();
      if (chance < 0.012) return `${word} ${this.#number()}`;
      if (chance < 0.018) return `"${word}"`;
      if (chance < 0.024) return `(${word})`;
      if (chance < 0.026) return `https://example.org/${encodeURI(word)}?id=${random.below(100_000)}`;
      if (mixed && chance < 0.05) return `${word} ${random.pick(chance < 0.035 ? emoji : foreign)}`;
      return chance < 0.09 && i < sentence.length - 1 ? `${word},` : word;
    });
    const mark = random.next();
    decorated[decorated.length - 1] +=
      mark < 0.86 ? '.' : mark < 0.92 ? '?' : mark < 0.96 ? '!' : mark < 0.98 ? ':' : '...';
    return decorated;
  }

  #number() {
    const random = this.#random;
    const chance = random.next();
    if (chance < 0.4) return String(random.below(100));
    if (chance < 0.7) return String(1900 + random.below(130));
    if (chance < 0.85) return `${random.below(1000)}.${random.below(100)}`;
    return `${1 + random.below(999)},${String(random.below(1000)).padStart(3, '0')}`;
  }
}

/** Draws by Zipf's law. @param {readonly string[]} values */
const ranked = (values) => new Weighted(values, zipfWeight);

class EnglishSentences {
  #random;
  #nouns = ranked(english.nouns);
  #verbs = ranked(english.verbs);
  #adjectives = ranked(english.adjectives);
  #adverbs = ranked(english.adverbs);
  #prepositions = ranked(english.prepositions);
  #names = ranked(makeWords('en', nameCounts.en).slice(1_000));

  /** @param {Random} random */
  constructor(random) {
    this.#random = random;
  }

  /** @returns {string[]} words */
  sentence() {
    const random = this.#random;
    const words = this.#clause();
    while (random.next() < 0.35 && words.length < 40) words.push(random.pick(english.conjunctions), ...this.#clause());
    words[0] = capitalised(words[0]);
    return words;
  }

  #clause() {
    const random = this.#random;
    const words = random.next() < 0.35 ? [random.pick(english.subjects)] : this.#nounPhrase();
    if (random.next() < 0.2) words.push(this.#adverbs.draw(random));
    words.push(...this.#predicate());
    while (random.next() < 0.4) words.push(this.#prepositions.draw(random), ...this.#nounPhrase());
    return words;
  }

  #predicate() {
    const random = this.#random;
    const chance = random.next();
    if (chance < 0.15)
      return [random.pick(['is', 'was', "isn't", 'seems', 'became', "wasn't"]), this.#adjectives.draw(random)];
    const verb = this.#verbs.draw(random);
    if (chance < 0.3) return [random.pick(['will', 'can', 'would', "didn't", 'could', "can't", 'must']), verb];
    const inflected = chance < 0.75 ? past(verb) : chance < 0.9 ? thirdPerson(verb) : `was ${present(verb)}`;
    return random.next() < 0.6 ? [inflected, ...this.#nounPhrase()] : [inflected];
  }

  #nounPhrase() {
    const random = this.#random;
    if (random.next() < 0.09) return [capitalised(this.#names.draw(random))];
    const words = [random.pick(random.next() < 0.8 ? english.determiners : english.possessives)];
    while (random.next() < 0.35) words.push(this.#adjectives.draw(random));
    const noun = this.#nouns.draw(random);
    words.push(
      random.next() < 0.25 ? thirdPerson(noun) : random.next() < 0.04 ? `${noun}'s ${this.#nouns.draw(random)}` : noun,
    );
    return words;
  }
}

/** @param {string} word */
const capitalised = (word) => word[0].toUpperCase() + word.slice(1);
/** The third person of a verb, and the plural of a noun. @param {string} word */
const thirdPerson = (word) =>
  /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : /(s|x|z|ch|sh)$/.test(word) ? `${word}es` : `${word}s`;
/** @param {string} verb */
const past = (verb) =>
  verb.endsWith('e') ? `${verb}d` : /[^aeiou]y$/.test(verb) ? `${verb.slice(0, -1)}ied` : `${verb}ed`;
/** @param {string} verb */
const present = (verb) => (/[^e]e$/.test(verb) ? `${verb.slice(0, -1)}ing` : `${verb}ing`);

/** Particles behind a noun: after a final consonant, and else. */
const particles = new Weighted(
  [
    ['은', '는'],
    ['이', '가'],
    ['을', '를'],
    ['의', '의'],
    ['에', '에'],
    ['에서', '에서'],
    ['과', '와'],
    ['으로', '로'],
    ['도', '도'],
    ['들이', '들이'],
    ['만', '만'],
    ['까지', '까지'],
    ['부터', '부터'],
    ['에게', '에게'],
    ['처럼', '처럼'],
    ['보다', '보다'],
    ['들은', '들은'],
    ['이라고', '라고'],
    ['에는', '에는'],
    ['이나', '나'],
  ],
  zipfWeight,
);

class KoreanSentences {
  #random;
  #nouns = ranked(korean.nouns);
  #modifiers = ranked(korean.modifiers);
  #adverbs = ranked(korean.adverbs);
  #actions = ranked(korean.actions);
  #endings = ranked(korean.endings);
  #forms = ranked(korean.actionForms);
  #names = ranked(makeWords('ko', nameCounts.ko).slice(1_000));

  /** @param {Random} random */
  constructor(random) {
    this.#random = random;
  }

  /** @returns {string[]} words */
  sentence() {
    const random = this.#random;
    const words = random.next() < 0.15 ? [random.pick(korean.connectives)] : [];
    do {
      for (let phrases = 1 + random.below(3); phrases > 0; phrases--) words.push(...this.#phrase());
      if (random.next() < 0.35) words.push(this.#adverbs.draw(random));
      words.push(
        random.next() < 0.55 ? this.#actions.draw(random) + this.#forms.draw(random) : this.#endings.draw(random),
      );
    } while (random.next() < 0.35 && words.length < 30);
    return words;
  }

  #phrase() {
    const random = this.#random;
    const words = random.next() < 0.3 ? [this.#modifiers.draw(random)] : [];
    const noun = (random.next() < 0.1 ? this.#names : this.#nouns).draw(random);
    const [afterConsonant, afterVowel] = particles.draw(random);
    const final = finalConsonant(noun);
    const closed = final !== 0 && !(final === rieul && afterVowel === '로');
    words.push(noun + (closed ? afterConsonant : afterVowel));
    return words;
  }
}

/** Its number among those of the last syllable, which is Hangul; 0: none. @param {string} word */
const finalConsonant = (word) => (word.charCodeAt(word.length - 1) - 0xac00) % 28;
const rieul = 8;
