import { readBracket } from './bracket-parser.ts';
import { addCaseEquivalents, foldedSequencesOf } from './case-folding.ts';
import { allCodePoints, type CodePointSet, complement, contains, setOf, setOfRange, union } from './code-point-set.ts';
import { type AsciiClasses, isBackreference, readCharacterEscape, readClassEscape, wordClass } from './escapes.ts';
import { isDigit, PatternSource, refusal } from './pattern-source.ts';
import type { Assertion, IgnoreCase, RegexNode, RepeatMode } from './syntax-tree.ts';
import { posixClass } from './unicode-properties.ts';

/** Code points of a pattern, and groups or brackets inside of each other; far beyond any that a tokenizer has. */
const maxLength = 1 << 16;
const maxDepth = 200;
/** Oniguruma's own. */
const maxRepeat = 100_000;

/**
 * Reads a regular expression in Oniguruma's own syntax, which is Ruby's and a little more: what `Regex` means in
 * tokenizer.json.
 *
 * @throws BertNativeError `ERR_UNSUPPORTED_TOKENIZER` for an error of syntax or something that is not supported, with its
 * offset in code points
 */
export function parseRegex(source: string): RegexNode {
  if (source.length > maxLength) throw refusal(source, `is longer than ${maxLength} characters`);
  return new Parser(source).parse();
}

interface Options {
  readonly ignoreCase: boolean;
  readonly ignoreCaseAscii: boolean;
  /** Ruby's `m`: a dot matches a line break. */
  readonly dotAll: boolean;
  readonly extended: boolean;
  readonly ascii: AsciiClasses;
}

const noOptions: Options = {
  ignoreCase: false,
  ignoreCaseAscii: false,
  dotAll: false,
  extended: false,
  ascii: { word: false, digit: false, space: false, posix: false },
};

class Parser {
  private readonly source: PatternSource;
  private options = noOptions;
  private groups = 0;
  private depth = 0;
  private lookbehinds = 0;

  constructor(source: string) {
    this.source = new PatternSource(source);
  }

  parse(): RegexNode {
    const node = this.readAlternation();
    if (!this.source.atEnd) this.source.fail('has an unmatched closing parenthesis');
    return node;
  }

  /** Up to a closing parenthesis or the end. */
  private readAlternation(): RegexNode {
    const before = this.options;
    const branches = [this.readSequence()];
    while (this.source.skip('|')) branches.push(this.readSequence());
    this.options = before;
    return branches.length === 1 ? branches[0]! : { type: 'alternation', branches };
  }

  private readSequence(): RegexNode {
    const items: RegexNode[] = [];
    for (;;) {
      this.skipIgnored();
      const next = this.source.peek();
      if (next === '' || next === '|' || next === ')') break;
      items.push(this.readQuantifiers(this.readAtom()));
    }
    return items.length === 1 ? items[0]! : { type: 'sequence', items };
  }

  /** Comments, and with the option `x` white space. */
  private skipIgnored(): void {
    const { source } = this;
    for (;;) {
      if (source.startsWith('(?#')) {
        const start = source.offset;
        source.readWhile((character) => character !== ')');
        if (!source.skip(')')) source.fail('has a comment without its closing parenthesis', start);
      } else if (this.options.extended && contains(posixClass('space')!, source.peek().codePointAt(0) ?? -1)) {
        source.next('');
      } else if (this.options.extended && source.peek() === '#') {
        source.readWhile((character) => character !== '\n');
      } else {
        return;
      }
    }
  }

  private readAtom(): RegexNode {
    const { source } = this;
    const start = source.offset;
    if (this.startsQuantifier()) source.fail('repeats nothing');
    const character = source.next('');
    switch (character) {
      case '(':
        return this.nested(start, () => this.readGroup(start));
      case '[':
        return this.readClass();
      case '.':
        return setNode(this.options.dotAll ? allCodePoints : notNewline);
      case '^':
        return assertionNode('lineStart');
      case '$':
        return assertionNode('lineEnd');
      case '\\':
        return this.readEscape(start);
    }
    return this.characterNode(character.codePointAt(0)!);
  }

  private nested(start: number, read: () => RegexNode): RegexNode {
    if (++this.depth > maxDepth) this.source.failUnsupported(`groups nested more than ${maxDepth} deep`, start);
    const node = read();
    this.depth--;
    return node;
  }

  private characterNode(codePoint: number): RegexNode {
    return { type: 'character', codePoint, ignoreCase: ignoreCaseOf(this.options) };
  }

  private readClass(): RegexNode {
    const { set, negated } = readBracket(this.source, this.options.ascii, maxDepth - this.depth);
    const ignoreCase = ignoreCaseOf(this.options);
    if (ignoreCase === 'no') return setNode(negated ? complement(set) : set);
    const folded = addCaseEquivalents(set, ignoreCase === 'ascii');
    if (negated) return setNode(complement(folded));
    const hasStrings = ignoreCase === 'unicode' && this.lookbehinds === 0;
    return { type: 'class', set: folded, strings: hasStrings ? foldedSequencesOf(set) : [] };
  }

  private readEscape(start: number): RegexNode {
    const { source } = this;
    const set = readClassEscape(source, this.options.ascii, 'outside');
    if (set !== undefined) return setNode(set);
    const letter = source.peek();
    const unsupported = unsupportedEscapes.get(letter);
    if (unsupported !== undefined) source.failUnsupported(unsupported, start);
    if ((letter === 'k' || letter === 'g') && (source.peek(1) === '<' || source.peek(1) === "'")) {
      source.failUnsupported(letter === 'k' ? 'a backreference' : 'a call of a group', start);
    }
    if (isBackreference(source, this.groups)) source.failUnsupported('a backreference', start);
    const node = this.escapedNode(letter);
    if (node !== undefined) {
      source.next('');
      return node;
    }
    return this.characterNode(readCharacterEscape(source));
  }

  private escapedNode(letter: string): RegexNode | undefined {
    switch (letter) {
      case 'A':
        return assertionNode('textStart');
      case 'z':
        return assertionNode('textEnd');
      case 'Z':
        return assertionNode('textEndOrLastNewline');
      case 'b':
      case 'B':
        return { type: 'wordBoundary', negative: letter === 'B', word: wordClass(this.options.ascii, 'outside') };
      case 'N':
        return setNode(notNewline);
      case 'O':
        return setNode(allCodePoints);
      case 'R':
        return generalNewline;
    }
    return undefined;
  }

  /** Behind the opening parenthesis. */
  private readGroup(start: number): RegexNode {
    const { source } = this;
    if (source.peek() === '*' && /^[A-Za-z_]$/.test(source.peek(1))) source.failUnsupported('a callout', start);
    if (!source.skip('?')) {
      this.groups++;
      return { type: 'capture', body: this.readBody(start) };
    }
    if (source.skip(':')) return grouped(this.readBody(start));
    if (source.skip('=')) return this.readLookahead(start, false);
    if (source.skip('!')) return this.readLookahead(start, true);
    if (source.skip('>')) return { type: 'atomic', body: this.readBody(start) };
    if (source.skip('<=')) return this.readLookbehind(start, false);
    if (source.skip('<!')) return this.readLookbehind(start, true);
    if (source.skip('<')) return this.readNamedGroup(start, '>');
    if (source.skip("'")) return this.readNamedGroup(start, "'");
    if (source.peek() === '~') source.failUnsupported('an absent group', start);
    if (source.peek() === '(') source.failUnsupported('a conditional', start);
    if (source.peek() === '{') source.failUnsupported('a callout', start);
    return this.readOptions(start);
  }

  private readBody(start: number): RegexNode {
    const node = this.readAlternation();
    if (!this.source.skip(')')) this.source.fail('has a group without its closing parenthesis', start);
    return node;
  }

  private readLookahead(start: number, negative: boolean): RegexNode {
    if (this.lookbehinds > 0) this.source.failUnsupported('a lookahead inside a lookbehind', start);
    return { type: 'lookahead', negative, body: this.readBody(start) };
  }

  private readLookbehind(start: number, negative: boolean): RegexNode {
    this.lookbehinds++;
    const body = this.readBody(start);
    this.lookbehinds--;
    return { type: 'lookbehind', negative, body };
  }

  private readNamedGroup(start: number, end: string): RegexNode {
    const name = this.source.readWhile((character) => character !== end && character !== ')');
    const word = posixClass('word')!;
    const isName =
      name !== '' &&
      !isDigit(name[0]!) &&
      Array.from(name).every((character) => contains(word, character.codePointAt(0)!));
    if (!isName || !this.source.skip(end)) this.source.fail('has a group with an invalid name', start);
    this.groups++;
    return { type: 'capture', body: this.readBody(start) };
  }

  /** `(?i)` holds up to the end of the group around it, over alternatives, too; `(?i:...)` holds inside. */
  private readOptions(start: number): RegexNode {
    const { source } = this;
    const before = this.options;
    let on = true;
    while (source.peek() !== ')' && source.peek() !== ':') {
      const letter = source.next('the options of a group');
      if (letter === '-') on = false;
      else this.options = this.withOption(letter, on, start);
    }
    const isolated = source.next('') === ')';
    const body = isolated ? this.readAlternation() : this.readBody(start);
    this.options = before;
    return grouped(body);
  }

  private withOption(letter: string, on: boolean, start: number): Options {
    const { options } = this;
    const ascii = (changes: Partial<AsciiClasses>): Options => ({
      ...options,
      ascii: { ...options.ascii, ...changes },
    });
    switch (letter) {
      case 'i':
        return { ...options, ignoreCase: on };
      case 'I':
        return { ...options, ignoreCaseAscii: on };
      case 'm':
        return { ...options, dotAll: on };
      case 'x':
        return { ...options, extended: on };
      case 'W':
        return ascii({ word: on });
      case 'D':
        return ascii({ digit: on });
      case 'S':
        return ascii({ space: on });
      case 'P':
        return ascii({ posix: on });
      case 'C':
      case 'L':
      case 'y':
        return this.source.failUnsupported(`the option ${letter}`, start);
    }
    return this.source.fail(`has a group with the unknown option ${JSON.stringify(letter)}`, start);
  }

  private startsQuantifier(): boolean {
    const next = this.source.peek();
    return next === '*' || next === '+' || next === '?' || (next === '{' && this.peekInterval() !== undefined);
  }

  private readQuantifiers(atom: RegexNode): RegexNode {
    let node = atom;
    let count = 0;
    for (this.skipIgnored(); this.startsQuantifier(); this.skipIgnored()) {
      if (isZeroWidth(node)) this.source.fail('repeats something that matches no text');
      if (++count > maxDepth) this.source.failUnsupported('too many quantifiers in a row', this.source.offset);
      node = this.readQuantifier(node);
    }
    return node;
  }

  private readQuantifier(body: RegexNode): RegexNode {
    const { source } = this;
    const interval = this.peekInterval();
    if (interval === undefined) {
      const [min, max] = simpleQuantifiers[source.next('') as keyof typeof simpleQuantifiers];
      const mode = source.skip('?') ? 'lazy' : source.skip('+') ? 'possessive' : 'greedy';
      return { type: 'repeat', body, min, max, mode };
    }
    const { min, max, length } = interval;
    if (min > maxRepeat || (max !== Number.POSITIVE_INFINITY && max > maxRepeat)) {
      source.fail(`repeats more than ${maxRepeat} times`);
    }
    source.offset += length;
    // {n}? may match nothing at all, and {5,2} is possessive {2,5}: Ruby's rules.
    if (min > max) return { type: 'repeat', body, min: max, max: min, mode: 'possessive' };
    const mode: RepeatMode = min !== max && source.skip('?') ? 'lazy' : 'greedy';
    return { type: 'repeat', body, min, max, mode };
  }

  /** `{n}`, `{n,}`, `{n,m}` or `{,m}`; anything else in braces is itself. */
  private peekInterval(): { readonly min: number; readonly max: number; readonly length: number } | undefined {
    const { source } = this;
    if (source.peek() !== '{') return undefined;
    let ahead = 1;
    const readNumber = (): number | undefined => {
      let digits = '';
      for (; isDigit(source.peek(ahead)); ahead++) digits += source.peek(ahead);
      return digits === '' ? undefined : Number(digits);
    };
    const first = readNumber();
    const hasComma = source.peek(ahead) === ',';
    if (hasComma) ahead++;
    const second = hasComma ? readNumber() : first;
    if (source.peek(ahead) !== '}' || (first === undefined && second === undefined)) return undefined;
    return { min: first ?? 0, max: second ?? Number.POSITIVE_INFINITY, length: ahead + 1 };
  }
}

const simpleQuantifiers = {
  '?': [0, 1],
  '*': [0, Number.POSITIVE_INFINITY],
  '+': [1, Number.POSITIVE_INFINITY],
} as const;

const notNewline: CodePointSet = complement(setOfRange(0x0a, 0x0a));

const generalNewline: RegexNode = {
  type: 'atomic',
  body: {
    type: 'alternation',
    branches: [
      {
        type: 'sequence',
        items: [setNode(setOf([0x0d])), setNode(setOf([0x0a]))],
      },
      setNode(union(setOfRange(0x0a, 0x0d), setOf([0x85, 0x2028, 0x2029]))),
    ],
  },
};

const unsupportedEscapes: ReadonlyMap<string, string> = new Map([
  ['G', 'the start of the search (\\G)'],
  ['K', 'a reset of the start of the match (\\K)'],
  ['X', 'a grapheme cluster (\\X)'],
  ['y', 'a boundary of text segments (\\y)'],
  ['Y', 'a boundary of text segments (\\Y)'],
]);

function setNode(set: CodePointSet): RegexNode {
  return { type: 'class', set, strings: [] };
}

function assertionNode(assertion: Assertion): RegexNode {
  return { type: 'assertion', assertion };
}

function isZeroWidth(node: RegexNode): boolean {
  return ['assertion', 'wordBoundary', 'lookahead', 'lookbehind'].includes(node.type);
}

/** What `(?:...)` makes of its body: in a group, something that matches no text may be repeated. */
function grouped(body: RegexNode): RegexNode {
  return isZeroWidth(body) ? { type: 'sequence', items: [body] } : body;
}

function ignoreCaseOf(options: Options): IgnoreCase {
  if (!options.ignoreCase) return 'no';
  return options.ignoreCaseAscii ? 'ascii' : 'unicode';
}
