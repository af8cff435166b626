/**
 * DeBERTa-v2 and v3: He et al. 2020, "DeBERTa: Decoding-enhanced BERT with Disentangled Attention",
 * https://arxiv.org/abs/2006.03654; He et al. 2021, "DeBERTaV3", https://arxiv.org/abs/2111.09543
 *
 * Vectors for ranges of distances enter the scores; most checkpoints have no other positions.
 */

import type { HeadStep, RelativePositions } from '../engines/specification.ts';
import { activationNames, activations } from './activations.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { BareEncoder, Family, HeadPlan } from './family.ts';
import { postNormLayers } from './layers.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooled, overTokens, plan } from './tasks/heads.ts';

// ---------- configuration ----------

/** The settings of a DeBERTa-v2 model; the defaults are those of deberta-v2-xlarge. */
export class DebertaV2Config extends PretrainedConfig {
  static readonly model_type = 'deberta-v2';
  readonly model_type = DebertaV2Config.model_type;

  declare vocab_size: number;
  declare hidden_size: number;
  /** E, the width of the embeddings; that of the layers unless given. */
  declare embedding_size?: number | null;
  declare num_hidden_layers: number;
  declare num_attention_heads: number;
  /** D; hidden_size / num_attention_heads unless given. */
  declare attention_head_size?: number | null;
  declare intermediate_size: number;
  declare hidden_act: string;
  declare max_position_embeddings: number;
  declare type_vocab_size: number;
  declare initializer_range: number;
  declare layer_norm_eps: number;
  declare pad_token_id: number | null;
  /** Whether distances enter the scores. */
  declare relative_attention: boolean;
  /** The largest distance that is told from larger ones; below 1: max_position_embeddings. */
  declare max_relative_positions: number;
  /** Distances past half of it share vectors, more and more of them; below 1: each distance has its own. */
  declare position_buckets: number;
  /** Whether there is a norm over the distances' vectors: `layer_norm` or `none`. */
  declare norm_rel_ebd: string;
  /** Whether the matrices of query and key are those of the distances' vectors, too. */
  declare share_att_key: boolean;
  /** `c2p`: queries meet distances; `p2c`: keys do. */
  declare pos_att_type: string | readonly string[] | null;
  /** Whether absolute positions are part of the embeddings. */
  declare position_biased_input: boolean;
  declare conv_kernel_size: number;
  declare conv_act: string;
  declare conv_groups: number;
  declare pooler_hidden_act: string;
  declare pooler_hidden_size: number;
  /** Which of two names the masked language model's head has in checkpoints; both are read. */
  declare legacy: boolean;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    const defaults = {
      vocab_size: 128100,
      hidden_size: 1536,
      num_hidden_layers: 24,
      num_attention_heads: 24,
      intermediate_size: 6144,
      hidden_act: 'gelu',
      hidden_dropout_prob: 0.1,
      attention_probs_dropout_prob: 0.1,
      max_position_embeddings: 512,
      type_vocab_size: 0,
      initializer_range: 0.02,
      layer_norm_eps: 1e-7,
      relative_attention: false,
      max_relative_positions: -1,
      position_buckets: -1,
      norm_rel_ebd: 'none',
      share_att_key: false,
      pad_token_id: 0,
      position_biased_input: true,
      pos_att_type: null,
      conv_kernel_size: 0,
      conv_act: 'tanh',
      conv_groups: 1,
      pooler_dropout: 0,
      pooler_hidden_act: 'gelu',
      legacy: true,
    };
    this.assign(defaults, values);
    this.pooler_hidden_size ??= this.hidden_size;
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
    if (this.embedding_size != null) this.checkInteger('embedding_size', 1, 1 << 17);
    if (this.attention_head_size != null) this.checkInteger('attention_head_size', 1, 1 << 17);
    this.checkInteger('type_vocab_size', 0, 1 << 16);
    this.checkInteger('max_relative_positions', -1, 1 << 16);
    this.checkInteger('position_buckets', -1, 1 << 16);
    this.checkInteger('conv_kernel_size', 0, 1 << 10);
    this.checkInteger('conv_groups', 1, this.hidden_size);
    this.checkInteger('pooler_hidden_size', 1, 1 << 17);
    this.checkNumber('layer_norm_eps', 0);
    this.checkNumber('initializer_range', 0);
    for (const field of ['hidden_act', 'conv_act', 'pooler_hidden_act'] as const) {
      this.checkChoice(field, activationNames);
    }
    for (const field of ['relative_attention', 'share_att_key', 'position_biased_input', 'legacy'] as const) {
      this.checkBoolean(field);
    }
    this.checkPaddingId(this.vocab_size);
    this.refuse('norm_rel_ebd', typeof this.norm_rel_ebd !== 'string', "'none' or 'layer_norm'");
    const terms = this.attentionTerms;
    const unknown = terms.some((term) => term !== 'c2p' && term !== 'p2c');
    // A vector's row is looked up for each distance.
    const isFar = this.relative_attention && farthest(this) > longestEver;
    this.refuse('max_position_embeddings', isFar, `at most ${longestEver}, or max_relative_positions`);
    this.refuse('pos_att_type', unknown || (this.relative_attention && terms.length === 0), "'c2p', 'p2c' or both");
    this.refuse(
      'conv_kernel_size',
      this.conv_kernel_size > 0 && this.conv_kernel_size % 2 === 0,
      'an odd number, or 0',
    );
    this.refuse('conv_groups', this.hidden_size % this.conv_groups !== 0, 'a divisor of hidden_size');
    this.refuse('position_buckets', this.position_buckets === 1, 'at least 2, or -1');
    this.refuse('pooler_hidden_size', this.pooler_hidden_size !== this.hidden_size, 'hidden_size');
  }

  /** The terms of the scores that distances make, as a list. @internal */
  get attentionTerms(): readonly string[] {
    const { pos_att_type } = this;
    if (Array.isArray(pos_att_type)) return pos_att_type;
    return String(pos_att_type ?? '')
      .toLowerCase()
      .split('|')
      .map((term) => term.trim())
      .filter((term) => term !== '');
  }
}

// ---------- from the configuration to the encoder ----------

const longestEver = 1 << 20;

/** The distance past which all are alike. */
function farthest({ max_relative_positions, max_position_embeddings }: DebertaV2Config): number {
  return max_relative_positions < 1 ? max_position_embeddings : max_relative_positions;
}

/**
 * The signed range that a distance belongs to: up to half of the buckets each distance is its own, past that they widen
 * with its logarithm; in fp32 as PyTorch computes it.
 */
function logBucket(distance: number, buckets: number, max: number): number {
  const middle = Math.trunc(buckets / 2);
  const far = Math.abs(distance);
  if (far <= middle) return distance;
  const log = (value: number) => Math.fround(Math.log(Math.fround(value)));
  const share = Math.fround(log(far / middle) / log((max - 1) / middle));
  return Math.sign(distance) * (Math.ceil(Math.fround(share * (middle - 1))) + middle);
}

function relativePositions(config: DebertaV2Config): RelativePositions {
  const { position_buckets, norm_rel_ebd, layer_norm_eps } = config;
  const max = farthest(config);
  const span = position_buckets > 0 ? position_buckets : max;
  const rowOf = (distance: number) => {
    const range = position_buckets > 0 ? logBucket(distance, position_buckets, max) : distance;
    return Math.min(Math.max(range + span, 0), 2 * span - 1);
  };
  const normalised = norm_rel_ebd
    .toLowerCase()
    .split('|')
    .some((part) => part.trim() === 'layer_norm');
  return {
    kind: 'vectors',
    norm: normalised ? { eps: layer_norm_eps, bias: true } : null,
    rows: 2 * span,
    row_of: Array.from({ length: 2 * max + 1 }, (_, i) => rowOf(i - max)),
  };
}

/**
 * The most positions. Without absolute ones nothing ends at max_position_embeddings: a layer tells distances apart up to
 * the farthest in both directions, and information passes through all layers (the paper's section on long sequences).
 */
function longest(config: DebertaV2Config): number {
  const { max_position_embeddings, position_biased_input, num_hidden_layers } = config;
  if (position_biased_input) return max_position_embeddings;
  return Math.max(max_position_embeddings, Math.min(2 * farthest(config) * num_hidden_layers, longestEver));
}

function debertaEncoder(config: DebertaV2Config): BareEncoder {
  const { hidden_size, num_attention_heads, relative_attention, conv_kernel_size, pad_token_id } = config;
  const embedding_size = config.embedding_size ?? hidden_size;
  const norm = { eps: config.layer_norm_eps, bias: true };
  const terms = relative_attention ? config.attentionTerms : [];
  const [to_key, to_query] = [terms.includes('c2p'), terms.includes('p2c')];
  return {
    specification: {
      hidden_size,
      embeddings: {
        vocab_size: config.vocab_size,
        embedding_size,
        position: config.position_biased_input ? 'absolute' : 'none',
        max_position_embeddings: longest(config),
        position_padding_id: null,
        type_vocab_size: config.type_vocab_size,
        norm,
        projection: embedding_size === hidden_size ? null : { placement: 'before_norm', bias: false },
        zero_masked: true,
      },
      layers: postNormLayers(config.num_hidden_layers, {
        norm,
        attention: {
          num_attention_heads,
          head_size: config.attention_head_size ?? hidden_size / num_attention_heads,
          position: relative_attention
            ? { kind: 'disentangled', to_key, to_query, shared_projections: config.share_att_key }
            : { kind: 'none' },
          scale_factor: 1 + Number(to_key) + Number(to_query),
          masked_queries: 'zero',
        },
        mlp: { intermediate_size: config.intermediate_size, activation: activations[config.hidden_act]! },
      }),
      relative_positions: relative_attention ? relativePositions(config) : null,
      convolution:
        conv_kernel_size > 0
          ? {
              kernel_size: conv_kernel_size,
              groups: config.conv_groups,
              activation: activations[config.conv_act]!,
              norm,
            }
          : null,
      final_norm: null,
    },
    pooler: null,
    keys: {
      layer: (index) => `encoder.layer.${index}.`,
      names: {
        'embeddings.word': 'embeddings.word_embeddings.weight',
        'embeddings.position': 'embeddings.position_embeddings.weight',
        'embeddings.token_type': 'embeddings.token_type_embeddings.weight',
        'embeddings.norm.*': 'embeddings.LayerNorm.*',
        'embeddings.projection.*': 'embeddings.embed_proj.*',
        'relative_positions.weight': 'encoder.rel_embeddings.weight',
        'relative_positions.norm.*': 'encoder.LayerNorm.*',
        'attention.query.*': 'attention.self.query_proj.*',
        'attention.key.*': 'attention.self.key_proj.*',
        'attention.value.*': 'attention.self.value_proj.*',
        'attention.position_key.*': 'attention.self.pos_key_proj.*',
        'attention.position_query.*': 'attention.self.pos_query_proj.*',
        'attention.output.*': 'attention.output.dense.*',
        'attention.norm.*': 'attention.output.LayerNorm.*',
        'mlp.up.*': 'intermediate.dense.*',
        'mlp.down.*': 'output.dense.*',
        'mlp.norm.*': 'output.LayerNorm.*',
        'convolution.*': 'encoder.conv.conv.*',
        'convolution.norm.*': 'encoder.conv.LayerNorm.*',
      },
    },
    padding_row: pad_token_id ?? -1,
    initializer_range: config.initializer_range,
  };
}

const debertaV2: Family<DebertaV2Config> = {
  config_class: DebertaV2Config,
  base_model_prefix: 'deberta',
  pooler_by_default: false,
  encoder: debertaEncoder,
};

// ---------- models ----------

/** The bare encoder, without a task's head. It has no pooler: classifiers have one of their own. */
export class DebertaV2Model extends EncoderModel {
  /** @internal */
  static override readonly family = debertaV2;
  declare readonly config: DebertaV2Config;
}

/** The masked language model's modules under either of their names. */
const languageModelNames = {
  legacy: {
    dense: 'cls.predictions.transform.dense',
    norm: 'cls.predictions.transform.LayerNorm',
    decoder: 'cls.predictions.decoder',
    bias: 'cls.predictions.bias',
  },
  current: {
    dense: 'lm_predictions.lm_head.dense',
    norm: 'lm_predictions.lm_head.LayerNorm',
    decoder: 'lm_predictions.lm_head.decoder',
    bias: 'lm_predictions.lm_head.bias',
  },
};

/** DeBERTa-v2 with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class DebertaV2ForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = debertaV2;
  /** @internal */
  static override readonly heads = (config: DebertaV2Config): HeadPlan => {
    const { legacy, current } = languageModelNames;
    const [names, others] = config.legacy ? [legacy, current] : [current, legacy];
    const embedding_size = config.embedding_size ?? config.hidden_size;
    const transform = [
      linear(names.dense, embedding_size),
      activated(activations[config.hidden_act]!),
      normed(names.norm, config.layer_norm_eps),
    ];
    const { vocab_size } = config;
    const head = languageModel(config, transform, { vocab_size, module: names.decoder, bias: names.bias });
    const both = [names.dense, names.norm].flatMap((name, i) =>
      ['weight', 'bias'].map((kind) => [`${name}.${kind}`, [`${[others.dense, others.norm][i]}.${kind}`]]),
    );
    const biases = [...(head.otherKeys?.[names.bias] ?? []), others.bias, `${others.decoder}.bias`];
    return { ...head, otherKeys: { ...Object.fromEntries(both), [names.bias]: biases } };
  };
  declare readonly config: DebertaV2Config;
}

/** A layer over the first position's state, of the classifiers alone. */
function contextPooler({ pooler_hidden_size, pooler_hidden_act }: DebertaV2Config): HeadStep[] {
  return [linear('pooler.dense', pooler_hidden_size), activated(activations[pooler_hidden_act]!)];
}

/** DeBERTa-v2 that puts texts into classes: `logits` `[B, num_labels]`. */
export class DebertaV2ForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = debertaV2;
  /** @internal */
  static override readonly heads = (config: DebertaV2Config) =>
    plan(overPooled([...contextPooler(config), linear('classifier', config.num_labels)]));
  declare readonly config: DebertaV2Config;
}

/** DeBERTa-v2 that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class DebertaV2ForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = debertaV2;
  /** @internal */
  static override readonly heads = ({ num_labels }: DebertaV2Config) =>
    plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: DebertaV2Config;
}

/** DeBERTa-v2 that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class DebertaV2ForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = debertaV2;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: DebertaV2Config;
}

/** DeBERTa-v2 that scores choices against each other: `logits` `[B, C]`. */
export class DebertaV2ForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = debertaV2;
  /** @internal */
  static override readonly heads = (config: DebertaV2Config) =>
    plan(overPooled([...contextPooler(config), linear('classifier', 1)]));
  declare readonly config: DebertaV2Config;
}
