import type { Parameter } from '../engines/parameters.ts';
import type { EncoderSpecification, HeadSpecification } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import type { Architecture, CheckpointPlace } from './architecture.ts';
import type { ConfigValues, PretrainedConfig } from './configuration.ts';

/** A family of models: how a configuration of its becomes an encoder, and how its checkpoints name that encoder. */
export interface Family<Config extends PretrainedConfig = PretrainedConfig> {
  readonly config_class: new (values?: ConfigValues) => Config;
  /** The name under which models with heads keep the bare encoder. */
  readonly base_model_prefix: string;
  /** Whether the bare model has its pooler where the caller does not say. */
  readonly pooler_by_default: boolean;
  encoder(config: Config): BareEncoder;
}

export interface BareEncoder {
  readonly specification: Omit<EncoderSpecification, 'pooler' | 'heads'>;
  /** The family's pooler; null: it has none. */
  readonly pooler: EncoderSpecification['pooler'];
  /** Keys of the bare model. */
  readonly keys: CheckpointKeys;
  /** See {@link Architecture}; by keys of the bare model. */
  readonly unread?: readonly Parameter[];
  readonly padding_row: number;
  /** The standard deviation of newly initialised weights, for all of them or for each. */
  readonly initializer_range: number | ((canonicalName: string) => number);
}

/**
 * A checkpoint's keys by canonical name: `*` stands for weight and bias on both sides. Those of a layer go without
 * `layers.N.`, and their keys follow `layer(N)`. `[key, part, of]`: one of the blocks of rows of that tensor.
 */
export interface CheckpointKeys {
  readonly layer: (index: number) => string;
  readonly names: Readonly<Record<string, string | readonly [key: string, part: number, of: number]>>;
}

/** A task's heads, and what its checkpoints hold besides the encoder. */
export interface HeadPlan {
  /** The names of the steps are the names of their modules in a checkpoint. */
  readonly heads: readonly HeadSpecification[];
  /** Keys that are not what the steps' names make them. */
  readonly keys?: Readonly<Record<string, string>>;
  readonly otherKeys?: Readonly<Record<string, readonly string[]>>;
  readonly unread?: readonly Parameter[];
  /** What the checkpoint has twice, such as a decoder that is tied to the word embeddings. */
  readonly ignored?: readonly RegExp[];
}

/** A bare encoder, with its pooler or without. */
export function bareArchitecture<Config extends PretrainedConfig>(
  family: Family<Config>,
  config: Config,
  pooler: boolean,
): Architecture {
  return architectureOf(family, family.encoder(config), '', pooler, { heads: [] });
}

/** An encoder with a task's heads; it has its pooler where a head asks for that. */
export function taskArchitecture<Config extends PretrainedConfig>(
  family: Family<Config>,
  config: Config,
  plan: HeadPlan,
): Architecture {
  const pooler = plan.heads.some(({ input }) => input.kind === 'pooler');
  if (plan.heads.some(({ steps }) => steps.some((step) => step.kind === 'linear' && step.outputs === 0))) {
    throw new BertNativeError('ERR_CONFIG', 'id2label is empty: expected at least one label for a model with labels');
  }
  return architectureOf(family, family.encoder(config), `${family.base_model_prefix}.`, pooler, plan);
}

function architectureOf(
  { base_model_prefix }: Pick<Family, 'base_model_prefix'>,
  encoder: BareEncoder,
  prefix: string,
  withPooler: boolean,
  plan: HeadPlan,
): Architecture {
  const { specification, pooler, keys, unread = [], padding_row, initializer_range } = encoder;
  const poolerLeftOut = pooler !== null && !withPooler;
  return {
    specification: { ...specification, pooler: withPooler ? pooler : null, heads: plan.heads },
    place: (name) =>
      name.startsWith('heads.') ? placeInHead(name, plan) : withPrefix(placeInEncoder(name, keys), prefix),
    otherKeys: plan.otherKeys ?? {},
    unread: [...unread.map(({ name, shape }) => ({ name: prefix + name, shape })), ...(plan.unread ?? [])],
    ignored: [...(poolerLeftOut ? [new RegExp(`^(${base_model_prefix}\\.)?pooler\\.`)] : []), ...(plan.ignored ?? [])],
    padding_row,
    initialDeviation: typeof initializer_range === 'number' ? () => initializer_range : initializer_range,
  };
}

function placeInHead(canonicalName: string, { keys = {} }: HeadPlan): CheckpointPlace {
  const [, key = canonicalName] = /^heads\.[^.]+\.(.+)$/.exec(canonicalName) ?? [];
  return { key: keys[key] ?? key, part: 0, of: 1 };
}

function placeInEncoder(canonicalName: string, { layer, names }: CheckpointKeys): CheckpointPlace {
  const [, index, name = canonicalName] = /^layers\.(\d+)\.(.+)$/.exec(canonicalName) ?? [];
  const [, stem, kind] = /^(.+)\.(weight|bias)$/.exec(name) ?? [];
  const [pattern, part, of] = [names[name] ?? names[`${stem}.*`]!].flat() as [string, number?, number?];
  const key = pattern.replace('*', kind ?? '');
  return { key: index === undefined ? key : layer(Number(index)) + key, part: part ?? 0, of: of ?? 1 };
}

function withPrefix(place: CheckpointPlace, prefix: string): CheckpointPlace {
  return { ...place, key: prefix + place.key };
}
