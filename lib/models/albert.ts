/**
 * ALBERT: Lan et al. 2019, "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations",
 * https://arxiv.org/abs/1909.11942
 *
 * BERT whose layers share their weights, with narrow embeddings.
 */

import type { TaskDescription } from '../engines/task.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { activations } from './activations.ts';
import { BertLikeConfig, bertEncoder } from './bert.ts';
import type { ConfigValues } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { BareEncoder, Family, HeadPlan } from './family.ts';
import type { TensorInput } from './inputs.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooler, overTokens, plan } from './tasks/heads.ts';
import { type TaskInputs, TaskModel, type TaskModelOutput } from './tasks/task-model.ts';

/** The settings of an ALBERT model; the defaults are those of albert-xxlarge-v2. */
export class AlbertConfig extends BertLikeConfig {
  static readonly model_type = 'albert';
  readonly model_type = AlbertConfig.model_type;

  /** E, the width of the embeddings. */
  declare embedding_size: number;
  /** Groups of layers that share their weights. */
  declare num_hidden_groups: number;
  /** Different layers in each group: only 1 is supported. */
  declare inner_group_num: number;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    const defaults = {
      vocab_size: 30000,
      embedding_size: 128,
      hidden_size: 4096,
      num_hidden_groups: 1,
      inner_group_num: 1,
      num_attention_heads: 64,
      intermediate_size: 16384,
      hidden_act: 'gelu_new',
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
      classifier_dropout_prob: 0.1,
      bos_token_id: 2,
      eos_token_id: 3,
    };
    this.assignAll(defaults, values);
    this.checkInteger('embedding_size', 1, 1 << 17);
    this.checkInteger('num_hidden_groups', 1, Math.max(1, this.num_hidden_layers));
    this.checkInteger('inner_group_num', 1);
    this.refuse('inner_group_num', this.inner_group_num !== 1, '1');
  }
}

/** The group that a layer belongs to, as the Python class places it where groups do not divide the layers evenly, too. */
function groupOf(layer: number, layers: number, groups: number): number {
  return Math.trunc(layer / (layers / groups));
}

function albertEncoder(config: AlbertConfig): BareEncoder {
  const { embedding_size, num_hidden_layers, num_hidden_groups } = config;
  const groups = Array.from({ length: num_hidden_layers }, (_, layer) =>
    groupOf(layer, num_hidden_layers, num_hidden_groups),
  );
  const { specification, keys, ...encoder } = bertEncoder(config, { embedding_size });
  const { embeddings, layers } = specification;
  return {
    ...encoder,
    specification: {
      ...specification,
      embeddings: { ...embeddings, projection: { placement: 'after_norm', bias: true } },
      layers: layers.map((layer, index) => ({ ...layer, parameters: groups.indexOf(groups[index]!) })),
    },
    keys: {
      layer: (index) => `encoder.albert_layer_groups.${groups[index]}.albert_layers.0.`,
      names: {
        ...keys.names,
        'embeddings.projection.*': 'encoder.embedding_hidden_mapping_in.*',
        'attention.query.*': 'attention.query.*',
        'attention.key.*': 'attention.key.*',
        'attention.value.*': 'attention.value.*',
        'attention.distance': 'attention.distance_embedding.weight',
        'attention.output.*': 'attention.dense.*',
        'attention.norm.*': 'attention.LayerNorm.*',
        'mlp.up.*': 'ffn.*',
        'mlp.down.*': 'ffn_output.*',
        'mlp.norm.*': 'full_layer_layer_norm.*',
        'pooler.dense.*': 'pooler.*',
      },
    },
  };
}

const albert: Family<AlbertConfig> = {
  config_class: AlbertConfig,
  base_model_prefix: 'albert',
  pooler_by_default: true,
  encoder: albertEncoder,
};

/** The bare encoder with its pooler, without a task's head. */
export class AlbertModel extends EncoderModel {
  /** @internal */
  static override readonly family = albert;
  declare readonly config: AlbertConfig;
}

function maskedLanguageModel(config: AlbertConfig): HeadPlan {
  const { embedding_size, hidden_act, layer_norm_eps, vocab_size } = config;
  const transform = [
    linear('predictions.dense', embedding_size),
    activated(activations[hidden_act]!),
    normed('predictions.LayerNorm', layer_norm_eps),
  ];
  return languageModel(config, transform, { vocab_size, module: 'predictions.decoder', bias: 'predictions.bias' });
}

/** ALBERT with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class AlbertForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = albert;
  /** @internal */
  static override readonly heads = maskedLanguageModel;
  declare readonly config: AlbertConfig;
}

/** What {@link AlbertForPreTraining} gives. */
export interface AlbertForPreTrainingOutput extends TaskModelOutput {
  /** `[B, S, vocab_size]`: which token stands at every position. */
  readonly prediction_logits: Tensor<'float32'>;
  /** `[B, 2]`: the two texts are in order; they are not. */
  readonly sop_logits: Tensor<'float32'>;
}

export interface AlbertForPreTraining {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<AlbertForPreTrainingOutput>;
}

/** Both tasks that ALBERT was trained on. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class AlbertForPreTraining extends TaskModel {
  /** @internal */
  static override readonly family = albert;
  /** @internal */
  static override readonly task: TaskDescription = {
    outputs: [
      { name: 'prediction_logits', head: 'prediction_logits', column: null },
      { name: 'sop_logits', head: 'sop_logits', column: null },
    ],
    choices: false,
  };

  /** @internal */
  static override readonly heads = (config: AlbertConfig): HeadPlan => {
    const { heads, ...others } = maskedLanguageModel(config);
    const order = overPooler(linear('sop_classifier.classifier', 2));
    return {
      ...others,
      heads: [
        { ...heads[0]!, name: 'prediction_logits' },
        { ...order, name: 'sop_logits' },
      ],
    };
  };

  declare readonly config: AlbertConfig;
}

/** ALBERT that puts texts into classes: `logits` `[B, num_labels]`. */
export class AlbertForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = albert;
  /** @internal */
  static override readonly heads = ({ num_labels }: AlbertConfig) => plan(overPooler(linear('classifier', num_labels)));
  declare readonly config: AlbertConfig;
}

/** ALBERT that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class AlbertForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = albert;
  /** @internal */
  static override readonly heads = ({ num_labels }: AlbertConfig) => plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: AlbertConfig;
}

/** ALBERT that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class AlbertForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = albert;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: AlbertConfig;
}

/** ALBERT that scores choices against each other: `logits` `[B, C]`. */
export class AlbertForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = albert;
  /** @internal */
  static override readonly heads = () => plan(overPooler(linear('classifier', 1)));
  declare readonly config: AlbertConfig;
}
