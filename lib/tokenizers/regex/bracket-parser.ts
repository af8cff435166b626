import { type CodePointSet, complement, emptySet, intersection, setOf, setOfRange, union } from './code-point-set.ts';
import { type AsciiClasses, narrowed, readCharacterEscape, readClassEscape } from './escapes.ts';
import type { PatternSource } from './pattern-source.ts';
import { posixBracket } from './unicode-properties.ts';

/** What brackets say, before the circumflex: letter case is folded inside of it. */
export interface Bracket {
  readonly set: CodePointSet;
  readonly negated: boolean;
}

/**
 * Reads a class behind its opening bracket, up to and with the closing one.
 *
 * @param depth how many more brackets may be inside of each other
 */
export function readBracket(source: PatternSource, ascii: AsciiClasses, depth: number): Bracket {
  return new BracketParser(source, ascii, depth).read();
}

class BracketParser {
  private readonly source: PatternSource;
  private readonly ascii: AsciiClasses;
  private readonly depth: number;
  private readonly start: number;
  /** What stands since the last `&&`. */
  private parts: CodePointSet[] = [];
  private singles: number[] = [];
  private intersected: CodePointSet | undefined;

  constructor(source: PatternSource, ascii: AsciiClasses, depth: number) {
    this.source = source;
    this.ascii = ascii;
    this.depth = depth;
    this.start = source.offset - 1;
    if (depth === 0) source.failUnsupported('brackets nested too deeply', this.start);
  }

  read(): Bracket {
    const { source } = this;
    const negated = source.skip('^');
    if (source.peek() === ']') {
      if (!source.hasLater(']', 1)) source.fail('has an empty class', this.start);
      this.readValue(source.next('').codePointAt(0)!);
    }
    while (!source.skip(']')) {
      if (source.atEnd) source.fail('has a class without its closing bracket', this.start);
      this.readItem();
    }
    return { set: this.finish(), negated };
  }

  private readItem(): void {
    const { source } = this;
    if (source.skip('&&')) {
      this.intersect();
    } else if (source.peek() === '[') {
      this.parts.push(this.readInner());
    } else if (source.skip('\\')) {
      const set = readClassEscape(source, this.ascii, 'brackets');
      if (set === undefined) this.readValue(this.readEscapedCharacter());
      else this.addClass(set);
    } else {
      this.readValue(source.next('a class').codePointAt(0)!);
    }
  }

  private addClass(set: CodePointSet): void {
    this.parts.push(set);
    if (this.source.peek() === '-' && this.source.peek(1) !== ']') {
      this.source.fail('has a range that begins with a class');
    }
  }

  private readInner(): CodePointSet {
    const { source } = this;
    const posix = this.readPosixBracket();
    if (posix !== undefined) return posix;
    source.next('');
    const { set, negated } = readBracket(source, this.ascii, this.depth - 1);
    return negated ? complement(set) : set;
  }

  private readPosixBracket(): CodePointSet | undefined {
    const { source } = this;
    if (source.peek(1) !== ':') return undefined;
    let ahead = 2;
    const negated = source.peek(ahead) === '^';
    if (negated) ahead++;
    let name = '';
    for (; /^[A-Za-z]$/.test(source.peek(ahead)) && name.length <= longestPosixName; ahead++)
      name += source.peek(ahead);
    if (source.peek(ahead) !== ':' || source.peek(ahead + 1) !== ']') return undefined;
    const set = posixNames.has(name) ? posixBracket(name) : undefined;
    if (set === undefined) return source.fail(`has an unknown POSIX class ${name}`);
    source.offset += ahead + 2;
    const chosen = narrowed(name, set, this.ascii);
    return negated ? complement(chosen) : chosen;
  }

  /** A character, and the range that it may begin. */
  private readValue(first: number): void {
    const { source } = this;
    const start = source.offset - 1;
    if (!this.beginsRange()) {
      this.singles.push(first);
      return;
    }
    source.next('');
    const last = this.readRangeEnd();
    if (last < first) source.fail('has a range that ends before it begins', start);
    this.parts.push(setOfRange(first, last));
    // As in [a-c-e], where the second one is itself.
    if (source.peek() === '-' && source.peek(1) !== ']') {
      source.next('');
      this.singles.push(hyphen);
    }
  }

  private beginsRange(): boolean {
    const { source } = this;
    if (source.peek() !== '-') return false;
    const next = source.peek(1);
    return next !== ']' && next !== '[' && next !== '' && !(next === '&' && source.peek(2) === '&');
  }

  private readRangeEnd(): number {
    const { source } = this;
    if (!source.skip('\\')) return source.next('a class').codePointAt(0)!;
    const start = source.offset - 1;
    if (readClassEscape(source, this.ascii, 'brackets') !== undefined) {
      source.fail('has a range that ends with a class', start);
    }
    return this.readEscapedCharacter();
  }

  private readEscapedCharacter(): number {
    return this.source.skip('b') ? backspace : readCharacterEscape(this.source);
  }

  private current(): CodePointSet {
    return union(...this.parts, setOf(this.singles));
  }

  private intersect(): void {
    const current = this.current();
    this.intersected = this.intersected === undefined ? current : intersection(this.intersected, current);
    this.parts = [];
    this.singles = [];
  }

  private finish(): CodePointSet {
    this.intersect();
    return this.intersected ?? emptySet;
  }
}

const hyphen = 0x2d;
const backspace = 8;
const longestPosixName = 20;

const posixNames = new Set([
  'alnum',
  'alpha',
  'ascii',
  'blank',
  'cntrl',
  'digit',
  'graph',
  'lower',
  'print',
  'punct',
  'space',
  'upper',
  'word',
  'xdigit',
]);
