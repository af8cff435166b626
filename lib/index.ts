export type { ForwardTrace } from './diagnostics.ts';
export type { Fp32Precision, ModelDtype } from './engines/engine.ts';
export { env } from './env.ts';
export { BertNativeError, type ErrorCode } from './errors.ts';
export { type AnyConfig, AutoConfig, AutoModel, type AutoModelOptions } from './models/auto.ts';
export { BertConfig, type BertConfigValues, BertModel, type BertModelOptions } from './models/bert.ts';
export { type ConfigValues, PretrainedConfig } from './models/configuration.ts';
export { type EmbedOptions, EncoderModel, type EncoderOutput } from './models/encoder-model.ts';
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
