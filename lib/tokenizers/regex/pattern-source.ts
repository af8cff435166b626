import { BertNativeError } from '../../errors.ts';

/** A pattern that is read one code point after another, and the errors that name a place in it. */
export class PatternSource {
  readonly text: string;
  offset = 0;
  private readonly characters: readonly string[];

  constructor(text: string) {
    this.text = text;
    this.characters = Array.from(text);
  }

  get atEnd(): boolean {
    return this.offset >= this.characters.length;
  }

  /** The character `ahead` of the next one; an empty string behind the end. */
  peek(ahead = 0): string {
    return this.characters[this.offset + ahead] ?? '';
  }

  /** @throws BertNativeError where the pattern ends; `inside` says in what */
  next(inside: string): string {
    if (this.atEnd) this.fail(`ends inside ${inside}`);
    return this.characters[this.offset++]!;
  }

  startsWith(string: string): boolean {
    for (let i = 0; i < string.length; i++) if (this.peek(i) !== string[i]) return false;
    return true;
  }

  /** Steps over `string` if it comes next. */
  skip(string: string): boolean {
    if (!this.startsWith(string)) return false;
    this.offset += string.length;
    return true;
  }

  /** Reads characters as long as they pass, at most `limit`. */
  readWhile(passes: (character: string) => boolean, limit = Number.POSITIVE_INFINITY): string {
    let read = '';
    for (let count = 0; count < limit && !this.atEnd && passes(this.peek()); count++) read += this.next('');
    return read;
  }

  /** Whether `character` occurs at `ahead` characters from here or behind that. */
  hasLater(character: string, ahead: number): boolean {
    return this.characters.indexOf(character, this.offset + ahead) >= 0;
  }

  fail(what: string, offset = this.offset): never {
    throw refusal(this.text, `${what} at offset ${offset}`);
  }

  failUnsupported(construct: string, offset: number): never {
    throw refusal(this.text, `has ${construct} at offset ${offset}, which is not supported`);
  }
}

/** @param what is wrong, as a predicate of the expression */
export function refusal(source: string, what: string): BertNativeError {
  const shown = source.length > 200 ? `${source.slice(0, 200)}…` : source;
  return new BertNativeError('ERR_UNSUPPORTED_TOKENIZER', `the regular expression ${JSON.stringify(shown)} ${what}`);
}

export function isDigit(character: string): boolean {
  return character.length === 1 && character >= '0' && character <= '9';
}

export function isOctalDigit(character: string): boolean {
  return isDigit(character) && character < '8';
}

export function isHexDigit(character: string): boolean {
  return /^[0-9a-fA-F]$/.test(character);
}
