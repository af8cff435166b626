import { type PoolingMode, poolingModes } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import type { JsonObject } from '../files.ts';
import { describe } from '../options.ts';

/** What a Pooling module does. */
export interface PoolingSettings {
  /** Their vectors stand side by side. */
  readonly modes: readonly PoolingMode[];
  /** Whether the tokens of a prompt count. */
  readonly include_prompt: boolean;
}

/** The flags of versions before 6, in the order in which their vectors are joined. */
const flags: Readonly<Record<PoolingMode, string>> = {
  cls: 'pooling_mode_cls_token',
  max: 'pooling_mode_max_tokens',
  mean: 'pooling_mode_mean_tokens',
  mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
  weightedmean: 'pooling_mode_weightedmean_tokens',
  lasttoken: 'pooling_mode_lasttoken',
};

export const meanPooling: PoolingSettings = { modes: ['mean'], include_prompt: true };

/**
 * The settings in a Pooling module's `config.json`: modes by name, as version 6 writes them, or a flag for each. Of the
 * flags, that of the mean alone is on unless said otherwise.
 *
 * @throws BertNativeError `ERR_CONFIG` for a mode that is not known, or none
 */
export function readPooling(path: string, values: JsonObject): PoolingSettings {
  const { pooling_mode, include_prompt } = values;
  const modes = pooling_mode == null ? flaggedModes(path, values) : namedModes(path, pooling_mode);
  return { modes, include_prompt: booleanAt(path, 'include_prompt', include_prompt, true) };
}

function namedModes(path: string, value: unknown): PoolingMode[] {
  const names = Array.isArray(value) ? value : [value];
  const unknown = names.find((name) => !poolingModes.includes(name));
  if (names.length === 0 || unknown !== undefined) {
    throw new BertNativeError(
      'ERR_CONFIG',
      `${path}: pooling_mode is ${describe(unknown ?? value)}: expected ${poolingModes.join(', ')}, or several of them`,
    );
  }
  return poolingModes.filter((mode) => names.includes(mode));
}

function flaggedModes(path: string, values: JsonObject): PoolingMode[] {
  const modes = poolingModes.filter((mode) => booleanAt(path, flags[mode], values[flags[mode]], mode === 'mean'));
  if (modes.length === 0) throw new BertNativeError('ERR_CONFIG', `${path}: every pooling mode is switched off`);
  return modes;
}

function booleanAt(path: string, name: string, value: unknown, otherwise: boolean): boolean {
  if (value == null) return otherwise;
  if (typeof value === 'boolean') return value;
  throw new BertNativeError('ERR_CONFIG', `${path}: ${name} is ${describe(value)}: expected true or false`);
}

/** The inverse of {@link readPooling}, as versions before 6 write it, which later ones read as well. */
export function poolingConfig(
  { modes, include_prompt }: PoolingSettings,
  word_embedding_dimension: number,
): JsonObject {
  return {
    word_embedding_dimension,
    ...Object.fromEntries(poolingModes.map((mode) => [flags[mode], modes.includes(mode)])),
    include_prompt,
  };
}
