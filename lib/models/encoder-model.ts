import { throwIfAborted } from '../abort.ts';
import { type PoolingMode, poolingModes } from '../engines/specification.ts';
import {
  booleanRule,
  checkOptions,
  integerRule,
  type OptionRule,
  type OptionRules,
  optionError,
  signalRule,
} from '../options.ts';
import { ModelOutput } from '../tensor/model-output.ts';
import { Tensor } from '../tensor/tensor.ts';
import { TokenRows } from '../tokenizers/token-rows.ts';
import type { Architecture } from './architecture.ts';
import { CallerArrays } from './caller-arrays.ts';
import type { PretrainedConfig } from './configuration.ts';
import { bareArchitecture, type Family } from './family.ts';
import { ForwardModel, noOutputs, type Request } from './forward-model.ts';
import {
  asEncoderInputs,
  type EncoderInputs,
  onlyArgument,
  paddedInputs,
  readEncoderInputs,
  requestOfRows,
  type TensorInput,
} from './inputs.ts';

/** `last_hidden_state` `[B, S, H]`, `pooler_output` `[B, H]`; per layer `[B, S, H]` and `[B, A, S, S]` where asked for. */
export interface EncoderOutput extends ModelOutput {
  readonly 0: Tensor<'float32'>;
  readonly 1: Tensor<'float32'>;
  readonly last_hidden_state: Tensor<'float32'>;
  /** A layer on top of the first position's state; there where the family has one and the model was made with it. */
  readonly pooler_output: Tensor<'float32'>;
  /** The embeddings, then every layer's output. */
  readonly hidden_states?: readonly Tensor<'float32'>[];
  /** Every layer's probabilities, from position to position. */
  readonly attentions?: readonly Tensor<'float32'>[];
}

/** How a model's own pooler is asked for, among the poolings of {@link PoolingMode}. */
type Pooling = PoolingMode | 'pooler';

/** How {@link EncoderModel.embed} makes one vector of a text. */
export interface EmbedOptions {
  /**
   * Over the positions whose mask is 1: `mean` (default), `max`, `mean_sqrt_len_tokens` (the sum divided by the square
   * root of their number), `weightedmean` (later ones weigh more: 1, 2, 3, …), `lasttoken`; `cls`: the first position's
   * state; `pooler`: the pooler's output. A list of them (but `pooler`): their vectors side by side, in that order.
   */
  readonly pooling?: Pooling | readonly PoolingMode[] | null;
  /** Divide each vector by its L2 norm; default false. */
  readonly normalize?: boolean | null;
  /** How many tokens at the front of each row (a prompt's) are left out of the pooling; default 0. */
  readonly pooling_skip?: number | null;
  /**
   * Where to put the vectors: exactly B·H elements for each pooling. Memory that is shared (over a SharedArrayBuffer) is
   * filled in place; any other gets a copy when the call resolves.
   */
  readonly out?: Float32Array | null;
  /** Aborts the call: it rejects at once with `ERR_ABORTED`, whose cause is the signal's reason. */
  readonly signal?: AbortSignal | null;
}

const poolings: readonly unknown[] = [...poolingModes, 'pooler'];

const poolingRule: OptionRule = {
  expected: `${poolings.map((name) => `'${name}'`).join(', ')}, or a list of different ones`,
  accepts: (value) =>
    Array.isArray(value)
      ? value.length > 0 &&
        value.every((mode) => (poolingModes as readonly unknown[]).includes(mode)) &&
        new Set(value).size === value.length
      : poolings.includes(value),
};

/** @internal */
export const embedRules: OptionRules<EmbedOptions> = {
  pooling: poolingRule,
  normalize: booleanRule,
  pooling_skip: integerRule(0),
  out: { expected: 'a Float32Array', accepts: (value) => value instanceof Float32Array },
  signal: signalRule,
};

/** Options of a bare encoder besides those of every model. */
export interface EncoderModelOptions {
  /**
   * `false`: without the pooler, whose weights need not be there then. Unless given, as the family's class in Python: with
   * it in most families that have one.
   */
  readonly add_pooling_layer?: boolean | null;
}

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
export abstract class EncoderModel extends ForwardModel {
  /** @internal */
  declare static readonly family: Family;

  /** @internal */
  static readonly option_rules: OptionRules<EncoderModelOptions> = { add_pooling_layer: booleanRule };

  /** @internal */
  static get config_class(): Family['config_class'] {
    return this.family.config_class;
  }

  /** @internal */
  static get base_model_prefix(): string {
    return this.family.base_model_prefix;
  }

  /** @internal */
  static architecture(config: PretrainedConfig, { add_pooling_layer }: EncoderModelOptions): Architecture {
    return bareArchitecture(this.family, config, add_pooling_layer ?? this.family.pooler_by_default);
  }

  /** H, the width of the vectors that it gives. */
  get hidden_size(): number {
    return this.specification.hidden_size;
  }

  /** @internal what a call of the instance does */
  override async _call(inputs: EncoderInputs | TensorInput, ...others: unknown[]): Promise<EncoderOutput> {
    onlyArgument(others);
    const given = asEncoderInputs(inputs);
    throwIfAborted(given.signal);
    const inputsRead = readEncoderInputs(given, this.specification);
    const { hidden_size: H, pooler } = this.specification;
    const { batch: B, sequence: S } = inputsRead;
    const request: Request = {
      ...inputsRead,
      outputs: {
        ...noOutputs,
        last_hidden_state: true,
        pooler_output: pooler !== null,
        hidden_states: given.output_hidden_states ?? this.config.output_hidden_states,
        attentions: given.output_attentions ?? this.config.output_attentions,
      },
    };
    const sizes = { last_hidden_state: B * S * H, ...(pooler !== null ? { pooler_output: B * H } : {}) };
    const out = given.out != null ? new CallerArrays(given.out, sizes, (name) => `out.${name}`) : null;
    const result = await this.run(request, out, given.signal);
    return ModelOutput.of({
      last_hidden_state: new Tensor('float32', result.last_hidden_state!, [B, S, H]),
      pooler_output: result.pooler_output && new Tensor('float32', result.pooler_output, [B, H]),
      ...this.layerOutputs(result, B, S),
    }) as EncoderOutput;
  }

  /**
   * One vector per row, pooled where it is computed, so that the states of single tokens never reach JavaScript.
   *
   * @param inputs what a call of the model takes, or what `tokenizer.encode_rows` gives
   * @returns float32, `[B, H]`, or `[B, poolings · H]`
   * @throws (rejects) as a call of the model
   */
  async embed(
    inputs: EncoderInputs | TensorInput | TokenRows,
    options?: EmbedOptions | null,
  ): Promise<Tensor<'float32'>> {
    const { pooling = 'mean', normalize = false, out, ...others } = checkOptions('embed', options, embedRules);
    const rows = inputs instanceof TokenRows && (this.takesTokenRows ?? (await this.askForTokenRows())) ? inputs : null;
    const given = rows ? {} : asEncoderInputs(inputs instanceof TokenRows ? paddedInputs(inputs) : inputs);
    const signal = others.signal ?? given.signal;
    for (const name of ['out', 'output_hidden_states', 'output_attentions', 'masked_positions'] as const) {
      if (given[name])
        throw optionError(name, given[name], 'nothing: embed gives one vector per row, by its own options');
    }
    const modes = pooling === 'pooler' ? null : typeof pooling === 'string' ? [pooling] : [...pooling];
    const pooling_skip = others.pooling_skip ?? 0;
    this.#checkPooling(modes, pooling_skip);
    throwIfAborted(signal);
    const request: Request = {
      ...(rows ? requestOfRows(rows) : readEncoderInputs(given, this.specification)),
      masked_positions: 'skip',
      outputs: {
        ...noOutputs,
        pooler_output: modes === null,
        pooled: modes === null ? null : { modes, normalize },
        pooling_skip,
      },
    };
    const output = modes === null ? 'pooler_output' : 'pooled';
    const dims = [request.batch, (modes?.length ?? 1) * this.specification.hidden_size] as const;
    const arrays = out ? new CallerArrays({ [output]: out }, { [output]: dims[0] * dims[1] }, () => 'out') : null;
    const { [output]: data } = await this.run(request, arrays, signal);
    const vectors = new Tensor('float32', data!, dims);
    if (modes !== null || !normalize) return vectors;
    data!.set(vectors.normalize(2, 1).data);
    return vectors;
  }

  #checkPooling(modes: readonly PoolingMode[] | null, pooling_skip: number): void {
    if (modes !== null) return;
    if (this.specification.pooler === null) {
      throw optionError('pooling', 'pooler', "another, such as 'mean' or 'cls': this model has no pooler");
    }
    if (pooling_skip > 0) throw optionError('pooling_skip', pooling_skip, "0 with pooling: 'pooler'");
  }
}
