import { rejectOnAbort, throwIfAborted } from '../abort.ts';
import { traceForward } from '../diagnostics.ts';
import type { ForwardRequest, ForwardResult, LoadedEncoder, OutputSelection } from '../engines/engine.ts';
import { headWidth } from '../engines/parameters.ts';
import { type HeadSpecification, longestSequence } from '../engines/specification.ts';
import { Tensor } from '../tensor/tensor.ts';
import { TokenRows } from '../tokenizers/token-rows.ts';
import { CallerArrays } from './caller-arrays.ts';
import {
  asEncoderInputs,
  type EncoderInputs,
  packedIndices,
  paddedInputs,
  readEncoderInputs,
  requestOfRows,
  type TensorInput,
} from './inputs.ts';
import { PreTrainedModel } from './modeling.ts';

/** A request without the memory that its outputs go to. */
export type Request = Omit<ForwardRequest, 'out'>;

/** Nothing selected: calls say what they want. */
export const noOutputs: OutputSelection = {
  last_hidden_state: false,
  pooler_output: false,
  hidden_states: false,
  attentions: false,
  pooled: null,
  pooling_skip: 0,
  heads: false,
  head_positions: null,
};

interface LayerOutputs {
  readonly hidden_states: readonly Tensor<'float32'>[] | undefined;
  readonly attentions: readonly Tensor<'float32'>[] | undefined;
}

/** @internal */
export interface HeadRunOptions {
  /**
   * Ascending indices of the positions that heads over tokens run on: of packed positions where the inputs are
   * {@link TokenRows}, else row · S + column.
   */
  readonly positions?: Int32Array | null;
  /** See {@link OutputSelection}. */
  readonly pooling_skip?: number | null;
  /** Memory for the results, by the head's name. */
  readonly out?: Readonly<Record<string, Float32Array>> | null;
  readonly signal?: AbortSignal | null;
}

/** A model that runs: what bare encoders and tasks' models share. */
export abstract class ForwardModel extends PreTrainedModel {
  /** The most tokens that a row may have, special ones included. */
  get max_sequence_length(): number {
    return longestSequence(this.specification);
  }

  /**
   * Runs every head, those that were added when the model was loaded among them.
   *
   * @internal
   * @param inputs what a call of the model takes, or rows of tokens
   * @returns by the head's name: over tokens `[T, N]`, T packed positions of all rows, where the inputs are TokenRows,
   *   `[B, S, N]` where they are arrays, `[positions, N]` where there are some; else `[B, N]`
   */
  async run_heads(
    inputs: EncoderInputs | TensorInput | TokenRows,
    options: HeadRunOptions = {},
  ): Promise<Record<string, Tensor<'float32'>>> {
    const rows = inputs instanceof TokenRows ? inputs : null;
    const { positions = null, pooling_skip, out, signal } = options;
    throwIfAborted(signal);
    const packed = rows === null ? null : packedIndices(rows);
    const asTheyAre = rows !== null && (this.takesTokenRows ?? (await this.askForTokenRows()));
    const inputsRead = asTheyAre
      ? requestOfRows(rows)
      : readEncoderInputs(
          rows === null ? asEncoderInputs(inputs as EncoderInputs) : paddedInputs(rows),
          this.specification,
        );
    const head_positions = packed === null || asTheyAre ? positions : (positions?.map((i) => packed[i]!) ?? packed);
    const request: Request = {
      ...inputsRead,
      outputs: { ...noOutputs, heads: true, pooling_skip: pooling_skip ?? 0, head_positions },
    };
    const { batch: B, sequence: S } = request;
    const dims = (head: HeadSpecification): number[] => {
      const N = headWidth(head, this.specification);
      if (head.input.kind !== 'tokens') return [B, N];
      if (positions !== null) return [positions.length, N];
      return packed === null ? [B, S, N] : [packed.length, N];
    };
    const { heads } = this.specification;
    const sizes = Object.fromEntries(heads.map((head) => [head.name, dims(head).reduce((a, b) => a * b, 1)]));
    const arrays = out ? new CallerArrays(out, sizes, (name) => `out.${name}`) : null;
    const result = await this.run(request, arrays, signal);
    return Object.fromEntries(
      heads.map((head) => [head.name, new Tensor('float32', result.heads![head.name]!, dims(head))]),
    );
  }

  /** The outputs of every layer that a call asked for. */
  protected layerOutputs({ hidden_states, attentions }: ForwardResult, B: number, S: number): LayerOutputs {
    const { hidden_size, layers } = this.specification;
    return {
      hidden_states: hidden_states?.map((states) => new Tensor('float32', states, [B, S, hidden_size])),
      attentions: attentions?.map((probabilities, i) => {
        // Of a graph's layers nothing else may be known.
        const A = layers[i]?.attention.num_attention_heads ?? probabilities.length / Math.max(1, B * S * S);
        return new Tensor('float32', probabilities, [B, A, S, S]);
      }),
    };
  }

  protected run(
    request: Request,
    arrays: CallerArrays | null,
    signal: AbortSignal | null | undefined,
  ): Promise<ForwardResult> {
    const out = arrays?.shared ?? null;
    const { model_type } = this.config;
    const { engine, dtype, execution_providers } = this;
    const trace = { model_type, engine, dtype, execution_providers, batch: request.batch, sequence: request.sequence };
    const forward = async (encoder: LoadedEncoder) => {
      throwIfAborted(signal); // the weights may have been loaded meanwhile
      const result = await encoder.forward({ ...request, out }, signal);
      arrays?.fill(result);
      return result;
    };
    return traceForward(trace, () => {
      const call = this.withEncoder(forward);
      return signal ? rejectOnAbort(call, signal) : call;
    });
  }
}
