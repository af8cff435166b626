import { EncoderModel } from '../models/encoder-model.ts';
import { checkOptions, type GivenOptions, type OptionRules, oneOfRule, optionError } from '../options.ts';
import type { SentenceTransformer } from '../sentence-transformers/sentence-transformer.ts';
import { checkMaxLength } from '../streams/limits.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { Pipeline } from './base.ts';
import { encodeTexts, rowsOf, type TextOptions, textRules } from './rows.ts';
import { type EncoderParts, sentenceRows } from './sentences.ts';
import { readText, readTexts } from './text-inputs.ts';

/** A sentence and those that it is compared with. */
export interface SimilarityInput {
  readonly source_sentence: string;
  readonly sentences: readonly string[];
}

/** How a {@link SentenceSimilarityPipeline} makes its vectors. */
export interface SentenceSimilarityOptions extends TextOptions {
  /** How a text's tokens become its vector; unless given, `mean`, or what a folder of sentence-transformers says. */
  readonly pooling?: 'mean' | 'max' | 'cls' | null;
}

const rules: OptionRules<SentenceSimilarityOptions> = { ...textRules, pooling: oneOfRule('mean', 'max', 'cls') };

export interface SentenceSimilarityPipeline {
  /**
   * @returns for each of the sentences the cosine of the angle between its vector and the source's, -1 to 1
   * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_UNSUPPORTED_MODEL`, `ERR_ABORTED`, and what tokenizer and model throw
   */
  (
    source_sentence: string,
    sentences: readonly string[],
    options?: SentenceSimilarityOptions | null,
  ): Promise<number[]>;
  (input: SimilarityInput, options?: SentenceSimilarityOptions | null): Promise<number[]>;
  (inputs: readonly SimilarityInput[], options?: SentenceSimilarityOptions | null): Promise<number[][]>;
  (
    inputs: StreamSource<SimilarityInput>,
    options?: SentenceSimilarityOptions | null,
  ): AsyncGenerator<number[], void, undefined>;
}

/** How alike sentences are to another one. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class SentenceSimilarityPipeline extends Pipeline<EncoderModel> {
  /** What makes the vectors of calls that name no pooling; null: the mean of the tokens' states does. */
  readonly sentence_transformer: SentenceTransformer | null;

  constructor(parts: EncoderParts) {
    super(parts, { task: 'sentence-similarity', model_class: EncoderModel, source: 'AutoModel' });
    this.sentence_transformer = parts.sentence_transformer ?? null;
  }

  /** @internal */
  override _call(inputs: unknown, second?: unknown, third?: unknown): unknown {
    if (typeof inputs !== 'string') return this.respond(inputs, () => this.#job(second));
    return this.respond({ source_sentence: inputs, sentences: second }, () => this.#job(third));
  }

  #job(options: unknown) {
    const settings = checkOptions(this.task, options, rules);
    return {
      name: 'inputs',
      settings,
      read: readInput,
      sizeOf: ({ source_sentence, sentences }: SimilarityInput) =>
        sentences.reduce((sum, { length }) => sum + length, source_sentence.length),
      prepare: async (inputs: readonly SimilarityInput[]) => {
        const texts = inputs.flatMap(({ source_sentence, sentences }) => [source_sentence, ...sentences]);
        const rows = await this.#rows(texts, settings);
        const row_starts = new Int32Array(inputs.length + 1);
        inputs.forEach(({ sentences }, i) => {
          row_starts[i + 1] = row_starts[i]! + 1 + sentences.length;
        });
        return {
          ...rows,
          row_starts,
          finish: (_: number, [source, ...others]: readonly Float32Array[]) =>
            others.map((vector) => cosine(source!, vector)),
        };
      },
    };
  }

  async #rows(texts: readonly string[], settings: GivenOptions<SentenceSimilarityOptions>) {
    const { pooling, truncation = true, signal = null } = settings;
    if (pooling === undefined && this.sentence_transformer !== null) {
      return sentenceRows(this.sentence_transformer, texts, { normalize: true, signal });
    }
    const max_length = truncation ? checkMaxLength(this, settings.max_length) : null;
    const rows = await encodeTexts(this, texts, null, max_length);
    const embedding = { pooling: pooling ?? 'mean', normalize: true, signal };
    return {
      costs: rows.lengths,
      compute: async (batch: readonly number[]) => rowsOf(await this.model.embed(rows.select(batch), embedding)),
    };
  }
}

/** @internal Of vectors of length 1. Rounding does not lead out of the range. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return Math.max(-1, Math.min(1, sum));
}

/** @throws BertNativeError `ERR_OPTION` */
function readInput(item: unknown, name: string): SimilarityInput {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw optionError(name, item, '{ source_sentence, sentences }, or a sentence and the others as two arguments');
  }
  const { source_sentence, sentences } = item as Partial<SimilarityInput>;
  return {
    source_sentence: readText(source_sentence, `${name}.source_sentence`),
    sentences: readTexts(sentences, `${name}.sentences`),
  };
}
