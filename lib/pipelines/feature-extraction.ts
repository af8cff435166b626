import { EncoderModel } from '../models/encoder-model.ts';
import { booleanRule, checkOptions, type GivenOptions, type OptionRules, oneOfRule, optionError } from '../options.ts';
import type { SentenceTransformer } from '../sentence-transformers/sentence-transformer.ts';
import { checkMaxLength } from '../streams/limits.ts';
import { oneRowEach } from '../streams/ordered-stream.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { type QuantizedPrecision, quantize_embeddings } from '../tensor/quantize.ts';
import { Tensor } from '../tensor/tensor.ts';
import { Pipeline } from './base.ts';
import { callPadded, encodeTexts, rowsOf, type TextOptions, textRules } from './rows.ts';
import { type EncoderParts, sentenceRows } from './sentences.ts';
import { sizeOfTexts, splitPairs, type TextPair, textOrPairReader } from './text-inputs.ts';

/** What a {@link FeatureExtractionPipeline} makes of texts. */
export interface FeatureExtractionOptions extends TextOptions {
  /**
   * How a text's tokens become one vector: `mean`, `max`; `cls` or `first_token`, the first token's state; `last_token` or
   * `eos`, the last one's. `none`: not at all, every token has its state. Unless given, `none`, or what a folder of
   * sentence-transformers says.
   */
  readonly pooling?: 'none' | 'mean' | 'max' | 'cls' | 'first_token' | 'eos' | 'last_token' | null;
  /** Divides each vector by its L2 norm; default false. */
  readonly normalize?: boolean | null;
  /** Packs the vectors into bits; default false. */
  readonly quantize?: boolean | null;
  /** With `quantize`: signed or unsigned bytes of eight bits each; default `binary`. */
  readonly precision?: 'binary' | 'ubinary' | null;
}

const rules: OptionRules<FeatureExtractionOptions> = {
  ...textRules,
  pooling: oneOfRule('none', 'mean', 'max', 'cls', 'first_token', 'eos', 'last_token'),
  normalize: booleanRule,
  quantize: booleanRule,
  precision: oneOfRule('binary', 'ubinary'),
};

/** What {@link EncoderModel.embed} calls the poolings. */
const poolings = {
  mean: 'mean',
  max: 'max',
  cls: 'cls',
  first_token: 'cls',
  eos: 'lasttoken',
  last_token: 'lasttoken',
} as const;

type Feature<Options> = Options extends { readonly quantize: true }
  ? Options extends { readonly precision: 'ubinary' }
    ? Tensor<'uint8'>
    : Tensor<'int8'>
  : Options extends { readonly quantize: boolean }
    ? Tensor<'float32' | 'int8' | 'uint8'>
    : Tensor<'float32'>;

export interface FeatureExtractionPipeline {
  /**
   * @returns float32: `[texts, hidden_size]`, or without pooling `[texts, tokens, hidden_size]`, zeros where a text has
   *   fewer tokens than the longest; one text counts as one row. With `quantize`, bytes `[texts, hidden_size / 8]`. Of an
   *   iterable: a tensor without the first dimension for each text
   * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_UNSUPPORTED_MODEL`, `ERR_ABORTED`, and what tokenizer and model throw
   */
  <const O extends FeatureExtractionOptions = object>(
    texts: string | TextPair | readonly string[] | readonly TextPair[],
    options?: O | null,
  ): Promise<Feature<O>>;
  <const O extends FeatureExtractionOptions = object>(
    texts: StreamSource<string> | StreamSource<TextPair>,
    options?: O | null,
  ): AsyncGenerator<Feature<O>, void, undefined>;
}

/** Texts to the states of their tokens, or to one vector each. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export class FeatureExtractionPipeline extends Pipeline<EncoderModel> {
  /** What makes the vectors of calls that name no pooling; null: such calls give the states of all tokens. */
  readonly sentence_transformer: SentenceTransformer | null;

  constructor(parts: EncoderParts) {
    super(parts, { task: 'feature-extraction', model_class: EncoderModel, source: 'AutoModel' });
    this.sentence_transformer = parts.sentence_transformer ?? null;
  }

  /** @internal */
  override _call(texts: unknown, options?: unknown): unknown {
    const shape = {
      one: (feature: Tensor<'float32'>) => feature.unsqueeze(0),
      many: (features: Tensor<'float32'>[]) => this.#stack(features, options as FeatureExtractionOptions),
    };
    return this.respond(texts, () => this.#job(options), shape);
  }

  #job(options: unknown) {
    const settings = checkOptions(this.task, options, rules);
    const { normalize = false, quantize = false, precision = 'binary' } = settings;
    const ofTokens = this.#givesTokens(settings);
    if (quantize && ofTokens) {
      throw optionError('quantize', quantize, "false, or with a pooling such as 'mean': a vector per text is packed");
    }
    const rowsFor = this.#rowsFor(settings);
    return {
      name: 'texts',
      settings,
      // The states of all tokens take hundreds of times a vector.
      ...(ofTokens && { window: 64, window_characters: 1 << 16 }),
      read: textOrPairReader(),
      sizeOf: sizeOfTexts,
      prepare: async (items: readonly (TextPair | string)[]) => {
        const rows = await rowsFor(items);
        return {
          ...rows,
          finish: (i: number, [values]: readonly Float32Array[]) => {
            if (!ofTokens) {
              const vector = new Tensor('float32', values!.slice(), [values!.length]);
              return quantize ? quantized(vector, precision) : vector;
            }
            const H = this.model.hidden_size;
            const states = new Tensor('float32', values!.slice(0, rows.costs[i]! * H), [rows.costs[i]!, H]);
            return normalize ? states.normalize(2, 1) : states;
          },
        };
      },
    };
  }

  /** Whether a call gives the states of tokens rather than one vector for each text. */
  #givesTokens({ pooling }: FeatureExtractionOptions): boolean {
    return pooling == null ? this.sentence_transformer === null : pooling === 'none';
  }

  /** How a window of texts becomes rows of vectors, or of padded states. */
  #rowsFor(settings: GivenOptions<FeatureExtractionOptions>) {
    const { pooling, normalize = false, truncation = true, signal = null } = settings;
    const { sentence_transformer: sentences } = this;
    if (pooling === undefined && sentences !== null) {
      const other = (['max_length', 'truncation'] as const).find((name) => settings[name] !== undefined);
      if (other !== undefined) {
        throw optionError(
          other,
          settings[other],
          'to be left out, as the model says how its texts are cut; or a pooling',
        );
      }
      return async (items: readonly (TextPair | string)[]) =>
        sentenceRows(sentences, items.map(singleText), { normalize, signal });
    }
    const max_length = truncation ? checkMaxLength(this, settings.max_length) : null;
    return async (items: readonly (TextPair | string)[]) => {
      const { texts, pairs } = splitPairs(items);
      const rows = await encodeTexts(this, texts, pairs, max_length);
      return {
        costs: rows.lengths,
        row_starts: oneRowEach(items.length),
        compute: async (batch: readonly number[]) => {
          const selected = rows.select(batch);
          if (pooling !== undefined && pooling !== 'none') {
            return rowsOf(await this.model.embed(selected, { pooling: poolings[pooling], normalize, signal }));
          }
          return rowsOf((await callPadded<'last_hidden_state'>(this, selected, signal)).last_hidden_state);
        },
      };
    };
  }

  /** Tensors of the texts as one. */
  #stack(features: readonly Tensor[], options: FeatureExtractionOptions | null | undefined): Tensor {
    const { quantize, precision } = options ?? {};
    const type = quantize ? (precision === 'ubinary' ? 'uint8' : 'int8') : 'float32';
    const H = this.model.hidden_size;
    if (!this.#givesTokens(options ?? {})) {
      const width = features[0]?.size ?? this.#vectorSize(options ?? {}) / (quantize ? 8 : 1);
      return stacked(features, type, [features.length, width], 0);
    }
    const longest = features.reduce((most, { dims }) => Math.max(most, dims[0]!), 0);
    const right = this.tokenizer.padding_side === 'left' ? longest * H : 0;
    return stacked(features, type, [features.length, longest, H], right);
  }

  #vectorSize({ pooling }: FeatureExtractionOptions): number {
    const whole = pooling == null ? this.sentence_transformer?.get_sentence_embedding_dimension() : undefined;
    return whole ?? this.model.hidden_size;
  }
}

function singleText(item: TextPair | string): string {
  if (typeof item === 'string') return item;
  throw optionError('texts', item, 'single texts: a model of sentence-transformers takes no pairs');
}

/** @param right 0: each starts its row of the result; else where each ends */
function stacked(
  features: readonly Tensor[],
  type: 'float32' | 'int8' | 'uint8',
  dims: number[],
  right: number,
): Tensor {
  const size = dims.slice(1).reduce((product, dim) => product * dim, 1);
  const arrays = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array };
  const data = new arrays[type](dims[0]! * size);
  features.forEach(({ data: values }, i) => {
    data.set(values as Float32Array, i * size + (right > 0 ? right - values.length : 0));
  });
  return new Tensor(type, data, dims);
}

function quantized(vector: Tensor<'float32'>, precision: QuantizedPrecision): Tensor {
  return quantize_embeddings(vector.unsqueeze(0), precision).squeeze(0) as Tensor;
}
