import { BertNativeError, type ErrorCode } from '../../errors.ts';
import type { JsonObject } from '../../files.ts';
import { describe } from '../../options.ts';
import { isWellFormed } from '../special-tokens.ts';

/** A part of a parsed JSON file that knows where it stands: what is wrong with it is said with its path. */
export class JsonPart {
  readonly value: unknown;
  readonly #file: string;
  /** `normalizer.normalizers[1].pattern`; empty for the whole file. */
  readonly #path: string;

  constructor(value: unknown, file: string, path = '') {
    this.value = value;
    this.#file = file;
    this.#path = path;
  }

  /** File and path, for messages. */
  get where(): string {
    return this.#path === '' ? this.#file : `${this.#file}: ${this.#path}`;
  }

  /** Whether there is no such member, or it is null. */
  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  /** A member of an object, absent ones included. */
  member(name: string): JsonPart {
    const object = this.object();
    const path = this.#path === '' ? name : `${this.#path}.${name}`;
    return new JsonPart(Object.hasOwn(object, name) ? object[name] : undefined, this.#file, path);
  }

  object(): JsonObject {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value))
      throw this.refusal('an object');
    return this.value as JsonObject;
  }

  /** The members of an object by name. */
  entries(): [name: string, part: JsonPart][] {
    return Object.entries(this.object()).map(([name, value]) => [
      name,
      new JsonPart(value, this.#file, `${this.#path}[${JSON.stringify(name)}]`),
    ]);
  }

  array(): readonly unknown[] {
    if (!Array.isArray(this.value)) throw this.refusal('an array');
    return this.value as readonly unknown[];
  }

  /** Element i of an array, given that there is one. */
  element(i: number): JsonPart {
    return new JsonPart((this.value as readonly unknown[])[i], this.#file, `${this.#path}[${i}]`);
  }

  elements(): JsonPart[] {
    return this.array().map((_, i) => this.element(i));
  }

  string(): string {
    if (typeof this.value !== 'string') throw this.refusal('a string');
    if (!isWellFormed(this.value as string)) throw this.refusal('a string without lone surrogates');
    return this.value as string;
  }

  /** A string of one code point. */
  character(): string {
    const string = this.string();
    if ([...string].length !== 1) throw this.refusal('one character');
    return string;
  }

  boolean(): boolean {
    if (typeof this.value !== 'boolean') throw this.refusal('true or false');
    return this.value as boolean;
  }

  integer(minimum: number, maximum: number): number {
    const { value } = this;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
      throw this.refusal(`an integer from ${minimum} to ${maximum}`);
    }
    return value as number;
  }

  oneOf<T extends string>(values: readonly T[]): T {
    if (!(values as readonly unknown[]).includes(this.value)) throw this.refusal(values.join(', '));
    return this.value as T;
  }

  /** `ERR_FILE_FORMAT`: the value is not what was expected. */
  refusal(expected: string): BertNativeError {
    return this.error('ERR_FILE_FORMAT', `is ${this.#described()}: expected ${expected}`);
  }

  #described(): string {
    if (this.value === undefined) return 'missing';
    return typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value)
      ? 'an object'
      : describe(this.value);
  }

  /** @param problem what is wrong with it, to be read behind its path */
  error(code: ErrorCode, problem: string, cause?: unknown): BertNativeError {
    return new BertNativeError(code, `${this.where} ${problem}`, { cause });
  }
}

/** How a part of one type is read. */
export type PartReader<T> = (part: JsonPart, depth: number) => T;

/** Sequences within sequences; deeper ones are nothing that a tokenizer would need. */
const maxDepth = 16;

/**
 * Reads a part by its `type`.
 *
 * @param readers by type
 * @param depth how many parts it is inside of
 * @throws BertNativeError `ERR_UNSUPPORTED_TOKENIZER` for a type that is not among them, naming it
 */
export function readTyped<T>(part: JsonPart, readers: ReadonlyMap<string, PartReader<T>>, depth: number): T {
  if (depth > maxDepth)
    throw part.error('ERR_FILE_FORMAT', `is a part inside of ${depth}: expected at most ${maxDepth}`);
  const type = part.member('type');
  const reader = readers.get(type.string());
  if (reader === undefined) {
    throw type.error(
      'ERR_UNSUPPORTED_TOKENIZER',
      `is ${describe(type.value)}: expected ${[...readers.keys()].join(', ')}`,
    );
  }
  return reader(part, depth);
}
