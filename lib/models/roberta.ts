/**
 * RoBERTa: Liu et al. 2019, "RoBERTa: A Robustly Optimized BERT Pretraining Approach", https://arxiv.org/abs/1907.11692
 *
 * BERT whose positions count only tokens that are not padding, from the padding token's id + 1 on. XLM-RoBERTa and
 * CamemBERT are the same model with other vocabularies.
 */

import type { HeadStep } from '../engines/specification.ts';
import { BertLikeConfig, bertEncoder } from './bert.ts';
import type { ConfigValues } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { Family } from './family.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooled, overPooler, overTokens, plan } from './tasks/heads.ts';

/** The settings that RoBERTa, XLM-RoBERTa and CamemBERT have; where nothing is said, transformers' defaults for all three. */
export abstract class RobertaLikeConfig extends BertLikeConfig {
  protected assignRoberta(defaults: ConfigValues, values: ConfigValues): void {
    this.assignAll({ pad_token_id: 1, bos_token_id: 0, eos_token_id: 2, ...defaults }, values);
    const { pad_token_id } = this;
    if (pad_token_id === null) this.checkInteger('pad_token_id', 0);
    this.checkInteger('max_position_embeddings', pad_token_id! + 2, 1 << 24);
  }
}

/** The settings of a RoBERTa model. */
export class RobertaConfig extends RobertaLikeConfig {
  static readonly model_type = 'roberta';
  readonly model_type = RobertaConfig.model_type;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    this.assignRoberta({ vocab_size: 50265 }, values);
  }
}

/** The family of a model that is RoBERTa under another name. */
export function robertaFamily<Config extends RobertaLikeConfig>(
  config_class: Family<Config>['config_class'],
): Family<Config> {
  return {
    config_class,
    base_model_prefix: 'roberta',
    pooler_by_default: true,
    encoder: (config) => bertEncoder(config, { position_padding_id: config.pad_token_id }),
  };
}

const roberta = robertaFamily(RobertaConfig);

/** The bare encoder with its pooler, without a task's head. */
export class RobertaModel extends EncoderModel {
  /** @internal */
  static override readonly family: Family<RobertaLikeConfig> = roberta;
  declare readonly config: RobertaLikeConfig;
}

/** RoBERTa with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class RobertaForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family: Family<RobertaLikeConfig> = roberta;
  /** @internal */
  static override readonly heads = (config: RobertaLikeConfig) => {
    const transform = [
      linear('lm_head.dense', config.hidden_size),
      activated('gelu_erf'),
      normed('lm_head.layer_norm', config.layer_norm_eps),
    ];
    const { vocab_size } = config;
    return languageModel(config, transform, { vocab_size, module: 'lm_head.decoder', bias: 'lm_head.bias' });
  };
  declare readonly config: RobertaLikeConfig;
}

/** Two layers over the first position's state. */
export function robertaClassifier(hidden_size: number, num_labels: number): HeadStep[] {
  return [linear('classifier.dense', hidden_size), activated('tanh'), linear('classifier.out_proj', num_labels)];
}

/** RoBERTa that puts texts into classes: `logits` `[B, num_labels]`. */
export class RobertaForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family: Family<RobertaLikeConfig> = roberta;
  /** @internal */
  static override readonly heads = ({ hidden_size, num_labels }: RobertaLikeConfig) =>
    plan(overPooled(robertaClassifier(hidden_size, num_labels)));
  declare readonly config: RobertaLikeConfig;
}

/** RoBERTa that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class RobertaForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family: Family<RobertaLikeConfig> = roberta;
  /** @internal */
  static override readonly heads = ({ num_labels }: RobertaLikeConfig) =>
    plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: RobertaLikeConfig;
}

/** RoBERTa that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class RobertaForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family: Family<RobertaLikeConfig> = roberta;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: RobertaLikeConfig;
}

/** RoBERTa that scores choices against each other: `logits` `[B, C]`. */
export class RobertaForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family: Family<RobertaLikeConfig> = roberta;
  /** @internal */
  static override readonly heads = () => plan(overPooler(linear('classifier', 1)));
  declare readonly config: RobertaLikeConfig;
}
