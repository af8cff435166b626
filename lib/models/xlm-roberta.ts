/**
 * XLM-RoBERTa: Conneau et al. 2019, "Unsupervised Cross-lingual Representation Learning at Scale",
 * https://arxiv.org/abs/1911.02116: RoBERTa over a hundred languages.
 */

import type { ConfigValues } from './configuration.ts';
import {
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaLikeConfig,
  RobertaModel,
  robertaFamily,
} from './roberta.ts';

/** The settings of an XLM-RoBERTa model. */
export class XLMRobertaConfig extends RobertaLikeConfig {
  static readonly model_type = 'xlm-roberta';
  readonly model_type = XLMRobertaConfig.model_type;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    this.assignRoberta({ vocab_size: 30522 }, values);
  }
}

const xlmRoberta = robertaFamily(XLMRobertaConfig);

/** The bare encoder with its pooler, without a task's head. */
export class XLMRobertaModel extends RobertaModel {
  /** @internal */
  static override readonly family = xlmRoberta;
}

/** XLM-RoBERTa with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class XLMRobertaForMaskedLM extends RobertaForMaskedLM {
  /** @internal */
  static override readonly family = xlmRoberta;
}

/** XLM-RoBERTa that puts texts into classes: `logits` `[B, num_labels]`. */
export class XLMRobertaForSequenceClassification extends RobertaForSequenceClassification {
  /** @internal */
  static override readonly family = xlmRoberta;
}

/** XLM-RoBERTa that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class XLMRobertaForTokenClassification extends RobertaForTokenClassification {
  /** @internal */
  static override readonly family = xlmRoberta;
}

/** XLM-RoBERTa that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class XLMRobertaForQuestionAnswering extends RobertaForQuestionAnswering {
  /** @internal */
  static override readonly family = xlmRoberta;
}

/** XLM-RoBERTa that scores choices against each other: `logits` `[B, C]`. */
export class XLMRobertaForMultipleChoice extends RobertaForMultipleChoice {
  /** @internal */
  static override readonly family = xlmRoberta;
}
