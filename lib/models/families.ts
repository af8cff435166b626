import {
  AlbertConfig,
  AlbertForMaskedLM,
  AlbertForMultipleChoice,
  AlbertForPreTraining,
  AlbertForQuestionAnswering,
  AlbertForSequenceClassification,
  AlbertForTokenClassification,
  AlbertModel,
} from './albert.ts';
import {
  BertConfig,
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForNextSentencePrediction,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
} from './bert.ts';
import {
  CamembertConfig,
  CamembertForMaskedLM,
  CamembertForMultipleChoice,
  CamembertForQuestionAnswering,
  CamembertForSequenceClassification,
  CamembertForTokenClassification,
  CamembertModel,
} from './camembert.ts';
import type { ConfigValues, PretrainedConfig } from './configuration.ts';
import {
  DebertaV2Config,
  DebertaV2ForMaskedLM,
  DebertaV2ForMultipleChoice,
  DebertaV2ForQuestionAnswering,
  DebertaV2ForSequenceClassification,
  DebertaV2ForTokenClassification,
  DebertaV2Model,
} from './deberta-v2.ts';
import {
  DistilBertConfig,
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
} from './distilbert.ts';
import {
  ElectraConfig,
  ElectraForMaskedLM,
  ElectraForMultipleChoice,
  ElectraForPreTraining,
  ElectraForQuestionAnswering,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraModel,
} from './electra.ts';
import {
  GteConfig,
  GteForMaskedLM,
  GteForMultipleChoice,
  GteForQuestionAnswering,
  GteForSequenceClassification,
  GteForTokenClassification,
  GteModel,
  NewConfig,
  NewForMaskedLM,
  NewForMultipleChoice,
  NewForQuestionAnswering,
  NewForSequenceClassification,
  NewForTokenClassification,
  NewModel,
} from './gte.ts';
import type { PreTrainedModel } from './modeling.ts';
import {
  ModernBertConfig,
  ModernBertForMaskedLM,
  ModernBertForMultipleChoice,
  ModernBertForQuestionAnswering,
  ModernBertForSequenceClassification,
  ModernBertForTokenClassification,
  ModernBertModel,
} from './modernbert.ts';
import {
  MPNetConfig,
  MPNetForMaskedLM,
  MPNetForMultipleChoice,
  MPNetForQuestionAnswering,
  MPNetForSequenceClassification,
  MPNetForTokenClassification,
  MPNetModel,
} from './mpnet.ts';
import {
  NomicBertConfig,
  NomicBertForMaskedLM,
  NomicBertForMultipleChoice,
  NomicBertForPreTraining,
  NomicBertForQuestionAnswering,
  NomicBertForSequenceClassification,
  NomicBertForTokenClassification,
  NomicBertModel,
} from './nomic-bert.ts';
import {
  RobertaConfig,
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from './roberta.ts';
import {
  XLMRobertaConfig,
  XLMRobertaForMaskedLM,
  XLMRobertaForMultipleChoice,
  XLMRobertaForQuestionAnswering,
  XLMRobertaForSequenceClassification,
  XLMRobertaForTokenClassification,
  XLMRobertaModel,
} from './xlm-roberta.ts';

/** What the Auto classes find, one of each for a family. */
export type AutoClass =
  | 'model'
  | 'masked_lm'
  | 'multiple_choice'
  | 'next_sentence_prediction'
  | 'pretraining'
  | 'question_answering'
  | 'sequence_classification'
  | 'token_classification';

type AnyModelClass = (abstract new (...values: never[]) => PreTrainedModel) & { readonly name: string };

/** A family as the Auto classes see it. */
export interface ModelFamily {
  readonly config: (new (values?: ConfigValues) => AnyConfig) & { readonly model_type: string };
  readonly classes: Readonly<Partial<Record<AutoClass, AnyModelClass>>>;
}

/** What `AutoConfig` gives: a configuration of one of the families. */
export type AnyConfig = PretrainedConfig &
  (
    | AlbertConfig
    | BertConfig
    | CamembertConfig
    | DebertaV2Config
    | DistilBertConfig
    | ElectraConfig
    | GteConfig
    | NewConfig
    | ModernBertConfig
    | MPNetConfig
    | NomicBertConfig
    | RobertaConfig
    | XLMRobertaConfig
  );

/** Every family. A new one adds its entry. */
export const families: readonly ModelFamily[] = [
  {
    config: AlbertConfig,
    classes: {
      model: AlbertModel,
      masked_lm: AlbertForMaskedLM,
      multiple_choice: AlbertForMultipleChoice,
      question_answering: AlbertForQuestionAnswering,
      sequence_classification: AlbertForSequenceClassification,
      token_classification: AlbertForTokenClassification,
      pretraining: AlbertForPreTraining,
    },
  },
  {
    config: BertConfig,
    classes: {
      model: BertModel,
      masked_lm: BertForMaskedLM,
      multiple_choice: BertForMultipleChoice,
      question_answering: BertForQuestionAnswering,
      sequence_classification: BertForSequenceClassification,
      token_classification: BertForTokenClassification,
      next_sentence_prediction: BertForNextSentencePrediction,
      pretraining: BertForPreTraining,
    },
  },
  {
    config: CamembertConfig,
    classes: {
      model: CamembertModel,
      masked_lm: CamembertForMaskedLM,
      multiple_choice: CamembertForMultipleChoice,
      question_answering: CamembertForQuestionAnswering,
      sequence_classification: CamembertForSequenceClassification,
      token_classification: CamembertForTokenClassification,
      pretraining: CamembertForMaskedLM,
    },
  },
  {
    config: DebertaV2Config,
    classes: {
      model: DebertaV2Model,
      masked_lm: DebertaV2ForMaskedLM,
      multiple_choice: DebertaV2ForMultipleChoice,
      question_answering: DebertaV2ForQuestionAnswering,
      sequence_classification: DebertaV2ForSequenceClassification,
      token_classification: DebertaV2ForTokenClassification,
      pretraining: DebertaV2ForMaskedLM,
    },
  },
  {
    config: DistilBertConfig,
    classes: {
      model: DistilBertModel,
      masked_lm: DistilBertForMaskedLM,
      multiple_choice: DistilBertForMultipleChoice,
      question_answering: DistilBertForQuestionAnswering,
      sequence_classification: DistilBertForSequenceClassification,
      token_classification: DistilBertForTokenClassification,
      pretraining: DistilBertForMaskedLM,
    },
  },
  {
    config: ElectraConfig,
    classes: {
      model: ElectraModel,
      masked_lm: ElectraForMaskedLM,
      multiple_choice: ElectraForMultipleChoice,
      question_answering: ElectraForQuestionAnswering,
      sequence_classification: ElectraForSequenceClassification,
      token_classification: ElectraForTokenClassification,
      pretraining: ElectraForPreTraining,
    },
  },
  {
    config: GteConfig,
    classes: {
      model: GteModel,
      masked_lm: GteForMaskedLM,
      multiple_choice: GteForMultipleChoice,
      question_answering: GteForQuestionAnswering,
      sequence_classification: GteForSequenceClassification,
      token_classification: GteForTokenClassification,
      pretraining: GteForMaskedLM,
    },
  },
  {
    config: NewConfig,
    classes: {
      model: NewModel,
      masked_lm: NewForMaskedLM,
      multiple_choice: NewForMultipleChoice,
      question_answering: NewForQuestionAnswering,
      sequence_classification: NewForSequenceClassification,
      token_classification: NewForTokenClassification,
      pretraining: NewForMaskedLM,
    },
  },
  {
    config: ModernBertConfig,
    classes: {
      model: ModernBertModel,
      masked_lm: ModernBertForMaskedLM,
      multiple_choice: ModernBertForMultipleChoice,
      question_answering: ModernBertForQuestionAnswering,
      sequence_classification: ModernBertForSequenceClassification,
      token_classification: ModernBertForTokenClassification,
      pretraining: ModernBertForMaskedLM,
    },
  },
  {
    config: MPNetConfig,
    classes: {
      model: MPNetModel,
      masked_lm: MPNetForMaskedLM,
      multiple_choice: MPNetForMultipleChoice,
      question_answering: MPNetForQuestionAnswering,
      sequence_classification: MPNetForSequenceClassification,
      token_classification: MPNetForTokenClassification,
      pretraining: MPNetForMaskedLM,
    },
  },
  {
    config: NomicBertConfig,
    classes: {
      model: NomicBertModel,
      masked_lm: NomicBertForMaskedLM,
      multiple_choice: NomicBertForMultipleChoice,
      question_answering: NomicBertForQuestionAnswering,
      sequence_classification: NomicBertForSequenceClassification,
      token_classification: NomicBertForTokenClassification,
      pretraining: NomicBertForPreTraining,
    },
  },
  {
    config: RobertaConfig,
    classes: {
      model: RobertaModel,
      masked_lm: RobertaForMaskedLM,
      multiple_choice: RobertaForMultipleChoice,
      question_answering: RobertaForQuestionAnswering,
      sequence_classification: RobertaForSequenceClassification,
      token_classification: RobertaForTokenClassification,
      pretraining: RobertaForMaskedLM,
    },
  },
  {
    config: XLMRobertaConfig,
    classes: {
      model: XLMRobertaModel,
      masked_lm: XLMRobertaForMaskedLM,
      multiple_choice: XLMRobertaForMultipleChoice,
      question_answering: XLMRobertaForQuestionAnswering,
      sequence_classification: XLMRobertaForSequenceClassification,
      token_classification: XLMRobertaForTokenClassification,
      pretraining: XLMRobertaForMaskedLM,
    },
  },
];
