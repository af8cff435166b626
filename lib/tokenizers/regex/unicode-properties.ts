import { type CodePointSet, complement, intersection, setOfRange, union } from './code-point-set.ts';

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

/** Planes with more than one kind of code point, apart from their last two, which are noncharacters. */
const mixedPlanes = [0, 1, 2, 3, 14];
const planeSize = 0x10000;
const [firstSurrogate, lastSurrogate] = [0xd800, 0xdfff];

function scan(pattern: string): CodePointSet {
  const one = new RegExp(`^${pattern}$`, 'v');
  const run = new RegExp(`${pattern}+`, 'gv');
  const ranges: CodePointSet[] = [];
  for (let plane = 0; plane <= 16; plane++) {
    const start = plane * planeSize;
    if (mixedPlanes.includes(plane)) ranges.push(scanPlane(plane, run));
    else if (one.test(String.fromCodePoint(start))) ranges.push(setOfRange(start, start + planeSize - 3));
    for (const noncharacter of [start + planeSize - 2, start + planeSize - 1]) {
      if (one.test(String.fromCodePoint(noncharacter))) ranges.push(setOfRange(noncharacter, noncharacter));
    }
  }
  const surrogates = setOfRange(firstSurrogate, lastSurrogate);
  const set = union(...ranges);
  return one.test('\ud800') ? union(set, surrogates) : intersection(set, complement(surrogates));
}

function scanPlane(plane: number, run: RegExp): CodePointSet {
  const { text, units } = planeText(plane);
  const ranges: number[] = [];
  run.lastIndex = 0;
  for (let match = run.exec(text); match !== null; match = run.exec(text)) {
    const first = plane * planeSize + match.index / units;
    ranges.push(first, first + match[0].length / units - 1);
  }
  return ranges;
}

/** All code points of a plane but the last two in order; U+FFFE, a noncharacter as well, stands for surrogates. */
function planeText(plane: number): { readonly text: string; readonly units: 1 | 2 } {
  let text = planeTexts.get(plane);
  if (text === undefined) {
    const codePoints = Array.from({ length: planeSize - 2 }, (_, i) => {
      const codePoint = plane * planeSize + i;
      return codePoint >= firstSurrogate && codePoint <= lastSurrogate ? 0xfffe : codePoint;
    });
    text = '';
    for (let i = 0; i < codePoints.length; i += 4096) text += String.fromCodePoint(...codePoints.slice(i, i + 4096));
    planeTexts.set(plane, text);
  }
  return { text, units: plane === 0 ? 1 : 2 };
}

const planeTexts = new Map<number, string>();
