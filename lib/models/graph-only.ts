/**
 * Encoders of families that are not known here, of which somebody exported a graph: what the graph computes is its own, and
 * the configuration says how wide its outputs are and how its labels are called.
 */

import type { EncoderSpecification } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import type { GraphSummary, GraphValueSummary } from '../onnx/reading/graph-summary.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { EncoderModel } from './encoder-model.ts';
import type { Family, HeadPlan } from './family.ts';
import {
  MaskedLanguageModel,
  MultipleChoiceModel,
  NextSentencePredictionModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import { linear, overPooled, overTokens, plan } from './tasks/heads.ts';

// ---------- configuration ----------

/** The names that families have for one size, the usual one first. */
const sizeNames = {
  hidden_size: ['d_model', 'dim', 'n_embd', 'embed_dim', 'model_dim'],
  max_position_embeddings: ['n_positions', 'max_seq_len', 'max_sequence_length', 'max_seq_length', 'n_ctx'],
  vocab_size: ['n_vocab', 'padded_vocab_size'],
  type_vocab_size: ['n_token_types'],
} as const;

/** Where nothing tells a limit: as many as a configuration may say. */
const unlimited = { max_position_embeddings: 1 << 24, vocab_size: 1 << 24, type_vocab_size: 1 << 16 } as const;

/** The settings of an encoder that is known by its graph alone. Every field of `config.json` is kept. */
export class GraphOnlyConfig extends PretrainedConfig {
  /** As the configuration says; `onnx` where there is none. */
  readonly model_type: string;
  /** H, of the last hidden states; 1 where only a task's outputs are known. */
  declare hidden_size: number;
  declare vocab_size: number;
  declare max_position_embeddings: number;
  declare type_vocab_size: number;
  declare pad_token_id?: number | null;

  /** @throws BertNativeError `ERR_CONFIG` for values that describe no model */
  constructor(values: ConfigValues = {}) {
    super();
    const { model_type } = values;
    this.model_type = typeof model_type === 'string' && model_type !== '' ? model_type : 'onnx';
    this.assign({ hidden_size: 1, ...unlimited }, { ...values, model_type: this.model_type });
    this.checkInteger('hidden_size', 1, 1 << 17);
    this.checkInteger('vocab_size', 1, unlimited.vocab_size);
    this.checkInteger('max_position_embeddings', 1, unlimited.max_position_embeddings);
    this.checkInteger('type_vocab_size', 0, unlimited.type_vocab_size);
  }
}

// ---------- from the graph to the configuration ----------

/** The fields of a configuration, with the sizes that the graph tells under their usual names. */
function describeEncoder(values: ConfigValues, graph: GraphSummary): ConfigValues {
  const width = lastLength(outputOf(graph, hiddenStatesNames, 3)) ?? lastLength(outputOf(graph, pooledNames, 2));
  const columns = graph.inputs.find(({ name }) => name === 'input_ids')?.shape?.at(-1);
  const hasTypes = graph.inputs.some(({ name }) => name === 'token_type_ids');
  return {
    ...values,
    ...defined({
      hidden_size: width ?? sizeOf(values, 'hidden_size'),
      max_position_embeddings: sizeOf(values, 'max_position_embeddings') ?? asLength(columns),
      vocab_size: sizeOf(values, 'vocab_size'),
      type_vocab_size: hasTypes ? sizeOf(values, 'type_vocab_size') : 0,
    }),
  };
}

/** A bare encoder's vectors are as wide as the graph or the configuration says, or nothing can be made of them. */
function describeBare(values: ConfigValues, graph: GraphSummary): ConfigValues {
  const described = describeEncoder(values, graph);
  if (described.hidden_size !== undefined) return described;
  throw new BertNativeError(
    'ERR_CONFIG',
    'neither the graph nor a configuration says how wide the hidden states are: expected a config.json beside the graph, ' +
      'or config: { hidden_size }',
  );
}

/** As many labels as the graph has logits, unless they are named. */
function describeLabels(values: ConfigValues, graph: GraphSummary): ConfigValues {
  const width = lastLength(graph.outputs.find(({ name }) => name === 'logits'));
  const isNamed = values.id2label != null || values.num_labels != null;
  return { ...describeEncoder(values, graph), ...(isNamed || width === undefined ? {} : { num_labels: width }) };
}

function describeVocabulary(values: ConfigValues, graph: GraphSummary): ConfigValues {
  const vocab_size = lastLength(graph.outputs.find(({ name }) => name === 'logits'));
  return { ...describeEncoder(values, graph), ...defined({ vocab_size }) };
}

const hiddenStatesNames = ['last_hidden_state', 'token_embeddings', 'hidden_states'];
const pooledNames = ['pooler_output', 'sentence_embedding'];

/** The output of one of the names, else the first of that many dimensions. */
function outputOf({ outputs }: GraphSummary, names: readonly string[], rank: number): GraphValueSummary | undefined {
  const named = names.map((name) => outputs.find((output) => output.name === name)).find((output) => output);
  return named ?? outputs.find(({ shape, name }) => shape?.length === rank && name !== 'logits');
}

function lastLength(value: GraphValueSummary | undefined): number | undefined {
  return asLength(value?.shape?.at(-1));
}

function asLength(length: number | string | null | undefined): number | undefined {
  return typeof length === 'number' && length > 0 ? length : undefined;
}

function sizeOf(values: ConfigValues, size: keyof typeof sizeNames): unknown {
  return [size, ...sizeNames[size]].map((name) => values[name]).find((value) => typeof value === 'number');
}

function defined(values: ConfigValues): ConfigValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

// ---------- models ----------

const family: Family<GraphOnlyConfig> = {
  config_class: GraphOnlyConfig,
  base_model_prefix: '',
  pooler_by_default: true,
  encoder: ({ hidden_size, vocab_size, max_position_embeddings, type_vocab_size, pad_token_id }) => ({
    specification: {
      hidden_size,
      embeddings: {
        ...{ vocab_size, max_position_embeddings, type_vocab_size, embedding_size: hidden_size },
        position: 'none',
        position_padding_id: null,
        norm: { eps: 0, bias: false },
        projection: null,
        zero_masked: false,
      },
      layers: [],
      relative_positions: null,
      convolution: null,
      final_norm: null,
    } satisfies Omit<EncoderSpecification, 'pooler' | 'heads'>,
    pooler: { activation: 'tanh' },
    keys: { layer: String, names: {} },
    padding_row: pad_token_id ?? -1,
    initializer_range: 0,
  }),
};

/** Logits for each position, or for each row. What is in front of them is the graph's. */
const tokenLogits = (width: number): HeadPlan => plan(overTokens(linear('logits', width)));
const rowLogits = (width: number): HeadPlan => plan(overPooled([linear('logits', width)]));

export class GraphOnlyModel extends EncoderModel {
  /** @internal */
  static override readonly family = family;
  /** @internal */
  static readonly describe_graph = describeBare;
  declare readonly config: GraphOnlyConfig;
}

export class GraphOnlyForMaskedLM extends MaskedLanguageModel {
  /** @internal */
  static override readonly family = family;
  /** @internal */
  static readonly describe_graph = describeVocabulary;
  /** @internal */
  static override readonly heads = ({ vocab_size }: GraphOnlyConfig) => tokenLogits(vocab_size);
  declare readonly config: GraphOnlyConfig;
}

export class GraphOnlyForNextSentencePrediction extends NextSentencePredictionModel {
  /** @internal */
  static override readonly family = family;
  /** @internal */
  static readonly describe_graph = describeEncoder;
  /** @internal */
  static override readonly heads = () => rowLogits(2);
  declare readonly config: GraphOnlyConfig;
}

export class GraphOnlyForSequenceClassification extends SequenceClassificationModel {
  /** @internal */
  static override readonly family = family;
  /** @internal */
  static readonly describe_graph = describeLabels;
  /** @internal */
  static override readonly heads = ({ num_labels }: GraphOnlyConfig) => rowLogits(num_labels);
  declare readonly config: GraphOnlyConfig;
}

export class GraphOnlyForTokenClassification extends TokenClassificationModel {
  /** @internal */
  static override readonly family = family;
  /** @internal */
  static readonly describe_graph = describeLabels;
  /** @internal */
  static override readonly heads = ({ num_labels }: GraphOnlyConfig) => tokenLogits(num_labels);
  declare readonly config: GraphOnlyConfig;
}

export class GraphOnlyForQuestionAnswering extends QuestionAnsweringModel {
  /** @internal */
  static override readonly family = family;
  /** @internal */
  static readonly describe_graph = describeEncoder;
  /** @internal */
  static override readonly heads = () => tokenLogits(2);
  declare readonly config: GraphOnlyConfig;
}

export class GraphOnlyForMultipleChoice extends MultipleChoiceModel {
  /** @internal */
  static override readonly family = family;
  /** @internal */
  static readonly describe_graph = describeEncoder;
  /** @internal */
  static override readonly heads = () => rowLogits(1);
  declare readonly config: GraphOnlyConfig;
}

/** What the Auto classes take for a configuration of no family that is known here. */
export const graphOnlyClasses = {
  model: GraphOnlyModel,
  masked_lm: GraphOnlyForMaskedLM,
  multiple_choice: GraphOnlyForMultipleChoice,
  next_sentence_prediction: GraphOnlyForNextSentencePrediction,
  pretraining: GraphOnlyForMaskedLM,
  question_answering: GraphOnlyForQuestionAnswering,
  sequence_classification: GraphOnlyForSequenceClassification,
  token_classification: GraphOnlyForTokenClassification,
} as const;
