/**
 * ELECTRA: Clark et al. 2020, "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators",
 * https://arxiv.org/abs/2003.10555
 *
 * BERT without a pooler; embeddings may be narrower than the layers.
 */

import type { TaskDescription } from '../engines/task.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { activationNames, activations } from './activations.ts';
import { BertLikeConfig, bertEncoder } from './bert.ts';
import type { ConfigValues } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { BareEncoder, Family } from './family.ts';
import type { TensorInput } from './inputs.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooled, overTokens, plan } from './tasks/heads.ts';
import { type TaskInputs, TaskModel, type TaskModelOutput } from './tasks/task-model.ts';

/** The settings of an ELECTRA model; the defaults are those of electra-small-discriminator. */
export class ElectraConfig extends BertLikeConfig {
  static readonly model_type = 'electra';
  readonly model_type = ElectraConfig.model_type;

  /** E, the width of the embeddings. */
  declare embedding_size: number;
  /** How the multiple choice head makes one vector of a row: only `first` is supported. */
  declare summary_type: string;
  declare summary_use_proj: boolean;
  declare summary_activation: string | null;
  declare summary_proj_to_labels?: boolean;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    const defaults = {
      embedding_size: 128,
      hidden_size: 256,
      num_attention_heads: 4,
      intermediate_size: 1024,
      summary_type: 'first',
      summary_use_proj: true,
      summary_activation: 'gelu',
      summary_last_dropout: 0.1,
    };
    this.assignAll(defaults, values);
    this.checkInteger('embedding_size', 1, 1 << 17);
    this.checkBoolean('summary_use_proj');
    if (this.summary_activation !== null) this.checkChoice('summary_activation', activationNames);
  }

  /** Of the multiple choice model alone. @internal */
  checkSummary(): void {
    this.refuse('summary_type', this.summary_type !== 'first', "'first'");
    this.refuse('summary_proj_to_labels', this.summary_proj_to_labels === true && this.num_labels > 0, 'false');
  }
}

function electraEncoder(config: ElectraConfig): BareEncoder {
  const { embedding_size, hidden_size } = config;
  const { specification, keys, ...encoder } = bertEncoder(config, { embedding_size, pooler: false });
  if (embedding_size === hidden_size) return { ...encoder, specification, keys };
  const projection = { placement: 'after_norm', bias: true } as const;
  return {
    ...encoder,
    specification: { ...specification, embeddings: { ...specification.embeddings, projection } },
    keys: { ...keys, names: { ...keys.names, 'embeddings.projection.*': 'embeddings_project.*' } },
  };
}

const electra: Family<ElectraConfig> = {
  config_class: ElectraConfig,
  base_model_prefix: 'electra',
  pooler_by_default: false,
  encoder: electraEncoder,
};

/** The bare encoder, of a discriminator or a generator. It has no pooler. */
export class ElectraModel extends EncoderModel {
  /** @internal */
  static override readonly family = electra;
  declare readonly config: ElectraConfig;
}

/** What {@link ElectraForPreTraining} gives. */
export interface ElectraForPreTrainingOutput extends TaskModelOutput {
  /** `[B, S]`: above zero where a token seems to be another's replacement. */
  readonly logits: Tensor<'float32'>;
}

export interface ElectraForPreTraining {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<ElectraForPreTrainingOutput>;
}

/** The discriminator: tells tokens of the text from replacements. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class ElectraForPreTraining extends TaskModel {
  /** @internal */
  static override readonly family = electra;
  /** @internal */
  static override readonly task: TaskDescription = {
    outputs: [{ name: 'logits', head: 'logits', column: 0 }],
    choices: false,
  };
  /** @internal */
  static override readonly heads = ({ hidden_size, hidden_act }: ElectraConfig) =>
    plan(
      overTokens(
        linear('discriminator_predictions.dense', hidden_size),
        activated(activations[hidden_act]!),
        linear('discriminator_predictions.dense_prediction', 1),
      ),
    );
  declare readonly config: ElectraConfig;
}

/** The generator. */
export class ElectraForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = electra;
  /** @internal */
  static override readonly heads = (config: ElectraConfig) => {
    const transform = [
      linear('generator_predictions.dense', config.embedding_size),
      activated('gelu_erf'),
      normed('generator_predictions.LayerNorm', config.layer_norm_eps),
    ];
    const { vocab_size } = config;
    return languageModel(config, transform, {
      vocab_size,
      module: 'generator_lm_head',
      bias: 'generator_lm_head.bias',
    });
  };
  declare readonly config: ElectraConfig;
}

/** ELECTRA that puts texts into classes: `logits` `[B, num_labels]`. */
export class ElectraForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = electra;
  /** @internal */
  static override readonly heads = ({ hidden_size, num_labels }: ElectraConfig) =>
    plan(
      overPooled([
        linear('classifier.dense', hidden_size),
        activated('gelu_erf'),
        linear('classifier.out_proj', num_labels),
      ]),
    );
  declare readonly config: ElectraConfig;
}

/** ELECTRA that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class ElectraForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = electra;
  /** @internal */
  static override readonly heads = ({ num_labels }: ElectraConfig) =>
    plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: ElectraConfig;
}

/** ELECTRA that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class ElectraForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = electra;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: ElectraConfig;
}

/** ELECTRA that scores choices against each other: `logits` `[B, C]`. */
export class ElectraForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = electra;
  /** @internal */
  static override readonly heads = (config: ElectraConfig) => {
    config.checkSummary();
    const { hidden_size, summary_use_proj, summary_activation } = config;
    return plan(
      overPooled([
        ...(summary_use_proj ? [linear('sequence_summary.summary', hidden_size)] : []),
        ...(summary_activation !== null ? [activated(activations[summary_activation]!)] : []),
        linear('classifier', 1),
      ]),
    );
  };
  declare readonly config: ElectraConfig;
}
