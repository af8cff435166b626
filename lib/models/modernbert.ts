/**
 * ModernBERT: Warner et al. 2024, "Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder for Fast, Memory
 * Efficient, and Long Context Finetuning and Inference", https://arxiv.org/abs/2412.13663
 *
 * Norms before the sums, rotary positions, gated MLPs, and attention over a window in two layers of three.
 */

import type { AttentionMask, HeadStep, LayerSpecification } from '../engines/specification.ts';
import { activationNames, activations } from './activations.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { BareEncoder, Family, HeadPlan } from './family.ts';
import { inverseFrequencies } from './rotary.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooled, overTokens, plan } from './tasks/heads.ts';

// ---------- configuration ----------

const layerTypes = ['full_attention', 'sliding_attention'] as const;
type LayerType = (typeof layerTypes)[number];

/** The settings of a ModernBERT model; the defaults are those of ModernBERT-base. */
export class ModernBertConfig extends PretrainedConfig {
  static readonly model_type = 'modernbert';
  readonly model_type = ModernBertConfig.model_type;

  declare vocab_size: number;
  declare hidden_size: number;
  declare intermediate_size: number;
  declare num_hidden_layers: number;
  declare num_attention_heads: number;
  declare hidden_activation: string;
  declare max_position_embeddings: number;
  declare initializer_range: number;
  declare norm_eps: number;
  declare norm_bias: boolean;
  declare pad_token_id: number | null;
  declare attention_bias: boolean;
  declare mlp_bias: boolean;
  declare decoder_bias: boolean;
  declare classifier_bias: boolean;
  declare classifier_activation: string;
  /** What classifiers make of a text's states: the first one, or their mean. */
  declare classifier_pooling: 'cls' | 'mean';
  /** The columns that a layer with a window sees, half of them to either side. */
  declare local_attention: number;
  /** Which layers see everything: every so many, the first one among them. */
  declare global_attn_every_n_layers: number;
  declare global_rope_theta: number;
  /** Of layers with a window; null: that of the others. */
  declare local_rope_theta: number | null;
  /** What later configurations have in place of the three before it. */
  declare layer_types?: readonly LayerType[] | null;
  declare rope_parameters?: Readonly<Record<LayerType, { rope_theta: number; rope_type?: string }>> | null;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    const defaults = {
      vocab_size: 50368,
      hidden_size: 768,
      intermediate_size: 1152,
      num_hidden_layers: 22,
      num_attention_heads: 12,
      hidden_activation: 'gelu',
      max_position_embeddings: 8192,
      initializer_range: 0.02,
      initializer_cutoff_factor: 2,
      norm_eps: 1e-5,
      norm_bias: false,
      pad_token_id: 50283,
      eos_token_id: 50282,
      bos_token_id: 50281,
      cls_token_id: 50281,
      sep_token_id: 50282,
      global_rope_theta: 160000,
      attention_bias: false,
      attention_dropout: 0,
      global_attn_every_n_layers: 3,
      local_attention: 128,
      local_rope_theta: 10000,
      embedding_dropout: 0,
      mlp_bias: false,
      mlp_dropout: 0,
      decoder_bias: true,
      classifier_pooling: 'cls',
      classifier_dropout: 0,
      classifier_bias: false,
      classifier_activation: 'gelu',
    };
    this.assign(defaults, values);
    this.check();
  }

  private check(): void {
    this.checkSizes({
      vocab_size: 'vocab_size',
      hidden_size: 'hidden_size',
      num_hidden_layers: 'num_hidden_layers',
      num_attention_heads: 'num_attention_heads',
      intermediate_size: 'intermediate_size',
      max_position_embeddings: 'max_position_embeddings',
    });
    this.checkInteger('local_attention', 1, 1 << 24);
    this.checkInteger('global_attn_every_n_layers', 1, 1 << 12);
    this.checkNumber('norm_eps', 0);
    this.checkNumber('initializer_range', 0);
    this.checkNumber('global_rope_theta', 1);
    if (this.local_rope_theta !== null) this.checkNumber('local_rope_theta', 1);
    for (const field of ['hidden_activation', 'classifier_activation'] as const)
      this.checkChoice(field, activationNames);
    for (const field of ['norm_bias', 'attention_bias', 'mlp_bias', 'decoder_bias', 'classifier_bias'] as const) {
      this.checkBoolean(field);
    }
    this.checkChoice('classifier_pooling', ['cls', 'mean']);
    this.checkPaddingId(this.vocab_size);
    this.checkEvenHeads(this.hidden_size / this.num_attention_heads, 'num_attention_heads');
    this.checkLayerTypes();
    this.checkRopeParameters();
  }

  private checkLayerTypes(): void {
    const { layer_types, num_hidden_layers } = this;
    if (layer_types == null) return;
    const known =
      Array.isArray(layer_types) &&
      layer_types.length === num_hidden_layers &&
      layer_types.every((type) => layerTypes.includes(type));
    this.refuse('layer_types', !known, `${num_hidden_layers} of ${layerTypes.join(' and ')}`);
  }

  private checkRopeParameters(): void {
    const { rope_parameters } = this;
    if (rope_parameters == null) return;
    const known = layerTypes.every((type) => {
      const { rope_theta, rope_type = 'default' } = rope_parameters[type] ?? {};
      if (rope_theta === undefined && !this.typesOfLayers.includes(type)) return true;
      return (
        typeof rope_theta === 'number' && rope_theta >= 1 && Number.isFinite(rope_theta) && rope_type === 'default'
      );
    });
    const expected = `{ rope_theta, rope_type: 'default' } for each of ${layerTypes.join(' and ')}`;
    this.refuse('rope_parameters', !known, expected);
  }

  /** What every layer sees. @internal */
  get typesOfLayers(): readonly LayerType[] {
    const { layer_types, num_hidden_layers, global_attn_every_n_layers: every } = this;
    if (layer_types != null) return layer_types;
    return Array.from({ length: num_hidden_layers }, (_, i) =>
      i % every === 0 ? 'full_attention' : 'sliding_attention',
    );
  }

  /** @internal */
  thetaOf(type: LayerType): number {
    const { rope_parameters, global_rope_theta, local_rope_theta } = this;
    if (rope_parameters != null) return rope_parameters[type].rope_theta;
    return type === 'full_attention' ? global_rope_theta : (local_rope_theta ?? global_rope_theta);
  }
}

// ---------- from the configuration to the encoder ----------

function layersOf(config: ModernBertConfig): LayerSpecification[] {
  const { hidden_size, num_attention_heads, attention_bias, mlp_bias } = config;
  const head_size = hidden_size / num_attention_heads;
  const norm = { eps: config.norm_eps, bias: config.norm_bias };
  const masks: Record<LayerType, AttentionMask> = {
    full_attention: { kind: 'full' },
    sliding_attention: { kind: 'window', size: config.local_attention },
  };
  return config.typesOfLayers.map((type, parameters) => ({
    norm_placement: 'pre',
    attention: {
      num_attention_heads,
      head_size,
      position: {
        kind: 'rotary',
        inverse_frequencies: inverseFrequencies(config.thetaOf(type), head_size),
        pairs: 'halves',
      },
      mask: masks[type],
      scale_factor: 1,
      masked_queries: 'attend',
      bias: { query_key_value: attention_bias, output: attention_bias },
    },
    // The embeddings' own norm does for the first.
    attention_norm: parameters === 0 ? null : norm,
    mlp: {
      intermediate_size: config.intermediate_size,
      activation: activations[config.hidden_activation]!,
      gated: true,
      bias: { up: mlp_bias, down: mlp_bias },
    },
    mlp_norm: norm,
    parameters,
  }));
}

function modernBertEncoder(config: ModernBertConfig): BareEncoder {
  const { hidden_size, norm_eps, norm_bias, pad_token_id, initializer_range, num_hidden_layers } = config;
  const norm = { eps: norm_eps, bias: norm_bias };
  return {
    specification: {
      hidden_size,
      embeddings: {
        vocab_size: config.vocab_size,
        embedding_size: hidden_size,
        position: 'none',
        max_position_embeddings: config.max_position_embeddings,
        position_padding_id: null,
        type_vocab_size: 0,
        norm,
        projection: null,
        zero_masked: false,
      },
      layers: layersOf(config),
      relative_positions: null,
      convolution: null,
      final_norm: norm,
    },
    pooler: null,
    keys: {
      layer: (index) => `layers.${index}.`,
      names: {
        'embeddings.word': 'embeddings.tok_embeddings.weight',
        'embeddings.norm.*': 'embeddings.norm.*',
        'attention.norm.*': 'attn_norm.*',
        'attention.query.*': ['attn.Wqkv.*', 0, 3],
        'attention.key.*': ['attn.Wqkv.*', 1, 3],
        'attention.value.*': ['attn.Wqkv.*', 2, 3],
        'attention.output.*': 'attn.Wo.*',
        'mlp.norm.*': 'mlp_norm.*',
        'mlp.gate.*': ['mlp.Wi.*', 0, 2],
        'mlp.up.*': ['mlp.Wi.*', 1, 2],
        'mlp.down.*': 'mlp.Wo.*',
        'final_norm.*': 'final_norm.*',
      },
    },
    padding_row: pad_token_id ?? -1,
    // What is added to the residual stream starts out smaller the more layers there are.
    initializer_range: (name) => {
      if (name.startsWith('heads.') && name.includes('.classifier.')) return hidden_size ** -0.5;
      const isOut = /\.(attention\.output|mlp\.down)\.|^heads\./.test(name);
      return isOut ? initializer_range / Math.sqrt(2 * Math.max(1, num_hidden_layers)) : initializer_range;
    },
  };
}

const modernBert: Family<ModernBertConfig> = {
  config_class: ModernBertConfig,
  base_model_prefix: 'model',
  pooler_by_default: false,
  encoder: modernBertEncoder,
};

// ---------- models ----------

/** The bare encoder, without a task's head. It has no token types and no pooler. */
export class ModernBertModel extends EncoderModel {
  /** @internal */
  static override readonly family = modernBert;
  declare readonly config: ModernBertConfig;
}

/** What stands between the encoder and the last layer of every task. */
function transform({ hidden_size, ...config }: ModernBertConfig): HeadStep[] {
  return [
    linear('head.dense', hidden_size, config.classifier_bias),
    activated(activations[config.classifier_activation]!),
    normed('head.norm', config.norm_eps, config.norm_bias),
  ];
}

/** ModernBERT with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class ModernBertForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = modernBert;
  /** @internal */
  static override readonly heads = (config: ModernBertConfig): HeadPlan => {
    const { vocab_size, decoder_bias } = config;
    const bias = decoder_bias ? 'decoder.bias' : null;
    return languageModel(config, transform(config), { vocab_size, module: 'decoder', bias });
  };
  declare readonly config: ModernBertConfig;
}

/** ModernBERT that puts texts into classes: `logits` `[B, num_labels]`. */
export class ModernBertForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = modernBert;
  /** @internal */
  static override readonly heads = (config: ModernBertConfig) =>
    plan(overPooled([...transform(config), linear('classifier', config.num_labels)], config.classifier_pooling));
  declare readonly config: ModernBertConfig;
}

/** ModernBERT that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class ModernBertForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = modernBert;
  /** @internal */
  static override readonly heads = (config: ModernBertConfig) =>
    plan(overTokens(...transform(config), linear('classifier', config.num_labels)));
  declare readonly config: ModernBertConfig;
}

/** ModernBERT that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class ModernBertForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = modernBert;
  /** @internal */
  static override readonly heads = (config: ModernBertConfig) =>
    plan(overTokens(...transform(config), linear('classifier', 2)));
  declare readonly config: ModernBertConfig;
}

/** ModernBERT that scores choices against each other: `logits` `[B, C]`. */
export class ModernBertForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = modernBert;
  /** @internal */
  static override readonly heads = (config: ModernBertConfig) =>
    plan(overPooled([...transform(config), linear('classifier', 1)], config.classifier_pooling));
  declare readonly config: ModernBertConfig;
}
