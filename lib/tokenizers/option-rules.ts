import { BertNativeError } from '../errors.ts';
import { checkOptionNames, describe, optionError } from '../options.ts';

/** What one option may be. `expected` completes the sentence "padding is 7: expected …". */
export interface OptionRule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
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
  if (options === null || options === undefined) return {};
  if (typeof options !== 'object' || Array.isArray(options)) {
    throw optionError(`the second argument of ${call}`, options, 'an object with options');
  }
  checkOptionNames(call, options, Object.keys(rules), accepted_without_effect);
  return checkValues(options, rules, optionError);
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
  if (!rule.accepts(value)) throw configError(path)(name, value, rule.expected);
}

/** @throws BertNativeError `ERR_OPTION` unless the rule accepts the value */
export function checkOption(name: string, value: unknown, rule: OptionRule): void {
  if (!rule.accepts(value)) throw optionError(name, value, rule.expected);
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

function checkValues<Options extends object>(
  values: object,
  rules: OptionRules<Options>,
  refuse: Refusal,
): GivenOptions<Options> {
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || !Object.hasOwn(rules, name)) continue;
    const rule = rules[name as keyof Options];
    if (!rule.accepts(value)) throw refuse(name, value, rule.expected);
    given[name] = value;
  }
  return given as GivenOptions<Options>;
}

function configError(path: string): Refusal {
  return (name, value, expected) =>
    new BertNativeError('ERR_CONFIG', `${path}: ${name} is ${describe(value)}: expected ${expected}`);
}
