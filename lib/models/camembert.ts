/**
 * CamemBERT: Martin et al. 2019, "CamemBERT: a Tasty French Language Model", https://arxiv.org/abs/1911.03894: RoBERTa over
 * French.
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

/** The settings of a CamemBERT model. */
export class CamembertConfig extends RobertaLikeConfig {
  static readonly model_type = 'camembert';
  readonly model_type = CamembertConfig.model_type;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    this.assignRoberta({ vocab_size: 30522 }, values);
  }
}

const camembert = robertaFamily(CamembertConfig);

/** The bare encoder with its pooler, without a task's head. */
export class CamembertModel extends RobertaModel {
  /** @internal */
  static override readonly family = camembert;
}

/** CamemBERT with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class CamembertForMaskedLM extends RobertaForMaskedLM {
  /** @internal */
  static override readonly family = camembert;
}

/** CamemBERT that puts texts into classes: `logits` `[B, num_labels]`. */
export class CamembertForSequenceClassification extends RobertaForSequenceClassification {
  /** @internal */
  static override readonly family = camembert;
}

/** CamemBERT that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class CamembertForTokenClassification extends RobertaForTokenClassification {
  /** @internal */
  static override readonly family = camembert;
}

/** CamemBERT that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class CamembertForQuestionAnswering extends RobertaForQuestionAnswering {
  /** @internal */
  static override readonly family = camembert;
}

/** CamemBERT that scores choices against each other: `logits` `[B, C]`. */
export class CamembertForMultipleChoice extends RobertaForMultipleChoice {
  /** @internal */
  static override readonly family = camembert;
}
