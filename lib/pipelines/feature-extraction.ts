import { type EmbedOptions, EncoderModel } from '../models/encoder-model.ts';
import { booleanRule, checkOptions, type OptionRules, oneOfRule, optionError } from '../options.ts';
import { checkMaxLength } from '../streams/limits.ts';
import { oneRowEach } from '../streams/ordered-stream.ts';
import type { StreamSource } from '../streams/text-source.ts';
import { type QuantizedPrecision, quantize_embeddings } from '../tensor/quantize.ts';
import { Tensor } from '../tensor/tensor.ts';
import { Pipeline, type PipelineParts } from './base.ts';
import { callPadded, encodeTexts, rowsOf, type TextOptions, textRules } from './rows.ts';
import { sizeOfTexts, splitPairs, type TextPair, textOrPairReader } from './text-inputs.ts';

export interface FeatureExtractionOptions extends TextOptions {
  /**
   * How a text's tokens become one vector: `mean`, `max`; `cls` or `first_token`, the first token's state; `last_token` or
   * `eos`, the last one's. `none` (default): not at all, every token has its state.
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
  constructor(parts: PipelineParts<EncoderModel>) {
    super(parts, { task: 'feature-extraction', model_class: EncoderModel, source: 'AutoModel' });
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
    const { pooling = 'none', normalize = false, quantize = false, precision = 'binary', signal } = settings;
    if (quantize && pooling === 'none') {
      throw optionError(
        'quantize',
        quantize,
        "false, or with a pooling such as 'mean': a vector per text is quantised",
      );
    }
    const max_length = settings.truncation === false ? null : checkMaxLength(this, settings.max_length);
    const embedding = pooling === 'none' ? null : ({ pooling: poolings[pooling], normalize, signal } as EmbedOptions);
    return {
      name: 'texts',
      settings,
      // The states of all tokens take hundreds of times a vector.
      ...(pooling === 'none' && { window: 64, window_characters: 1 << 16 }),
      read: textOrPairReader(),
      sizeOf: sizeOfTexts,
      prepare: async (values: readonly (TextPair | string)[]) => {
        const { texts, pairs } = splitPairs(values);
        const rows = await encodeTexts(this, texts, pairs, max_length);
        const { lengths } = rows;
        return {
          costs: lengths,
          row_starts: oneRowEach(values.length),
          compute: async (batch: readonly number[]) => {
            if (embedding !== null) return rowsOf(await this.model.embed(rows.select(batch), embedding));
            const { last_hidden_state } = await callPadded<'last_hidden_state'>(this, rows.select(batch), signal);
            return rowsOf(last_hidden_state);
          },
          finish: (i: number, [values]: readonly Float32Array[]) => {
            const H = this.model.hidden_size;
            if (pooling !== 'none') {
              const vector = new Tensor('float32', values!.slice(), [H]);
              return quantize ? quantized(vector, precision) : vector;
            }
            const states = new Tensor('float32', values!.slice(0, lengths[i]! * H), [lengths[i]!, H]);
            return normalize ? states.normalize(2, 1) : states;
          },
        };
      },
    };
  }

  /** Tensors of the texts as one. */
  #stack(features: readonly Tensor[], options: FeatureExtractionOptions | null | undefined): Tensor {
    const H = this.model.hidden_size;
    const { pooling = 'none', quantize, precision } = options ?? {};
    const type = quantize ? (precision === 'ubinary' ? 'uint8' : 'int8') : 'float32';
    const width = quantize ? H / 8 : H;
    if ((pooling ?? 'none') !== 'none') return stacked(features, type, [features.length, width], 0);
    const longest = features.reduce((most, { dims }) => Math.max(most, dims[0]!), 0);
    return stacked(
      features,
      type,
      [features.length, longest, H],
      this.tokenizer.padding_side === 'left' ? longest * H : 0,
    );
  }
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
