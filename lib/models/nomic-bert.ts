/**
 * NomicBERT: Nussbaum et al. 2024, "Nomic Embed: Training a Reproducible Long Context Text Embedder",
 * https://arxiv.org/abs/2402.01613
 *
 * BERT with rotary positions and gated MLPs; the names of its settings are GPT-2's.
 */

import type { Activation, LayerSpecification } from '../engines/specification.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { BareEncoder, Family, HeadPlan } from './family.ts';
import { postNormLayers } from './layers.ts';
import { inverseFrequencies } from './rotary.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { activated, languageModel, linear, normed, overPooler, overTokens, plan } from './tasks/heads.ts';

// ---------- configuration ----------

const gatedActivations: Readonly<Record<string, Activation>> = { swiglu: 'silu', geglu: 'gelu_erf' };

const plainActivations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu_erf',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
};

/** The inner width of a gated MLP is a multiple of this. */
const innerMultiple = 256;

/** The settings of a NomicBERT model; the defaults are those of the Python class. */
export class NomicBertConfig extends PretrainedConfig {
  static readonly model_type = 'nomic_bert';
  readonly model_type = NomicBertConfig.model_type;

  declare vocab_size: number;
  /** The vocabulary's rows are rounded up to a multiple of this. */
  declare pad_vocab_size_multiple: number;
  declare n_positions: number;
  declare n_embd: number;
  declare n_layer: number;
  declare n_head: number;
  /** The inner width of the MLPs; null: four times the layers' width, or 8/3 of it where they are gated. */
  declare n_inner: number | null;
  /** `swiglu` or `geglu` (gated), `gelu`, `gelu_new`, `gelu_fast`, `gelu_pytorch_tanh`. */
  declare activation_function: string;
  declare layer_norm_epsilon: number;
  declare initializer_range: number;
  declare type_vocab_size: number;
  declare pad_token_id: number | null;
  declare qkv_proj_bias: boolean;
  declare mlp_fc1_bias: boolean;
  declare mlp_fc2_bias: boolean;
  /** The part of a head's columns that positions turn; 0: learned positions are added to the embeddings. */
  declare rotary_emb_fraction: number;
  declare rotary_emb_base: number;
  declare rotary_emb_interleaved: boolean;
  /** Changes the angles of rows longer than max_trained_positions, which are refused where there is one. */
  declare rotary_scaling_factor: number | null;
  declare max_trained_positions: number;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    const defaults = {
      vocab_size: 50257,
      pad_vocab_size_multiple: 1,
      n_positions: 1024,
      n_embd: 768,
      n_layer: 12,
      n_head: 12,
      n_inner: null,
      activation_function: 'gelu_new',
      layer_norm_epsilon: 1e-5,
      initializer_range: 0.02,
      type_vocab_size: 2,
      pad_token_id: null,
      qkv_proj_bias: true,
      mlp_fc1_bias: true,
      mlp_fc2_bias: true,
      rotary_emb_fraction: 0,
      rotary_emb_base: 10000,
      rotary_emb_interleaved: false,
      rotary_emb_scale_base: null,
      rotary_scaling_factor: null,
      max_trained_positions: 2048,
      prenorm: false,
      parallel_block: false,
      use_rms_norm: false,
      causal: false,
    };
    this.assign(defaults, values);
    this.check();
  }

  private check(): void {
    this.checkInteger('vocab_size', 1, 1 << 24);
    if (this.n_inner !== null) this.checkInteger('n_inner', 1, 1 << 19);
    this.checkInteger('pad_vocab_size_multiple', 1, 1 << 16);
    this.checkInteger('n_positions', 1, 1 << 24);
    this.checkInteger('max_trained_positions', 1, 1 << 24);
    this.checkInteger('n_embd', 1, 1 << 17);
    this.checkInteger('n_layer', 0, 1 << 12);
    this.checkInteger('n_head', 1, 1 << 12);
    this.checkDivides('n_embd', 'n_head');
    this.checkInteger('type_vocab_size', 0, 1 << 16);
    this.checkNumber('layer_norm_epsilon', 0);
    this.checkNumber('initializer_range', 0);
    this.checkNumber('rotary_emb_base', 1);
    this.checkNumber('rotary_emb_fraction', 0);
    if (this.rotary_scaling_factor !== null) this.checkNumber('rotary_scaling_factor', 1);
    const known = [...Object.keys(gatedActivations), ...Object.keys(plainActivations)];
    this.checkChoice('activation_function', known);
    for (const field of ['qkv_proj_bias', 'mlp_fc1_bias', 'mlp_fc2_bias', 'rotary_emb_interleaved'] as const) {
      this.checkBoolean(field);
    }
    this.checkPaddingId(this.vocab_size);
    this.refuse('rotary_emb_fraction', this.rotary_emb_fraction > 1, 'a number up to 1');
    if (this.rotary_emb_fraction > 0) this.checkEvenHeads(this.rotarySize, 'rotary_emb_fraction');
    const others = this as unknown as ConfigValues;
    for (const field of ['prenorm', 'parallel_block', 'use_rms_norm', 'causal']) {
      this.refuse(field, others[field] === true, 'false');
    }
    this.refuse('rotary_emb_scale_base', others.rotary_emb_scale_base != null, 'null');
    this.refuse('moe_every_n_layers', Number(others.moe_every_n_layers ?? 0) > 0, '0 or none');
  }

  /** The columns of a head that positions turn. @internal */
  get rotarySize(): number {
    return Math.trunc((this.n_embd / this.n_head) * this.rotary_emb_fraction);
  }

  /** Rows of the word embeddings. @internal */
  get paddedVocabSize(): number {
    return Math.ceil(this.vocab_size / this.pad_vocab_size_multiple) * this.pad_vocab_size_multiple;
  }
}

// ---------- from the configuration to the encoder ----------

function mlpOf(config: NomicBertConfig): LayerSpecification['mlp'] {
  const { activation_function, n_inner, n_embd, mlp_fc1_bias, mlp_fc2_bias } = config;
  const bias = { up: mlp_fc1_bias, down: mlp_fc2_bias };
  const gatedActivation = gatedActivations[activation_function];
  if (gatedActivation === undefined) {
    const activation = plainActivations[activation_function]!;
    return { intermediate_size: n_inner ?? 4 * n_embd, activation, gated: false, bias };
  }
  const inner = n_inner ?? Math.trunc((8 * n_embd) / 3);
  const intermediate_size = Math.ceil(inner / innerMultiple) * innerMultiple;
  return { intermediate_size, activation: gatedActivation, gated: true, bias };
}

function nomicBertEncoder(config: NomicBertConfig): BareEncoder {
  const { n_embd, n_head, n_positions, rotarySize, qkv_proj_bias, pad_token_id } = config;
  const norm = { eps: config.layer_norm_epsilon, bias: true };
  const mlp = mlpOf(config);
  const rotary = {
    kind: 'rotary',
    inverse_frequencies: inverseFrequencies(config.rotary_emb_base, rotarySize),
    pairs: config.rotary_emb_interleaved ? 'neighbours' : 'halves',
  } as const;
  const trained = config.rotary_scaling_factor === null ? n_positions : config.max_trained_positions;
  return {
    specification: {
      hidden_size: n_embd,
      embeddings: {
        vocab_size: config.paddedVocabSize,
        embedding_size: n_embd,
        position: rotarySize > 0 ? 'none' : 'absolute',
        max_position_embeddings: rotarySize > 0 ? Math.min(n_positions, trained) : n_positions,
        position_padding_id: null,
        type_vocab_size: config.type_vocab_size,
        norm,
        projection: null,
        zero_masked: false,
      },
      layers: postNormLayers(config.n_layer, {
        norm,
        attention: {
          num_attention_heads: n_head,
          head_size: n_embd / n_head,
          position: rotarySize > 0 ? rotary : { kind: 'none' },
          bias: { query_key_value: qkv_proj_bias, output: qkv_proj_bias },
        },
        mlp,
      }),
      relative_positions: null,
      convolution: null,
      final_norm: null,
    },
    pooler: { activation: 'tanh' },
    keys: {
      layer: (index) => `encoder.layers.${index}.`,
      names: {
        'embeddings.word': 'embeddings.word_embeddings.weight',
        'embeddings.position': 'embeddings.position_embeddings.weight',
        'embeddings.token_type': 'embeddings.token_type_embeddings.weight',
        'embeddings.norm.*': 'emb_ln.*',
        'attention.query.*': ['attn.Wqkv.*', 0, 3],
        'attention.key.*': ['attn.Wqkv.*', 1, 3],
        'attention.value.*': ['attn.Wqkv.*', 2, 3],
        'attention.output.*': 'attn.out_proj.*',
        'attention.norm.*': 'norm1.*',
        'mlp.up.*': mlp.gated ? 'mlp.fc11.*' : 'mlp.fc1.*',
        'mlp.gate.*': 'mlp.fc12.*',
        'mlp.down.*': 'mlp.fc2.*',
        'mlp.norm.*': 'norm2.*',
        'pooler.dense.*': 'pooler.dense.*',
      },
    },
    padding_row: pad_token_id ?? -1,
    initializer_range: config.initializer_range,
  };
}

const nomicBert: Family<NomicBertConfig> = {
  config_class: NomicBertConfig,
  base_model_prefix: 'bert',
  pooler_by_default: false,
  encoder: nomicBertEncoder,
};

// ---------- models ----------

/** The bare encoder, without a task's head; without its pooler, too, unless `add_pooling_layer: true`. */
export class NomicBertModel extends EncoderModel {
  /** @internal */
  static override readonly family = nomicBert;
  declare readonly config: NomicBertConfig;
}

/** The masked language model, under the name that it has in its checkpoints. */
export class NomicBertForPreTraining extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = nomicBert;
  /** @internal */
  static override readonly heads = (config: NomicBertConfig): HeadPlan => {
    const { n_embd, mlp_fc1_bias, layer_norm_epsilon, activation_function } = config;
    const activation =
      activation_function === 'swiglu' ? 'silu' : (plainActivations[activation_function] ?? 'gelu_erf');
    const transform = [
      linear('cls.predictions.transform.dense', n_embd, mlp_fc1_bias),
      activated(activation),
      normed('cls.predictions.transform.layer_norm', layer_norm_epsilon),
    ];
    const module = 'cls.predictions.decoder';
    const bias = mlp_fc1_bias ? `${module}.bias` : null;
    return languageModel(config, transform, { vocab_size: config.paddedVocabSize, module, bias });
  };
  declare readonly config: NomicBertConfig;
}

/** NomicBERT with the head of its training: which token stands at each position, `logits` `[B, S, vocab_size]`. */
export class NomicBertForMaskedLM extends NomicBertForPreTraining {}

/** NomicBERT that puts texts into classes: `logits` `[B, num_labels]`. */
export class NomicBertForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = nomicBert;
  /** @internal */
  static override readonly heads = ({ num_labels }: NomicBertConfig) =>
    plan(overPooler(linear('classifier', num_labels)));
  declare readonly config: NomicBertConfig;
}

/** NomicBERT that puts tokens into classes: `logits` `[B, S, num_labels]`. */
export class NomicBertForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = nomicBert;
  /** @internal */
  static override readonly heads = ({ num_labels }: NomicBertConfig) =>
    plan(overTokens(linear('classifier', num_labels)));
  declare readonly config: NomicBertConfig;
}

/** NomicBERT that finds an answer in a text: `start_logits` and `end_logits` `[B, S]`. */
export class NomicBertForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = nomicBert;
  /** @internal */
  static override readonly heads = () => plan(overTokens(linear('qa_outputs', 2)));
  declare readonly config: NomicBertConfig;
}

/** NomicBERT that scores choices against each other: `logits` `[B, C]`. */
export class NomicBertForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = nomicBert;
  /** @internal */
  static override readonly heads = () => plan(overPooler(linear('classifier', 1)));
  declare readonly config: NomicBertConfig;
}
