import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readParameterSource } from '../../lib/engines/reference/weights.ts';
import type { Tensor } from '../../lib/index.ts';
import { isLoadable } from '../../lib/weights/checkpoint-tensor.ts';
import { openSafetensors } from '../../lib/weights/safetensors.ts';

// The modules of a sentence-transformers folder in plain numbers: they turn an encoder's states into the goldens'
// vectors, so that those goldens test the encoder.

type Pool = (states: number[][], positions: number[]) => number[];

/** One vector of the states of the tokens that count; `positions` are their places in the row, from 1. */
const pools: Record<string, Pool> = {
  mean: (states) =>
    weighted(
      states,
      states.map(() => 1 / states.length),
    ),
  mean_sqrt_len_tokens: (states) =>
    weighted(
      states,
      states.map(() => 1 / Math.sqrt(states.length)),
    ),
  weightedmean: (states, positions) => {
    const total = positions.reduce((sum, position) => sum + position, 0);
    return weighted(
      states,
      positions.map((position) => position / total),
    );
  },
  max: (states) => states[0]!.map((_, i) => Math.max(...states.map((state) => state[i]!))),
  cls: (states) => states[0]!,
  lasttoken: (states) => states.at(-1)!,
};

/** The older flags in the order in which their vectors are concatenated. */
const flags: [flag: string, mode: string][] = [
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens'],
  ['pooling_mode_weightedmean_tokens', 'weightedmean'],
  ['pooling_mode_lasttoken', 'lasttoken'],
];

function weighted(states: number[][], weights: number[]): number[] {
  return states[0]!.map((_, i) => states.reduce((sum, state, token) => sum + weights[token]! * state[i]!, 0));
}

/** The golden's outputs, row-major, computed from `last_hidden_state` and the folder's own modules. */
export async function sentenceOutputs(
  folder: string,
  states: Tensor<'float32'>,
  mask: number[][] | null,
  prompt_length: number | null,
): Promise<Record<string, number[]>> {
  const settings = readJson(join(folder, '1_Pooling', 'config.json'));
  const excluded = settings.include_prompt === false ? (prompt_length ?? 0) : 0;
  const rows = (states.tolist() as number[][][]).map((tokens, row) => {
    const counted = tokens.map((_, i) => i).filter((i) => i >= excluded && (mask === null || mask[row]![i] === 1));
    return { states: counted.map((i) => tokens[i]!), positions: counted.map((i) => i + 1) };
  });
  const pooled = (mode: string) => rows.map((row) => pools[mode]!(row.states, row.positions));

  const modes = settings.pooling_mode
    ? [settings.pooling_mode as string]
    : flags.filter(([flag]) => settings[flag]).map(([, mode]) => mode);
  let vectors = rows.map((row) => modes.flatMap((mode) => pools[mode]!(row.states, row.positions)));
  for (const { type, path } of readJson(join(folder, 'modules.json')) as unknown as { type: string; path: string }[]) {
    if (type.endsWith('Dense')) vectors = await dense(join(folder, path), vectors);
    if (type.endsWith('Normalize')) vectors = vectors.map(normalized);
  }
  return {
    sentence_embedding: vectors.flat(),
    ...Object.fromEntries(Object.keys(pools).map((mode) => [`${mode}_pooled`, pooled(mode).flat()])),
  };
}

async function dense(folder: string, vectors: number[][]): Promise<number[][]> {
  const settings = readJson(join(folder, 'config.json'));
  const { tensors } = await openSafetensors(join(folder, 'model.safetensors'));
  const read = async (name: string) => {
    const span = tensors.get(name);
    if (span === undefined || !isLoadable(span)) throw new Error(`${folder} has no ${name}`);
    return readParameterSource({ kind: 'span', span });
  };
  const inputs = settings.in_features as number;
  const weight = await read('linear.weight');
  const bias = settings.bias ? await read('linear.bias') : new Float32Array(settings.out_features as number);
  const activate = String(settings.activation_function).endsWith('Tanh') ? Math.tanh : (x: number) => x;
  return vectors.map((vector) =>
    Array.from(bias, (start, out) =>
      activate(vector.reduce((sum, value, i) => sum + value * weight[out * inputs + i]!, start)),
    ),
  );
}

function normalized(vector: number[]): number[] {
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

function readJson(path: string): Record<string, unknown> {
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  return JSON.parse(readFileSync(path, 'utf8'));
}
