import type { TaskDescription } from '../../engines/task.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { TensorInput } from '../inputs.ts';
import { type TaskInputs, TaskModel, type TaskModelOutput } from './task-model.ts';

const logits: TaskDescription = { outputs: [{ name: 'logits', head: 'logits', column: null }], choices: false };

/** What a {@link SequenceClassificationModel} gives. */
export interface SequenceClassifierOutput extends TaskModelOutput {
  /** `[B, num_labels]`. */
  readonly logits: Tensor<'float32'>;
}

export interface SequenceClassificationModel {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<SequenceClassifierOutput>;
}

/** Says of a whole text which of `config.id2label` it is, or puts numbers to it. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export abstract class SequenceClassificationModel extends TaskModel {
  /** @internal */
  static override readonly task = logits;

  /**
   * What the logits mean: exactly one of the labels (softmax), any number of them (sigmoid), or the values themselves. As
   * the configuration says; unless it does, a single logit is a value and several are labels.
   */
  get problem_type(): 'single_label_classification' | 'multi_label_classification' | 'regression' {
    const { problem_type, num_labels } = this.config;
    return problem_type ?? (num_labels === 1 ? 'regression' : 'single_label_classification');
  }
}

/** What a {@link TokenClassificationModel} gives. */
export interface TokenClassifierOutput extends TaskModelOutput {
  /** `[B, S, num_labels]`; `[positions, num_labels]` with `logits_positions`. */
  readonly logits: Tensor<'float32'>;
}

export interface TokenClassificationModel {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<TokenClassifierOutput>;
}

/** Says of every token which of `config.id2label` it is. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export abstract class TokenClassificationModel extends TaskModel {
  /** @internal */
  static override readonly task = logits;
}

/** What a {@link QuestionAnsweringModel} gives. */
export interface QuestionAnsweringModelOutput extends TaskModelOutput {
  /** `[B, S]`: how likely an answer begins at each position. */
  readonly start_logits: Tensor<'float32'>;
  /** `[B, S]`: how likely it ends there. */
  readonly end_logits: Tensor<'float32'>;
}

export interface QuestionAnsweringModel {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<QuestionAnsweringModelOutput>;
}

/** Finds where in a text the answer to a question begins and ends. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export abstract class QuestionAnsweringModel extends TaskModel {
  /** @internal */
  static override readonly task: TaskDescription = {
    outputs: [
      { name: 'start_logits', head: 'logits', column: 0 },
      { name: 'end_logits', head: 'logits', column: 1 },
    ],
    choices: false,
  };
}

/** What a {@link MaskedLanguageModel} gives. */
export interface MaskedLMOutput extends TaskModelOutput {
  /** `[B, S, vocab_size]`; `[positions, vocab_size]` with `logits_positions`. */
  readonly logits: Tensor<'float32'>;
}

export interface MaskedLanguageModel {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<MaskedLMOutput>;
}

/** Says which token stands at every position. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export abstract class MaskedLanguageModel extends TaskModel {
  /** @internal */
  static override readonly task = logits;
}

/** What a {@link MultipleChoiceModel} gives. */
export interface MultipleChoiceModelOutput extends TaskModelOutput {
  /** `[B, C]`. */
  readonly logits: Tensor<'float32'>;
}

export interface MultipleChoiceModel {
  /**
   * @param inputs arrays of one dimension more than an encoder's, `[B, C, S]`
   * @throws (rejects) BertNativeError as an encoder's call
   */
  (inputs: TaskInputs | TensorInput): Promise<MultipleChoiceModelOutput>;
}

/** Scores C choices against each other. Layers' outputs, where asked for, are of B·C rows. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export abstract class MultipleChoiceModel extends TaskModel {
  /** @internal */
  static override readonly task: TaskDescription = { ...logits, choices: true };
}

/** What a {@link NextSentencePredictionModel} gives. */
export interface NextSentencePredictorOutput extends TaskModelOutput {
  /** `[B, 2]`: the second text follows the first; it does not. */
  readonly logits: Tensor<'float32'>;
}

export interface NextSentencePredictionModel {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<NextSentencePredictorOutput>;
}

/** Says whether a text follows another. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export abstract class NextSentencePredictionModel extends TaskModel {
  /** @internal */
  static override readonly task = logits;
}
