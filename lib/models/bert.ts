/**
 * BERT: Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
 * https://arxiv.org/abs/1810.04805
 */

import type { Activation, EncoderSpecification } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import type { ResolveOptions } from '../hub/resolve.ts';
import { booleanRule, type OptionRules } from '../options.ts';
import { type ConfigValues, loadConfigValues, PretrainedConfig } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { Architecture, InitOptions, LoadedParameters } from './modeling.ts';

// ---------- configuration ----------

/** transformers' names of the activations, and which of ours each one is. */
const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu_erf',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
  tanh: 'tanh',
};

const positionEmbeddingTypes = ['absolute', 'relative_key', 'relative_key_query'] as const;

/** Fields of a {@link BertConfig} that differ from the defaults; fields of other names are kept as they are. */
export interface BertConfigValues extends ConfigValues {
  vocab_size?: number;
  hidden_size?: number;
  num_hidden_layers?: number;
  num_attention_heads?: number;
  intermediate_size?: number;
  hidden_act?: string;
  max_position_embeddings?: number;
  type_vocab_size?: number;
  initializer_range?: number;
  layer_norm_eps?: number;
  pad_token_id?: number | null;
  position_embedding_type?: (typeof positionEmbeddingTypes)[number];
}

/** The settings of a BERT model; the defaults are those of bert-base-uncased. */
export class BertConfig extends PretrainedConfig {
  static readonly model_type = 'bert';
  readonly model_type = BertConfig.model_type;

  declare vocab_size: number;
  declare hidden_size: number;
  declare num_hidden_layers: number;
  declare num_attention_heads: number;
  declare intermediate_size: number;
  /** `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`, `quick_gelu`, `relu`, `silu`, `swish` or `tanh`. */
  declare hidden_act: string;
  declare hidden_dropout_prob: number;
  declare attention_probs_dropout_prob: number;
  /** The most positions a sequence may have. */
  declare max_position_embeddings: number;
  declare type_vocab_size: number;
  /** Standard deviation of newly initialised weights. */
  declare initializer_range: number;
  declare layer_norm_eps: number;
  declare pad_token_id: number | null;
  declare position_embedding_type: (typeof positionEmbeddingTypes)[number];

  /**
   * @param values fields that differ from the defaults
   * @throws BertNativeError `ERR_CONFIG` for values that describe no model
   */
  constructor(values: BertConfigValues = {}) {
    super();
    const defaults = {
      vocab_size: 30522,
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
      hidden_act: 'gelu',
      hidden_dropout_prob: 0.1,
      attention_probs_dropout_prob: 0.1,
      max_position_embeddings: 512,
      type_vocab_size: 2,
      initializer_range: 0.02,
      layer_norm_eps: 1e-12,
      pad_token_id: 0,
      position_embedding_type: 'absolute',
    };
    this.assign(defaults, values);
    this.check();
  }

  /**
   * @param pathOrId a folder with a `config.json`, or the id of a model
   * @param options where the model comes from; every other field overrides the file's
   */
  static async from_pretrained(
    pathOrId: string,
    options?: (ResolveOptions & BertConfigValues) | null,
  ): Promise<BertConfig> {
    return new BertConfig(await loadConfigValues(pathOrId, options));
  }

  private check(): void {
    // Bounds far above any model there is, so that a broken file is told apart from a large model before it allocates.
    this.checkInteger('vocab_size', 1, 1 << 24);
    this.checkInteger('hidden_size', 1, 1 << 17);
    this.checkInteger('num_hidden_layers', 0, 1 << 12);
    this.checkInteger('num_attention_heads', 1, 1 << 12);
    this.checkInteger('intermediate_size', 1, 1 << 19);
    this.checkInteger('max_position_embeddings', 1, 1 << 24);
    this.checkInteger('type_vocab_size', 1, 1 << 16);
    this.checkNumber('layer_norm_eps', 0);
    this.checkNumber('initializer_range', 0);
    this.checkChoice('hidden_act', Object.keys(activations));
    this.checkChoice('position_embedding_type', positionEmbeddingTypes);
    if (this.hidden_size % this.num_attention_heads !== 0) {
      throw new BertNativeError(
        'ERR_CONFIG',
        `hidden_size is ${this.hidden_size} and num_attention_heads ${this.num_attention_heads}: ` +
          'expected a multiple of the number of heads',
      );
    }
    if (this.pad_token_id !== null) this.checkInteger('pad_token_id', 0, this.vocab_size - 1);
    if (this.is_decoder === true || this.add_cross_attention === true) {
      throw new BertNativeError('ERR_CONFIG', 'is_decoder and add_cross_attention are not supported: expected false');
    }
  }

  declare is_decoder?: unknown;
  declare add_cross_attention?: unknown;
}

// ---------- from the configuration to the encoder ----------

function bertSpecification(config: BertConfig, pooler: boolean): EncoderSpecification {
  const { hidden_size, num_attention_heads, position_embedding_type, layer_norm_eps } = config;
  const absolute = position_embedding_type === 'absolute';
  return {
    hidden_size,
    embeddings: {
      vocab_size: config.vocab_size,
      position: absolute ? 'absolute' : 'none',
      max_position_embeddings: config.max_position_embeddings,
      type_vocab_size: config.type_vocab_size,
      layer_norm_eps,
    },
    layers: Array.from({ length: config.num_hidden_layers }, () => ({
      attention: {
        num_attention_heads,
        head_size: hidden_size / num_attention_heads,
        position: absolute ? 'none' : position_embedding_type,
        mask: { kind: 'full' },
      },
      mlp: { intermediate_size: config.intermediate_size, activation: activations[config.hidden_act]! },
      layer_norm_eps,
    })),
    pooler: pooler ? 'tanh' : null,
  };
}

const positionEmbeddingsKey = 'embeddings.position_embeddings.weight';

/** Keys of the bare model by our names; those of a layer follow `encoder.layer.N.`, `*` stands for weight and bias. */
const checkpointKeys: Readonly<Record<string, string>> = {
  'embeddings.word': 'embeddings.word_embeddings.weight',
  'embeddings.position': positionEmbeddingsKey,
  'embeddings.token_type': 'embeddings.token_type_embeddings.weight',
  'embeddings.norm.*': 'embeddings.LayerNorm.*',
  'pooler.dense.*': 'pooler.dense.*',
  'attention.query.*': 'attention.self.query.*',
  'attention.key.*': 'attention.self.key.*',
  'attention.value.*': 'attention.self.value.*',
  'attention.distance': 'attention.self.distance_embedding.weight',
  'attention.output.*': 'attention.output.dense.*',
  'attention.norm.*': 'attention.output.LayerNorm.*',
  'mlp.up.*': 'intermediate.dense.*',
  'mlp.down.*': 'output.dense.*',
  'mlp.norm.*': 'output.LayerNorm.*',
};

function bertCheckpointKey(canonicalName: string): string {
  const [, index, part = canonicalName] = /^layers\.(\d+)\.(.+)$/.exec(canonicalName) ?? [];
  const [, stem, kind] = /^(.+)\.(weight|bias)$/.exec(part) ?? [];
  const key = checkpointKeys[part] ?? checkpointKeys[`${stem}.*`]!.replace('*', kind!);
  return index === undefined ? key : `encoder.layer.${index}.${key}`;
}

// ---------- models ----------

export interface BertModelOptions {
  /** `false`: without the pooler, whose weights need not be there then; default true. */
  readonly add_pooling_layer?: boolean | null;
}

/** The bare encoder with its pooler, without a task's head. */
export class BertModel extends EncoderModel {
  /** @internal */
  static readonly config_class = BertConfig;
  /** @internal */
  static readonly base_model_prefix = 'bert';
  /** @internal */
  static readonly option_rules: OptionRules<BertModelOptions> = { add_pooling_layer: booleanRule };

  declare readonly config: BertConfig;

  /** @internal */
  static architecture(config: BertConfig, options: BertModelOptions): Architecture {
    const pooler = options.add_pooling_layer ?? true;
    const { hidden_size, max_position_embeddings, position_embedding_type, pad_token_id } = config;
    return {
      specification: bertSpecification(config, pooler),
      checkpointKey: bertCheckpointKey,
      // The Python class keeps its absolute positions even where relative ones take their place.
      unread:
        position_embedding_type === 'absolute'
          ? []
          : [{ name: positionEmbeddingsKey, shape: [max_position_embeddings, hidden_size] }],
      ignored: pooler ? [] : [/^(bert\.)?pooler\./],
      padding_row: pad_token_id ?? -1,
      initializer_range: config.initializer_range,
    };
  }

  /** @param parameters @internal what `from_pretrained` loaded */
  // biome-ignore lint/complexity/noUselessConstructor: it gives the options their type.
  constructor(config: BertConfig, options?: (InitOptions & BertModelOptions) | null, parameters?: LoadedParameters) {
    super(config, options, parameters);
  }
}
