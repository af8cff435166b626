/**
 * MPNet: Song et al. 2020, "MPNet: Masked and Permuted Pre-training for Language Understanding",
 * https://arxiv.org/abs/2004.09297
 *
 * BERT with RoBERTa's positions, and a bias on the scores for every range of distances (Raffel et al. 2020).
 */

import { BertLikeConfig, bertEncoder } from './bert.ts';
import type { ConfigValues } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { BareEncoder, Family } from './family.ts';
import { robertaClassifier } from './roberta.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooled, overPooler, overTokens, plan } from './tasks/heads.ts';

/** What the Python class counts with, whatever the configuration says. */
const buckets = 32;
const maxDistance = 128;
const paddingId = 1;

/** The settings of an MPNet model. */
export class MPNetConfig extends BertLikeConfig {
  static readonly model_type = 'mpnet';
  readonly model_type = MPNetConfig.model_type;

  /** Rows of the biases, of which distances choose 32. */
  declare relative_attention_num_buckets: number;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    const defaults = {
      vocab_size: 30527,
      relative_attention_num_buckets: buckets,
      pad_token_id: paddingId,
      bos_token_id: 0,
      eos_token_id: 2,
      type_vocab_size: 1,
    };
    this.assignAll(defaults, values);
    this.checkInteger('relative_attention_num_buckets', buckets, 1 << 16);
    this.checkInteger('max_position_embeddings', paddingId + 2, 1 << 24);
    this.refuse('position_embedding_type', this.position_embedding_type !== 'absolute', "'absolute'");
  }
}

/** The row of the biases for a query so many positions behind its key: T5's rule, in fp32 as PyTorch computes it. */
function bucketOf(distance: number): number {
  const half = buckets / 2;
  const exact = half / 2;
  const first = distance < 0 ? half : 0;
  const far = Math.abs(distance);
  if (far < exact) return first + far;
  const share = Math.fround(
    Math.fround(Math.log(Math.fround(far / exact))) / Math.fround(Math.log(maxDistance / exact)),
  );
  return first + Math.min(half - 1, exact + Math.trunc(Math.fround(share * (half - exact))));
}

function mpnetEncoder(config: MPNetConfig): BareEncoder {
  const { specification, keys, ...encoder } = bertEncoder(config, { position_padding_id: paddingId });
  const { embeddings, layers } = specification;
  return {
    ...encoder,
    specification: {
      ...specification,
      embeddings: { ...embeddings, type_vocab_size: 0 },
      layers: layers.map((layer) => ({ ...layer, attention: { ...layer.attention, position: { kind: 'bias' } } })),
      relative_positions: {
        kind: 'bias',
        rows: config.relative_attention_num_buckets,
        row_of: Array.from({ length: 2 * maxDistance + 1 }, (_, i) => bucketOf(i - maxDistance)),
      },
    },
    keys: {
      ...keys,
      names: {
        ...keys.names,
        'relative_positions.weight': 'encoder.relative_attention_bias.weight',
        'attention.query.*': 'attention.attn.q.*',
        'attention.key.*': 'attention.attn.k.*',
        'attention.value.*': 'attention.attn.v.*',
        'attention.output.*': 'attention.attn.o.*',
        'attention.norm.*': 'attention.LayerNorm.*',
      },
    },
    padding_row: paddingId,
  };
}

const mpnet: Family<MPNetConfig> = {
  config_class: MPNetConfig,
  base_model_prefix: 'mpnet',
  pooler_by_default: true,
  encoder: mpnetEncoder,
};

/** The bare encoder with its pooler, without a task's head. It has no token types. */
export class MPNetModel extends EncoderModel {
  /** @internal */
  static override readonly family = mpnet;
  declare readonly config: MPNetConfig;
}

/** MPNet with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class MPNetForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = mpnet;
  /** @internal */
  static override readonly heads = (config: MPNetConfig) => {
    const transform = [
      linear('lm_head.dense', config.hidden_size),
      activated('gelu_erf'),
      normed('lm_head.layer_norm', config.layer_norm_eps),
    ];
    const { vocab_size } = config;
    return languageModel(config, transform, { vocab_size, module: 'lm_head.decoder', bias: 'lm_head.bias' });
  };
  declare readonly config: MPNetConfig;
}

/** MPNet that puts texts into classes: `logits` `[B, num_labels]`. */
export class MPNetForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = mpnet;
  /** @internal */
  static override readonly heads = ({ hidden_size, num_labels }: MPNetConfig) =>
    plan(overPooled(robertaClassifier(hidden_size, num_labels)));
  declare readonly config: MPNetConfig;
}

/** MPNet that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class MPNetForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = mpnet;
  /** @internal */
  static override readonly heads = ({ num_labels }: MPNetConfig) => plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: MPNetConfig;
}

/** MPNet that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class MPNetForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = mpnet;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: MPNetConfig;
}

/** MPNet that scores choices against each other: `logits` `[B, C]`. */
export class MPNetForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = mpnet;
  /** @internal */
  static override readonly heads = () => plan(overPooler(linear('classifier', 1)));
  declare readonly config: MPNetConfig;
}
