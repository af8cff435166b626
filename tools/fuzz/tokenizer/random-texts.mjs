// Texts that a tokenizer may stumble over: every plane of Unicode, marks, jamo, surrogates, spaces and controls of all
// kinds, special tokens and broken ones, very long words, mutated lines of real text, and mixtures of all of it.

/** @typedef {(limit: number) => number} Random whole numbers below a limit */

/**
 * Every code point that a property expression matches.
 *
 * @param {string} property as in `\p{…}`
 */
function codePoints(property) {
  const pattern = new RegExp(`^\\p{${property}}$`, 'u');
  const found = [];
  for (let c = 0; c <= 0x10ffff; c++) if (pattern.test(String.fromCodePoint(c))) found.push(c);
  return found;
}

const properties = {
  marks: codePoints('M'),
  punctuation: codePoints('P'),
  symbols: codePoints('S'),
  numbers: codePoints('N'),
  controls: [...codePoints('Cc'), ...codePoints('Cf')],
  cased: [...codePoints('Changes_When_Lowercased'), ...codePoints('Changes_When_Uppercased')],
  decomposing: allCodePoints().filter((c) => differsIn(c, 'NFD')),
  compatible: allCodePoints().filter((c) => differsIn(c, 'NFKD') && !differsIn(c, 'NFD')),
};

function allCodePoints() {
  return Array.from({ length: 0x110000 }, (_, c) => c);
}

/** @param {number} c @param {string} form */
function differsIn(c, form) {
  const character = String.fromCodePoint(c);
  return !isSurrogate(c) && character.normalize(form) !== character;
}

/** @param {number} c */
function isSurrogate(c) {
  return c >= 0xd800 && c <= 0xdfff;
}

/** White space, and what looks or is taken for it somewhere. */
const spaces = [
  0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0, 0x1680, 0x180e, 0x2000, 0x2001, 0x2002,
  0x2003, 0x2007, 0x200a, 0x200b, 0x200c, 0x200d, 0x2028, 0x2029, 0x202f, 0x205f, 0x2060, 0x2581, 0x3000, 0xfeff,
];

/** Where blocks begin and end that tokenizers ask for, and characters with a rule of their own. */
const edges = [
  0, 0x7f, 0x80, 0xad, 0xb7, 0xd7, 0x130, 0x131, 0x149, 0x1c5, 0x2b0, 0x300, 0x345, 0x37e, 0x387, 0x390, 0x3a3, 0x3c2,
  0x3c3, 0x587, 0x958, 0xe33, 0x0eb3, 0x0f43, 0x0f77, 0x1100, 0x1112, 0x1113, 0x115f, 0x1160, 0x1161, 0x1175, 0x1176,
  0x11a7, 0x11a8, 0x11c2, 0x11c3, 0x13a0, 0x1c80, 0x1e9b, 0x1e9e, 0x1fbd, 0x1ffe, 0x2010, 0x2019, 0x2126, 0x212a,
  0x212b, 0x2adc, 0x33ff, 0x3400, 0x4dbf, 0x4dc0, 0x4dff, 0x4e00, 0x9fff, 0xa000, 0xac00, 0xac01, 0xd7a3, 0xd7a4,
  0xd7b0, 0xe000, 0xf8ff, 0xf900, 0xfa0e, 0xfaff, 0xfb00, 0xfb1d, 0xfdd0, 0xfdef, 0xfe0f, 0xfeff, 0xff10, 0xff21,
  0xffa0, 0xfffc, 0xfffd, 0xfffe, 0xffff, 0x10000, 0x1d15e, 0x1d7ce, 0x1f1e6, 0x1fffe, 0x20000, 0x2a6df, 0x2a6e0,
  0x2a700, 0x2b73f, 0x2b740, 0x2b81f, 0x2b820, 0x2b91f, 0x2b920, 0x2ceaf, 0x2ceb0, 0x2ebe0, 0x2f800, 0x2fa1f, 0x30000,
  0x323af, 0xe0001, 0xe0100, 0xf0000, 0x10fffd, 0x10ffff,
];

const emoji = [
  '😀',
  '👍🏽',
  '👨‍👩‍👧‍👦',
  '🏳️‍🌈',
  '❤️',
  '☎︎',
  '1️⃣',
  '🇰🇷',
  '🇰',
  '👩🏿‍💻',
  '🧑‍🤝‍🧑',
  '🏴󠁧󠁢󠁥󠁮󠁧󠁿',
  '\u200d',
  '\ufe0f',
  '🏽',
];

const snippets = [
  "don't",
  "I'M",
  "we'll",
  "'s",
  "'S",
  "'re",
  "'ſ",
  " n't",
  'e.g.',
  'U.S.A.',
  '3.14',
  '1,234,567',
  '12:30',
  '$5',
  '50%',
  'https://example.org/a_b?c=d&e=%20#f',
  'me@example.org',
  'C++',
  '#tag',
  '<b>x</b>',
  '{"a": [1, 2]}',
  '\r\n',
  '\n\n',
  '\t\t',
  '  ',
  '   ',
  ' .',
  ' ,',
  ' ?',
  ' !',
  "' '",
  '""',
  '...',
  '…',
  '--',
  '—',
  '##',
  '##a',
  '##',
  '▁',
  '▁▁',
  'Ġ',
  'ĊĊ',
  '<unk>',
  '<0x0A>',
  '</s>',
  '<mask>',
  'ΟΔΟΣ',
  'Σ',
  'ΑΣ.',
  'ΑΣ\u0301',
  'İstanbul',
  'ıI',
  'ẞß',
  'ﬁﬂ',
  'ǆǅǄ',
  'Åå',
  'ñ',
  '½',
  'x²',
  'ｆｕｌｌ',
  'ㅋㅋㅋ',
  'ㅠㅠ',
  '한국어를',
  '각',
  '값이',
  'ไทย',
  'हिन्दी',
  'עִבְרִית',
  'العَرَبِيَّة',
  '日本語',
  'ガﾞ',
  '中文',
  '\u202eabc\u202c',
  '\u2067x\u2069',
  'a\u034fb',
  'q\u0307\u0323',
  'd\u0323\u0307',
  'a\u0315\u0300\u05ae\u0062',
];

/**
 * @param {Random} random
 * @param {{ lines: readonly string[], special_tokens: readonly string[] }} material lines of real text; what the tokenizer
 *   finds in raw text
 * @returns {() => string} another text at each call
 */
export function textSource(random, { lines, special_tokens }) {
  const pick = (values) => values[random(values.length)];
  const chance = (percent) => random(100) < percent;
  const repeat = (count, make) => Array.from({ length: count }, make).join('');
  const one = (points) => String.fromCodePoint(pick(points));
  const between = (first, last) => String.fromCodePoint(first + random(last - first + 1));
  const words = lines.flatMap((line) => line.split(/\s+/u)).filter((word) => word !== '');

  const anyCodePoint = () => {
    const plane = pick([0, 0, 0, 0, 1, 1, 2, 3, 14, 15, 16, random(17)]);
    return String.fromCodePoint(plane * 0x10000 + random(0x10000));
  };
  const jamo = () =>
    pick([
      () => between(0x1100, 0x1112) + between(0x1161, 0x1175) + (chance(50) ? between(0x11a8, 0x11c2) : ''),
      () => between(0xac00, 0xd7a3) + between(0x11a7, 0x11c3),
      () => between(0x1100, 0x11ff),
      () => between(0x3130, 0x318f),
      () => between(0xa960, 0xa97f) + between(0xd7b0, 0xd7ff),
      () => between(0xffa0, 0xffdc),
    ])();
  const syllables = () => repeat(1 + random(5), () => between(0xac00, 0xd7a3));
  const marked = () =>
    pick([() => between(0x61, 0x7a), () => one(properties.decomposing), jamo, anyCodePoint])() +
    repeat(random(5), () => one(properties.marks));
  const ascii = () => repeat(1 + random(8), () => between(0x20, 0x7e));
  const letters = () => repeat(1 + random(10), () => (chance(20) ? between(0x41, 0x5a) : between(0x61, 0x7a)));
  const space = () => repeat(1 + random(chance(10) ? 6 : 1), () => one(spaces));
  const surrogate = () =>
    pick([
      () => String.fromCharCode(0xd800 + random(0x800)),
      () => String.fromCharCode(0xdc00 + random(0x400), 0xd800 + random(0x400)),
      () => `a${String.fromCharCode(0xd83d)}b`,
    ])();
  const special = () => {
    const token = pick(special_tokens);
    if (token === undefined) return '[MASK]';
    return chance(50) ? token : broken(token);
  };
  const broken = (token) => {
    const at = random(token.length + 1);
    return pick([
      () => token.toLowerCase(),
      () => token.toUpperCase(),
      () => token.slice(0, at) + pick(['\u200b', ' ', '\u0301', '\u00ad', 'x', '\ufe0f']) + token.slice(at),
      () => token.slice(0, at) + token.slice(at + 1),
      () => ` ${token} `,
      () => `a${token}b`,
      () => `${token}${token}`,
      () => `${token}\u0301`,
    ])();
  };
  // 100 code points is the longest word that WordPiece looks up.
  const longWord = () => {
    const unit = pick([
      letters,
      () => between(0x61, 0x7a),
      syllables,
      jamo,
      marked,
      () => '😀',
      () => one(properties.cased),
    ]);
    const length = pick([95, 98, 99, 100, 101, 102, 105, 130, 200, 250]);
    const made = [...repeat(length, unit)];
    return made.slice(0, length).join('');
  };
  const mutated = () => {
    const characters = [...(pick(lines) ?? 'text')].slice(0, 300);
    for (let i = 1 + random(6); i > 0; i--) {
      const at = random(characters.length + 1);
      pick([
        () => characters.splice(at, random(3)),
        () => characters.splice(at, 0, piece()),
        () => characters.splice(at, 1, anyCodePoint()),
        () => characters.splice(at, 0, ...characters.slice(at, at + random(8))),
        () => characters.splice(at, 0, one(properties.marks)),
        () => characters.splice(at, 1, (characters[at] ?? '').toUpperCase()),
        () => characters.splice(at, 1, (characters[at] ?? '').normalize('NFD')),
      ])();
    }
    return characters.join('');
  };

  /** Kinds of pieces, each as often as it stands here. */
  const kinds = [
    () => pick(words) ?? 'word',
    () => pick(words) ?? 'word',
    () => pick(words) ?? 'word',
    letters,
    letters,
    ascii,
    () => repeat(1 + random(4), anyCodePoint),
    () => one(edges),
    marked,
    marked,
    jamo,
    syllables,
    () => between(0x4e00, 0x9fff),
    () => between(0x3040, 0x30ff),
    space,
    space,
    () => one(properties.punctuation),
    () => one(properties.symbols),
    () => one(properties.numbers),
    () => one(properties.controls),
    () => one(properties.cased),
    () => one(properties.decomposing),
    () => one(properties.compatible),
    () => repeat(1 + random(6), () => between(0x30, 0x39)),
    () => pick(emoji),
    () => pick(snippets),
    () => pick(snippets),
    special,
    special,
    surrogate,
  ];
  const piece = () => pick(kinds)();

  return () => {
    const kind = random(100);
    if (kind < 4) return piece();
    if (kind < 8) return longWord() + (chance(50) ? ` ${piece()}` : piece());
    if (kind < 30) return mutated();
    if (kind < 32) return repeat(1 + random(400), pick(kinds));
    const count = 1 + random(chance(10) ? 60 : 12);
    const joint = random(101);
    return repeat(count, () => piece() + (random(100) < joint ? ' ' : ''));
  };
}
