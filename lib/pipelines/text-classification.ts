import type { PretrainedConfig } from '../models/configuration.ts';
import { SequenceClassificationModel } from '../models/tasks/classes.ts';
import { checkOptions, integerRule, type OptionRule, type OptionRules, oneOfRule, optionsObject } from '../options.ts';
import { checkMaxLength } from '../streams/limits.ts';
import { oneRowEach } from '../streams/ordered-stream.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { Pipeline, type PipelineParts, type ResultShape } from './base.ts';
import { labelOf } from './labels.ts';
import { callRows, encodeTexts, rowsOf, type TextOptions, textRules } from './rows.ts';
import { largest, sigmoid, softmax } from './scores.ts';
import { sizeOfTexts, splitPairs, type TextPair, textOrPairReader } from './text-inputs.ts';

/** A label, and how likely it is. */
export interface LabelScore {
  label: string;
  score: number;
}

/** How logits become scores. */
export type ScoreFunction = 'softmax' | 'sigmoid' | 'none';

/** Which labels a {@link TextClassificationPipeline} gives, and how they are scored. */
export interface TextClassificationOptions extends TextOptions {
  /** How many labels, best first; null: all of them. Default 1. */
  readonly top_k?: number | null;
  /** Python's older name of `top_k`. */
  readonly topk?: number | null;
  /**
   * Unless given: what the configuration's `problem_type` asks for (`none` for regression, `sigmoid` for several labels at
   * once), else `sigmoid` for a single label and `softmax` for more.
   */
  readonly function_to_apply?: ScoreFunction | null;
}

const countRule: OptionRule = { ...integerRule(1), expected: 'an integer from 1 up, or null for all' };

const rules: OptionRules<TextClassificationOptions> = {
  ...textRules,
  top_k: countRule,
  topk: countRule,
  function_to_apply: oneOfRule('softmax', 'sigmoid', 'none'),
};

/** What one text gives: its best label, or several of them. */
export type Classification<Options> = Options extends { readonly top_k: infer K }
  ? ByCount<K>
  : Options extends { readonly topk: infer K }
    ? ByCount<K>
    : LabelScore;

type ByCount<K> = [K] extends [1 | undefined] ? LabelScore : 1 extends K ? LabelScore | LabelScore[] : LabelScore[];

type InList<Result> = Result extends LabelScore[] ? Result : Result[];

export interface TextClassificationPipeline {
  /**
   * @returns of one text: an array of its best label, or of `top_k`; of an array, for each text its best label, or the
   *   array of `top_k`; of an iterable, the same one by one
   * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_UNSUPPORTED_MODEL` for a model without the task's head,
   *   `ERR_ABORTED`, and what tokenizer and model throw
   */
  <const O extends TextClassificationOptions = object>(
    text: string | TextPair,
    options?: O | null,
  ): Promise<InList<Classification<O>>>;
  <const O extends TextClassificationOptions = object>(
    texts: readonly string[] | readonly TextPair[],
    options?: O | null,
  ): Promise<Classification<O>[]>;
  <const O extends TextClassificationOptions = object>(
    texts: string | TextPair | readonly string[] | readonly TextPair[],
    options?: O | null,
  ): Promise<InList<Classification<O>> | Classification<O>[]>;
  <const O extends TextClassificationOptions = object>(
    texts: StreamSource<string> | StreamSource<TextPair>,
    options?: O | null,
  ): AsyncGenerator<Classification<O>, void, undefined>;
}

/** Texts, or pairs `{ text, text_pair }`, to labels with scores: a sequence classifier. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class TextClassificationPipeline extends Pipeline<SequenceClassificationModel> {
  constructor(parts: PipelineParts<SequenceClassificationModel>) {
    super(parts, {
      task: 'text-classification',
      model_class: SequenceClassificationModel,
      source: 'AutoModelForSequenceClassification',
    });
  }

  /** @internal */
  override _call(texts: unknown, options?: unknown): unknown {
    // null says something here: all labels.
    const named = optionsObject(this.task, options);
    const count = named.top_k !== undefined ? named.top_k : named.topk !== undefined ? named.topk : 1;
    const plain: ResultShape<LabelScore | LabelScore[]> = {
      one: (result) => [result].flat(),
      many: (results) => results,
    };
    return this.respond(texts, () => this.#job(options, count as number | null), plain);
  }

  #job(options: unknown, count: number | null) {
    const settings = checkOptions(this.task, options, rules);
    const max_length = settings.truncation === false ? null : checkMaxLength(this, settings.max_length);
    const { signal } = settings;
    return {
      name: 'texts',
      settings,
      read: textOrPairReader(),
      sizeOf: sizeOfTexts,
      prepare: async (values: readonly (TextPair | string)[]) => {
        const { texts, pairs } = splitPairs(values);
        const rows = await encodeTexts(this, texts, pairs, max_length);
        return {
          costs: rows.lengths,
          row_starts: oneRowEach(values.length),
          compute: async (batch: readonly number[]) => rowsOf(await callRows(this, rows.select(batch), { signal })),
          finish: (_: number, [logits]: readonly Float32Array[]) => {
            const labels = scoredLabels(this.model.config, logits!, settings.function_to_apply, count);
            return count === 1 ? labels[0]! : labels;
          },
        };
      },
    };
  }
}

function scoredLabels(
  config: PretrainedConfig,
  logits: Float32Array,
  function_to_apply: ScoreFunction | undefined,
  count: number | null,
): LabelScore[] {
  const scores = applyFunction(function_to_apply ?? usualFunction(config, logits.length), logits);
  return largest(scores, count).map((id) => ({ label: labelOf(config, id), score: scores[id]! }));
}

function usualFunction(config: PretrainedConfig, labels: number): ScoreFunction {
  const { problem_type } = config as { problem_type?: unknown };
  if (problem_type === 'regression') return 'none';
  return problem_type === 'multi_label_classification' || labels === 1 ? 'sigmoid' : 'softmax';
}

/** @internal */
export function applyFunction(function_to_apply: ScoreFunction, logits: Float32Array): Float64Array {
  if (function_to_apply === 'softmax') return softmax(logits);
  return function_to_apply === 'sigmoid' ? sigmoid(logits) : Float64Array.from(logits);
}
