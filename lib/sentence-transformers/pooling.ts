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
 * The settings in a Pooling module's `config.json`: modes by name, one or a list, as version 6 writes them; or flags, as the
 * versions before it do. The mean where neither says anything.
 *
 * @throws BertNativeError `ERR_CONFIG` for a mode that is not known, or named twice
 */
export function readPooling(path: string, values: JsonObject): PoolingSettings {
  const { pooling_mode, include_prompt } = values;
  const modes = pooling_mode == null ? flaggedModes(path, values) : namedModes(path, pooling_mode);
  return { modes, include_prompt: booleanAt(path, 'include_prompt', include_prompt, true) };
}

function namedModes(path: string, value: unknown): PoolingMode[] {
  const names: unknown[] = Array.isArray(value) ? value : [value];
  const unknown = names.find((name) => !(poolingModes as readonly unknown[]).includes(name));
  if (names.length === 0 || unknown !== undefined || new Set(names).size < names.length) {
    throw new BertNativeError(
      'ERR_CONFIG',
      `${path}: pooling_mode is ${describe(unknown ?? value)}: expected ${poolingModes.join(', ')}, or several different ones`,
    );
  }
  return names as PoolingMode[];
}

function flaggedModes(path: string, values: JsonObject): readonly PoolingMode[] {
  const modes = poolingModes.filter((mode) => booleanAt(path, flags[mode], values[flags[mode]], false));
  return modes.length > 0 ? modes : meanPooling.modes;
}

function booleanAt(path: string, name: string, value: unknown, otherwise: boolean): boolean {
  if (value == null) return otherwise;
  if (typeof value === 'boolean') return value;
  throw new BertNativeError('ERR_CONFIG', `${path}: ${name} is ${describe(value)}: expected true or false`);
}

/** The inverse of {@link readPooling}: flags, which every version reads, but where their order does not say it. */
export function poolingConfig({ modes, include_prompt }: PoolingSettings, hidden_size: number): JsonObject {
  const flagged = poolingModes.filter((mode) => modes.includes(mode));
  if (flagged.some((mode, i) => mode !== modes[i])) {
    return { embedding_dimension: hidden_size, pooling_mode: modes, include_prompt };
  }
  return {
    word_embedding_dimension: hidden_size,
    ...Object.fromEntries(poolingModes.map((mode) => [flags[mode], modes.includes(mode)])),
    include_prompt,
  };
}
