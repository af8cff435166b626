import { rejectOnAbort, throwIfAborted } from '../abort.ts';
import { traceForward } from '../diagnostics.ts';
import type { ForwardRequest, ForwardResult, LoadedEncoder, OutputArrays } from '../engines/engine.ts';
import { booleanRule, checkOptions, type OptionRules, oneOfRule, optionError, signalRule } from '../options.ts';
import { ModelOutput } from '../tensor/model-output.ts';
import { Tensor } from '../tensor/tensor.ts';
import { TokenRows } from '../tokenizers/token-rows.ts';
import { CallerArrays } from './caller-arrays.ts';
import {
  asEncoderInputs,
  type EncoderInputs,
  paddedInputs,
  readEncoderInputs,
  requestOfRows,
  type TensorInput,
} from './inputs.ts';
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
  /**
   * Where to put the vectors: exactly B·H elements. Memory that is shared (over a SharedArrayBuffer) is filled in place;
   * any other gets a copy when the call resolves.
   */
  readonly out?: Float32Array | null;
  /** Aborts the call: it rejects at once with `ERR_ABORTED`, whose cause is the signal's reason. */
  readonly signal?: AbortSignal | null;
}

/** @internal */
export const embedRules: OptionRules<EmbedOptions> = {
  pooling: oneOfRule('mean', 'cls', 'max', 'pooler'),
  normalize: booleanRule,
  out: { expected: 'a Float32Array', accepts: (value) => value instanceof Float32Array },
  signal: signalRule,
};

/** A request without what the model adds to it. */
type Request = Omit<ForwardRequest, 'out'>;

export interface EncoderModel {
  /**
   * Runs the encoder off the JavaScript thread.
   *
   * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_TOKEN_ID`, `ERR_SEQUENCE_TOO_LONG`,
   *   `ERR_QUEUE_FULL`, `ERR_MEMORY`, `ERR_DISPOSED`, `ERR_ABORTED`
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
    throwIfAborted(given.signal);
    const inputsRead = readEncoderInputs(given, this.specification);
    const { hidden_size: H, layers, pooler } = this.specification;
    const { batch: B, sequence: S } = inputsRead;
    const request = {
      ...inputsRead,
      outputs: {
        last_hidden_state: true,
        pooler_output: pooler !== null,
        hidden_states: given.output_hidden_states ?? this.config.output_hidden_states,
        attentions: given.output_attentions ?? this.config.output_attentions,
        pooled: null,
      },
    };
    const sizes = { last_hidden_state: B * S * H, ...(pooler !== null ? { pooler_output: B * H } : {}) };
    const out = given.out != null ? new CallerArrays(given.out, sizes, (name) => `out.${name}`) : null;
    const result = await this.#forward(request, out, given.signal);

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
   * @param inputs what a call of the model takes, or what `tokenizer.encode_rows` gives
   * @returns float32, `[B, H]`
   * @throws (rejects) as a call of the model
   */
  async embed(
    inputs: EncoderInputs | TensorInput | TokenRows,
    options?: EmbedOptions | null,
  ): Promise<Tensor<'float32'>> {
    const { pooling = 'mean', normalize = false, out, ...others } = checkOptions('embed', options, embedRules);
    const native = inputs instanceof TokenRows && this.engine === 'native' ? inputs : null;
    const given = native ? {} : asEncoderInputs(inputs instanceof TokenRows ? paddedInputs(inputs) : inputs);
    const signal = others.signal ?? given.signal;
    for (const name of ['out', 'output_hidden_states', 'output_attentions', 'masked_positions'] as const) {
      if (given[name])
        throw optionError(name, given[name], 'nothing: embed gives one vector per row, by its own options');
    }
    if (pooling === 'pooler' && this.specification.pooler === null) {
      throw optionError('pooling', pooling, "'mean', 'cls' or 'max': this model was made without its pooler");
    }
    throwIfAborted(signal);
    const request = {
      ...(native ? requestOfRows(native) : readEncoderInputs(given, this.specification)),
      masked_positions: 'skip' as const,
      outputs: {
        last_hidden_state: false,
        pooler_output: pooling === 'pooler',
        hidden_states: false,
        attentions: false,
        pooled: pooling === 'pooler' ? null : { mode: pooling, normalize },
      },
    };
    const output = pooling === 'pooler' ? 'pooler_output' : 'pooled';
    const dims = [request.batch, this.specification.hidden_size] as const;
    const arrays = out ? new CallerArrays({ [output]: out }, { [output]: dims[0] * dims[1] }, () => 'out') : null;
    const { [output]: data } = await this.#forward(request, arrays, signal);
    const vectors = new Tensor('float32', data!, dims);
    if (pooling !== 'pooler' || !normalize) return vectors;
    data!.set(vectors.normalize(2, 1).data);
    return vectors;
  }

  #forward(
    request: Request,
    arrays: CallerArrays | null,
    signal: AbortSignal | null | undefined,
  ): Promise<ForwardResult> {
    const out: OutputArrays | null = arrays?.shared ?? null;
    const { model_type } = this.config;
    const { engine, dtype } = this;
    const trace = { model_type, engine, dtype, batch: request.batch, sequence: request.sequence };
    const run = async (encoder: LoadedEncoder) => {
      throwIfAborted(signal); // the weights may have been loaded meanwhile
      const result = await encoder.forward({ ...request, out }, signal);
      arrays?.fill(result);
      return result;
    };
    return traceForward(trace, () => {
      const call = this.withEncoder(run);
      return signal ? rejectOnAbort(call, signal) : call;
    });
  }
}
