const literals = [
  'a',
  'b',
  'A',
  's',
  'k',
  '1',
  ' ',
  '-',
  'é',
  'ß',
  '中',
  'ﬁ',
  'f',
  'i',
  't',
  '\\n',
  '\\x61',
  '\\u00e9',
  '\\x{4e2d}',
  '\\.',
  '😀',
  'ſ',
];
const classes = [
  '.',
  '\\d',
  '\\w',
  '\\s',
  '\\h',
  '\\D',
  '\\W',
  '\\S',
  '\\p{L}',
  '\\P{L}',
  '\\p{Lu}',
  '\\p{^N}',
  '\\p{Han}',
  '[abc]',
  '[^ab]',
  '[a-c1]',
  '[\\s\\d]',
  '[^\\s\\p{L}\\p{N}]',
  '[[:alpha:]]',
  '[[:^punct:]b]',
  '[a-z&&[^b]]',
  '[é-ü]',
  '[ßs]',
  '\\N',
  '\\R',
  '[^\\W_]',
  '[]a]',
  '[a-]',
  '[-a]',
  '[^^]',
  '[a-c-e]',
];
const assertions = [
  '^',
  '$',
  '\\b',
  '\\B',
  '\\A',
  '\\z',
  '\\Z',
  '(?=a)',
  '(?!a)',
  '(?<=a)',
  '(?<!a)',
  '(?=\\s)',
  '(?!\\S)',
  '(?<!\\w)',
];
const quantifiers = [
  '*',
  '+',
  '?',
  '*?',
  '+?',
  '??',
  '*+',
  '++',
  '?+',
  '{2}',
  '{1,2}',
  '{,2}',
  '{2,}',
  '{1,}?',
  '{1,3}?',
  '{2}?',
  '{1,2}+',
  '{3,1}',
  '{0}',
];
const groups = ['(?:', '(', '(?=', '(?!', '(?<=', '(?<!', '(?>', '(?i:', '(?-i:', '(?m:', '(?W:'];
const characters = [
  'a',
  'b',
  'c',
  'A',
  'S',
  's',
  'k',
  'K',
  'K',
  '1',
  '2',
  ' ',
  '  ',
  '-',
  'é',
  'É',
  'ß',
  'ẞ',
  'ss',
  'ﬁ',
  'fi',
  'ff',
  '中',
  '\n',
  '\t',
  '.',
  '_',
  '😀',
  'ſ',
  '²',
  'i',
  'f',
  't',
  '\u0307',
  'İ',
  '\r\n',
];

/** Patterns of everything there is, small enough for an engine that backtracks without end, and texts that suit them. */
export function randomPatterns(integer: (below: number) => number) {
  const pick = (from: readonly string[]) => from[integer(from.length)]!;
  const atom = (depth: number): string => {
    const kind = integer(12);
    if (kind < 5 || depth === 0) return pick(literals);
    if (kind < 8) return pick(classes);
    if (kind < 9) return pick(assertions);
    const group = pick(groups);
    const body = alternation(depth - 1);
    return `${group}${body})${/^\(\?[=!<]/.test(group) || integer(2) === 0 ? '' : pick(quantifiers)}`;
  };
  const sequence = (depth: number): string => {
    let text = '';
    for (let length = integer(4) + 1; length > 0; length--) {
      text += atom(depth);
      if (integer(3) === 0) text += pick(quantifiers);
    }
    return text;
  };
  const alternation = (depth: number): string => {
    let text = sequence(depth);
    while (integer(3) === 0) text += `|${integer(8) === 0 ? '' : sequence(depth)}`;
    return text;
  };
  return {
    pattern: () => alternation(2),
    text: () => Array.from({ length: integer(14) }, () => pick(characters)).join(''),
  };
}
