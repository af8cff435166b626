import { Callable } from '../callable.ts';
import { BertNativeError } from '../errors.ts';
import type { ForwardModel } from '../models/forward-model.ts';
import { type GivenOptions, integerRule, type OptionRules, optionError, signalRule } from '../options.ts';
import { OrderedStream, type RowWork } from '../streams/ordered-stream.ts';
import { type StreamSource, TextSource } from '../streams/text-source.ts';
import { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';

/** Options of every pipeline's call. */
export interface CallOptions {
  /** Aborts the call: it rejects, or the stream ends, at once with `ERR_ABORTED`, whose cause is the signal's reason. */
  readonly signal?: AbortSignal | null;
  /** Padded tokens of one call of the model; default 2048. Has no influence on results. */
  readonly batch_tokens?: number | null;
  /** The most items that are read and tokenized together; at most twice as many are on their way at once. */
  readonly window?: number | null;
}

/** @internal */
export const callRules: OptionRules<CallOptions> = {
  signal: signalRule,
  batch_tokens: integerRule(1),
  window: integerRule(1),
};

/** What a pipeline is made of. */
export interface PipelineParts<Model extends ForwardModel = ForwardModel> {
  /** What the pipeline is called in messages. */
  readonly task?: string;
  readonly model: Model;
  readonly tokenizer: PreTrainedTokenizer;
}

/**
 * The models that a task runs on.
 *
 * @internal
 */
export interface ModelKind {
  readonly task: string;
  readonly model_class: abstract new (...parts: never[]) => ForwardModel;
  /** What loads one. */
  readonly source: string;
}

/**
 * One kind of call: how an item is read, and how a window of them becomes rows of tokens and results.
 *
 * @internal
 */
export interface Job<Value, Output, Result> {
  /** Names one item in messages; several are `name[0]`, `name[1]`, … */
  readonly name: string;
  readonly settings: GivenOptions<CallOptions>;
  /** The window unless the caller says; default 1024. */
  readonly window?: number;
  readonly window_characters?: number;
  /** @throws BertNativeError `ERR_OPTION` for what is no item, naming it */
  read(item: unknown, name: string): Value;
  /** UTF-16 units of an item. */
  sizeOf(value: Value): number;
  prepare(values: readonly Value[]): Promise<RowWork<Output, Result>>;
}

/**
 * What a call returns, of the results of its items.
 *
 * @internal
 */
export interface ResultShape<Result> {
  one(result: Result): unknown;
  many(results: Result[]): unknown;
}

const plainShape: ResultShape<unknown> = { one: (result) => result, many: (results) => results };

/**
 * What all pipelines have in common. Called with one input a pipeline gives its result, called with an array an array (or
 * tensor) of them, and called with any other iterable or async iterable an async iterable, in the order of the inputs and
 * with memory that does not grow with their number: texts are read, tokenized and computed a bounded number ahead.
 */
export abstract class Pipeline<Model extends ForwardModel = ForwardModel> extends Callable {
  readonly task: string;
  readonly model: Model;
  readonly tokenizer: PreTrainedTokenizer;

  /**
   * @throws BertNativeError `ERR_OPTION` without a model or a tokenizer, `ERR_UNSUPPORTED_MODEL` for a model of another task
   */
  constructor({ task, model, tokenizer }: PipelineParts<Model>, needs: ModelKind) {
    super();
    this.task = task ?? needs.task;
    if (typeof model !== 'function') throw optionError('model', model, `a model, such as ${needs.source} gives`);
    if (!((model as object) instanceof needs.model_class)) {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_MODEL',
        `the pipeline '${this.task}' was given a ${(model as object).constructor.name}: expected a model such as ` +
          `${needs.source} gives`,
      );
    }
    if (!(tokenizer instanceof PreTrainedTokenizer)) {
      throw optionError('tokenizer', tokenizer, 'a tokenizer, such as AutoTokenizer.from_pretrained gives');
    }
    this.model = model;
    this.tokenizer = tokenizer;
  }

  /** Releases the model's weights once nothing is being computed; later calls, and what is left of others, reject with `ERR_DISPOSED`. */
  async dispose(): Promise<void> {
    await this.model.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /**
   * Answers a call.
   *
   * @param plan checks the call's options; where it throws, the promise rejects, while a stream is refused at the call
   */
  protected respond<Value, Output, Result>(
    inputs: unknown,
    plan: () => Job<Value, Output, Result>,
    shape: ResultShape<Result> = plainShape as ResultShape<Result>,
  ): unknown {
    if (isStream(inputs)) return streamOf(inputs, plan(), true);
    return respondAtOnce(inputs, plan, shape);
  }
}

async function respondAtOnce<Value, Output, Result>(
  inputs: unknown,
  plan: () => Job<Value, Output, Result>,
  shape: ResultShape<Result>,
): Promise<unknown> {
  const several = Array.isArray(inputs);
  const results: Result[] = [];
  for await (const result of streamOf(several ? inputs.slice() : [inputs], plan(), several)) results.push(result);
  return several ? shape.many(results) : shape.one(results[0]!);
}

function streamOf<Value, Output, Result>(
  source: StreamSource<unknown>,
  job: Job<Value, Output, Result>,
  several: boolean,
): AsyncGenerator<Result, void, undefined> {
  const { signal, batch_tokens = 2048, window = job.window ?? 1024 } = job.settings;
  const reader = {
    read: (item: unknown, index: number) => job.read(item, several ? `${job.name}[${index}]` : job.name),
    sizeOf: (value: Value) => job.sizeOf(value),
  };
  const { window_characters } = job;
  const prepare = (values: readonly Value[]) => job.prepare(values);
  const source_ = new TextSource(source, reader);
  return new OrderedStream({ source: source_, window, window_characters, batch_tokens, signal, prepare }).run();
}

/** Whether a call's input is a source of items, rather than one item or an array of them. */
export function isStream(inputs: unknown): inputs is StreamSource<unknown> {
  if (typeof inputs !== 'object' || inputs === null || Array.isArray(inputs)) return false;
  return Symbol.asyncIterator in inputs || Symbol.iterator in inputs;
}
