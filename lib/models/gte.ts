/**
 * GTE's own encoder ("new"): Zhang et al. 2024, "mGTE: Generalized Long-Context Text Representation and Reranking Models for
 * Multilingual Text Retrieval", https://arxiv.org/abs/2407.19669
 *
 * BERT with rotary positions and gated MLPs. Its code lies beside the checkpoints on the hub, where model_type is `new`, or
 * `gte` in models that others made from it.
 */

import type { AttentionPosition } from '../engines/specification.ts';
import { activationNames, activations } from './activations.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { BareEncoder, CheckpointKeys, Family } from './family.ts';
import { postNormLayers } from './layers.ts';
import { inverseFrequencies } from './rotary.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooler, overTokens, plan } from './tasks/heads.ts';

// ---------- configuration ----------

/** How angles grow more slowly than they were trained to, so that more positions fit: "NTK-aware" scaling. */
interface RopeScaling {
  readonly type: 'ntk';
  readonly factor: number;
  /** Unless there is none, pairs are slowed down by exp(a·i^b), not alike. */
  readonly mixed_b?: number | null;
}

/** The settings of models with this encoder, under either model_type. */
export abstract class NewLikeConfig extends PretrainedConfig {
  declare vocab_size: number;
  declare hidden_size: number;
  declare num_hidden_layers: number;
  declare num_attention_heads: number;
  declare intermediate_size: number;
  declare hidden_act: string;
  declare max_position_embeddings: number;
  declare type_vocab_size: number;
  declare initializer_range: number;
  declare layer_norm_eps: number;
  declare pad_token_id: number | null;
  declare position_embedding_type: 'rope' | 'absolute';
  declare rope_theta: number;
  declare rope_scaling: RopeScaling | null;
  /** Whether query, key and value are one matrix. */
  declare pack_qkv: boolean;

  protected assignNew(values: ConfigValues): void {
    const defaults = {
      vocab_size: 30528,
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
      hidden_act: 'gelu',
      hidden_dropout_prob: 0.1,
      attention_probs_dropout_prob: 0,
      max_position_embeddings: 2048,
      type_vocab_size: 1,
      initializer_range: 0.02,
      layer_norm_type: 'layer_norm',
      layer_norm_eps: 1e-12,
      pad_token_id: null,
      position_embedding_type: 'rope',
      rope_theta: 10000,
      rope_scaling: null,
      pack_qkv: true,
      logn_attention_scale: false,
      logn_attention_clip1: false,
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
    this.checkInteger('type_vocab_size', 0, 1 << 16);
    this.checkNumber('layer_norm_eps', 0);
    this.checkNumber('initializer_range', 0);
    this.checkNumber('rope_theta', 1);
    this.checkChoice('hidden_act', activationNames);
    this.checkChoice('position_embedding_type', ['rope', 'absolute']);
    this.checkBoolean('pack_qkv');
    this.checkPaddingId(this.vocab_size);
    const others = this as unknown as ConfigValues;
    this.refuse('layer_norm_type', others.layer_norm_type !== 'layer_norm', "'layer_norm'");
    this.refuse('logn_attention_scale', others.logn_attention_scale === true, 'false');
    this.refuse('logn_attention_clip1', others.logn_attention_clip1 === true, 'false');
    if (this.position_embedding_type === 'absolute') return;
    this.checkEvenHeads(this.hidden_size / this.num_attention_heads, 'num_attention_heads');
    const { rope_scaling } = this;
    if (rope_scaling === null) return;
    const isNumber = (value: unknown) => typeof value === 'number' && Number.isFinite(value);
    const { type, factor, mixed_b = null } = rope_scaling;
    const known = type === 'ntk' && isNumber(factor) && factor > 0 && (mixed_b === null || isNumber(mixed_b));
    this.refuse('rope_scaling', !known, "null, or { type: 'ntk', factor, mixed_b }");
  }
}

/** The settings of a GTE model; the defaults are those of the Python class. */
export class NewConfig extends NewLikeConfig {
  static readonly model_type = 'new';
  readonly model_type = NewConfig.model_type;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    this.assignNew(values);
  }
}

/** The same under the name that models made from GTE have. */
export class GteConfig extends NewLikeConfig {
  static readonly model_type = 'gte';
  readonly model_type = GteConfig.model_type;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    this.assignNew(values);
  }
}

// ---------- from the configuration to the encoder ----------

/** The Python class scales at every length, since its tables are made for the longest one. */
function positionOf(config: NewLikeConfig): AttentionPosition {
  const { position_embedding_type, hidden_size, num_attention_heads, rope_theta, rope_scaling } = config;
  if (position_embedding_type === 'absolute') return { kind: 'none' };
  const size = hidden_size / num_attention_heads;
  const pairs = 'halves';
  if (rope_scaling === null || rope_scaling.factor <= 1) {
    return { kind: 'rotary', inverse_frequencies: inverseFrequencies(rope_theta, size), pairs };
  }
  const { factor, mixed_b = null } = rope_scaling;
  const frequencies = inverseFrequencies(mixed_b === null ? rope_theta * factor : rope_theta, size);
  const slowdown = (i: number) =>
    mixed_b === null ? factor ** (2 / size) : Math.exp((Math.log(factor) / (size / 2) ** mixed_b) * (i + 1) ** mixed_b);
  const inverse_frequencies = frequencies.map((frequency, i) => Math.fround(frequency / Math.fround(slowdown(i))));
  return { kind: 'rotary', inverse_frequencies, pairs };
}

function keysOf({ pack_qkv }: NewLikeConfig): CheckpointKeys {
  return {
    layer: (index) => `encoder.layer.${index}.`,
    names: {
      'embeddings.word': 'embeddings.word_embeddings.weight',
      'embeddings.position': 'embeddings.position_embeddings.weight',
      'embeddings.token_type': 'embeddings.token_type_embeddings.weight',
      'embeddings.norm.*': 'embeddings.LayerNorm.*',
      'attention.query.*': pack_qkv ? ['attention.qkv_proj.*', 0, 3] : 'attention.q_proj.*',
      'attention.key.*': pack_qkv ? ['attention.qkv_proj.*', 1, 3] : 'attention.k_proj.*',
      'attention.value.*': pack_qkv ? ['attention.qkv_proj.*', 2, 3] : 'attention.v_proj.*',
      'attention.output.*': 'attention.o_proj.*',
      'attention.norm.*': 'attn_ln.*',
      'mlp.up.*': ['mlp.up_gate_proj.*', 0, 2],
      'mlp.gate.*': ['mlp.up_gate_proj.*', 1, 2],
      'mlp.down.*': 'mlp.down_proj.*',
      'mlp.norm.*': 'mlp_ln.*',
      'pooler.dense.*': 'pooler.dense.*',
    },
  };
}

function newEncoder(config: NewLikeConfig): BareEncoder {
  const { hidden_size, num_attention_heads, pad_token_id } = config;
  const norm = { eps: config.layer_norm_eps, bias: true };
  const position = positionOf(config);
  return {
    specification: {
      hidden_size,
      embeddings: {
        vocab_size: config.vocab_size,
        embedding_size: hidden_size,
        position: config.position_embedding_type === 'absolute' ? 'absolute' : 'none',
        max_position_embeddings: config.max_position_embeddings,
        position_padding_id: null,
        type_vocab_size: config.type_vocab_size,
        norm,
        projection: null,
        zero_masked: false,
      },
      layers: postNormLayers(config.num_hidden_layers, {
        norm,
        attention: { num_attention_heads, head_size: hidden_size / num_attention_heads, position },
        mlp: {
          intermediate_size: config.intermediate_size,
          activation: activations[config.hidden_act]!,
          gated: true,
          bias: { up: false, down: true },
        },
      }),
      relative_positions: null,
      convolution: null,
      final_norm: null,
    },
    pooler: { activation: 'tanh' },
    keys: keysOf(config),
    padding_row: pad_token_id ?? -1,
    initializer_range: config.initializer_range,
  };
}

function newFamily<Config extends NewLikeConfig>(config_class: Family<Config>['config_class']): Family<Config> {
  return { config_class, base_model_prefix: 'new', pooler_by_default: false, encoder: newEncoder };
}

const gteNew = newFamily(NewConfig);
const gte = newFamily(GteConfig);

// ---------- models ----------

/** The bare encoder, without a task's head; without its pooler, too, unless `add_pooling_layer: true`. */
export class NewModel extends EncoderModel {
  /** @internal */
  static override readonly family: Family<NewLikeConfig> = gteNew;
  declare readonly config: NewLikeConfig;
}

/**
 * GTE, as `new` names it, with the head of its training: which token stands at each position, `logits` `[B, S,
 * vocab_size]`.
 */
export class NewForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family: Family<NewLikeConfig> = gteNew;
  /** @internal */
  static override readonly heads = (config: NewLikeConfig) => {
    const transform = [
      linear('lm_head.dense', config.hidden_size),
      activated(activations[config.hidden_act]!),
      normed('lm_head.norm', config.layer_norm_eps),
    ];
    const { vocab_size } = config;
    return languageModel(config, transform, { vocab_size, module: 'lm_head.decoder', bias: 'lm_head.decoder.bias' });
  };
  declare readonly config: NewLikeConfig;
}

/** GTE, as `new` names it, that puts texts into classes: `logits` `[B, num_labels]`. */
export class NewForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family: Family<NewLikeConfig> = gteNew;
  /** @internal */
  static override readonly heads = ({ num_labels }: NewLikeConfig) =>
    plan(overPooler(linear('classifier', num_labels)));
  declare readonly config: NewLikeConfig;
}

/** GTE, as `new` names it, that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class NewForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family: Family<NewLikeConfig> = gteNew;
  /** @internal */
  static override readonly heads = ({ num_labels }: NewLikeConfig) =>
    plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: NewLikeConfig;
}

/** GTE, as `new` names it, that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class NewForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family: Family<NewLikeConfig> = gteNew;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: NewLikeConfig;
}

/** GTE, as `new` names it, that scores choices against each other: `logits` `[B, C]`. */
export class NewForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family: Family<NewLikeConfig> = gteNew;
  /** @internal */
  static override readonly heads = () => plan(overPooler(linear('classifier', 1)));
  declare readonly config: NewLikeConfig;
}

/** The bare encoder under the model type `gte`. */
export class GteModel extends NewModel {
  /** @internal */
  static override readonly family = gte;
}

/** GTE with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class GteForMaskedLM extends NewForMaskedLM {
  /** @internal */
  static override readonly family = gte;
}

/** GTE that puts texts into classes: `logits` `[B, num_labels]`. */
export class GteForSequenceClassification extends NewForSequenceClassification {
  /** @internal */
  static override readonly family = gte;
}

/** GTE that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class GteForTokenClassification extends NewForTokenClassification {
  /** @internal */
  static override readonly family = gte;
}

/** GTE that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class GteForQuestionAnswering extends NewForQuestionAnswering {
  /** @internal */
  static override readonly family = gte;
}

/** GTE that scores choices against each other: `logits` `[B, C]`. */
export class GteForMultipleChoice extends NewForMultipleChoice {
  /** @internal */
  static override readonly family = gte;
}
