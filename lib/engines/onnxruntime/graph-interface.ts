import type { GraphBinding } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import type { GraphSummary, GraphValueSummary } from '../../onnx/reading/graph-summary.ts';
import { quoted } from '../../weights/checkpoint-tensor.ts';
import { headWidth } from '../parameters.ts';
import type { EncoderSpecification } from '../specification.ts';
import type { TaskDescription, TaskOutput } from '../task.ts';
import { bindInputs, type InputBinding, type Lengths } from './graph-inputs.ts';

// B batch, S sequence, H hidden_size, N numbers of a head, A heads of attention.

/** What of a graph's interface goes into its binding. */
export interface InterfaceRequest {
  /** What messages call the graph. */
  readonly path: string;
  readonly summary: GraphSummary;
  readonly specification: EncoderSpecification;
  readonly task: TaskDescription | null;
  readonly padding_token_id: number;
  /** Lengths of symbolic dimensions that the session's options set. */
  readonly free_dimensions: readonly (readonly [name: string, length: number])[];
}

/** Names of outputs, those of transformers and Optimum first, then of sentence-transformers and of older exporters. */
const outputNames = {
  last_hidden_state: ['last_hidden_state', 'token_embeddings', 'sequence_output', 'output_0'],
  pooler_output: ['pooler_output', 'pooled_output', 'output_1'],
} as const;

/** Element types that outputs are read from. */
const outputTypes = ['float32', 'float16'];

/**
 * Which of a graph's inputs and outputs is what.
 *
 * @throws BertNativeError `ERR_UNSUPPORTED_MODEL` for an input that has to be given and that an encoder does not have, or of
 *   another type; `ERR_FILE_FORMAT` where the outputs that the model needs are not there; `ERR_CONFIG` for widths that are not
 *   the configuration's
 */
export function graphBinding(request: InterfaceRequest): GraphBinding {
  const lengths: Lengths = new Map(request.free_dimensions);
  const inputs: InputBinding = bindInputs(request, lengths);
  return { ...inputs, padding_token_id: request.padding_token_id, ...new Outputs(request, lengths).bind() };
}

type OutputBinding = Pick<
  GraphBinding,
  'last_hidden_state' | 'pooler_output' | 'hidden_states' | 'attentions' | 'heads'
>;

class Outputs {
  readonly #request: InterfaceRequest;
  readonly #lengths: Lengths;

  constructor(request: InterfaceRequest, lengths: Lengths) {
    this.#request = request;
    this.#lengths = lengths;
  }

  bind(): OutputBinding {
    const { specification, task } = this.#request;
    const heads = task === null ? specification.heads.map(() => []) : this.#heads(task);
    const last_hidden_state = this.#lastHiddenState();
    if (task === null && last_hidden_state === undefined) throw this.#lacks('last_hidden_state', 'token_embeddings');
    return {
      last_hidden_state: last_hidden_state?.name ?? null,
      pooler_output: this.#pooler(last_hidden_state)?.name ?? null,
      ...this.#layers(),
      heads,
    };
  }

  get #outputs(): readonly GraphValueSummary[] {
    return this.#request.summary.outputs;
  }

  #lastHiddenState(): GraphValueSummary | undefined {
    const { specification, task } = this.#request;
    const width = specification.hidden_size;
    const output = this.#find(outputNames.last_hidden_state);
    // A number says nothing by itself: of a model with a head it may be the head's.
    if (task !== null && output?.name.startsWith('output_')) return undefined;
    if (output !== undefined) return this.#require(output, 3, width, 'hidden_size');
    if (task !== null) return undefined;
    // One output under a name of its own, of the shape that is wanted: what else should it be?
    const [only, ...others] = this.#outputs;
    const fits = others.length === 0 && only?.shape?.length === 3 && this.#length(only.shape.at(-1)) === width;
    return fits ? this.#require(only, 3, width, 'hidden_size') : undefined;
  }

  #pooler(last_hidden_state: GraphValueSummary | undefined): GraphValueSummary | undefined {
    const output = this.#find(outputNames.pooler_output);
    if (output === undefined) return undefined;
    if (output.name.startsWith('output_') && !last_hidden_state?.name.startsWith('output_')) return undefined;
    return this.#require(output, 2, this.#request.specification.hidden_size, 'hidden_size');
  }

  #layers(): Pick<OutputBinding, 'hidden_states' | 'attentions'> {
    const { layers, hidden_size } = this.#request.specification;
    const hidden_states = this.#numbered(/^hidden_states?[._](\d+)$/, layers.length + 1, 'hidden states');
    const attentions = this.#numbered(/^attentions?[._](\d+)$/, layers.length, 'attentions');
    for (const output of hidden_states) this.#require(output, 3, hidden_size, 'hidden_size');
    for (const output of attentions) this.#require(output, 4, null, '');
    return { hidden_states: hidden_states.map(nameOf), attentions: attentions.map(nameOf) };
  }

  /** Outputs that count from 0 without gaps. */
  #numbered(pattern: RegExp, expected: number, what: string): readonly GraphValueSummary[] {
    const found = this.#outputs.filter(({ name }) => pattern.test(name));
    const ordered = found.map((_, index) => found.find(({ name }) => Number(pattern.exec(name)![1]) === index));
    const complete = ordered.filter((output) => output !== undefined);
    if (complete.length < found.length) return [];
    if (found.length > 0 && this.#request.specification.layers.length > 0 && found.length !== expected) {
      throw new BertNativeError(
        'ERR_CONFIG',
        `${this.#request.path} gives ${found.length} ${what}, where the model has ${expected}: does its configuration ` +
          'belong to this graph?',
      );
    }
    return complete;
  }

  #heads(task: TaskDescription): GraphBinding['heads'] {
    return this.#request.specification.heads.map((head) => {
      const parts = task.outputs.filter((output) => output.head === head.name);
      const whole = this.#wholeHead(parts, task);
      const width = headWidth(head, this.#request.specification);
      const overTokens = head.input.kind === 'tokens' ? 1 : 0;
      if (whole !== undefined) {
        // Choices have one number each, [B,C].
        const rank = 2 + overTokens;
        const key = width === this.#request.specification.embeddings.vocab_size ? 'vocab_size' : 'num_labels';
        return [{ name: this.#require(whole, rank, task.choices ? null : width, key).name, column: -1 }];
      }
      return parts.map((part) => {
        const output = this.#find([part.name]);
        if (output === undefined) throw this.#lacks(part.name);
        return { name: this.#require(output, 1 + overTokens, null, '').name, column: part.column! };
      });
    });
  }

  /** The output that has all numbers of a head. */
  #wholeHead(parts: readonly TaskOutput[], task: TaskDescription): GraphValueSummary | undefined {
    const [first] = parts;
    if (first === undefined) return undefined;
    if (first.column === null) {
      const output = this.#find([first.name]) ?? this.#onlyOutput(task);
      if (output === undefined) throw this.#lacks(first.name);
      return output;
    }
    return parts.some(({ name }) => this.#find([name]) !== undefined) ? undefined : this.#find(['logits']);
  }

  /** Older exporters number what they give; a task's model with one output has it there. */
  #onlyOutput({ outputs }: TaskDescription): GraphValueSummary | undefined {
    const [only, ...others] = this.#outputs;
    return outputs.length === 1 && others.length === 0 && /^(output|output_0|scores)$/.test(only?.name ?? '')
      ? only
      : undefined;
  }

  #find(names: readonly string[]): GraphValueSummary | undefined {
    for (const wanted of names) {
      const output = this.#outputs.find(({ name }) => name === wanted || name === `${wanted}:0`);
      if (output !== undefined) return output;
    }
    return undefined;
  }

  #length(given: number | string | null | undefined): number | null {
    if (typeof given === 'string') return this.#lengths.get(given) ?? null;
    return given ?? null;
  }

  /** @param width of the last dimension; null: any */
  #require(output: GraphValueSummary, rank: number, width: number | null, key: string): GraphValueSummary {
    const { path } = this.#request;
    const { name, dtype, shape } = output;
    if (dtype === null || !outputTypes.includes(dtype)) {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_MODEL',
        `${path}: the output ${quoted(name)} is of ${dtype ?? 'no tensor'}: expected ${outputTypes.join(' or ')}`,
      );
    }
    if (shape !== null && shape.length !== rank) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${path}: the output ${quoted(name)} has ${shape.length} dimensions, ${shapeText(shape)}: expected ${rank}` +
          `${['num_labels', 'vocab_size'].includes(key) ? '; is it of another task?' : ''}`,
      );
    }
    const last = this.#length(shape?.at(-1));
    if (width !== null && last !== null && last !== width) {
      throw new BertNativeError(
        'ERR_CONFIG',
        `${path}: the output ${quoted(name)} is ${last} wide, where the configuration says ${width} (${key}): does it ` +
          'belong to this graph?',
      );
    }
    return output;
  }

  #lacks(...wanted: string[]): BertNativeError {
    const names = this.#outputs.map(({ name, shape }) =>
      `${quoted(name)} ${shape === null ? '' : shapeText(shape)}`.trim(),
    );
    const fitting = fittingModels(new Set(this.#outputs.map(({ name }) => name)));
    return new BertNativeError(
      'ERR_FILE_FORMAT',
      `${this.#request.path} has no output ${wanted.map(quoted).join(' or ')}, which this model needs; it gives ` +
        `${names.join(', ') || 'nothing'}${fitting && `. That is what ${fitting} takes`}`,
    );
  }
}

/** Which classes a graph of these outputs may be loaded with. */
function fittingModels(outputs: ReadonlySet<string>): string {
  const has = (...names: string[]) => names.every((name) => outputs.has(name));
  if (has('start_logits', 'end_logits')) return 'AutoModelForQuestionAnswering';
  if (has('logits')) {
    return 'a model with a head (AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoModelForMaskedLM, …)';
  }
  const bare = outputNames.last_hidden_state.some((name) => outputs.has(name));
  return bare ? 'a model without a head (AutoModel)' : '';
}

function nameOf({ name }: GraphValueSummary): string {
  return name;
}

function shapeText(shape: readonly (number | string | null)[]): string {
  return `[${shape.map((length) => length ?? '?').join(', ')}]`;
}
