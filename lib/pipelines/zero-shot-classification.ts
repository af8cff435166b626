import { BertNativeError } from '../errors.ts';
import { SequenceClassificationModel } from '../models/tasks/classes.ts';
import {
  booleanRule,
  checkOptions,
  type OptionRules,
  optionError,
  optionsObject,
  stringRule,
  warnOnce,
} from '../options.ts';
import { checkMaxLength } from '../streams/limits.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { Pipeline, type PipelineParts } from './base.ts';
import { callRows, encodeTexts, rowsOf, type TextOptions, textRules } from './rows.ts';
import { largest, softmax } from './scores.ts';
import { readText } from './text-inputs.ts';

/** A text, and how well each of the labels fits. */
export interface ZeroShotClassificationOutput {
  sequence: string;
  /** Best first. */
  labels: string[];
  scores: number[];
}

/** How a {@link ZeroShotClassificationPipeline} asks for its labels. */
export interface ZeroShotClassificationOptions extends TextOptions {
  /** In place of the second argument. */
  readonly candidate_labels?: string | readonly string[] | null;
  /** Makes a sentence of a label, which takes the place of `{}`; default `This example is {}.` */
  readonly hypothesis_template?: string | null;
  /** Whether several labels may be true: each has a score of its own then, and they do not add up to 1. Default false. */
  readonly multi_label?: boolean | null;
}

const rules: OptionRules<ZeroShotClassificationOptions> = {
  ...textRules,
  candidate_labels: {
    expected: 'a label, or an array of at least one',
    accepts: (value) =>
      typeof value === 'string' || (Array.isArray(value) && value.every((v) => typeof v === 'string')),
  },
  hypothesis_template: stringRule,
  multi_label: booleanRule,
};

type Labels = string | readonly string[];

export interface ZeroShotClassificationPipeline {
  /** @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_UNSUPPORTED_MODEL`, `ERR_ABORTED`, and what tokenizer and model throw */
  (
    text: string,
    candidate_labels: Labels,
    options?: ZeroShotClassificationOptions | null,
  ): Promise<ZeroShotClassificationOutput>;
  (
    texts: readonly string[],
    candidate_labels: Labels,
    options?: ZeroShotClassificationOptions | null,
  ): Promise<ZeroShotClassificationOutput[]>;
  (
    texts: string | readonly string[],
    candidate_labels: Labels,
    options?: ZeroShotClassificationOptions | null,
  ): Promise<ZeroShotClassificationOutput | ZeroShotClassificationOutput[]>;
  (
    texts: StreamSource<string>,
    candidate_labels: Labels,
    options?: ZeroShotClassificationOptions | null,
  ): AsyncGenerator<ZeroShotClassificationOutput, void, undefined>;
  (text: string, options: ZeroShotClassificationOptions): Promise<ZeroShotClassificationOutput>;
  (texts: readonly string[], options: ZeroShotClassificationOptions): Promise<ZeroShotClassificationOutput[]>;
  (
    texts: StreamSource<string>,
    options: ZeroShotClassificationOptions,
  ): AsyncGenerator<ZeroShotClassificationOutput, void, undefined>;
}

/**
 * Texts to labels that are named at the call: a classifier of natural language inference says how much each text entails a
 * sentence with the label (Yin et al. 2019).
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class ZeroShotClassificationPipeline extends Pipeline<SequenceClassificationModel> {
  /** The classes that mean that the hypothesis follows, and that it is false. */
  readonly entailment_id: number;
  readonly contradiction_id: number;

  constructor(parts: PipelineParts<SequenceClassificationModel>) {
    super(parts, {
      task: 'zero-shot-classification',
      model_class: SequenceClassificationModel,
      source: 'AutoModelForSequenceClassification',
    });
    [this.entailment_id, this.contradiction_id] = inferenceClasses(this.model.config.label2id);
    const { num_labels } = this.model.config;
    const isClass = (id: unknown) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < num_labels;
    if (isClass(this.entailment_id) && isClass(this.contradiction_id)) return;
    throw new BertNativeError(
      'ERR_UNSUPPORTED_MODEL',
      `${this.task}: of ${num_labels} labels, entailment is ${this.entailment_id} and contradiction ${this.contradiction_id}: ` +
        'expected a model of natural language inference, with two labels or more',
    );
  }

  /** @internal */
  override _call(texts: unknown, candidate_labels?: unknown, options?: unknown): unknown {
    const isLabels =
      candidate_labels == null || typeof candidate_labels !== 'object' || Array.isArray(candidate_labels);
    const others = optionsObject(this.task, isLabels ? options : candidate_labels);
    const given = isLabels && candidate_labels != null ? { ...others, candidate_labels } : others;
    return this.respond(texts, () => this.#job(given));
  }

  #job(options: unknown) {
    const settings = checkOptions(this.task, options, rules);
    const { hypothesis_template: template = 'This example is {}.', multi_label = false, signal } = settings;
    const labels = [settings.candidate_labels ?? []].flat() as string[];
    if (labels.length === 0) throw optionError('candidate_labels', labels, 'at least one label');
    if (!template.includes('{}')) {
      throw optionError('hypothesis_template', template, 'a text with {} where the label goes');
    }
    const hypotheses = labels.map((label) => template.replace('{}', () => label));
    const hypothesisSize = hypotheses.reduce((sum, { length }) => sum + length, 0);
    const max_length = settings.truncation === false ? null : checkMaxLength(this, settings.max_length, { pair: true });
    const L = labels.length;
    return {
      name: 'texts',
      settings,
      read: readText,
      sizeOf: (text: string) => text.length * L + hypothesisSize,
      prepare: async (texts: readonly string[]) => {
        const premises = texts.flatMap((text) => new Array<string>(L).fill(text));
        const rows = await encodeTexts(
          this,
          premises,
          texts.flatMap(() => hypotheses),
          max_length,
        );
        return {
          costs: rows.lengths,
          row_starts: Int32Array.from({ length: texts.length + 1 }, (_, i) => i * L),
          compute: async (batch: readonly number[]) => rowsOf(await callRows(this, rows.select(batch), { signal })),
          finish: (i: number, logits: readonly Float32Array[]) => {
            const scores = this.#scores(logits, multi_label || L === 1);
            const order = largest(scores, null);
            return {
              sequence: texts[i]!,
              labels: order.map((k) => labels[k]!),
              scores: order.map((k) => scores[k]!),
            };
          },
        };
      },
    };
  }

  #scores(logits: readonly Float32Array[], each: boolean): ArrayLike<number> {
    const { entailment_id, contradiction_id } = this;
    if (!each) return softmax(logits.map((row) => row[entailment_id]!));
    return logits.map((row) => softmax([row[contradiction_id]!, row[entailment_id]!])[1]!);
  }
}

/** By the names of the classes, as they come from different authors; by their usual places where the names say nothing. */
function inferenceClasses(label2id: Readonly<Record<string, number>>): [entailment: number, contradiction: number] {
  const classes = Object.entries(label2id).map(([name, id]) => [name.toLowerCase(), id] as const);
  const find = (matches: (name: string) => boolean) => classes.find(([name]) => matches(name))?.[1];
  const entailment = find((name) => name.startsWith('entail'));
  const contradiction = find((name) => name.startsWith('contradict') || name === 'not_entailment');
  const missing = [entailment === undefined && 'entailment', contradiction === undefined && 'contradiction'];
  if (missing.some(Boolean)) {
    warnOnce(
      'BERT_NATIVE_ZERO_SHOT_LABELS',
      Object.keys(label2id).join(),
      `zero-shot-classification: the model's labels (${Object.keys(label2id).join(', ')}) do not say which class is ` +
        `${missing.filter(Boolean).join(' and which ')}: taking the usual places. A model of natural language inference is needed.`,
    );
  }
  const found = entailment ?? 2;
  return [found, contradiction ?? (found === 0 ? Math.max(classes.length - 1, 1) : 0)];
}
