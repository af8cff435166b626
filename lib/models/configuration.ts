import { join } from 'node:path';
import { inspect } from 'node:util';
import { BertNativeError } from '../errors.ts';
import { makeFolder, readJsonObjectIfPresent, writeFileAtomically } from '../files.ts';
import { type ResolveOptions, resolveModelFolder, resolveRules } from '../hub/resolve.ts';
import { checkOption, describe, nearest, optionsObject, pickOptions, stringRule, warnOnce } from '../options.ts';

/** More classes than this are a broken file, not a model. */
const maxLabels = 1 << 20;

/** The same of fields. */
const maxFields = 1 << 12;

const problemTypes = ['single_label_classification', 'multi_label_classification', 'regression'] as const;

/** Bounds far above any model there is, so that a broken file is told apart from a large model before it allocates. */
const sizeLimits = {
  vocab_size: [1, 1 << 24],
  hidden_size: [1, 1 << 17],
  num_hidden_layers: [0, 1 << 12],
  num_attention_heads: [1, 1 << 12],
  intermediate_size: [1, 1 << 19],
  max_position_embeddings: [1, 1 << 24],
} as const;

function configError(field: string, value: unknown, expected: string): BertNativeError {
  return new BertNativeError('ERR_CONFIG', `${field} is ${describe(value)}: expected ${expected}`);
}

/** The fields of a `config.json`. */
export type ConfigValues = Record<string, unknown>;

/**
 * The settings of a model under the names that `config.json` gives them. Fields that no class here reads are kept and
 * written back, so a configuration survives loading and saving whole.
 */
export abstract class PretrainedConfig {
  abstract readonly model_type: string;

  /** Whether a call returns every layer's states when it does not say. */
  declare output_hidden_states: boolean;
  declare output_attentions: boolean;
  declare architectures?: string[];
  declare id2label: Record<number, string>;
  declare label2id: Record<string, number>;
  /** What a sequence classifier's logits mean: exactly one label, several at once, or numbers. */
  declare problem_type?: 'single_label_classification' | 'multi_label_classification' | 'regression' | null;
  /** Unless false, what predicts tokens uses the word embeddings. */
  declare tie_word_embeddings?: boolean;

  /**
   * @param pathOrId a folder with a `config.json`, or the id of a model
   * @param options where the model comes from; every other field overrides the file's
   * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_FILE_FORMAT`, `ERR_IO`; `ERR_CONFIG` for values that describe no model
   */
  static async from_pretrained<Config extends PretrainedConfig>(
    this: new (
      values?: ConfigValues,
    ) => Config,
    pathOrId: string,
    options?: (ResolveOptions & ConfigValues) | null,
  ): Promise<Config> {
    return new this(await loadConfigValues(pathOrId, options));
  }

  /** @param values fields as in `config.json`; what is missing takes the family's defaults */
  protected assign(defaults: ConfigValues, values: ConfigValues): void {
    const { model_type, num_labels, ...rest } = values;
    if (model_type !== undefined && model_type !== this.model_type) {
      throw configError('model_type', model_type, `'${this.model_type}'`);
    }
    const count = Object.keys(rest).length;
    if (count > maxFields) {
      throw new BertNativeError('ERR_CONFIG', `the configuration has ${count} fields: expected at most ${maxFields}`);
    }
    // A file's key must not replace a method, an accessor or the prototype.
    const given = Object.fromEntries(
      Object.entries(rest).filter(([name, value]) => value !== undefined && !(name in Object.getPrototypeOf(this))),
    );
    this.warnOfMisspelling(Object.keys(given), Object.keys(defaults));
    Object.assign(this, { output_hidden_states: false, output_attentions: false }, defaults, given);
    this.assignLabels(given, num_labels);
    for (const field of ['output_hidden_states', 'output_attentions'] as const) {
      const value: unknown = this[field] ?? false;
      if (typeof value !== 'boolean') throw configError(field, value, 'true or false');
      this[field] = value;
    }
    if (this.problem_type != null) this.checkChoice('problem_type', problemTypes);
    if (this.tie_word_embeddings != null) this.checkBoolean('tie_word_embeddings');
    const { pruned_heads, ...others } = this as unknown as ConfigValues;
    for (const field of ['is_decoder', 'add_cross_attention']) this.refuse(field, others[field] === true, 'false');
    this.refuse('pruned_heads', Object.keys(pruned_heads ?? {}).length > 0, 'none');
  }

  /** A field that no class reads is kept; one that differs from a known name by a letter or two was meant otherwise. */
  private warnOfMisspelling(given: readonly string[], known: readonly string[]): void {
    for (const name of given.filter((field) => !known.includes(field))) {
      const meant = nearest(name, known, 2);
      if (meant === undefined) continue;
      warnOnce(
        'BERT_NATIVE_UNKNOWN_FIELD',
        `${this.constructor.name} ${name}`,
        `${this.constructor.name}: the field '${name}' changes nothing; did you mean '${meant}'?`,
      );
    }
  }

  /** Labels as transformers keeps them: numbered names unless given, one for each of `num_labels` (2 by default). */
  private assignLabels(given: ConfigValues, num_labels: unknown): void {
    const names = this.labelTable('id2label', given.id2label);
    const other = Object.keys(names ?? {}).find((key) => !/^\d{1,10}$/.test(key));
    if (other !== undefined) {
      throw new BertNativeError('ERR_CONFIG', `id2label has the key ${describe(other)}: expected whole numbers`);
    }
    for (const [i, name] of Object.entries(names ?? {})) {
      if (typeof name === 'object' && name !== null) throw configError(`id2label[${i}]`, name, 'a name');
    }
    const count = num_labels ?? (names === undefined ? 2 : Object.keys(names).length);
    if (!Number.isSafeInteger(count) || (count as number) < 0 || (count as number) > maxLabels) {
      throw configError('num_labels', count, `a whole number up to ${maxLabels}`);
    }
    if (names === undefined || Object.keys(names).length !== count) {
      const numbered = Array.from({ length: count as number }, (_, i) => [i, `LABEL_${i}`] as const);
      this.id2label = Object.fromEntries(numbered);
      this.label2id = Object.fromEntries(numbered.map(([i, label]) => [label, i]));
    } else if (this.labelTable('label2id', given.label2id) === undefined) {
      this.label2id = Object.fromEntries(Object.entries(names).map(([i, label]) => [label as string, Number(i)]));
    }
  }

  private labelTable(field: string, value: unknown): Record<string, unknown> | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'object' || Array.isArray(value) || Object.keys(value).length > maxLabels) {
      throw configError(field, value, `an object of at most ${maxLabels} labels`);
    }
    return value as Record<string, unknown>;
  }

  get num_labels(): number {
    return Object.keys(this.id2label).length;
  }

  /** Every field as it stands in `config.json`. */
  to_dict(): ConfigValues {
    const { model_type, ...fields } = this as unknown as ConfigValues;
    return { ...fields, model_type };
  }

  toJSON(): ConfigValues {
    return this.to_dict();
  }

  /**
   * Writes `config.json` into a folder, which is made if need be.
   *
   * @throws BertNativeError `ERR_IO`
   */
  async save_pretrained(folder: string): Promise<void> {
    checkOption('folder', folder, stringRule);
    await writeConfigValues(folder, this.to_dict());
  }

  [inspect.custom](_depth: number, options: object): string {
    const { model_type, ...fields } = this.to_dict();
    return `${this.constructor.name} ${inspect(fields, { ...options, compact: false })}`;
  }

  /** A whole number within bounds, or `ERR_CONFIG` naming the field. */
  protected checkInteger(field: keyof this & string, minimum: number, maximum = 2 ** 31 - 1): void {
    const value = this[field];
    if (!Number.isInteger(value) || (value as number) < minimum || (value as number) > maximum) {
      throw configError(field, value, `a whole number from ${minimum} to ${maximum}`);
    }
  }

  /** The sizes that every family has, whatever it calls them. */
  protected checkSizes(names: Readonly<Record<keyof typeof sizeLimits, keyof this & string>>): void {
    for (const [size, [minimum, maximum]] of Object.entries(sizeLimits)) {
      this.checkInteger(names[size as keyof typeof sizeLimits], minimum, maximum);
    }
    this.checkDivides(names.hidden_size, names.num_attention_heads);
  }

  protected checkDivides(width: keyof this & string, heads: keyof this & string): void {
    const [W, A] = [this[width] as number, this[heads] as number];
    if (W % A === 0) return;
    throw new BertNativeError(
      'ERR_CONFIG',
      `${width} is ${W} and ${heads} ${A}: expected a multiple of the number of heads`,
    );
  }

  /** Rotary positions turn pairs of columns. */
  protected checkEvenHeads(columns: number, field: string): void {
    this.refuse(
      field,
      columns % 2 !== 0 || columns === 0,
      `one that gives each head an even number of columns, not ${columns}`,
    );
  }

  protected checkPaddingId(vocab_size: number): void {
    const { pad_token_id } = this as unknown as ConfigValues;
    if (pad_token_id !== null) this.checkInteger('pad_token_id' as keyof this & string, 0, vocab_size - 1);
  }

  /** What a configuration asks for and no engine does. @throws BertNativeError `ERR_CONFIG` naming the field */
  protected refuse(field: string, refused: boolean, expected: string): void {
    if (!refused) return;
    const value = (this as unknown as ConfigValues)[field];
    throw new BertNativeError(
      'ERR_CONFIG',
      `${field} is ${describe(value)}, which is not supported: expected ${expected}`,
    );
  }

  protected checkBoolean(field: keyof this & string): void {
    if (typeof this[field] !== 'boolean') throw configError(field, this[field], 'true or false');
  }

  protected checkNumber(field: keyof this & string, minimum: number): void {
    const value = this[field];
    if (typeof value !== 'number' || !(value >= minimum) || !Number.isFinite(value)) {
      throw new BertNativeError('ERR_CONFIG', `${field} is ${describe(value)}: expected a number, at least ${minimum}`);
    }
  }

  protected checkChoice(field: keyof this & string, choices: readonly string[]): void {
    const value = this[field];
    if (!choices.includes(value as string)) {
      throw configError(field, value, `one of ${choices.join(', ')}`);
    }
  }
}

/** Writes `config.json` into a folder, which is made if need be. @throws BertNativeError `ERR_IO` */
export async function writeConfigValues(folder: string, values: ConfigValues): Promise<void> {
  await makeFolder(folder);
  await writeFileAtomically(join(folder, 'config.json'), `${JSON.stringify(sortKeys(values), null, 2)}\n`);
}

/** transformers writes the keys of `config.json` in alphabetical order; so a saved copy differs only where it must. */
function sortKeys(values: ConfigValues): ConfigValues {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The fields of a folder's `config.json`, with overrides in place.
 *
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_FILE_FORMAT`, `ERR_IO`
 */
export async function readConfigValues(folder: string, overrides: ConfigValues = {}): Promise<ConfigValues> {
  const values = await readJsonObjectIfPresent(join(folder, 'config.json'));
  if (values === undefined) {
    const problem = `there is no file ${join(folder, 'config.json')}, which the folder of a model has`;
    throw new BertNativeError('ERR_NOT_FOUND', problem);
  }
  return { ...values, ...overrides };
}

/**
 * What the second argument of a configuration's `from_pretrained` holds: where the model comes from, and fields that
 * override the file's.
 */
export async function loadConfigValues(
  pathOrId: string,
  options: (ResolveOptions & ConfigValues) | null | undefined,
): Promise<ConfigValues> {
  const given = optionsObject('from_pretrained', options);
  const folder = await resolveModelFolder(pathOrId, pickOptions(given, resolveRules), 'config');
  const overrides = Object.entries(given).filter(([name]) => !Object.hasOwn(resolveRules, name));
  return readConfigValues(folder, Object.fromEntries(overrides));
}
