import { BertNativeError } from './errors.ts';

/** Edits (insert, delete, replace one character) that turn one word into the other: Levenshtein 1966. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, replace));
    }
    previous = current;
  }
  return previous[b.length]!;
}

/** The candidate closest to a mistyped word, if one is close enough to be meant: within `limit` edits. */
export function nearest(
  word: string,
  candidates: Iterable<string>,
  limit = Math.max(2, Math.floor(word.length / 3)),
): string | undefined {
  const given = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const other = candidate.toLowerCase();
    if (Math.abs(given.length - other.length) >= bestDistance) continue;
    const distance = editDistance(given, other);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

const warned = new Set<string>();

/** `process.emitWarning`, once per process for each `code` and `subject`. */
export function warnOnce(code: string, subject: string, message: string): void {
  const key = `${code} ${subject}`;
  if (warned.has(key)) return;
  warned.add(key);
  process.emitWarning(message, { type: 'BertNativeWarning', code });
}

/**
 * Refuses options that a call does not know, naming the nearest one that it does.
 *
 * @param accepted_without_effect options that transformers.js documents and that change nothing here: warned about once
 * @throws BertNativeError `ERR_OPTION`
 */
function checkOptionNames(
  call: string,
  options: object,
  rules: Readonly<Record<string, OptionRule>>,
  accepted_without_effect: readonly string[] = [],
): void {
  const known = Object.keys(rules).filter((name) => !rules[name]!.internal);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || Object.hasOwn(rules, name)) continue;
    if (accepted_without_effect.includes(name)) {
      warnOnce(
        'BERT_NATIVE_OPTION_WITHOUT_EFFECT',
        `${call} ${name}`,
        `${call}: the option ${name} has no effect here`,
      );
      continue;
    }
    const suggestion = suggestionFor(name, known);
    throw new BertNativeError(
      'ERR_OPTION',
      `${call}: unknown option '${name}'${suggestion ? `; did you mean ${suggestion}?` : `; it takes ${known.join(', ')}`}`,
    );
  }
}

function suggestionFor(name: string, known: readonly string[]): string | undefined {
  const other = nearest(name, known) ?? known.find((other) => name.split('_').includes(other));
  if (other !== undefined) return `'${other}'`;
  return name === 'quantized' && known.includes('dtype') ? "dtype: 'q8'" : undefined; // as transformers.js 2 had it
}

/** The error for a value that an option does not take: "padding is 7: expected true, false, 'longest' or 'max_length'". */
export function optionError(name: string, value: unknown, expected: string): BertNativeError {
  return new BertNativeError('ERR_OPTION', `${name} is ${describe(value)}: expected ${expected}`);
}

/** A value as an error message shows it: short, on one line. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    // A file's object may have a key of that name.
    const { name } = Object(value.constructor) as { name?: unknown };
    return `an object (${typeof name === 'string' ? name : 'no class'})`;
  }
  return String(value);
}

// ---------- rules ----------

/** What one option may be. `expected` completes the sentence "padding is 7: expected …". */
export interface OptionRule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  /** The value that somebody who gave this one may have meant, as in code. */
  readonly suggest?: (value: unknown) => string | undefined;
  /** Of an option that no message names: the library's own. */
  readonly internal?: boolean;
}

/** One rule for every option there is. */
export type OptionRules<Options> = { readonly [Name in keyof Required<Options>]: OptionRule };

/** The same options with those that were null or undefined left out. */
export type GivenOptions<Options> = { [Name in keyof Options]?: NonNullable<Options[Name]> };

/** Makes the error for a value that a rule does not accept. */
type Refusal = (name: string, value: unknown, expected: string) => BertNativeError;

/**
 * The options that were given to a call, checked; null and undefined mean that an option was not given, as None does in
 * Python.
 *
 * @param call names the call in messages
 * @param accepted_without_effect options of transformers.js that change nothing here
 * @throws BertNativeError `ERR_OPTION` for an unknown name, naming the nearest, or a value of the wrong kind
 */
export function checkOptions<Options extends object>(
  call: string,
  options: unknown,
  rules: OptionRules<Options>,
  accepted_without_effect: readonly string[] = [],
): GivenOptions<Options> {
  const given = optionsObject(call, options);
  checkOptionNames(call, given, rules, accepted_without_effect);
  return checkValues(given, rules, optionError);
}

/** The options of a call; null and undefined mean none. @throws BertNativeError `ERR_OPTION` for anything but an object */
export function optionsObject(call: string, options: unknown): Record<string, unknown> {
  if (options === null || options === undefined) return {};
  if (typeof options !== 'object' || Array.isArray(options)) {
    throw optionError(`the options argument of ${call}`, options, 'an object');
  }
  return options as Record<string, unknown>;
}

/**
 * Those values of a JSON file that `rules` name, checked; null means that a value is not there.
 *
 * @throws BertNativeError `ERR_CONFIG` for a value of the wrong kind
 */
export function checkConfigValues<Options extends object>(
  path: string,
  values: object,
  rules: OptionRules<Options>,
): GivenOptions<Options> {
  return checkValues(values, rules, configError(path));
}

/** @throws BertNativeError `ERR_CONFIG` unless the rule accepts a value of a JSON file */
export function checkConfigValue(path: string, name: string, value: unknown, rule: OptionRule): void {
  if (!rule.accepts(value)) throw configError(path)(name, value, expectation(rule, value));
}

/** @throws BertNativeError `ERR_OPTION` unless the rule accepts the value */
export function checkOption(name: string, value: unknown, rule: OptionRule): void {
  if (!rule.accepts(value)) throw optionError(name, value, expectation(rule, value));
}

/**
 * Those of a call's options that `rules` name, checked; the others are somebody else's.
 *
 * @throws BertNativeError `ERR_OPTION` for a value of the wrong kind
 */
export function pickOptions<Options extends object>(
  options: object,
  rules: OptionRules<Options>,
): GivenOptions<Options> {
  return checkValues(options, rules, optionError);
}

export const booleanRule: OptionRule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };

export const stringRule: OptionRule = { expected: 'a string', accepts: (value) => typeof value === 'string' };

export const signalRule: OptionRule = {
  expected: 'an AbortSignal',
  accepts: (value) =>
    typeof (value as AbortSignal).aborted === 'boolean' &&
    typeof (value as AbortSignal).addEventListener === 'function',
};

export function integerRule(minimum: number): OptionRule {
  return {
    expected: `an integer from ${minimum} up`,
    accepts: (value) => typeof value === 'number' && Number.isInteger(value) && value >= minimum,
  };
}

/** One of a few values, written as in code: `true, false, 'longest' or 'max_length'`. */
export function oneOfRule(...values: readonly (string | boolean)[]): OptionRule {
  const shown = values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value)));
  return {
    expected: [shown.slice(0, -1).join(', '), shown.at(-1)].filter(Boolean).join(' or '),
    accepts: (value) => (values as readonly unknown[]).includes(value),
  };
}

export function arrayRule(elements: OptionRule, expected: string): OptionRule {
  return { expected, accepts: (value) => Array.isArray(value) && value.every((element) => elements.accepts(element)) };
}

function checkValues<Options extends object>(
  values: object,
  rules: OptionRules<Options>,
  refuse: Refusal,
): GivenOptions<Options> {
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || !Object.hasOwn(rules, name)) continue;
    const rule = rules[name as keyof Options];
    if (!rule.accepts(value)) throw refuse(name, value, expectation(rule, value));
    given[name] = value;
  }
  return given as GivenOptions<Options>;
}

function expectation({ expected, suggest }: OptionRule, value: unknown): string {
  const suggestion = suggest?.(value);
  return suggestion === undefined ? expected : `${expected}; did you mean ${suggestion}?`;
}

function configError(path: string): Refusal {
  return (name, value, expected) =>
    new BertNativeError('ERR_CONFIG', `${path}: ${name} is ${describe(value)}: expected ${expected}`);
}
