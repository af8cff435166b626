/**
 * BERT: Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
 * https://arxiv.org/abs/1810.04805
 */

import type { LayerSpecification } from '../engines/specification.ts';
import type { TaskDescription } from '../engines/task.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { activationNames, activations } from './activations.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { EncoderModel, type EncoderModelOptions } from './encoder-model.ts';
import type { EncoderSource } from './encoder-source.ts';
import type { BareEncoder, Family, HeadPlan } from './family.ts';
import type { TensorInput } from './inputs.ts';
import { postNormLayers } from './layers.ts';
import type { InitOptions } from './modeling.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  NextSentencePredictionModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooler, overTokens, plan } from './tasks/heads.ts';
import { type TaskInputs, TaskModel, type TaskModelOutput } from './tasks/task-model.ts';

// ---------- configuration ----------

const positionEmbeddingTypes = ['absolute', 'relative_key', 'relative_key_query'] as const;

/** Fields of a {@link BertConfig} that differ from the defaults; fields of other names are kept as they are. */
export interface BertConfigValues extends ConfigValues {
  vocab_size?: number;
  hidden_size?: number;
  num_hidden_layers?: number;
  num_attention_heads?: number;
  intermediate_size?: number;
  hidden_act?: string;
  max_position_embeddings?: number;
  type_vocab_size?: number;
  initializer_range?: number;
  layer_norm_eps?: number;
  pad_token_id?: number | null;
  position_embedding_type?: (typeof positionEmbeddingTypes)[number];
}

const bertDefaults = {
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  initializer_range: 0.02,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
  position_embedding_type: 'absolute',
};

/**
 * The settings of BERT, and of the families that have the same ones with other defaults.
 */
export abstract class BertLikeConfig extends PretrainedConfig {
  declare vocab_size: number;
  declare hidden_size: number;
  declare num_hidden_layers: number;
  declare num_attention_heads: number;
  declare intermediate_size: number;
  /** `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`, `quick_gelu`, `relu`, `silu`, `swish` or `tanh`. */
  declare hidden_act: string;
  declare hidden_dropout_prob: number;
  declare attention_probs_dropout_prob: number;
  /** Rows of the position embeddings. */
  declare max_position_embeddings: number;
  declare type_vocab_size: number;
  /** Standard deviation of newly initialised weights. */
  declare initializer_range: number;
  declare layer_norm_eps: number;
  declare pad_token_id: number | null;
  declare position_embedding_type: (typeof positionEmbeddingTypes)[number];

  protected assignAll(defaults: ConfigValues, values: ConfigValues): void {
    this.assign({ ...bertDefaults, ...defaults }, values);
    this.checkSizes({
      vocab_size: 'vocab_size',
      hidden_size: 'hidden_size',
      num_hidden_layers: 'num_hidden_layers',
      num_attention_heads: 'num_attention_heads',
      intermediate_size: 'intermediate_size',
      max_position_embeddings: 'max_position_embeddings',
    });
    this.checkInteger('type_vocab_size', 1, 1 << 16);
    this.checkNumber('layer_norm_eps', 0);
    this.checkNumber('initializer_range', 0);
    this.checkChoice('hidden_act', activationNames);
    this.checkChoice('position_embedding_type', positionEmbeddingTypes);
    this.checkPaddingId(this.vocab_size);
  }
}

/** The settings of a BERT model; the defaults are those of bert-base-uncased. */
export class BertConfig extends BertLikeConfig {
  static readonly model_type = 'bert';
  readonly model_type = BertConfig.model_type;

  /**
   * @param values fields that differ from the defaults
   * @throws BertNativeError `ERR_CONFIG` for values that describe no model
   */
  constructor(values: BertConfigValues = {}) {
    super();
    this.assignAll({}, values);
  }
}

// ---------- from the configuration to the encoder ----------

/** The layers of BERT, which several families have. */
export function bertLayers(config: BertLikeConfig): LayerSpecification[] {
  const { hidden_size, num_attention_heads, position_embedding_type, layer_norm_eps } = config;
  return postNormLayers(config.num_hidden_layers, {
    norm: { eps: layer_norm_eps, bias: true },
    attention: {
      num_attention_heads,
      head_size: hidden_size / num_attention_heads,
      position: { kind: position_embedding_type === 'absolute' ? 'none' : position_embedding_type },
    },
    mlp: { intermediate_size: config.intermediate_size, activation: activations[config.hidden_act]! },
  });
}

const positionEmbeddingsKey = 'embeddings.position_embeddings.weight';

export const bertKeys: BareEncoder['keys'] = {
  layer: (index) => `encoder.layer.${index}.`,
  names: {
    'embeddings.word': 'embeddings.word_embeddings.weight',
    'embeddings.position': positionEmbeddingsKey,
    'embeddings.token_type': 'embeddings.token_type_embeddings.weight',
    'embeddings.norm.*': 'embeddings.LayerNorm.*',
    'attention.query.*': 'attention.self.query.*',
    'attention.key.*': 'attention.self.key.*',
    'attention.value.*': 'attention.self.value.*',
    'attention.distance': 'attention.self.distance_embedding.weight',
    'attention.output.*': 'attention.output.dense.*',
    'attention.norm.*': 'attention.output.LayerNorm.*',
    'mlp.up.*': 'intermediate.dense.*',
    'mlp.down.*': 'output.dense.*',
    'mlp.norm.*': 'output.LayerNorm.*',
    'pooler.dense.*': 'pooler.dense.*',
  },
};

/** BERT's encoder, with embeddings of another size or positions that begin elsewhere in families that differ in these. */
export function bertEncoder(
  config: BertLikeConfig,
  options: { embedding_size?: number; position_padding_id?: number | null; pooler?: boolean } = {},
): BareEncoder {
  const {
    hidden_size,
    embedding_size = hidden_size,
    max_position_embeddings,
    pad_token_id,
  } = {
    ...config,
    ...options,
  };
  const absolute = config.position_embedding_type === 'absolute';
  return {
    specification: {
      hidden_size,
      embeddings: {
        vocab_size: config.vocab_size,
        embedding_size,
        position: absolute ? 'absolute' : 'none',
        max_position_embeddings,
        position_padding_id: options.position_padding_id ?? null,
        type_vocab_size: config.type_vocab_size,
        norm: { eps: config.layer_norm_eps, bias: true },
        projection: null,
        zero_masked: false,
      },
      layers: bertLayers(config),
      relative_positions: null,
      convolution: null,
      final_norm: null,
    },
    pooler: (options.pooler ?? true) ? { activation: 'tanh' } : null,
    keys: bertKeys,
    // The Python class keeps its absolute positions even where relative ones take their place.
    unread: absolute ? [] : [{ name: positionEmbeddingsKey, shape: [max_position_embeddings, embedding_size] }],
    padding_row: pad_token_id ?? -1,
    initializer_range: config.initializer_range,
  };
}

const bert: Family<BertConfig> = {
  config_class: BertConfig,
  base_model_prefix: 'bert',
  pooler_by_default: true,
  encoder: (config) => bertEncoder(config),
};

// ---------- models ----------

/** Options of a {@link BertModel} besides those of every model. */
export type BertModelOptions = EncoderModelOptions;

/** The bare encoder with its pooler, without a task's head. */
export class BertModel extends EncoderModel {
  /** @internal */
  static override readonly family = bert;
  declare readonly config: BertConfig;

  /** @param source @internal what `from_pretrained` found */
  // biome-ignore lint/complexity/noUselessConstructor: it gives the options their type.
  constructor(config: BertConfig, options?: (InitOptions & BertModelOptions) | null, source?: EncoderSource) {
    super(config, options, source);
  }
}

function maskedLanguageModel(config: BertConfig): HeadPlan {
  const { hidden_size, hidden_act, layer_norm_eps, vocab_size } = config;
  const transform = [
    linear('cls.predictions.transform.dense', hidden_size),
    activated(activations[hidden_act]!),
    normed('cls.predictions.transform.LayerNorm', layer_norm_eps),
  ];
  const decoder = { vocab_size, module: 'cls.predictions.decoder', bias: 'cls.predictions.bias' };
  return languageModel(config, transform, decoder);
}

/** BERT with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class BertForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = bert;
  /** @internal */
  static override readonly heads = maskedLanguageModel;
  declare readonly config: BertConfig;
}

/** BERT that says whether the second text follows the first: `logits` `[B, 2]`. */
export class BertForNextSentencePrediction extends NextSentencePredictionModel {
  /** @internal */
  static override readonly family = bert;
  /** @internal */
  static override readonly heads = () => plan(overPooler(linear('cls.seq_relationship', 2)));
  declare readonly config: BertConfig;
}

/** What {@link BertForPreTraining} gives. */
export interface BertForPreTrainingOutput extends TaskModelOutput {
  /** `[B, S, vocab_size]`: which token stands at every position. */
  readonly prediction_logits: Tensor<'float32'>;
  /** `[B, 2]`: the second text follows the first; it does not. */
  readonly seq_relationship_logits: Tensor<'float32'>;
}

export interface BertForPreTraining {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<BertForPreTrainingOutput>;
}

/** Both tasks that BERT was trained on. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class BertForPreTraining extends TaskModel {
  /** @internal */
  static override readonly family = bert;
  /** @internal */
  static override readonly task: TaskDescription = {
    outputs: [
      { name: 'prediction_logits', head: 'prediction_logits', column: null },
      { name: 'seq_relationship_logits', head: 'seq_relationship_logits', column: null },
    ],
    choices: false,
  };

  /** @internal */
  static override readonly heads = (config: BertConfig): HeadPlan => {
    const { heads, ...others } = maskedLanguageModel(config);
    const sentences = overPooler(linear('cls.seq_relationship', 2));
    return {
      ...others,
      heads: [
        { ...heads[0]!, name: 'prediction_logits' },
        { ...sentences, name: 'seq_relationship_logits' },
      ],
    };
  };

  declare readonly config: BertConfig;
}

/** BERT that puts texts into classes: `logits` `[B, num_labels]`. */
export class BertForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = bert;
  /** @internal */
  static override readonly heads = ({ num_labels }: BertConfig) => plan(overPooler(linear('classifier', num_labels)));
  declare readonly config: BertConfig;
}

/** BERT that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class BertForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = bert;
  /** @internal */
  static override readonly heads = ({ num_labels }: BertConfig) => plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: BertConfig;
}

/** BERT that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class BertForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = bert;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: BertConfig;
}

/** BERT that scores choices against each other: `logits` `[B, C]`. */
export class BertForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = bert;
  /** @internal */
  static override readonly heads = () => plan(overPooler(linear('classifier', 1)));
  declare readonly config: BertConfig;
}
