/**
 * DistilBERT: Sanh et al. 2019, "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter",
 * https://arxiv.org/abs/1910.01108
 */

import type { HeadStep } from '../engines/specification.ts';
import { activationNames, activations } from './activations.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { BareEncoder, Family } from './family.ts';
import { postNormLayers } from './layers.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooled, overTokens, plan } from './tasks/heads.ts';

/** The settings of a DistilBERT model; the defaults are those of distilbert-base-uncased. */
export class DistilBertConfig extends PretrainedConfig {
  static readonly model_type = 'distilbert';
  readonly model_type = DistilBertConfig.model_type;

  declare vocab_size: number;
  /** H, the width of the residual stream. */
  declare dim: number;
  declare n_layers: number;
  declare n_heads: number;
  /** The width inside a layer's MLP. */
  declare hidden_dim: number;
  declare activation: string;
  declare max_position_embeddings: number;
  declare initializer_range: number;
  declare pad_token_id: number | null;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    const defaults = {
      vocab_size: 30522,
      dim: 768,
      n_layers: 6,
      n_heads: 12,
      hidden_dim: 3072,
      activation: 'gelu',
      dropout: 0.1,
      attention_dropout: 0.1,
      qa_dropout: 0.1,
      seq_classif_dropout: 0.2,
      max_position_embeddings: 512,
      sinusoidal_pos_embds: false,
      initializer_range: 0.02,
      pad_token_id: 0,
    };
    this.assign(defaults, values);
    this.checkSizes({
      vocab_size: 'vocab_size',
      hidden_size: 'dim',
      num_hidden_layers: 'n_layers',
      num_attention_heads: 'n_heads',
      intermediate_size: 'hidden_dim',
      max_position_embeddings: 'max_position_embeddings',
    });
    this.checkChoice('activation', activationNames);
    this.checkNumber('initializer_range', 0);
    this.checkPaddingId(this.vocab_size);
  }
}

/** All of its norms have this one, whatever the configuration. */
const norm = { eps: 1e-12, bias: true };

function distilbertEncoder(config: DistilBertConfig): BareEncoder {
  const { dim, n_heads, n_layers, hidden_dim, pad_token_id } = config;
  return {
    specification: {
      hidden_size: dim,
      embeddings: {
        vocab_size: config.vocab_size,
        embedding_size: dim,
        position: 'absolute',
        max_position_embeddings: config.max_position_embeddings,
        position_padding_id: null,
        type_vocab_size: 0,
        norm,
        projection: null,
        zero_masked: false,
      },
      layers: postNormLayers(n_layers, {
        norm,
        attention: { num_attention_heads: n_heads, head_size: dim / n_heads },
        mlp: { intermediate_size: hidden_dim, activation: activations[config.activation]! },
      }),
      relative_positions: null,
      convolution: null,
      final_norm: null,
    },
    pooler: null,
    keys: {
      layer: (index) => `transformer.layer.${index}.`,
      names: {
        'embeddings.word': 'embeddings.word_embeddings.weight',
        'embeddings.position': 'embeddings.position_embeddings.weight',
        'embeddings.norm.*': 'embeddings.LayerNorm.*',
        'attention.query.*': 'attention.q_lin.*',
        'attention.key.*': 'attention.k_lin.*',
        'attention.value.*': 'attention.v_lin.*',
        'attention.output.*': 'attention.out_lin.*',
        'attention.norm.*': 'sa_layer_norm.*',
        'mlp.up.*': 'ffn.lin1.*',
        'mlp.down.*': 'ffn.lin2.*',
        'mlp.norm.*': 'output_layer_norm.*',
      },
    },
    padding_row: pad_token_id ?? -1,
    initializer_range: config.initializer_range,
  };
}

const distilbert: Family<DistilBertConfig> = {
  config_class: DistilBertConfig,
  base_model_prefix: 'distilbert',
  pooler_by_default: false,
  encoder: distilbertEncoder,
};

/** The bare encoder, without a task's head. It has no token types and no pooler. */
export class DistilBertModel extends EncoderModel {
  /** @internal */
  static override readonly family = distilbert;
  declare readonly config: DistilBertConfig;
}

/** DistilBERT with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class DistilBertForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = distilbert;
  /** @internal */
  static override readonly heads = (config: DistilBertConfig) => {
    const transform = [
      linear('vocab_transform', config.dim),
      activated(activations[config.activation]!),
      normed('vocab_layer_norm', norm.eps),
    ];
    const { vocab_size } = config;
    return languageModel(config, transform, { vocab_size, module: 'vocab_projector', bias: 'vocab_projector.bias' });
  };
  declare readonly config: DistilBertConfig;
}

/** The first position's state through a layer of its own, as BERT's pooler but with another activation. */
function firstPosition({ dim }: DistilBertConfig): HeadStep[] {
  return [linear('pre_classifier', dim), activated('relu')];
}

/** DistilBERT that puts texts into classes: `logits` `[B, num_labels]`. */
export class DistilBertForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = distilbert;
  /** @internal */
  static override readonly heads = (config: DistilBertConfig) =>
    plan(overPooled([...firstPosition(config), linear('classifier', config.num_labels)]));
  declare readonly config: DistilBertConfig;
}

/** DistilBERT that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class DistilBertForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = distilbert;
  /** @internal */
  static override readonly heads = ({ num_labels }: DistilBertConfig) =>
    plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: DistilBertConfig;
}

/** DistilBERT that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class DistilBertForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = distilbert;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: DistilBertConfig;
}

/** DistilBERT that scores choices against each other: `logits` `[B, C]`. */
export class DistilBertForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = distilbert;
  /** @internal */
  static override readonly heads = (config: DistilBertConfig) =>
    plan(overPooled([...firstPosition(config), linear('classifier', 1)]));
  declare readonly config: DistilBertConfig;
}
