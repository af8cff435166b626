import { throwIfAborted } from '../../abort.ts';
import type { ForwardResult } from '../../engines/engine.ts';
import { headWidth } from '../../engines/parameters.ts';
import type { TaskDescription, TaskOutput } from '../../engines/task.ts';
import { BertNativeError } from '../../errors.ts';
import { type OptionRules, optionError } from '../../options.ts';
import { ModelOutput } from '../../tensor/model-output.ts';
import { Tensor } from '../../tensor/tensor.ts';
import type { TokenRows } from '../../tokenizers/token-rows.ts';
import type { Architecture } from '../architecture.ts';
import { CallerArrays } from '../caller-arrays.ts';
import type { PretrainedConfig } from '../configuration.ts';
import { type Family, type HeadPlan, taskArchitecture } from '../family.ts';
import { ForwardModel, noOutputs, type Request } from '../forward-model.ts';
import { asEncoderInputs, type EncoderInputs, onlyArgument, readEncoderInputs, type TensorInput } from '../inputs.ts';
import { flattenChoices } from './choices.ts';
import { type PositionsInput, packedPositions, type ReadPositions, readPositions } from './positions.ts';

/** What a task's model is called with. */
export interface TaskInputs extends EncoderInputs {
  /**
   * Of models whose only output is `logits` for each position: compute those of these positions alone, `[row, column]`
   * each, and return `[positions, N]` in that order. What a vocabulary's width costs is then paid for few positions.
   */
  logits_positions?: PositionsInput | null;
}

/** How a task's model runs on rows of tokens. */
export interface RowsOptions {
  /** See {@link TaskInputs}. */
  readonly logits_positions?: PositionsInput | null;
  /** Aborts the call: it rejects at once with `ERR_ABORTED`, whose cause is the signal's reason. */
  readonly signal?: AbortSignal | null;
}

/** What every task's output may have besides its logits. */
export interface TaskModelOutput extends ModelOutput {
  /** The embeddings, then every layer's output. */
  readonly hidden_states?: readonly Tensor<'float32'>[];
  /** Every layer's probabilities, from position to position. */
  readonly attentions?: readonly Tensor<'float32'>[];
}

export interface TaskModel {
  /** @throws (rejects) BertNativeError as an encoder's call */
  (inputs: TaskInputs | TensorInput): Promise<TaskModelOutput>;
}

/** An encoder with the heads of a task: what every family's `…For…` class does. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare a call signature.
export abstract class TaskModel extends ForwardModel {
  /** @internal */
  declare static readonly family: Family;
  /** @internal How the heads' results become the named outputs. */
  declare static readonly task: TaskDescription;
  /** @internal What stands on top of the encoder. */
  declare static readonly heads: (config: never) => HeadPlan;

  /** @internal */
  static readonly option_rules: OptionRules<object> = {};

  /** @internal */
  static get config_class(): Family['config_class'] {
    return this.family.config_class;
  }

  /** @internal */
  static get base_model_prefix(): string {
    return this.family.base_model_prefix;
  }

  /** @internal */
  static architecture(config: PretrainedConfig): Architecture {
    return taskArchitecture(this.family, config, this.heads(config as never));
  }

  get #task(): TaskDescription {
    return (this.constructor as typeof TaskModel).task;
  }

  /** @internal what a call of the instance does */
  override async _call(inputs: TaskInputs | TensorInput, ...others: unknown[]): Promise<TaskModelOutput> {
    onlyArgument(others);
    const { logits_positions, ...given } = asEncoderInputs(inputs) as TaskInputs;
    throwIfAborted(given.signal);
    const { inputs: flat, choices } = this.#task.choices ? flattenChoices(given) : { inputs: given, choices: null };
    const inputsRead = readEncoderInputs(flat, this.specification);
    const { batch: B, sequence: S } = inputsRead;
    const positions = this.#positions(logits_positions, (input) =>
      readPositions(input, B, (row, column) => (column < S ? row * S + column : null)),
    );
    const request: Request = {
      ...inputsRead,
      outputs: {
        ...noOutputs,
        heads: true,
        head_positions: positions?.ascending ?? null,
        hidden_states: given.output_hidden_states ?? this.config.output_hidden_states,
        attentions: given.output_attentions ?? this.config.output_attentions,
      },
    };
    const arrays = given.out != null ? this.#callerArrays(given.out, B, S, positions) : null;
    const result = await this.run(request, arrays, given.signal);
    const leading = (output: TaskOutput) => {
      if (choices !== null) return choices;
      return this.#isOverTokens(output) && positions === null ? [B, S] : [B];
    };
    return ModelOutput.of({
      ...this.#outputs(result.heads!, leading, positions),
      ...this.layerOutputs(result, B, S),
    }) as TaskModelOutput;
  }

  /**
   * Runs the model on what `tokenizer.encode_rows` gives, without padding. Outputs over tokens come packed: the positions
   * of all rows back to back, `[T, …]`, row r from the sum of the lengths before it on.
   *
   * @internal
   */
  async call_rows(rows: TokenRows, options: RowsOptions = {}): Promise<TaskModelOutput> {
    const positions = this.#positions(options.logits_positions, (input) =>
      readPositions(input, rows.size, packedPositions(rows.lengths)),
    );
    const { signal } = options;
    const heads = await this.run_heads(rows, { positions: positions?.ascending ?? null, signal: signal ?? null });
    const data = Object.fromEntries(Object.entries(heads).map(([name, tensor]) => [name, tensor.data]));
    const leading = (output: TaskOutput) => [heads[output.head]!.dims[0]!];
    return ModelOutput.of(this.#outputs(data, leading, positions)) as TaskModelOutput;
  }

  #positions(
    input: PositionsInput | null | undefined,
    read: (input: PositionsInput) => ReadPositions,
  ): ReadPositions | null {
    if (input === null || input === undefined) return null;
    const { outputs } = this.#task;
    if (outputs.length === 1 && outputs[0]!.column === null && this.#isOverTokens(outputs[0]!)) return read(input);
    throw optionError('logits_positions', input, `nothing: ${this.constructor.name} has no logits for each position`);
  }

  #head({ head }: TaskOutput) {
    return this.specification.heads.find(({ name }) => name === head)!;
  }

  #isOverTokens(output: TaskOutput): boolean {
    return this.#head(output).input.kind === 'tokens';
  }

  /** The named outputs from the heads' results. */
  #outputs(
    heads: NonNullable<ForwardResult['heads']>,
    leading: (output: TaskOutput) => readonly number[],
    positions: ReadPositions | null,
  ): Record<string, Tensor<'float32'>> {
    const named = this.#task.outputs.map((output) => {
      const N = headWidth(this.#head(output), this.specification);
      const data = heads[output.head]!;
      if (positions !== null)
        return [output.name, new Tensor('float32', positions.inOrder(data, N), [positions.size, N])];
      if (output.column !== null) {
        return [output.name, new Tensor('float32', columnOf(data, output.column, N), leading(output))];
      }
      const dims = this.#task.choices ? leading(output) : [...leading(output), N];
      return [output.name, new Tensor('float32', data, dims)];
    });
    return Object.fromEntries(named);
  }

  /** Memory of the caller's, for outputs that are just what a head gives. */
  #callerArrays(out: NonNullable<EncoderInputs['out']>, B: number, S: number, positions: ReadPositions | null) {
    if (positions !== null && !positions.isAscending) {
      throw new BertNativeError('ERR_OPTION', 'out: expected logits_positions to ascend, each there once');
    }
    const whole = this.#task.outputs.filter(({ name, head, column }) => column === null && name === head);
    const sizes = whole.map((output) => {
      const rows = this.#isOverTokens(output) ? (positions?.size ?? B * S) : B;
      return [output.name, rows * headWidth(this.#head(output), this.specification)];
    });
    if (sizes.length === 0) throw optionError('out', out, `nothing: ${this.constructor.name} takes no memory`);
    return new CallerArrays(out, Object.fromEntries(sizes), (name) => `out.${name}`);
  }
}

function columnOf(data: Float32Array, column: number, width: number): Float32Array {
  return width === 1 ? data : Float32Array.from({ length: data.length / width }, (_, i) => data[i * width + column]!);
}
