import { BertNativeError } from '../errors.ts';
import { SequenceClassificationModel } from '../models/tasks/classes.ts';
import { booleanRule, checkOptions, integerRule, type OptionRules, oneOfRule, optionError } from '../options.ts';
import { checkMaxLength } from '../streams/limits.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { Pipeline, type PipelineParts } from './base.ts';
import { callRows, encodeTexts, rowsOf, type TextOptions, textRules } from './rows.ts';
import { largest } from './scores.ts';
import { applyFunction, type ScoreFunction } from './text-classification.ts';
import { readText, readTexts } from './text-inputs.ts';

/** A query and the documents that are to be put in order. */
export interface RankingInput {
  readonly query: string;
  readonly documents: readonly string[];
}

/** A document's place in the ranking is its place in the array. */
export interface RankedDocument {
  /** The document's index among those given. */
  corpus_id: number;
  score: number;
  /** With `return_documents`. */
  text?: string;
}

/** Which documents a {@link TextRankingPipeline} gives, and how they are scored. */
export interface TextRankingOptions extends TextOptions {
  /** How many documents, best first; null (default): all of them. */
  readonly top_k?: number | null;
  /** Adds each document's `text`; default false. */
  readonly return_documents?: boolean | null;
  /** Unless given: what the configuration names for the model, else `sigmoid`. */
  readonly function_to_apply?: Exclude<ScoreFunction, 'softmax'> | null;
}

const rules: OptionRules<TextRankingOptions> = {
  ...textRules,
  top_k: integerRule(1),
  return_documents: booleanRule,
  function_to_apply: oneOfRule('sigmoid', 'none'),
};

export interface TextRankingPipeline {
  /** @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_UNSUPPORTED_MODEL`, `ERR_ABORTED`, and what tokenizer and model throw */
  (query: string, documents: readonly string[], options?: TextRankingOptions | null): Promise<RankedDocument[]>;
  (input: RankingInput, options?: TextRankingOptions | null): Promise<RankedDocument[]>;
  (inputs: readonly RankingInput[], options?: TextRankingOptions | null): Promise<RankedDocument[][]>;
  (
    inputs: StreamSource<RankingInput>,
    options?: TextRankingOptions | null,
  ): AsyncGenerator<RankedDocument[], void, undefined>;
}

/** Documents in the order in which they answer a query: a cross-encoder, which reads each together with the query. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class TextRankingPipeline extends Pipeline<SequenceClassificationModel> {
  constructor(parts: PipelineParts<SequenceClassificationModel>) {
    super(parts, {
      task: 'text-ranking',
      model_class: SequenceClassificationModel,
      source: 'AutoModelForSequenceClassification',
    });
    const { num_labels } = this.model.config;
    if (num_labels === 1) return;
    throw new BertNativeError(
      'ERR_UNSUPPORTED_MODEL',
      `${this.task}: the model has ${num_labels} labels, which give no order: expected a cross-encoder, with one`,
    );
  }

  /** @internal */
  override _call(inputs: unknown, second?: unknown, third?: unknown): unknown {
    if (typeof inputs !== 'string') return this.respond(inputs, () => this.#job(second));
    return this.respond({ query: inputs, documents: second }, () => this.#job(third));
  }

  #job(options: unknown) {
    const settings = checkOptions(this.task, options, rules);
    const { top_k = null, return_documents = false, signal } = settings;
    const max_length = settings.truncation === false ? null : checkMaxLength(this, settings.max_length, { pair: true });
    const function_to_apply = settings.function_to_apply ?? usualFunction(this.model.config);
    return {
      name: 'inputs',
      settings,
      read: readInput,
      sizeOf: ({ query, documents }: RankingInput) =>
        documents.reduce((sum, { length }) => sum + length + query.length, 0),
      prepare: async (inputs: readonly RankingInput[]) => {
        const queries = inputs.flatMap(({ query, documents }) => documents.map(() => query));
        const documents = inputs.flatMap((input) => input.documents);
        const rows = await encodeTexts(this, queries, documents, max_length);
        const row_starts = new Int32Array(inputs.length + 1);
        inputs.forEach((input, i) => {
          row_starts[i + 1] = row_starts[i]! + input.documents.length;
        });
        return {
          costs: rows.lengths,
          row_starts,
          compute: async (batch: readonly number[]) => rowsOf(await callRows(this, rows.select(batch), { signal })),
          finish: (i: number, logits: readonly Float32Array[]): RankedDocument[] => {
            const scores = logits.map((row) => applyFunction(function_to_apply, row)[0]!);
            return largest(scores, top_k).map((corpus_id) => ({
              corpus_id,
              score: scores[corpus_id]!,
              ...(return_documents && { text: inputs[i]!.documents[corpus_id]! }),
            }));
          },
        };
      },
    };
  }
}

/** @throws BertNativeError `ERR_OPTION` */
function readInput(item: unknown, name: string): RankingInput {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw optionError(name, item, '{ query, documents }, or a query and its documents as two arguments');
  }
  const { query, documents } = item as Partial<RankingInput>;
  return { query: readText(query, `${name}.query`), documents: readTexts(documents, `${name}.documents`) };
}

/** What sentence-transformers writes into a cross-encoder's configuration, in its older and newer place. */
function usualFunction(config: object): ScoreFunction {
  const { sentence_transformers, sbert_ce_default_activation_function } = config as {
    readonly sentence_transformers?: { readonly activation_fn?: unknown } | null;
    readonly sbert_ce_default_activation_function?: unknown;
  };
  const named = sentence_transformers?.activation_fn ?? sbert_ce_default_activation_function;
  return typeof named === 'string' && named.endsWith('.Identity') ? 'none' : 'sigmoid';
}
