export type { ForwardTrace } from './diagnostics.ts';
export type { EngineName, Fp32Precision, ModelDtype } from './engines/engine.ts';
export type { ExecutionProviderOption, SessionOptions } from './engines/onnxruntime/session-options.ts';
export { env } from './env.ts';
export { BertNativeError, type ErrorCode } from './errors.ts';
export type { ProgressCallback, ProgressInfo } from './hub/progress.ts';
export type { ResolveOptions } from './hub/resolve.ts';
export {
  AlbertConfig,
  AlbertForMaskedLM,
  AlbertForMultipleChoice,
  AlbertForPreTraining,
  type AlbertForPreTrainingOutput,
  AlbertForQuestionAnswering,
  AlbertForSequenceClassification,
  AlbertForTokenClassification,
  AlbertModel,
} from './models/albert.ts';
export {
  type AnyConfig,
  AutoConfig,
  AutoModel,
  type AutoModelClass,
  AutoModelForMaskedLM,
  AutoModelForMultipleChoice,
  AutoModelForNextSentencePrediction,
  AutoModelForPreTraining,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  type AutoModelOptions,
} from './models/auto.ts';
export {
  BertConfig,
  type BertConfigValues,
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForNextSentencePrediction,
  BertForPreTraining,
  type BertForPreTrainingOutput,
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
  type BertModelOptions,
} from './models/bert.ts';
export {
  CamembertConfig,
  CamembertForMaskedLM,
  CamembertForMultipleChoice,
  CamembertForQuestionAnswering,
  CamembertForSequenceClassification,
  CamembertForTokenClassification,
  CamembertModel,
} from './models/camembert.ts';
export { type ConfigValues, PretrainedConfig } from './models/configuration.ts';
export {
  DebertaV2Config,
  DebertaV2ForMaskedLM,
  DebertaV2ForMultipleChoice,
  DebertaV2ForQuestionAnswering,
  DebertaV2ForSequenceClassification,
  DebertaV2ForTokenClassification,
  DebertaV2Model,
} from './models/deberta-v2.ts';
export {
  DistilBertConfig,
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
} from './models/distilbert.ts';
export { type DownloadOptions, downloadModel } from './models/download.ts';
export {
  ElectraConfig,
  ElectraForMaskedLM,
  ElectraForMultipleChoice,
  ElectraForPreTraining,
  type ElectraForPreTrainingOutput,
  ElectraForQuestionAnswering,
  ElectraForSequenceClassification,
  ElectraForTokenClassification,
  ElectraModel,
} from './models/electra.ts';
export {
  type EmbedOptions,
  EncoderModel,
  type EncoderModelOptions,
  type EncoderOutput,
} from './models/encoder-model.ts';
export type { Device } from './models/engine-choice.ts';
export type { GraphOnlyConfig } from './models/graph-only.ts';
export {
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
} from './models/gte.ts';
export type { EncoderInputs, TensorInput } from './models/inputs.ts';
export {
  type EngineOptions,
  type FromPretrainedOptions,
  type InitOptions,
  type ModelStats,
  PreTrainedModel,
  PreTrainedModel as Model,
  type SaveOptions,
  type SaveProgress,
} from './models/modeling.ts';
export {
  ModernBertConfig,
  ModernBertForMaskedLM,
  ModernBertForMultipleChoice,
  ModernBertForQuestionAnswering,
  ModernBertForSequenceClassification,
  ModernBertForTokenClassification,
  ModernBertModel,
} from './models/modernbert.ts';
export {
  MPNetConfig,
  MPNetForMaskedLM,
  MPNetForMultipleChoice,
  MPNetForQuestionAnswering,
  MPNetForSequenceClassification,
  MPNetForTokenClassification,
  MPNetModel,
} from './models/mpnet.ts';
export {
  NomicBertConfig,
  NomicBertForMaskedLM,
  NomicBertForMultipleChoice,
  NomicBertForPreTraining,
  NomicBertForQuestionAnswering,
  NomicBertForSequenceClassification,
  NomicBertForTokenClassification,
  NomicBertModel,
} from './models/nomic-bert.ts';
export {
  RobertaConfig,
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from './models/roberta.ts';
export {
  MaskedLanguageModel,
  type MaskedLMOutput,
  MultipleChoiceModel,
  type MultipleChoiceModelOutput,
  NextSentencePredictionModel,
  type NextSentencePredictorOutput,
  QuestionAnsweringModel,
  type QuestionAnsweringModelOutput,
  SequenceClassificationModel,
  type SequenceClassifierOutput,
  TokenClassificationModel,
  type TokenClassifierOutput,
} from './models/tasks/classes.ts';
export type { PositionsInput } from './models/tasks/positions.ts';
export { type TaskInputs, TaskModel, type TaskModelOutput } from './models/tasks/task-model.ts';
export {
  XLMRobertaConfig,
  XLMRobertaForMaskedLM,
  XLMRobertaForMultipleChoice,
  XLMRobertaForQuestionAnswering,
  XLMRobertaForSequenceClassification,
  XLMRobertaForTokenClassification,
  XLMRobertaModel,
} from './models/xlm-roberta.ts';
export type { GraphDtype } from './onnx/graph-files.ts';
export { type CallOptions, Pipeline, type PipelineParts } from './pipelines/base.ts';
export type { AggregationStrategy } from './pipelines/entities.ts';
export { type FeatureExtractionOptions, FeatureExtractionPipeline } from './pipelines/feature-extraction.ts';
export { type FilledMask, type FillMaskOptions, type FillMaskOutput, FillMaskPipeline } from './pipelines/fill-mask.ts';
export { type PipelineOptions, pipeline } from './pipelines/pipeline.ts';
export {
  type Answer,
  type QuestionAnsweringOptions,
  QuestionAnsweringPipeline,
  type QuestionInput,
} from './pipelines/question-answering.ts';
export type { TextOptions } from './pipelines/rows.ts';
export {
  type SentenceSimilarityOptions,
  SentenceSimilarityPipeline,
  type SimilarityInput,
} from './pipelines/sentence-similarity.ts';
export type { PipelineOf, PipelineTask, TaskPipelines } from './pipelines/tasks.ts';
export {
  type LabelScore,
  type ScoreFunction,
  type TextClassificationOptions,
  TextClassificationPipeline,
} from './pipelines/text-classification.ts';
export type { TextPair } from './pipelines/text-inputs.ts';
export {
  type RankedDocument,
  type RankingInput,
  type TextRankingOptions,
  TextRankingPipeline,
} from './pipelines/text-ranking.ts';
export {
  type EntityGroup,
  type TokenClassificationOptions,
  TokenClassificationPipeline,
  type TokenEntity,
} from './pipelines/token-classification.ts';
export {
  type ZeroShotClassificationOptions,
  type ZeroShotClassificationOutput,
  ZeroShotClassificationPipeline,
} from './pipelines/zero-shot-classification.ts';
export type {
  EmbeddingPrecision,
  EncodeProgress,
  SentenceEncodeOptions,
} from './sentence-transformers/encode-options.ts';
export { type SemanticSearchOptions, semantic_search } from './sentence-transformers/semantic-search.ts';
export { SentenceTransformer, type SentenceTransformerOptions } from './sentence-transformers/sentence-transformer.ts';
export type { SimilarityFunctionName, Vectors } from './sentence-transformers/similarity.ts';
export {
  type SearchHit,
  type SearchOptions,
  VectorIndex,
  type VectorIndexOptions,
} from './sentence-transformers/vector-index.ts';
export {
  type EmbeddedItem,
  type EmbedItemsOptions,
  type EmbedStreamOptions,
  embedStream,
} from './streams/embed-stream.ts';
export { embedTransform } from './streams/embed-transform.ts';
export type { StreamSource } from './streams/text-source.ts';
export {
  full,
  full_like,
  ones,
  ones_like,
  rand,
  randn,
  zeros,
  zeros_like,
} from './tensor/creation.ts';
export type { DataType, FloatType } from './tensor/data-type.ts';
export { cat, permute, slice, stack } from './tensor/joining.ts';
export { ModelOutput } from './tensor/model-output.ts';
export type { NestedList } from './tensor/nested.ts';
export { cos_sim, dot, log_softmax, magnitude, matmul, softmax, type Vector } from './tensor/products.ts';
export { type QuantizedPrecision, type QuantizeOptions, quantize_embeddings } from './tensor/quantize.ts';
export type { Slice } from './tensor/shape.ts';
export { layer_norm, mean, mean_pooling, std_mean, topk } from './tensor/statistics.ts';
export { type Operand, Tensor } from './tensor/tensor.ts';
export { AutoTokenizer, type AutoTokenizerOptions } from './tokenizers/auto.ts';
export { BatchEncoding, type TensorValues } from './tokenizers/batch-encoding.ts';
export {
  BertTokenizer,
  BertTokenizerFast,
  type BertTokenizerOptions,
  DistilBertTokenizer,
  DistilBertTokenizerFast,
  ElectraTokenizer,
  ElectraTokenizerFast,
  MPNetTokenizer,
  MPNetTokenizerFast,
} from './tokenizers/bert.ts';
export type { DecodeStream } from './tokenizers/decode-stream.ts';
export type { EncodeOptions } from './tokenizers/encode-options.ts';
export type { TokenizerOptions } from './tokenizers/family.ts';
export { type FastTokenizerOptions, PreTrainedTokenizerFast } from './tokenizers/fast.ts';
export type { PackedEncoding, PackedOptions } from './tokenizers/packed-encoding.ts';
export { GPT2Tokenizer, GPT2TokenizerFast, RobertaTokenizer, RobertaTokenizerFast } from './tokenizers/roberta.ts';
export {
  AlbertTokenizer,
  AlbertTokenizerFast,
  CamembertTokenizer,
  CamembertTokenizerFast,
  DebertaV2Tokenizer,
  DebertaV2TokenizerFast,
  KoBertTokenizer,
  XLMRobertaTokenizer,
  XLMRobertaTokenizerFast,
} from './tokenizers/sentencepiece.ts';
export type { AddedTokenInput } from './tokenizers/special-tokens.ts';
export type { TextInput } from './tokenizers/text-input.ts';
export type { TokenIds } from './tokenizers/token-ids.ts';
export { TokenRows } from './tokenizers/token-rows.ts';
export { type DecodeOptions, PreTrainedTokenizer, type TokenizeOptions } from './tokenizers/tokenizer.ts';
export {
  type TrainingProgress,
  type TrainWordPieceOptions,
  train_wordpiece,
} from './tokenizers/training/train-wordpiece.ts';
export { TrainedWordPiece } from './tokenizers/training/trained-wordpiece.ts';
