import { BertNativeError } from '../errors.ts';
import { TokenClassificationModel } from '../models/tasks/classes.ts';
import { arrayRule, checkOptions, integerRule, type OptionRules, oneOfRule, stringRule } from '../options.ts';
import { checkMaxLength } from '../streams/limits.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { AlignedRows, type RowAlignment, withoutSpace } from './aligned-rows.ts';
import { type CallOptions, callRules, Pipeline, type PipelineParts } from './base.ts';
import {
  type AggregationStrategy,
  type Entity,
  grouped,
  labelled,
  type ScoredToken,
  withoutOverlaps,
} from './entities.ts';
import { labelOf } from './labels.ts';
import { callPadded, rowsOf, warnOfTruncation } from './rows.ts';
import { softmax } from './scores.ts';
import { readText } from './text-inputs.ts';

/** A token with its label. */
export interface TokenEntity {
  entity: string;
  score: number;
  /** The token's position among those of its text, special ones counted. */
  index: number;
  word: string;
  /** Where it stands: `text.slice(start, end)`. */
  start: number;
  end: number;
}

/** Tokens that are one entity together. */
export interface EntityGroup {
  /** The label without `B-` or `I-`. */
  entity_group: string;
  score: number;
  word: string;
  start: number;
  end: number;
}

/** How a {@link TokenClassificationPipeline} puts tokens together. */
export interface TokenClassificationOptions extends CallOptions {
  /**
   * How tokens become entities. `none` (default): not at all. `simple`: neighbours whose labels belong together. The
   * others give every word one label first: that of its `first` token, of the `average` of its tokens' scores, or of the
   * token with the `max` score.
   */
  readonly aggregation_strategy?: AggregationStrategy | null;
  /** Labels that are left out; default `['O']`. */
  readonly ignore_labels?: readonly string[] | null;
  /**
   * Reads texts of any length, in windows that have so many tokens in common; with a strategy other than `none`. Unless
   * given, what is too long for the model is cut off.
   */
  readonly stride?: number | null;
  /** Tokens of a row, special ones included; default, and at most: what model and tokenizer take. */
  readonly max_length?: number | null;
}

/** A window's logits are kept until its texts are done: as many characters, at most one token each, as have so many. */
const windowLogits = 1 << 25;

const strategies = ['none', 'simple', 'first', 'average', 'max'] as const;

const rules: OptionRules<TokenClassificationOptions> = {
  ...callRules,
  aggregation_strategy: oneOfRule(...strategies),
  ignore_labels: arrayRule(stringRule, 'an array of labels'),
  stride: integerRule(0),
  max_length: integerRule(1),
};

type Found<Options> = Options extends { readonly aggregation_strategy: infer A }
  ? [A] extends ['none' | null | undefined]
    ? TokenEntity
    : [A] extends [Exclude<AggregationStrategy, 'none'>]
      ? EntityGroup
      : TokenEntity | EntityGroup
  : TokenEntity;

export interface TokenClassificationPipeline {
  /** @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_ABORTED`, and what tokenizer and model throw */
  <const O extends TokenClassificationOptions = object>(text: string, options?: O | null): Promise<Found<O>[]>;
  <const O extends TokenClassificationOptions = object>(
    texts: readonly string[],
    options?: O | null,
  ): Promise<Found<O>[][]>;
  <const O extends TokenClassificationOptions = object>(
    texts: string | readonly string[],
    options?: O | null,
  ): Promise<Found<O>[] | Found<O>[][]>;
  <const O extends TokenClassificationOptions = object>(
    texts: StreamSource<string>,
    options?: O | null,
  ): AsyncGenerator<Found<O>[], void, undefined>;
}

/** Names, places and the like in texts: a token classifier. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class TokenClassificationPipeline extends Pipeline<TokenClassificationModel> {
  constructor(parts: PipelineParts<TokenClassificationModel>) {
    super(parts, {
      task: 'token-classification',
      model_class: TokenClassificationModel,
      source: 'AutoModelForTokenClassification',
    });
  }

  /** @internal */
  override _call(texts: unknown, options?: unknown): unknown {
    return this.respond(texts, () => this.#job(options));
  }

  #job(options: unknown) {
    const settings = checkOptions(this.task, options, rules);
    const { aggregation_strategy: strategy = 'none', stride, signal } = settings;
    const ignored = new Set(settings.ignore_labels ?? ['O']);
    const max_length = checkMaxLength(this, settings.max_length);
    this.#checkStride(stride, strategy, max_length);
    return {
      name: 'texts',
      settings,
      window_characters: Math.max(1 << 14, Math.floor(windowLogits / this.model.config.num_labels)),
      read: readText,
      sizeOf: (text: string) => text.length,
      prepare: async (texts: readonly string[]) => {
        const windows = { return_overflowing_tokens: true, stride: stride ?? 0 };
        const encoding = await this.tokenizer.encode_aligned(texts, { truncation: true, max_length, ...windows });
        const rows = new AlignedRows(encoding, this.tokenizer, stride === undefined ? 'first' : 'all');
        const row_starts = rows.rowStarts(texts.length);
        if (rows.size < encoding.sample_of_row.length) {
          warnOfTruncation(
            this.task,
            `a text has more than ${max_length} tokens and was cut there (with stride, all of it would be read)`,
          );
        }
        return {
          costs: rows.lengths,
          row_starts,
          compute: async (batch: readonly number[]) => {
            const { logits } = await callPadded<'logits'>(this, rows.select(batch), signal);
            return rowsOf(logits);
          },
          finish: (i: number, outputs: readonly Float32Array[]) => {
            const entities = outputs.flatMap((logits, k) =>
              this.#entities(texts[i]!, rows.alignment(row_starts[i]! + k), logits, strategy, ignored),
            );
            const whole = outputs.length > 1 ? withoutOverlaps(entities) : entities;
            return this.#described(texts[i]!, whole, strategy);
          },
        };
      },
    };
  }

  #checkStride(stride: number | undefined, strategy: AggregationStrategy, max_length: number): void {
    if (stride === undefined) return;
    if (strategy === 'none') {
      throw new BertNativeError(
        'ERR_OPTION',
        `stride is ${stride} and aggregation_strategy 'none': expected one of ${strategies.slice(1).join(', ')}, as windows overlap`,
      );
    }
    const room = max_length - this.tokenizer.num_special_tokens_to_add();
    if (stride < room) return;
    throw new BertNativeError(
      'ERR_OPTION',
      `stride is ${stride}: expected less than ${room}, the tokens of a text that a row has room for`,
    );
  }

  #entities(
    text: string,
    row: RowAlignment,
    logits: Float32Array,
    strategy: AggregationStrategy,
    ignored: ReadonlySet<string>,
  ): Entity[] {
    const tokens = this.#tokens(text, row, logits);
    const entities = labelled(tokens, strategy, (id) => labelOf(this.model.config, id));
    const found = strategy === 'none' ? entities : grouped(entities);
    return found.filter(({ label }) => !ignored.has(label));
  }

  /** The tokens of the text itself. */
  #tokens(text: string, { ids, offsets, sequence_ids, word_ids }: RowAlignment, logits: Float32Array): ScoredToken[] {
    const N = this.model.config.num_labels;
    const tokens: ScoredToken[] = [];
    let last_word = -1;
    ids.forEach((id, index) => {
      if (sequence_ids[index] !== 0) return;
      const [start, end] = [offsets[2 * index]!, offsets[2 * index + 1]!];
      const scores = softmax(logits.subarray(index * N, (index + 1) * N));
      const is_subword = this.#goesOn(text, id, start, word_ids[index] === last_word);
      last_word = word_ids[index]!;
      tokens.push({ index, id, scores, start, end, is_subword });
    });
    return tokens;
  }

  /**
   * WordPiece says which tokens go on with a word. What other tokenizers call a word leaves punctuation out, or takes it in;
   * white space in the text decides there, as in Python.
   */
  #goesOn(text: string, id: number, start: number, sameWord: boolean): boolean {
    if (id === this.tokenizer.unk_token_id) return false;
    if (this.tokenizer.model_kind === 'WordPiece') return sameWord;
    return start > 0 && !/\s/.test(text.slice(start - 1, start + 1));
  }

  #described(text: string, entities: readonly Entity[], strategy: AggregationStrategy): (TokenEntity | EntityGroup)[] {
    const unknown = this.tokenizer.unk_token_id;
    const decoded = this.tokenizer.batch_decode(entities.map(({ tokens }) => tokens.map(({ id }) => id)));
    return entities.map(({ label, score, tokens, ...place }, i) => {
      const { start, end } = withoutSpace(text, place.start, place.end);
      // The unknown token's own name says nothing.
      const word = tokens.some(({ id }) => id === unknown) ? text.slice(start, end) : decoded[i]!;
      if (strategy !== 'none') return { entity_group: label, score, word, start, end };
      return { entity: label, score, index: tokens[0]!.index, word, start, end };
    });
  }
}
