// The flags of a code point's record, its general category and its script, as this Node's ICU has them, or the Rust
// library tokenizers where a name says so.

import { hangulSyllables, isNonstarter, lastCodePoint, normalize, within } from './code-points.mjs';
import {
  rustIsChinese,
  rustIsPatternLetter,
  rustIsPatternNumber,
  rustIsPunctuation,
  rustIsWordCharacter,
  rustRemoves,
  rustStrips,
} from './rust-library.mjs';

// The blocks that BERT's original tokenization.py sets apart; not the same as any Unicode property.
const chineseRanges = [
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b820, 0x2ceaf],
  [0x2f800, 0x2fa1f],
];

// Each property is one bit of a code point's record; the names become kName in the header.
export const properties = [
  {
    name: 'Removed',
    comment: 'dropped by clean_text: category C (controls, formats, surrogates, private use, unassigned) and U+FFFD',
    test: (text, c) => (/^\p{C}$/u.test(text) && !'\t\n\r'.includes(text)) || c === 0xfffd,
  },
  { name: 'WhiteSpace', comment: 'White_Space', test: (text) => /^\p{White_Space}$/u.test(text) },
  {
    name: 'Punctuation',
    comment: 'category P, and every ASCII character that is neither letter, digit, space nor control',
    test: (text) => /^(?:\p{P}|[!-/:-@[-`{-~])$/u.test(text),
  },
  { name: 'Chinese', comment: "the blocks of BERT's tokenize_chinese_chars", test: (_, c) => within(chineseRanges, c) },
  { name: 'NonspacingMark', comment: 'category Mn', test: (text) => /^\p{Mn}$/u.test(text) },
  {
    name: 'Lowercases',
    comment: 'lowercase_mapping() differs from the character',
    test: (text) => lower(text) !== text,
  },
  {
    name: 'Decomposes',
    comment: 'has a canonical decomposition in the table (Hangul syllables decompose by arithmetic)',
    test: (text, c) => !within([hangulSyllables], c) && text.normalize('NFD') !== text,
  },
  {
    name: 'WordCharacter',
    comment: 'what \\w means to the Rust library: Alphabetic, M, Nd, Pc, Join_Control of an older version',
    test: rustIsWordCharacter,
  },
  {
    name: 'Nonstarter',
    comment: 'canonical combining class other than 0',
    test: (text) => isNonstarter(text, normalize),
  },
  { name: 'RustRemoved', comment: 'dropped by clean_text of the Rust library', test: rustRemoves },
  { name: 'RustPunctuation', comment: 'where its BertPreTokenizer and Punctuation cut', test: rustIsPunctuation },
  { name: 'RustChinese', comment: 'set apart by its handle_chinese_chars', test: rustIsChinese },
  { name: 'RustNonspacingMark', comment: 'dropped by its strip_accents', test: rustStrips },
  { name: 'PatternLetter', comment: "\\p{L} of GPT-2's pattern in it", test: rustIsPatternLetter },
  { name: 'PatternNumber', comment: "\\p{N} of GPT-2's pattern in it", test: rustIsPatternNumber },
];

/** One code point in lower case by itself: no context such as a final sigma. */
export function lower(text) {
  return text.toLowerCase();
}

export const categories = [
  ...['Lu', 'Ll', 'Lt', 'Lm', 'Lo', 'Mn', 'Mc', 'Me', 'Nd', 'Nl', 'No', 'Pc', 'Pd', 'Ps', 'Pe', 'Pi', 'Pf', 'Po'],
  ...['Sm', 'Sc', 'Sk', 'So', 'Zs', 'Zl', 'Zp', 'Cc', 'Cf', 'Cs', 'Co', 'Cn'],
];

/** Every code point's position in `values`, of which the expression that `pattern` makes matches one; 0 if none does. */
function classify(values, pattern) {
  const result = new Uint8Array(lastCodePoint + 1);
  const all = Array.from({ length: lastCodePoint + 1 }, (_, c) => c);
  values.reduce((rest, value, i) => {
    const expression = new RegExp(`^${pattern(value)}$`, 'u');
    return rest.filter((c) => {
      if (!expression.test(String.fromCodePoint(c))) return true;
      result[c] = i;
      return false;
    });
  }, all);
  return result;
}

export function categoryOfEach() {
  return classify(categories, (name) => `\\p{gc=${name}}`);
}

// The scripts of Unicode 9.0, which the script table of the Rust library tokenizers was made from (SentencePiece's has
// the same). `Any` is everything else.
const scriptNames = `Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali
  Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee
  Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Duployan Egyptian_Hieroglyphs Elbasan Ethiopic Georgian
  Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited
  Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kayah_Li Kharoshthi Khmer Khojki
  Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Malayalam Mandaic Manichaean Marchen
  Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean
  New_Tai_Lue Newa Nko Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian
  Old_South_Arabian Old_Turkic Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician
  Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sora_Sompeng Sundanese
  Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangut Telugu Thaana Thai Tibetan Tifinagh
  Tirhuta Ugaritic Vai Warang_Citi Yi`.split(/\s+/);

export const scripts = ['Any', ...scriptNames];

// Where characters of those scripts are newer than Unicode 9.0 (the ranges may hold unassigned code points as well).
const laterThanScripts = `560 588 5ef 61d 7fd-7ff 860-89f 8b5 8be-8d3 9fc-9fe a76 afa-aff b55 c04 c3c c5c-c5d c77 c84
  cdc-cdd cf3-d00 d04 d3b-d3c d81 e86 e89 e8c e8e-e93 e98 ea0 ea8-ea9 eac eba ece 170d 1715-171f 180f 1878 1abf-1aeb
  1b4c-1b4f 1b7d-1b7f 1c89-1cbf 1cf7 1cfa 1df6-1dfa 20bf-20c1 23ff 2427-2429 2b96-2b97 2bba-2bbc 2bc9 2bd2-2beb
  2bf0-2bff 2c2f 2c5f 2e45-2e5d 2ffc-2fff 312e-312f 31bb-31bf 31e4-31ef 32ff 4db6-4dbf 9fd6-9fff a7af a7b8-a7f6 a82c
  a8fe-a8ff ab66-ab6b fbc2-fbd2 fd40-fd4f fd90-fd91 fdc8-fdcf fdfe-fdff 1019c 1032d-1032f 10780-107ba 10a34-10a35 10a48
  10ec2-10eff 11070-11075 110c2-110cd 11144-11147 111ce-111cf 1123f-11241 1133b 1145a 1145e-11461 116b8-116b9
  116d0-116e3 1171a 11740-11746 11ab0-11abf 11b00-11b67 11fb0-11fff 1342f-143fa 16f45-16f4f 16f7f-16f87 16fe2-16fe3
  16ff0-16ff6 187ed-187ff 18af3-18aff 18d00-1affe 1b002-1b167 1cc00-1cfc3 1d1e9-1d1ea 1d2c0-1d2f3 1d372-1d378
  1df00-1df2a 1e030-1e08f 1e7e0-1e7fe 1e94b 1ec71-1ed3d 1f10d-1f10f 1f12f 1f16c-1f16f 1f1ad 1f260-1f265 1f6d3-1f6df
  1f6f7-1f6fc 1f774-1f77f 1f7d5-1f7f0 1f8b0-1f90f 1f91f 1f928-1f92f 1f931-1f932 1f93f 1f94c-1f94f 1f95f-1f97f
  1f992-1f9bf 1f9c1-1fbfa 2a6d7-2a6df 2b735-2b73f 2cea2-2ee5d 30000-33479`
  .split(/\s+/)
  .map((range) => range.split('-').map((digits) => Number.parseInt(digits, 16)))
  .map(([first, last = first]) => [first, last]);

// Characters whose script another version of Unicode changed.
const scriptsThen = new Map([
  [0x0589, 'Common'],
  [0x061c, 'Common'],
  [0x0953, 'Devanagari'],
  [0x0954, 'Devanagari'],
]);

/** Every code point's position in `scripts`. */
export function scriptOfEach() {
  const result = classify(scripts, (name) => (name === 'Any' ? '(?!)' : `\\p{Script=${name}}`));
  for (const [first, last] of laterThanScripts) result.fill(0, first, last + 1);
  for (const [c, name] of scriptsThen) result[c] = scripts.indexOf(name);
  return result;
}
