/**
 * BERT: Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
 * https://arxiv.org/abs/1810.04805
 */

import type { Activation, EncoderSpecification } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import type { ResolveOptions } from '../hub/resolve.ts';
import { booleanOption, checkOptionNames, choiceOption, optionError } from '../options.ts';
import { ModelOutput } from '../tensor/model-output.ts';
import { Tensor } from '../tensor/tensor.ts';
import { type ConfigValues, loadConfigValues, PretrainedConfig } from './configuration.ts';
import { asEncoderInputs, type EncoderInputs, readEncoderInputs, readSwitch, type TensorInput } from './inputs.ts';
import { type Architecture, type InitOptions, type LoadedParameters, PreTrainedModel } from './modeling.ts';

// ---------- configuration ----------

/** transformers' names of the activations, and which of ours each one is. */
const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu_erf',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
  tanh: 'tanh',
};

const positionEmbeddingTypes = ['absolute', 'relative_key', 'relative_key_query'] as const;

/** The settings of a BERT model; the defaults are those of bert-base-uncased. */
export class BertConfig extends PretrainedConfig {
  static readonly model_type = 'bert';
  readonly model_type = BertConfig.model_type;

  declare vocab_size: number;
  declare hidden_size: number;
  declare num_hidden_layers: number;
  declare num_attention_heads: number;
  declare intermediate_size: number;
  /** `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`, `quick_gelu`, `relu`, `silu`, `swish` or `tanh`. */
  declare hidden_act: string;
  declare hidden_dropout_prob: number;
  declare attention_probs_dropout_prob: number;
  /** The most positions a sequence may have. */
  declare max_position_embeddings: number;
  declare type_vocab_size: number;
  /** Standard deviation of newly initialised weights. */
  declare initializer_range: number;
  declare layer_norm_eps: number;
  declare pad_token_id: number | null;
  declare position_embedding_type: (typeof positionEmbeddingTypes)[number];

  /**
   * @param values fields that differ from the defaults
   * @throws BertNativeError `ERR_CONFIG` for values that describe no model
   */
  constructor(values: ConfigValues = {}) {
    super();
    const defaults = {
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
    this.assign(defaults, values);
    this.check();
  }

  /**
   * @param pathOrId a folder with a `config.json`, or the id of a model
   * @param options where the model comes from; every other field overrides the file's
   */
  static async from_pretrained(pathOrId: string, options: ResolveOptions & ConfigValues = {}): Promise<BertConfig> {
    return new BertConfig(await loadConfigValues(pathOrId, options));
  }

  private check(): void {
    // Bounds far above any model there is, so that a broken file is told apart from a large model before it allocates.
    this.checkInteger('vocab_size', 1, 1 << 24);
    this.checkInteger('hidden_size', 1, 1 << 17);
    this.checkInteger('num_hidden_layers', 0, 1 << 12);
    this.checkInteger('num_attention_heads', 1, 1 << 12);
    this.checkInteger('intermediate_size', 1, 1 << 19);
    this.checkInteger('max_position_embeddings', 1, 1 << 24);
    this.checkInteger('type_vocab_size', 1, 1 << 16);
    this.checkNumber('layer_norm_eps', 0);
    this.checkNumber('initializer_range', 0);
    this.checkChoice('hidden_act', Object.keys(activations));
    this.checkChoice('position_embedding_type', positionEmbeddingTypes);
    if (this.hidden_size % this.num_attention_heads !== 0) {
      throw new BertNativeError(
        'ERR_CONFIG',
        `hidden_size is ${this.hidden_size} and num_attention_heads ${this.num_attention_heads}: ` +
          'expected a multiple of the number of heads',
      );
    }
    if (this.pad_token_id !== null) this.checkInteger('pad_token_id', 0, this.vocab_size - 1);
    if (this.is_decoder === true || this.add_cross_attention === true) {
      throw new BertNativeError('ERR_CONFIG', 'is_decoder and add_cross_attention are not supported: expected false');
    }
  }

  declare is_decoder?: unknown;
  declare add_cross_attention?: unknown;
}

// ---------- from the configuration to the encoder ----------

function bertSpecification(config: BertConfig, pooler: boolean): EncoderSpecification {
  const { hidden_size, num_attention_heads, position_embedding_type, layer_norm_eps } = config;
  const absolute = position_embedding_type === 'absolute';
  return {
    hidden_size,
    embeddings: {
      vocab_size: config.vocab_size,
      position: absolute ? 'absolute' : 'none',
      max_position_embeddings: config.max_position_embeddings,
      type_vocab_size: config.type_vocab_size,
      layer_norm_eps,
    },
    layers: Array.from({ length: config.num_hidden_layers }, () => ({
      attention: {
        num_attention_heads,
        head_size: hidden_size / num_attention_heads,
        position: absolute ? 'none' : position_embedding_type,
      },
      mlp: { intermediate_size: config.intermediate_size, activation: activations[config.hidden_act]! },
      layer_norm_eps,
    })),
    pooler: pooler ? 'tanh' : null,
  };
}

const positionEmbeddingsKey = 'embeddings.position_embeddings.weight';

/** Keys of the bare model by our names; those of a layer follow `encoder.layer.N.`, `*` stands for weight and bias. */
const checkpointKeys: Readonly<Record<string, string>> = {
  'embeddings.word': 'embeddings.word_embeddings.weight',
  'embeddings.position': positionEmbeddingsKey,
  'embeddings.token_type': 'embeddings.token_type_embeddings.weight',
  'embeddings.norm.*': 'embeddings.LayerNorm.*',
  'pooler.dense.*': 'pooler.dense.*',
  'attention.query.*': 'attention.self.query.*',
  'attention.key.*': 'attention.self.key.*',
  'attention.value.*': 'attention.self.value.*',
  'attention.distance': 'attention.self.distance_embedding.weight',
  'attention.output.*': 'attention.output.dense.*',
  'attention.norm.*': 'attention.output.LayerNorm.*',
  'mlp.up.*': 'intermediate.dense.*',
  'mlp.down.*': 'output.dense.*',
  'mlp.norm.*': 'output.LayerNorm.*',
};

function bertCheckpointKey(canonicalName: string): string {
  const [, index, part = canonicalName] = /^layers\.(\d+)\.(.+)$/.exec(canonicalName) ?? [];
  const [, stem, kind] = /^(.+)\.(weight|bias)$/.exec(part) ?? [];
  const key = checkpointKeys[part] ?? checkpointKeys[`${stem}.*`]!.replace('*', kind!);
  return index === undefined ? key : `encoder.layer.${index}.${key}`;
}

// ---------- models ----------

/** `last_hidden_state` `[B, S, H]`, `pooler_output` `[B, H]`; per layer `[B, S, H]` and `[B, A, S, S]` where asked for. */
export interface BertModelOutput extends ModelOutput {
  readonly last_hidden_state: Tensor<'float32'>;
  /** tanh of a linear map of the first position's state; undefined in a model made without the pooler. */
  readonly pooler_output: Tensor<'float32'>;
  /** The embeddings, then every layer's output. */
  readonly hidden_states?: readonly Tensor<'float32'>[];
  /** Every layer's probabilities, from position to position. */
  readonly attentions?: readonly Tensor<'float32'>[];
}

/** How {@link BertModel.embed} makes one vector of a text. */
export interface EmbedOptions {
  /**
   * Over the positions whose mask is 1: `mean` (default), `max`; `cls`: the first position's state; `pooler`: the
   * pooler's output.
   */
  pooling?: 'mean' | 'cls' | 'max' | 'pooler';
  /** Divide each vector by its L2 norm. */
  normalize?: boolean;
}

export interface BertModelOptions {
  /** `false`: without the pooler, whose weights need not be there then. */
  add_pooling_layer?: boolean;
}

export interface BertModel {
  /**
   * Runs the encoder on the library's own threads.
   *
   * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_TOKEN_ID`, `ERR_SEQUENCE_TOO_LONG`,
   *   `ERR_MEMORY`, `ERR_DISPOSED`
   */
  (inputs: EncoderInputs | TensorInput): Promise<BertModelOutput>;
}

/** The bare encoder with its pooler, without a task's head. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class BertModel extends PreTrainedModel {
  static readonly config_class = BertConfig;
  static readonly base_model_prefix = 'bert';
  static readonly option_names: readonly string[] = ['add_pooling_layer'];

  declare readonly config: BertConfig;

  static architecture(config: BertConfig, options: BertModelOptions): Architecture {
    const pooler = booleanOption('add_pooling_layer', options.add_pooling_layer, true);
    const { hidden_size, max_position_embeddings, position_embedding_type, pad_token_id } = config;
    return {
      specification: bertSpecification(config, pooler),
      checkpointKey: bertCheckpointKey,
      // The Python class keeps its absolute positions even where relative ones take their place.
      unread:
        position_embedding_type === 'absolute'
          ? []
          : [{ name: positionEmbeddingsKey, shape: [max_position_embeddings, hidden_size] }],
      ignored: pooler ? [] : [/^(bert\.)?pooler\./],
      padding_row: pad_token_id ?? -1,
      initializer_range: config.initializer_range,
    };
  }

  constructor(config: BertConfig, options: InitOptions & BertModelOptions = {}, parameters?: LoadedParameters) {
    super(config, options, parameters);
  }

  /** @internal what a call of the instance does */
  override async _call(inputs: EncoderInputs | TensorInput): Promise<BertModelOutput> {
    const given = asEncoderInputs(inputs);
    const request = readEncoderInputs(given, this.specification);
    const outputs = {
      last_hidden_state: true,
      pooler_output: this.specification.pooler !== null,
      hidden_states: readSwitch('output_hidden_states', given.output_hidden_states, this.config.output_hidden_states),
      attentions: readSwitch('output_attentions', given.output_attentions, this.config.output_attentions),
      pooled: null,
    };
    const encoder = await this.encoder();
    const result = await encoder.forward({ ...request, outputs });

    const { batch: B, sequence: S } = request;
    const { hidden_size: H, num_attention_heads: A } = this.config;
    const tensor = (data: Float32Array | undefined, ...dims: number[]) => data && new Tensor('float32', data, dims);
    return ModelOutput.of({
      last_hidden_state: tensor(result.last_hidden_state, B, S, H),
      pooler_output: tensor(result.pooler_output, B, H),
      hidden_states: result.hidden_states?.map((states) => new Tensor('float32', states, [B, S, H])),
      attentions: result.attentions?.map((probabilities) => new Tensor('float32', probabilities, [B, A, S, S])),
    }) as BertModelOutput;
  }

  /**
   * One vector per row, pooled where it is computed, so that the states of single tokens never reach JavaScript.
   *
   * @returns float32, `[B, H]`
   * @throws (rejects) as a call of the model
   */
  async embed(inputs: EncoderInputs | TensorInput, options: EmbedOptions = {}): Promise<Tensor<'float32'>> {
    checkOptionNames('embed', options, ['pooling', 'normalize']);
    const mode = choiceOption('pooling', options.pooling, ['mean', 'cls', 'max', 'pooler'], 'mean');
    const normalize = booleanOption('normalize', options.normalize, false);
    if (mode === 'pooler' && this.specification.pooler === null) {
      throw optionError('pooling', mode, "'mean', 'cls' or 'max': this model was made without its pooler");
    }
    const request = readEncoderInputs(asEncoderInputs(inputs), this.specification);
    const encoder = await this.encoder();
    const { pooler_output, pooled } = await encoder.forward({
      ...request,
      masked_positions: 'skip',
      outputs: {
        last_hidden_state: false,
        pooler_output: mode === 'pooler',
        hidden_states: false,
        attentions: false,
        pooled: mode === 'pooler' ? null : { mode, normalize },
      },
    });
    const dims = [request.batch, this.config.hidden_size];
    if (mode !== 'pooler') return new Tensor('float32', pooled!, dims);
    const vectors = new Tensor('float32', pooler_output!, dims);
    return normalize ? vectors.normalize(2, 1) : vectors;
  }
}
