// Where our tokenizers are right to differ from the Rust library. Nearly all of it is BertTokenizer's, which reads vocab.txt
// as Python's slow tokenizer does.

import rust from 'tokenizers';

/** @import { Failure } from './fuzz.mjs' */
/** @import { Both } from './open.mjs' */

const off = { cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false };
const cleanText = rust.bertNormalizer({ ...off, cleanText: true });
const chineseChars = rust.bertNormalizer({ ...off, handleChineseChars: true });
const stripAccents = rust.bertNormalizer({ ...off, stripAccents: true });
const decompose = rust.nfdNormalizer();
const preTokenizer = rust.bertPreTokenizer();

/** @type {Map<string, boolean>} */
const tablesDiffer = new Map();

/**
 * The text without the characters that the Rust library's tables, made from Unicode 8 and 12, class otherwise than
 * today's Unicode: dropped, punctuation, nonspacing mark, Chinese, decomposed.
 *
 * @param {string} text
 */
export function withoutTableDifferences(text) {
  const rest = [...text].filter((character) => !isClassedOtherwise(character)).join('');
  // What goes may have kept two surrogates apart.
  return rest === text ? text : withoutTableDifferences(rest);
}

const withoutUnassigned = rust.Tokenizer.fromString(
  JSON.stringify({
    version: '1.0',
    added_tokens: [],
    normalizer: { type: 'Replace', pattern: { Regex: '\\p{Cn}' }, content: '' },
    model: { type: 'WordLevel', vocab: { a: 0 }, unk_token: 'a' },
  }),
).getNormalizer();

/**
 * The text without characters that this Node's Unicode has and the Rust library's regular expressions do not know yet.
 *
 * @param {string} text
 */
export function withoutNewCharacters(text) {
  const known = withoutUnassigned.normalizeString(text.toWellFormed());
  if (known === text) return text;
  const isNew = (character) => !/\p{C}/u.test(character) && withoutUnassigned.normalizeString(character) === '';
  return [...text].filter((character) => !isNew(character)).join('');
}

function isClassedOtherwise(character) {
  let differs = tablesDiffer.get(character);
  if (differs === undefined) {
    differs = !/\p{Surrogate}/u.test(character) && compareTables(character);
    tablesDiffer.set(character, differs);
  }
  return differs;
}

function compareTables(character) {
  const isDropped = /^[\p{C}\ufffd]$/u.test(character) && !'\t\n\r'.includes(character);
  const isPunctuation = /^[\p{P}$+<=>^`|~]$/u.test(character);
  const isChinese =
    /^[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2ceaf}\u{2f800}-\u{2fa1f}]$/u;
  return (
    (cleanText.normalizeString(`a${character}`) === 'a') !== isDropped ||
    (stripAccents.normalizeString(`a${character}`) === 'a') !== /^\p{Mn}$/u.test(character) ||
    (preTokenizer.preTokenizeString(`a${character}a`).length === 3) !== isPunctuation ||
    (chineseChars.normalizeString(character) !== character) !== isChinese.test(character) ||
    decompose.normalizeString(character) !== character.normalize('NFD')
  );
}

/**
 * @param {Failure} failure
 * @param {Pick<Both, 'from' | 'special_tokens' | 'normalized_ids' | 'unigram_unknown_id'>} tokenizer
 */
export function isKnown(failure, { from, special_tokens, normalized_ids, unigram_unknown_id }) {
  const isKnownOfAll =
    countsWordsFromCut(failure) ||
    cutsOtherText(failure) ||
    decodesNormalized(failure, normalized_ids) ||
    trimsByNormalizedText(failure, [...normalized_ids, unigram_unknown_id]) ||
    takesOtherOfSame(failure, normalized_ids) ||
    (takesOtherTokenOfPair(failure) && dependsOnReading(failure, special_tokens));
  return isKnownOfAll || (from === 'vocab.txt' && isKnownOfSlow(failure, special_tokens));
}

/** To keep the end of a text, the Rust library 0.23 reads no more than that, and counts the words from where it began. */
function countsWordsFromCut({ setting, part, own, reference }) {
  if (part !== 'word_ids' || setting.truncation?.side !== 'left') return false;
  return [0, 1].every((sequence) => {
    const [a, b] = [own, reference].map(({ word_ids }) => word_ids.filter((_, i) => own.sequence_ids[i] === sequence));
    return a.every((word, i) => b[i] !== null && word - b[i] === a[0] - b[0] && word >= b[i]);
  });
}

/**
 * The Rust library 0.23 reads no more than `max_length` tokens of any text: where the text to be cut is empty, the other
 * one loses its end without a word. We refuse.
 */
function cutsOtherText({ setting, part, own, reference }) {
  if (part !== 'error' || !own.error?.startsWith('ERR_TRUNCATION') || !/^only_/.test(setting.truncation.strategy)) {
    return false;
  }
  const cut = setting.truncation.strategy === 'only_first' ? 0 : 1;
  return reference.ids.length === setting.truncation.max_length && !reference.sequence_ids.includes(cut);
}

/** The Rust library 0.23 decodes an added token that is normalised to what the normalizer makes of it, not as it was added. */
function decodesNormalized({ part, own }, normalized_ids) {
  return part === 'decoded' && own.ids.some((id) => normalized_ids.includes(id));
}

/**
 * `trim_offsets` of a byte-level post-processor where no byte-level model stands before it: the Rust library trims unknown
 * pieces of a Unigram model, and added tokens, by the white space in their normalised text, we by that of the
 * vocabulary's entry and of the text.
 */
function trimsByNormalizedText({ part, own, reference }, ids) {
  if (part !== 'offsets') return false;
  return own.ids.every((id, i) => {
    const [[a, b], [c, d]] = [own, reference].map(({ offsets }) => offsets.slice(2 * i, 2 * i + 2));
    return (a === c && b === d) || (ids.includes(id) && c >= a && d <= b);
  });
}

/** Added tokens that the normalizer makes the same: the Rust library 0.23 keeps them in a hash table, and finds any of them. */
function takesOtherOfSame({ part, own, reference }, normalized_ids) {
  if (part !== 'ids' || own.ids.length !== reference.ids.length) return false;
  const differing = own.ids.flatMap((id, i) => (id === reference.ids[i] ? [] : [id, reference.ids[i]]));
  return differing.length > 0 && differing.every((id) => normalized_ids.includes(id));
}

/** @param {Failure} failure @param {readonly string[]} special_tokens */
function isKnownOfSlow(failure, special_tokens) {
  return (
    typesBarePair(failure) ||
    takesOtherTokenOfPair(failure) ||
    joinsApostrophe(failure) ||
    reordersSpacingMark(failure) ||
    [failure.sample.text, failure.sample.pair ?? ''].some((text) => findsCleanedToken(text, special_tokens))
  );
}

/** Without special tokens slow has type 0 for both texts of a pair. */
function typesBarePair({ sample, setting, part, own }) {
  return part === 'type_ids' && sample.pair !== null && !setting.add_special_tokens && !own.type_ids.includes(1);
}

/**
 * longest_first to an odd room: slow takes from the second text first, the Rust library leaves the longer text the odd token,
 * and says which that is after having read `max_length` tokens of each, from the end where that is kept.
 */
function takesOtherTokenOfPair({ sample, setting, part, own, reference }) {
  if (part === 'error') return false;
  if (setting.truncation?.strategy !== 'longest_first' || sample.pair === null) return false;
  const ofSecond = ({ sequence_ids }) => sequence_ids.filter((sequence) => sequence === 1).length;
  return own.ids.length === reference.ids.length && Math.abs(ofSecond(own) - ofSecond(reference)) === 1;
}

/** What the Rust library 0.23 takes for the longer text depends on how much it reads: from the end, and of added tokens. */
function dependsOnReading({ sample, setting }, added_tokens) {
  const holds = (token) => sample.text.includes(token) || sample.pair.includes(token);
  return setting.truncation.side === 'left' || added_tokens.some(holds);
}

/** The Rust decoder cleans up token by token, and so leaves contractions apart that slow joins. */
function joinsApostrophe({ part, own, reference }) {
  const joined = (text) => text.replaceAll(/ *' */g, "'").replaceAll(" n't", "n't").replaceAll(' do not', " don't");
  return part === 'decoded' && own.decoded.every((text, i) => joined(text) === joined(reference.decoded[i]));
}

/**
 * Decomposition moves a spacing mark of a combining class before another mark, which is dropped: the Rust library then
 * takes it for that one. The slow tokenizer has no offsets at all.
 */
function reordersSpacingMark({ sample, part }) {
  const isReordered = /\p{Mc}/u;
  return part === 'offsets' && [...`${sample.text}${sample.pair}`].some((c) => isReordered.test(c) && isNonstarter(c));
}

/** Whether a character has a combining class: then one of these marks, of classes 1 and 240, changes places with it. */
function isNonstarter(character) {
  return [`${character}\u0334`, `\u0345${character}`].some((text) => text.normalize('NFD') !== text);
}

/** A special token broken by a dropped character: slow finds it after cleaning, the Rust library does not. */
function findsCleanedToken(text, special_tokens) {
  const cleaned = text.replaceAll(/[\p{C}\ufffd]/gu, (c) => ('\t\n\r'.includes(c) ? c : ''));
  const count = (where, token) => where.split(token).length;
  return special_tokens.some((token) => count(cleaned, token) > count(text, token));
}
