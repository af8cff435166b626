import { inspect } from 'node:util';
import { BertNativeError, type ErrorCode } from '../errors.ts';

/** What one option may be. `expected` completes the sentence "padding is 7: expected …". */
export interface OptionRule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/** One rule for every option there is. */
export type OptionRules<Options> = { readonly [Name in keyof Required<Options>]: OptionRule };

/** The same options with those that were null or undefined left out. */
export type GivenOptions<Options> = { [Name in keyof Options]?: NonNullable<Options[Name]> };

/** How the value at fault and the place it came from are reported. */
export interface OptionSource {
  readonly code: ErrorCode;
  /** Completes "unknown option … of …" and "… (of …)": `tokenizer()`, or a file's path. */
  readonly name: string;
}

/**
 * Options that were given, checked; null and undefined mean that an option was not given, as None does in Python.
 *
 * @throws BertNativeError with the code of `source` for an unknown name, naming the nearest, or a value of the wrong kind
 */
export function checkOptions<Options extends object>(
  options: unknown,
  rules: OptionRules<Options>,
  source: OptionSource,
): GivenOptions<Options> {
  if (options === null || options === undefined) return {};
  if (typeof options !== 'object' || Array.isArray(options)) {
    throw new BertNativeError(source.code, `the options of ${source.name} are ${show(options)}: expected an object`);
  }
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, name)) {
      const nearest = nearestName(name, Object.keys(rules));
      throw new BertNativeError(
        source.code,
        `unknown option ${JSON.stringify(name)} of ${source.name}: did you mean ${JSON.stringify(nearest)}?`,
      );
    }
    if (value === null || value === undefined) continue;
    checkOption(name, value, rules[name as keyof Options], source);
    given[name] = value;
  }
  return given as GivenOptions<Options>;
}

/** Those of the options that `rules` names. */
export function pickOptions<Options extends object>(
  options: object,
  rules: OptionRules<Options>,
): GivenOptions<Options> {
  const entries = Object.entries(options).filter(([name]) => Object.hasOwn(rules, name));
  return Object.fromEntries(entries) as GivenOptions<Options>;
}

/** @throws BertNativeError with the code of `source` unless the rule accepts the value */
export function checkOption(name: string, value: unknown, rule: OptionRule, source: OptionSource): void {
  if (!rule.accepts(value)) {
    throw new BertNativeError(
      source.code,
      `${name} is ${show(value)}: expected ${rule.expected} (option of ${source.name})`,
    );
  }
}

export const booleanRule: OptionRule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };

export const stringRule: OptionRule = { expected: 'a string', accepts: (value) => typeof value === 'string' };

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
    expected: `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`,
    accepts: (value) => (values as readonly unknown[]).includes(value),
  };
}

export function arrayRule(elements: OptionRule, expected: string): OptionRule {
  return { expected, accepts: (value) => Array.isArray(value) && value.every((element) => elements.accepts(element)) };
}

/** A value as it may stand in a message: short, on one line. */
export function show(value: unknown): string {
  const text = inspect(value, {
    depth: 1,
    maxArrayLength: 4,
    maxStringLength: 60,
    breakLength: Number.POSITIVE_INFINITY,
  });
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}

function nearestName(name: string, candidates: readonly string[]): string {
  const distances = candidates.map((candidate) => editDistance(name, candidate));
  return candidates[distances.indexOf(Math.min(...distances))]!;
}

/** Insertions, deletions and replacements that turn one string into the other (Levenshtein 1966). */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; ++i) {
    const current = [i];
    for (let j = 1; j <= to.length; ++j) {
      const replaced = previous[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[to.length]!;
}
