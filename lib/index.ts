export { env } from './env.ts';
export { BertNativeError, type ErrorCode } from './errors.ts';
export { AutoConfig, AutoModel } from './models/auto.ts';
export {
  BertConfig,
  BertModel,
  type BertModelOptions,
  type BertModelOutput,
  type EmbedOptions,
} from './models/bert.ts';
export { type ConfigValues, PretrainedConfig } from './models/configuration.ts';
export type { EncoderInputs, TensorInput } from './models/inputs.ts';
export {
  type EngineOptions,
  type FromPretrainedOptions,
  type InitOptions,
  PreTrainedModel,
  PreTrainedModel as Model,
  type SaveOptions,
} from './models/modeling.ts';
export { ModelOutput } from './tensor/model-output.ts';
export { Tensor } from './tensor/tensor.ts';
export { AutoTokenizer } from './tokenizers/auto.ts';
export { BertTokenizer } from './tokenizers/bert.ts';
