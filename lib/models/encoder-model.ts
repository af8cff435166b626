import type { LoadedEncoder } from '../engines/engine.ts';
import { booleanRule, checkOptions, type OptionRules, oneOfRule, optionError } from '../options.ts';
import { ModelOutput } from '../tensor/model-output.ts';
import { Tensor } from '../tensor/tensor.ts';
import { asEncoderInputs, type EncoderInputs, readEncoderInputs, type TensorInput } from './inputs.ts';
import { PreTrainedModel } from './modeling.ts';

/** `last_hidden_state` `[B, S, H]`, `pooler_output` `[B, H]`; per layer `[B, S, H]` and `[B, A, S, S]` where asked for. */
export interface EncoderOutput extends ModelOutput {
  readonly 0: Tensor<'float32'>;
  readonly 1: Tensor<'float32'>;
  readonly last_hidden_state: Tensor<'float32'>;
  /** tanh of a linear map of the first position's state; there unless the model was made without its pooler. */
  readonly pooler_output: Tensor<'float32'>;
  /** The embeddings, then every layer's output. */
  readonly hidden_states?: readonly Tensor<'float32'>[];
  /** Every layer's probabilities, from position to position. */
  readonly attentions?: readonly Tensor<'float32'>[];
}

/** How {@link EncoderModel.embed} makes one vector of a text. */
export interface EmbedOptions {
  /**
   * Over the positions whose mask is 1: `mean` (default), `max`; `cls`: the first position's state; `pooler`: the
   * pooler's output.
   */
  readonly pooling?: 'mean' | 'cls' | 'max' | 'pooler' | null;
  /** Divide each vector by its L2 norm; default false. */
  readonly normalize?: boolean | null;
}

const embedRules: OptionRules<EmbedOptions> = {
  pooling: oneOfRule('mean', 'cls', 'max', 'pooler'),
  normalize: booleanRule,
};

export interface EncoderModel {
  /**
   * Runs the encoder off the JavaScript thread.
   *
   * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_TOKEN_ID`, `ERR_SEQUENCE_TOO_LONG`,
   *   `ERR_MEMORY`, `ERR_DISPOSED`
   */
  (inputs: EncoderInputs | TensorInput): Promise<EncoderOutput>;
}

/** A bare encoder, without a task's head: what every family's `…Model` class does. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export abstract class EncoderModel extends PreTrainedModel {
  /** H, the width of the vectors that it gives. */
  get hidden_size(): number {
    return this.specification.hidden_size;
  }

  /** @internal what a call of the instance does */
  override async _call(inputs: EncoderInputs | TensorInput, ...others: unknown[]): Promise<EncoderOutput> {
    if (others.some((value) => value !== undefined)) {
      throw optionError(
        'the second argument of the model',
        others[0],
        'one argument, { input_ids, attention_mask, … }',
      );
    }
    const given = asEncoderInputs(inputs);
    const request = readEncoderInputs(given, this.specification);
    const { batch: B, sequence: S } = request;
    const outputs = {
      last_hidden_state: true,
      pooler_output: this.specification.pooler !== null,
      hidden_states: given.output_hidden_states ?? this.config.output_hidden_states,
      attentions: given.output_attentions ?? this.config.output_attentions,
      pooled: null,
    };
    const result = await this.withEncoder((encoder: LoadedEncoder) => encoder.forward({ ...request, outputs }));

    const { hidden_size: H, layers } = this.specification;
    const tensor = (data: Float32Array | undefined, ...dims: number[]) => data && new Tensor('float32', data, dims);
    return ModelOutput.of({
      last_hidden_state: tensor(result.last_hidden_state, B, S, H),
      pooler_output: tensor(result.pooler_output, B, H),
      hidden_states: result.hidden_states?.map((states) => new Tensor('float32', states, [B, S, H])),
      attentions: result.attentions?.map(
        (probabilities, i) => new Tensor('float32', probabilities, [B, layers[i]!.attention.num_attention_heads, S, S]),
      ),
    }) as EncoderOutput;
  }

  /**
   * One vector per row, pooled where it is computed, so that the states of single tokens never reach JavaScript.
   *
   * @returns float32, `[B, H]`
   * @throws (rejects) as a call of the model
   */
  async embed(inputs: EncoderInputs | TensorInput, options?: EmbedOptions | null): Promise<Tensor<'float32'>> {
    const { pooling = 'mean', normalize = false } = checkOptions('embed', options, embedRules);
    if (pooling === 'pooler' && this.specification.pooler === null) {
      throw optionError('pooling', pooling, "'mean', 'cls' or 'max': this model was made without its pooler");
    }
    const request = readEncoderInputs(asEncoderInputs(inputs), this.specification);
    const outputs = {
      last_hidden_state: false,
      pooler_output: pooling === 'pooler',
      hidden_states: false,
      attentions: false,
      pooled: pooling === 'pooler' ? null : { mode: pooling, normalize },
    };
    const { pooler_output, pooled } = await this.withEncoder((encoder: LoadedEncoder) =>
      encoder.forward({ ...request, masked_positions: 'skip', outputs }),
    );
    const dims = [request.batch, this.specification.hidden_size];
    if (pooling !== 'pooler') return new Tensor('float32', pooled!, dims);
    const vectors = new Tensor('float32', pooler_output!, dims);
    return normalize ? vectors.normalize(2, 1) : vectors;
  }
}
