import { BertNativeError } from '../errors.ts';
import { QuestionAnsweringModel } from '../models/tasks/classes.ts';
import {
  booleanRule,
  checkOptions,
  type GivenOptions,
  integerRule,
  type OptionRules,
  optionError,
} from '../options.ts';
import { checkMaxLength } from '../streams/limits.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { AlignedRows, type RowAlignment, withoutSpace } from './aligned-rows.ts';
import { type AnswerWindow, BestAnswers } from './answers.ts';
import { type CallOptions, callRules, Pipeline, type PipelineParts } from './base.ts';
import { callPadded, rowsOf, warnOfTruncation } from './rows.ts';
import { readText } from './text-inputs.ts';

/** A question and the text that answers it. */
export interface QuestionInput {
  readonly question: string;
  readonly context: string;
}

/** A piece of the context that answers the question. */
export interface Answer {
  answer: string;
  score: number;
  /** Where it stands: `context.slice(start, end)`. */
  start: number;
  end: number;
}

/** How a {@link QuestionAnsweringPipeline} reads contexts, and which answers it gives. */
export interface QuestionAnsweringOptions extends CallOptions {
  /** How many answers, best first; default 1. */
  readonly top_k?: number | null;
  /** Python's older name of `top_k`. */
  readonly topk?: number | null;
  /** Tokens of a window: question, a piece of the context, special tokens. Default 384, or what the model takes. */
  readonly max_seq_len?: number | null;
  /** Tokens of the context that neighbouring windows have in common; default 128, or half of what a small window holds. */
  readonly doc_stride?: number | null;
  /** Tokens that a question is cut to; unless given, half of a window. */
  readonly max_question_len?: number | null;
  /** Tokens of the longest answer; default 15. */
  readonly max_answer_len?: number | null;
  /** Whether no answer, `''`, may be one; default false. */
  readonly handle_impossible_answer?: boolean | null;
  /** Whether answers are widened to whole words; default true. */
  readonly align_to_words?: boolean | null;
}

const rules: OptionRules<QuestionAnsweringOptions> = {
  ...callRules,
  top_k: integerRule(1),
  topk: integerRule(1),
  max_seq_len: integerRule(1),
  doc_stride: integerRule(0),
  max_question_len: integerRule(1),
  max_answer_len: integerRule(1),
  handle_impossible_answer: booleanRule,
  align_to_words: booleanRule,
};

type Answered<Options> = Options extends { readonly top_k: infer K }
  ? ByCount<K>
  : Options extends { readonly topk: infer K }
    ? ByCount<K>
    : Answer;

type ByCount<K> = [K] extends [1 | null | undefined] ? Answer : 1 extends K ? Answer | Answer[] : Answer[];

export interface QuestionAnsweringPipeline {
  /** @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_ABORTED`, and what tokenizer and model throw */
  <const O extends QuestionAnsweringOptions = object>(
    question: string,
    context: string,
    options?: O | null,
  ): Promise<Answered<O>>;
  <const O extends QuestionAnsweringOptions = object>(
    questions: readonly string[],
    contexts: readonly string[] | string,
    options?: O | null,
  ): Promise<Answered<O>[]>;
  <const O extends QuestionAnsweringOptions = object>(input: QuestionInput, options?: O | null): Promise<Answered<O>>;
  <const O extends QuestionAnsweringOptions = object>(
    inputs: readonly QuestionInput[],
    options?: O | null,
  ): Promise<Answered<O>[]>;
  <const O extends QuestionAnsweringOptions = object>(
    inputs: StreamSource<QuestionInput>,
    options?: O | null,
  ): AsyncGenerator<Answered<O>, void, undefined>;
}

type Settings = GivenOptions<QuestionAnsweringOptions> & {
  readonly count: number;
  readonly max_seq_len: number;
  readonly doc_stride: number;
  readonly question_room: number;
};

/** What the model says of one row. */
interface WindowLogits {
  readonly row: number;
  readonly starts: Float32Array;
  readonly ends: Float32Array;
}

/** The pieces of texts that answer questions. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class QuestionAnsweringPipeline extends Pipeline<QuestionAnsweringModel> {
  constructor(parts: PipelineParts<QuestionAnsweringModel>) {
    super(parts, {
      task: 'question-answering',
      model_class: QuestionAnsweringModel,
      source: 'AutoModelForQuestionAnswering',
    });
  }

  /** @internal */
  override _call(first: unknown, second?: unknown, third?: unknown): unknown {
    const several =
      Array.isArray(first) && (typeof first[0] === 'string' || (first.length === 0 && Array.isArray(second)));
    if (typeof first !== 'string' && !several) return this.respond(first, () => this.#job(second));
    if (!several) return this.respond({ question: first, context: second }, () => this.#job(third));
    const paired = (): QuestionInput[] => {
      if (typeof second === 'string') return first.map((question) => ({ question, context: second }));
      if (Array.isArray(second) && second.length === first.length) {
        return first.map((question, i) => ({ question, context: second[i] }));
      }
      throw optionError('context', second, `a string, or an array of ${first.length} of them, as there are questions`);
    };
    return (async () => this.respond(paired(), () => this.#job(third)))();
  }

  #job(options: unknown) {
    const settings = this.#settings(options);
    const { count, max_seq_len, doc_stride, max_answer_len = 15, signal } = settings;
    return {
      name: 'inputs',
      settings,
      read: readInput,
      sizeOf: ({ question, context }: QuestionInput) => question.length + context.length,
      prepare: async (inputs: readonly QuestionInput[]) => {
        const questions = await this.#cutQuestions(inputs, settings);
        const contexts = inputs.map(({ context }) => context);
        const [text, text_pair] = this.#questionFirst ? [questions, contexts] : [contexts, questions];
        const encoding = await this.tokenizer.encode_aligned(text, {
          text_pair,
          truncation: this.#questionFirst ? 'only_second' : 'only_first',
          max_length: max_seq_len,
          stride: doc_stride,
          return_overflowing_tokens: true,
        });
        const rows = new AlignedRows(encoding, this.tokenizer, 'all');
        const row_starts = rows.rowStarts(inputs.length);
        return {
          costs: rows.lengths,
          row_starts,
          compute: async (batch: readonly number[]) => {
            const selected = rows.select(batch);
            const outputs = await callPadded<'start_logits' | 'end_logits'>(this, selected, signal);
            const [starts, ends] = [rowsOf(outputs.start_logits), rowsOf(outputs.end_logits)];
            return batch.map((row, i) => ({ row, starts: starts[i]!, ends: ends[i]! }));
          },
          finish: (i: number, windows: readonly WindowLogits[]) => {
            const { context } = inputs[i]!;
            const best = new BestAnswers(count, max_answer_len);
            for (const { row, ...logits } of windows) {
              best.add(this.#window(rows.alignment(row), logits, context, settings));
            }
            const answers = this.#answers(context, best, settings);
            return isOne(options) ? (answers[0] ?? noAnswer()) : answers;
          },
        };
      },
    };
  }

  get #questionFirst(): boolean {
    return this.tokenizer.padding_side === 'right';
  }

  #settings(options: unknown): Settings {
    const given = checkOptions(this.task, options, rules);
    const pair = { pair: true, name: 'max_seq_len' };
    const limit = checkMaxLength(this, given.max_seq_len, pair);
    const max_seq_len = given.max_seq_len ?? Math.min(limit, 384);
    const room = max_seq_len - this.tokenizer.num_special_tokens_to_add(true);
    const doc_stride = given.doc_stride ?? Math.min(128, Math.floor(room / 2));
    // Behind question and stride there has to be a token that is new.
    const most = room - doc_stride - 1;
    if (most < 1) {
      const name = given.doc_stride === undefined ? 'max_seq_len' : 'doc_stride';
      const expected = given.doc_stride === undefined ? 'room for a question and a context' : `at most ${room - 2}`;
      throw optionError(name, given[name] ?? max_seq_len, `${expected}, as max_seq_len is ${max_seq_len}`);
    }
    const wanted = given.max_question_len ?? Math.floor(room / 2);
    return {
      ...given,
      count: given.top_k ?? given.topk ?? 1,
      max_seq_len,
      doc_stride,
      question_room: Math.min(wanted, most),
    };
  }

  /** Questions that leave the context its room. */
  async #cutQuestions(inputs: readonly QuestionInput[], { question_room }: Settings): Promise<string[]> {
    const questions = inputs.map(({ question }) => question);
    // A UTF-16 unit has three bytes at most, and a token one at least.
    if (questions.every(({ length }) => 3 * length <= question_room)) return questions;
    const encoding = await this.tokenizer.encode_aligned(questions, {
      add_special_tokens: false,
      truncation: true,
      max_length: question_room,
      return_overflowing_tokens: true,
    });
    const rows = new AlignedRows(encoding, this.tokenizer, 'first');
    if (rows.size === encoding.sample_of_row.length) return questions;
    const windows = new Int32Array(questions.length);
    for (const sample of encoding.sample_of_row) windows[sample]!++;
    warnOfTruncation(this.task, `a question has more than ${question_room} tokens and was cut there`);
    return questions.map((question, i) =>
      windows[i] === 1 ? question : question.slice(0, rows.alignment(i).offsets.at(-1)),
    );
  }

  #window(
    { ids, offsets, sequence_ids, word_ids }: RowAlignment,
    { starts, ends }: Omit<WindowLogits, 'row'>,
    context: string,
    { align_to_words = true }: Settings,
  ): AnswerWindow {
    const sequence = this.#questionFirst ? 1 : 0;
    const isContext = (position: number) => sequence_ids[position] === sequence;
    const isSameWord = (position: number, other: number) =>
      align_to_words && isContext(position) && word_ids[position] === word_ids[other];
    return {
      // Without what pads the row.
      start_logits: starts.subarray(0, ids.length),
      end_logits: ends.subarray(0, ids.length),
      isContext,
      null_position: ids.indexOf(this.tokenizer.cls_token_id ?? -1),
      span: (first, last) => {
        let [begin, end] = [first, last];
        while (isSameWord(begin - 1, first)) begin--;
        while (isSameWord(end + 1, last)) end++;
        return withoutSpace(context, offsets[2 * begin]!, offsets[2 * end + 1]!);
      },
    };
  }

  #answers(
    context: string,
    { found, null_score }: BestAnswers,
    { count, handle_impossible_answer }: Settings,
  ): Answer[] {
    const answers = found.map(({ score, start, end }) => ({ answer: context.slice(start, end), score, start, end }));
    if (handle_impossible_answer && Number.isFinite(null_score)) {
      answers.push({ ...noAnswer(), score: null_score });
      answers.sort((a, b) => b.score - a.score);
    }
    return answers.slice(0, count);
  }
}

/** Of a context in which there is no token: of characters that tokenizers leave out. */
function noAnswer(): Answer {
  return { answer: '', score: 0, start: 0, end: 0 };
}

/** Whether one answer is asked for, rather than an array of them. */
function isOne(options: unknown): boolean {
  const { top_k, topk } = (options ?? {}) as QuestionAnsweringOptions;
  return (top_k ?? topk ?? 1) === 1;
}

/** @throws BertNativeError `ERR_OPTION` for what is no question with a context, and for empty ones */
function readInput(item: unknown, name: string): QuestionInput {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw optionError(name, item, '{ question, context }, or a question and a context as two arguments');
  }
  const { question, context } = item as Partial<QuestionInput>;
  for (const [key, text] of Object.entries({ question, context })) {
    if (readText(text, `${name}.${key}`).trim() !== '') continue;
    throw new BertNativeError('ERR_OPTION', `${name}.${key} is empty: expected a ${key}`);
  }
  return { question: question!, context: context! };
}
