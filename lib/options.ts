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

/** The candidate closest to a mistyped word, if one is close enough to be meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
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
export function checkOptionNames(
  call: string,
  options: object,
  known: readonly string[],
  accepted_without_effect: readonly string[] = [],
): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue;
    if (accepted_without_effect.includes(name)) {
      warnOnce(
        'BERT_NATIVE_OPTION_WITHOUT_EFFECT',
        `${call} ${name}`,
        `${call}: the option ${name} has no effect here`,
      );
      continue;
    }
    const suggestion = nearest(name, known);
    throw new BertNativeError(
      'ERR_OPTION',
      `${call}: unknown option '${name}'${suggestion ? `; did you mean '${suggestion}'?` : `; it takes ${known.join(', ')}`}`,
    );
  }
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
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'no class'})`;
  return String(value);
}

export function booleanOption(name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value !== 'boolean') throw optionError(name, value, 'true or false');
  return value;
}

export function choiceOption<T extends string>(name: string, value: unknown, choices: readonly T[], otherwise: T): T {
  if (value === undefined) return otherwise;
  if (!choices.includes(value as T)) throw optionError(name, value, choices.map((c) => `'${c}'`).join(', '));
  return value as T;
}
