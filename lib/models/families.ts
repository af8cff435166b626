import * as albert from './albert.ts';
import * as bert from './bert.ts';
import * as camembert from './camembert.ts';
import type { ConfigValues, PretrainedConfig } from './configuration.ts';
import * as debertaV2 from './deberta-v2.ts';
import * as distilbert from './distilbert.ts';
import * as electra from './electra.ts';
import * as gte from './gte.ts';
import type { PreTrainedModel } from './modeling.ts';
import * as modernbert from './modernbert.ts';
import * as mpnet from './mpnet.ts';
import * as nomicBert from './nomic-bert.ts';
import * as roberta from './roberta.ts';
import * as xlmRoberta from './xlm-roberta.ts';

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
    | albert.AlbertConfig
    | bert.BertConfig
    | camembert.CamembertConfig
    | debertaV2.DebertaV2Config
    | distilbert.DistilBertConfig
    | electra.ElectraConfig
    | gte.GteConfig
    | gte.NewConfig
    | modernbert.ModernBertConfig
    | mpnet.MPNetConfig
    | nomicBert.NomicBertConfig
    | roberta.RobertaConfig
    | xlmRoberta.XLMRobertaConfig
  );

/** Every family. A new one adds its entry. */
export const families: readonly ModelFamily[] = [
  {
    config: albert.AlbertConfig,
    classes: {
      model: albert.AlbertModel,
      masked_lm: albert.AlbertForMaskedLM,
      multiple_choice: albert.AlbertForMultipleChoice,
      question_answering: albert.AlbertForQuestionAnswering,
      sequence_classification: albert.AlbertForSequenceClassification,
      token_classification: albert.AlbertForTokenClassification,
      pretraining: albert.AlbertForPreTraining,
    },
  },
  {
    config: bert.BertConfig,
    classes: {
      model: bert.BertModel,
      masked_lm: bert.BertForMaskedLM,
      multiple_choice: bert.BertForMultipleChoice,
      question_answering: bert.BertForQuestionAnswering,
      sequence_classification: bert.BertForSequenceClassification,
      token_classification: bert.BertForTokenClassification,
      next_sentence_prediction: bert.BertForNextSentencePrediction,
      pretraining: bert.BertForPreTraining,
    },
  },
  {
    config: camembert.CamembertConfig,
    classes: {
      model: camembert.CamembertModel,
      masked_lm: camembert.CamembertForMaskedLM,
      multiple_choice: camembert.CamembertForMultipleChoice,
      question_answering: camembert.CamembertForQuestionAnswering,
      sequence_classification: camembert.CamembertForSequenceClassification,
      token_classification: camembert.CamembertForTokenClassification,
      pretraining: camembert.CamembertForMaskedLM,
    },
  },
  {
    config: debertaV2.DebertaV2Config,
    classes: {
      model: debertaV2.DebertaV2Model,
      masked_lm: debertaV2.DebertaV2ForMaskedLM,
      multiple_choice: debertaV2.DebertaV2ForMultipleChoice,
      question_answering: debertaV2.DebertaV2ForQuestionAnswering,
      sequence_classification: debertaV2.DebertaV2ForSequenceClassification,
      token_classification: debertaV2.DebertaV2ForTokenClassification,
      pretraining: debertaV2.DebertaV2ForMaskedLM,
    },
  },
  {
    config: distilbert.DistilBertConfig,
    classes: {
      model: distilbert.DistilBertModel,
      masked_lm: distilbert.DistilBertForMaskedLM,
      multiple_choice: distilbert.DistilBertForMultipleChoice,
      question_answering: distilbert.DistilBertForQuestionAnswering,
      sequence_classification: distilbert.DistilBertForSequenceClassification,
      token_classification: distilbert.DistilBertForTokenClassification,
      pretraining: distilbert.DistilBertForMaskedLM,
    },
  },
  {
    config: electra.ElectraConfig,
    classes: {
      model: electra.ElectraModel,
      masked_lm: electra.ElectraForMaskedLM,
      multiple_choice: electra.ElectraForMultipleChoice,
      question_answering: electra.ElectraForQuestionAnswering,
      sequence_classification: electra.ElectraForSequenceClassification,
      token_classification: electra.ElectraForTokenClassification,
      pretraining: electra.ElectraForPreTraining,
    },
  },
  {
    config: gte.GteConfig,
    classes: {
      model: gte.GteModel,
      masked_lm: gte.GteForMaskedLM,
      multiple_choice: gte.GteForMultipleChoice,
      question_answering: gte.GteForQuestionAnswering,
      sequence_classification: gte.GteForSequenceClassification,
      token_classification: gte.GteForTokenClassification,
      pretraining: gte.GteForMaskedLM,
    },
  },
  {
    config: gte.NewConfig,
    classes: {
      model: gte.NewModel,
      masked_lm: gte.NewForMaskedLM,
      multiple_choice: gte.NewForMultipleChoice,
      question_answering: gte.NewForQuestionAnswering,
      sequence_classification: gte.NewForSequenceClassification,
      token_classification: gte.NewForTokenClassification,
      pretraining: gte.NewForMaskedLM,
    },
  },
  {
    config: modernbert.ModernBertConfig,
    classes: {
      model: modernbert.ModernBertModel,
      masked_lm: modernbert.ModernBertForMaskedLM,
      multiple_choice: modernbert.ModernBertForMultipleChoice,
      question_answering: modernbert.ModernBertForQuestionAnswering,
      sequence_classification: modernbert.ModernBertForSequenceClassification,
      token_classification: modernbert.ModernBertForTokenClassification,
      pretraining: modernbert.ModernBertForMaskedLM,
    },
  },
  {
    config: mpnet.MPNetConfig,
    classes: {
      model: mpnet.MPNetModel,
      masked_lm: mpnet.MPNetForMaskedLM,
      multiple_choice: mpnet.MPNetForMultipleChoice,
      question_answering: mpnet.MPNetForQuestionAnswering,
      sequence_classification: mpnet.MPNetForSequenceClassification,
      token_classification: mpnet.MPNetForTokenClassification,
      pretraining: mpnet.MPNetForMaskedLM,
    },
  },
  {
    config: nomicBert.NomicBertConfig,
    classes: {
      model: nomicBert.NomicBertModel,
      masked_lm: nomicBert.NomicBertForMaskedLM,
      multiple_choice: nomicBert.NomicBertForMultipleChoice,
      question_answering: nomicBert.NomicBertForQuestionAnswering,
      sequence_classification: nomicBert.NomicBertForSequenceClassification,
      token_classification: nomicBert.NomicBertForTokenClassification,
      pretraining: nomicBert.NomicBertForPreTraining,
    },
  },
  {
    config: roberta.RobertaConfig,
    classes: {
      model: roberta.RobertaModel,
      masked_lm: roberta.RobertaForMaskedLM,
      multiple_choice: roberta.RobertaForMultipleChoice,
      question_answering: roberta.RobertaForQuestionAnswering,
      sequence_classification: roberta.RobertaForSequenceClassification,
      token_classification: roberta.RobertaForTokenClassification,
      pretraining: roberta.RobertaForMaskedLM,
    },
  },
  {
    config: xlmRoberta.XLMRobertaConfig,
    classes: {
      model: xlmRoberta.XLMRobertaModel,
      masked_lm: xlmRoberta.XLMRobertaForMaskedLM,
      multiple_choice: xlmRoberta.XLMRobertaForMultipleChoice,
      question_answering: xlmRoberta.XLMRobertaForQuestionAnswering,
      sequence_classification: xlmRoberta.XLMRobertaForSequenceClassification,
      token_classification: xlmRoberta.XLMRobertaForTokenClassification,
      pretraining: xlmRoberta.XLMRobertaForMaskedLM,
    },
  },
];
