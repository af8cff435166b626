import { type CodePointSet, intersection, setOfRange, union } from './code-point-set.ts';

/**
 * The code points of a property as Oniguruma's `\p{...}` names it: a general category, a script, a binary property or a
 * POSIX class, without regard to case, spaces, `_` and `-`. The sets are those of the JavaScript engine's Unicode version.
 *
 * @returns undefined for a name that is not known
 */
export function unicodeProperty(name: string): CodePointSet | undefined {
  const key = normalizeName(name);
  return posixClass(key) ?? namedProperty(key);
}

/**
 * The code points of a POSIX class, in lower case: Unicode's, as Oniguruma's `[[:name:]]` and `\p{name}` have them in UTF-8.
 *
 * @returns undefined for a name that is not known
 */
export function posixClass(name: string): CodePointSet | undefined {
  const pattern = posixClasses.get(name);
  return pattern === undefined ? undefined : matchedBy(pattern);
}

/** `[[:punct:]]` has the symbols, too, which `\p{Punct}` has not. */
export function posixBracket(name: string): CodePointSet | undefined {
  return name === 'punct' ? matchedBy('[\\p{P}\\p{S}]') : posixClass(name);
}

/** `\w` by itself; in brackets it is `[[:word:]]`, which lacks six numbers of Latin-1. */
export function wordCharacters(): CodePointSet {
  return union(posixClass('word')!, setOfRange(0xb2, 0xb3), setOfRange(0xb9, 0xb9), setOfRange(0xbc, 0xbe));
}

export const asciiCodePoints: CodePointSet = [0, 0x7f];

export function asciiOnly(set: CodePointSet): CodePointSet {
  return intersection(set, asciiCodePoints);
}

/** What a class of `RegExp` with the flag `u` matches. Scanned once in a process. */
function matchedBy(pattern: string): CodePointSet {
  let set = known.get(pattern);
  if (set === undefined) {
    set = scan(pattern);
    known.set(pattern, set);
  }
  return set;
}

const known = new Map<string, CodePointSet>();

const posixClasses: ReadonlyMap<string, string> = new Map([
  ['alnum', '[\\p{Alphabetic}\\p{Nd}]'],
  ['alpha', '\\p{Alphabetic}'],
  ['any', '\\p{Any}'],
  ['ascii', '\\p{ASCII}'],
  ['assigned', '\\p{Assigned}'],
  ['blank', '[\\t\\p{Zs}]'],
  ['cntrl', '\\p{Cc}'],
  ['digit', '\\p{Nd}'],
  ['graph', '[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]'],
  ['lower', '\\p{Lowercase}'],
  ['print', '[[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]\\p{Zs}]'],
  ['punct', '\\p{P}'],
  ['space', '\\p{White_Space}'],
  ['unknown', '[\\p{Cn}\\p{Co}\\p{Cs}]'],
  ['upper', '\\p{Uppercase}'],
  ['word', '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]'],
  ['xdigit', '[0-9A-Fa-f]'],
  ['zzzz', '[\\p{Cn}\\p{Co}\\p{Cs}]'],
]);

const generalCategories = `
  C Cc Cf Cn Co Cs L LC Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs
  Other Control Format Unassigned Private_Use Surrogate Letter Cased_Letter Lowercase_Letter Modifier_Letter Other_Letter
  Titlecase_Letter Uppercase_Letter Mark Combining_Mark Spacing_Mark Enclosing_Mark Nonspacing_Mark Number Decimal_Number
  Letter_Number Other_Number Punctuation Connector_Punctuation Dash_Punctuation Close_Punctuation Final_Punctuation
  Initial_Punctuation Other_Punctuation Open_Punctuation Symbol Currency_Symbol Modifier_Symbol Math_Symbol Other_Symbol
  Separator Line_Separator Paragraph_Separator Space_Separator`;

const binaryProperties = `
  ASCII_Hex_Digit AHex Alphabetic Alpha Bidi_Control Bidi_C Case_Ignorable CI Cased Changes_When_Casefolded CWCF
  Changes_When_Casemapped CWCM Changes_When_Lowercased CWL Changes_When_Titlecased CWT Changes_When_Uppercased CWU Dash
  Default_Ignorable_Code_Point DI Deprecated Dep Diacritic Dia Emoji Emoji_Component EComp Emoji_Modifier EMod
  Emoji_Modifier_Base EBase Emoji_Presentation EPres Extended_Pictographic ExtPict Extender Ext Grapheme_Base Gr_Base
  Grapheme_Extend Gr_Ext Hex_Digit Hex IDS_Binary_Operator IDSB IDS_Trinary_Operator IDST ID_Continue IDC ID_Start IDS
  Ideographic Ideo Join_Control Join_C Logical_Order_Exception LOE Lowercase Math Noncharacter_Code_Point NChar
  Pattern_Syntax Pat_Syn Pattern_White_Space Pat_WS Quotation_Mark QMark Radical Regional_Indicator RI Sentence_Terminal
  STerm Soft_Dotted SD Terminal_Punctuation Term Unified_Ideograph UIdeo Uppercase Variation_Selector VS White_Space
  XID_Continue XIDC XID_Start XIDS`;

/** Scripts whose names are more than one capital and small letters behind it. */
const scriptsOfSeveralWords = `
  Anatolian_Hieroglyphs Bassa_Vah Beria_Erfe Canadian_Aboriginal Caucasian_Albanian Cypro_Minoan Dives_Akuru
  Egyptian_Hieroglyphs Gunjala_Gondi Gurung_Khema Hanifi_Rohingya Imperial_Aramaic Inscriptional_Pahlavi
  Inscriptional_Parthian Kayah_Li Khitan_Small_Script Kirat_Rai Linear_A Linear_B Masaram_Gondi Meetei_Mayek Mende_Kikakui
  Meroitic_Cursive Meroitic_Hieroglyphs Nag_Mundari New_Tai_Lue Nyiakeng_Puachue_Hmong Ol_Chiki Ol_Onal Old_Hungarian
  Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Pahawh_Hmong
  Pau_Cin_Hau Phags_Pa Psalter_Pahlavi SignWriting Sora_Sompeng Syloti_Nagri Tai_Le Tai_Tham Tai_Viet Tai_Yo Tolong_Siki
  Tulu_Tigalari Warang_Citi Zanabazar_Square`;

const patternOfName: ReadonlyMap<string, string> = new Map([
  ...words(scriptsOfSeveralWords).map((name) => [normalizeName(name), `\\p{Script=${name}}`] as const),
  ...words(binaryProperties).map((name) => [normalizeName(name), `\\p{${name}}`] as const),
  ...words(generalCategories).map((name) => [normalizeName(name), `\\p{General_Category=${name}}`] as const),
]);

function words(list: string): string[] {
  return list.trim().split(/\s+/);
}

function normalizeName(name: string): string {
  return name.replace(/[ _-]/g, '').toLowerCase();
}

function namedProperty(key: string): CodePointSet | undefined {
  const pattern = patternOfName.get(key);
  if (pattern === undefined && !/^[a-z]{2,}$/.test(key)) return undefined;
  try {
    return matchedBy(pattern ?? `\\p{Script=${key[0]!.toUpperCase()}${key.slice(1)}}`);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Scanned one by one; each takes as many UTF-16 units as its neighbours. */
const mixedRanges: CodePointSet = [0, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x1ffff, 0xe0000, 0xe0fff];
/** Ideographs: a column of the code charts changes once at most. */
const ideographicRange: CodePointSet = [0x20000, 0x3fffd];
const columnSize = 16;
/** Within each of them, all are alike. */
const uniformRanges: CodePointSet = [
  ...[0xd800, 0xdfff, 0xe1000, 0xefffd],
  ...[4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16].flatMap((plane) => [plane << 16, (plane << 16) + 0xfffd]),
  ...[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16].flatMap((plane) => [
    (plane << 16) + 0xfffe,
    (plane << 16) + 0xffff,
  ]),
];

function scan(pattern: string): CodePointSet {
  const matchesOne = new RegExp(`^${pattern}`, 'v');
  const has = (codePoint: number): boolean => matchesOne.test(String.fromCodePoint(codePoint));
  const found: CodePointSet[] = [];
  for (let i = 0; i < mixedRanges.length; i += 2) found.push(scanText(pattern, mixedRanges[i]!, mixedRanges[i + 1]!));
  found.push(scanColumns(has, ideographicRange[0]!, ideographicRange[1]!));
  for (let i = 0; i < uniformRanges.length; i += 2) {
    if (has(uniformRanges[i]!)) found.push(setOfRange(uniformRanges[i]!, uniformRanges[i + 1]!));
  }
  return union(...found);
}

function scanText(pattern: string, first: number, last: number): CodePointSet {
  const run = new RegExp(`${pattern}+`, 'gv');
  const text = textOf(first, last);
  const units = first < 0x10000 ? 1 : 2;
  const ranges: number[] = [];
  for (let match = run.exec(text); match !== null; match = run.exec(text)) {
    const begin = first + match.index / units;
    ranges.push(begin, begin + match[0].length / units - 1);
  }
  return ranges;
}

function textOf(first: number, last: number): string {
  let text = texts.get(first);
  if (text === undefined) {
    text = '';
    const chunk = 4096;
    for (let start = first; start <= last; start += chunk) {
      const length = Math.min(chunk, last + 1 - start);
      text += String.fromCodePoint(...Array.from({ length }, (_, i) => start + i));
    }
    texts.set(first, text);
  }
  return text;
}

const texts = new Map<number, string>();

function scanColumns(has: (codePoint: number) => boolean, first: number, last: number): CodePointSet {
  const ranges: number[] = [];
  let begin = has(first) ? first : -1;
  let low = first;
  while (low < last) {
    const isColumnStart = low % columnSize === 0;
    const high = Math.min(low + (isColumnStart ? columnSize - 1 : 1), last);
    if (has(high) !== begin >= 0) {
      const change = firstChange(has, low, high);
      if (begin >= 0) ranges.push(begin, change - 1);
      begin = begin >= 0 ? -1 : change;
    }
    low = high;
  }
  if (begin >= 0) ranges.push(begin, last);
  return ranges;
}

/** The first code point behind `low` that is not as `low` is; `high` is one, and they change once. */
function firstChange(has: (codePoint: number) => boolean, low: number, high: number): number {
  const before = has(low);
  let [same, other] = [low, high];
  while (other - same > 1) {
    const middle = (same + other) >> 1;
    if (has(middle) === before) same = middle;
    else other = middle;
  }
  return other;
}
