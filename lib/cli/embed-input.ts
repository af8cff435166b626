import { extname } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { describe, optionError } from '../options.ts';
import { type LineOptions, readLines } from './lines.ts';

export type InputFormat = 'txt' | 'jsonl';

/** What a command reads: one text per line, or one JSON object per line that holds it. */
export interface EmbedInput {
  /** `-`: standard input. */
  readonly path: string;
  readonly format: InputFormat;
  /** jsonl: where the text stands in the object. */
  readonly field: string;
  /** jsonl: where a second text stands, if there is one. */
  readonly second_field?: string | undefined;
  /** jsonl: where what goes into the output beside the vector stands, if anything does. */
  readonly id_field: string | undefined;
}

/** One text of the input. */
export interface InputRecord {
  readonly text: string;
  /** Undefined unless the input has a field for it. */
  readonly second?: string | undefined;
  readonly id: string | number | undefined;
  /** How much of the input is read behind it. */
  readonly end_bytes: number;
}

const formatsByEnding: ReadonlyMap<string, InputFormat> = new Map([
  ['.txt', 'txt'],
  // Standard input, and pipes that a shell names /dev/fd/63.
  ['', 'txt'],
  ['.jsonl', 'jsonl'],
  ['.ndjson', 'jsonl'],
]);

/** @throws BertNativeError `ERR_OPTION` for an ending that says nothing, and for fields where there are none */
export function chooseInput(
  path: string,
  given: InputFormat | undefined,
  field: string | undefined,
  id_field: string | undefined,
): EmbedInput {
  const format = given ?? formatsByEnding.get(path === '-' ? '' : extname(path).toLowerCase());
  if (format === undefined) {
    throw optionError('--input', path, 'a file that ends in .txt or .jsonl, or --input-format txt or jsonl');
  }
  if (format === 'txt' && (field ?? id_field) !== undefined) {
    const name = field !== undefined ? '--field' : '--id-field';
    throw optionError(
      name,
      field ?? id_field,
      'to be left out: lines of plain text have no fields; or --input-format jsonl',
    );
  }
  return { path, format, field: field ?? 'text', id_field };
}

/**
 * The texts of the input.
 *
 * @throws BertNativeError what readLines throws; `ERR_FILE_FORMAT`, naming the line, for one that is not a JSON object or
 *   lacks the field
 */
export async function* readRecords(input: EmbedInput, options: LineOptions): AsyncGenerator<InputRecord> {
  for await (const { text, number, end_bytes } of readLines(input.path, options)) {
    if (input.format === 'txt') yield { text, id: undefined, end_bytes };
    else yield { ...readObject(input, text, number), end_bytes };
  }
}

function readObject(input: EmbedInput, line: string, number: number): Omit<InputRecord, 'end_bytes'> {
  const object = parseObject(input.path, line, number);
  const text = fieldOf(object, input.field);
  if (typeof text !== 'string') throw fieldError(input.path, number, input.field, text, 'a string');
  const second = input.second_field === undefined ? undefined : fieldOf(object, input.second_field);
  if (input.second_field !== undefined && typeof second !== 'string') {
    throw fieldError(input.path, number, input.second_field, second, 'a string');
  }
  const texts = { text, second: second as string | undefined };
  if (input.id_field === undefined) return { ...texts, id: undefined };
  const id = fieldOf(object, input.id_field);
  if (typeof id !== 'string' && typeof id !== 'number') {
    throw fieldError(input.path, number, input.id_field, id, 'a string or a number');
  }
  if (Number.isInteger(id) && !Number.isSafeInteger(id)) {
    // JSON.parse has rounded it by now: two texts could end up with one id.
    throw fieldError(input.path, number, input.id_field, id, 'a string, as a whole number beyond 2^53 loses digits');
  }
  return { ...texts, id };
}

function parseObject(path: string, line: string, number: number): object {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    const found = line.trim() === '' ? 'is empty: expected a JSON object' : `is not JSON: ${(cause as Error).message}`;
    throw new BertNativeError('ERR_FILE_FORMAT', `'${path}': line ${number} ${found}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `'${path}': line ${number} is ${describe(value)}: expected a JSON object`,
    );
  }
  return value;
}

/** A value by its name, else by a dotted path of names and indices. */
function fieldOf(object: object, field: string): unknown {
  if (Object.hasOwn(object, field)) return object[field as keyof object];
  let value: unknown = object;
  for (const name of field.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = value[name as keyof object];
  }
  return value;
}

function fieldError(path: string, number: number, field: string, value: unknown, expected: string): BertNativeError {
  const found = value === undefined ? `has no field '${field}'` : `has ${describe(value)} in '${field}'`;
  return new BertNativeError('ERR_FILE_FORMAT', `'${path}': line ${number} ${found}: expected ${expected} there`);
}
