import { type EmbedOptions, EncoderModel } from '../models/encoder-model.ts';
import { checkOptions, type OptionRules, oneOfRule, optionError } from '../options.ts';
import { checkMaxLength } from '../streams/limits.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { Pipeline, type PipelineParts } from './base.ts';
import { encodeTexts, rowsOf, type TextOptions, textRules } from './rows.ts';
import { readText, readTexts } from './text-inputs.ts';

/** A sentence and those that it is compared with. */
export interface SimilarityInput {
  readonly source_sentence: string;
  readonly sentences: readonly string[];
}

export interface SentenceSimilarityOptions extends TextOptions {
  /** How a text's tokens become its vector; default `mean`. */
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
  constructor(parts: PipelineParts<EncoderModel>) {
    super(parts, { task: 'sentence-similarity', model_class: EncoderModel, source: 'AutoModel' });
  }

  /** @internal */
  override _call(inputs: unknown, second?: unknown, third?: unknown): unknown {
    if (typeof inputs !== 'string') return this.respond(inputs, () => this.#job(second));
    return this.respond({ source_sentence: inputs, sentences: second }, () => this.#job(third));
  }

  #job(options: unknown) {
    const settings = checkOptions(this.task, options, rules);
    const max_length = settings.truncation === false ? null : checkMaxLength(this, settings.max_length);
    const { pooling = 'mean', signal } = settings;
    const embedding = { pooling, normalize: true, signal } as EmbedOptions;
    return {
      name: 'inputs',
      settings,
      read: readInput,
      sizeOf: ({ source_sentence, sentences }: SimilarityInput) =>
        sentences.reduce((sum, { length }) => sum + length, source_sentence.length),
      prepare: async (inputs: readonly SimilarityInput[]) => {
        const texts = inputs.flatMap(({ source_sentence, sentences }) => [source_sentence, ...sentences]);
        const rows = await encodeTexts(this, texts, null, max_length);
        const row_starts = new Int32Array(inputs.length + 1);
        inputs.forEach(({ sentences }, i) => {
          row_starts[i + 1] = row_starts[i]! + 1 + sentences.length;
        });
        return {
          costs: rows.lengths,
          row_starts,
          compute: async (batch: readonly number[]) => rowsOf(await this.model.embed(rows.select(batch), embedding)),
          finish: (_: number, [source, ...others]: readonly Float32Array[]) =>
            others.map((vector) => cosine(source!, vector)),
        };
      },
    };
  }
}

/** Of vectors of length 1. Rounding does not lead out of the range. */
function cosine(a: Float32Array, b: Float32Array): number {
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
    source_sentence: readText(source_sentence, 'source_sentence'),
    sentences: readTexts(sentences, 'sentences'),
  };
}
