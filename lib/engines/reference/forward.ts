import { throwIfAborted } from '../../abort.ts';
import type { ForwardRequest, ForwardResult } from '../engine.ts';
import type { EncoderSpecification } from '../specification.ts';
import { embed } from './embeddings.ts';
import { runLayer } from './layer.ts';
import { allocateDoubles, allocateFloats } from './memory.ts';
import { poolFirstToken, poolSequence } from './pooling.ts';
import { planSequence, type Sequence } from './sequence.ts';
import type { EncoderWeights } from './weights.ts';

// B rows, S columns, H hidden size, A heads, L layers, T computed tokens of one row.

/**
 * The forward pass, row by row: rows do not see each other, so a row's result never depends on what it ran with.
 * Activations are kept in double precision and rounded once, into the results.
 *
 * @returns also how many tokens were computed
 */
export async function runForward(
  specification: EncoderSpecification,
  weights: EncoderWeights,
  request: ForwardRequest,
  signal?: AbortSignal | null,
): Promise<{ outputs: Outputs; tokens: number }> {
  const outputs = allocateResult(specification, request);
  let tokens = 0;
  for (let row = 0; row < request.batch; ++row) {
    const sequence = planSequence(specification, request, row);
    tokens += sequence.columns.length;
    if (sequence.columns.length > 0) await runSequence(specification, weights, request, sequence, outputs, signal);
  }
  return { outputs, tokens };
}

type Outputs = Omit<ForwardResult, 'queued_ms' | 'running_ms'>;

function allocateResult(specification: EncoderSpecification, request: ForwardRequest): Outputs {
  const { batch, sequence, outputs } = request;
  const { hidden_size, layers } = specification;
  const perToken = () => allocateFloats(batch * sequence * hidden_size);
  const perRow = () => allocateFloats(batch * hidden_size);

  const result: Outputs = {};
  // The rows that are not shown stay zero, also where the memory is the caller's.
  const own = (array: Float32Array | undefined) => array?.fill(0);
  if (outputs.last_hidden_state) result.last_hidden_state = own(request.out?.last_hidden_state) ?? perToken();
  if (outputs.pooler_output) result.pooler_output = own(request.out?.pooler_output) ?? perRow();
  if (outputs.hidden_states) result.hidden_states = Array.from({ length: layers.length + 1 }, perToken);
  if (outputs.attentions) {
    result.attentions = layers.map(({ attention }) =>
      allocateFloats(batch * attention.num_attention_heads * sequence * sequence),
    );
  }
  if (outputs.pooled !== null) result.pooled = own(request.out?.pooled) ?? perRow();
  return result;
}

async function runSequence(
  specification: EncoderSpecification,
  weights: EncoderWeights,
  request: ForwardRequest,
  sequence: Sequence,
  result: Outputs,
  signal: AbortSignal | null | undefined,
): Promise<void> {
  const { hidden_size } = specification;
  const hidden = allocateDoubles(sequence.columns.length * hidden_size);
  const store = (out: Float32Array | undefined): void => {
    if (out === undefined) return;
    sequence.columns.forEach((column, token) => {
      if (sequence.visible[token] === 0) return;
      const position = sequence.row * sequence.length + column;
      out.set(hidden.subarray(token * hidden_size, (token + 1) * hidden_size), position * hidden_size);
    });
  };

  embed(weights.embeddings, request, sequence, hidden);
  store(result.hidden_states?.[0]);
  for (const [index, layer] of weights.layers.entries()) {
    throwIfAborted(signal);
    await runLayer(layer, sequence, hidden, rowOf(result.attentions?.[index], request, sequence.row));
    store(result.hidden_states?.[index + 1]);
  }
  throwIfAborted(signal);
  store(result.last_hidden_state);

  const { pooled } = request.outputs;
  if (weights.pooler !== null) {
    result.pooler_output?.set(poolFirstToken(weights.pooler, hidden), sequence.row * hidden_size);
  }
  if (pooled !== null) {
    const vector = poolSequence(pooled.mode, pooled.normalize, sequence, hidden, hidden_size);
    result.pooled?.set(vector, sequence.row * hidden_size);
  }
}

/** One row's part of an output of B equal parts. */
function rowOf(output: Float32Array | undefined, { batch }: ForwardRequest, row: number): Float32Array | null {
  if (output === undefined) return null;
  const size = output.length / batch;
  return output.subarray(row * size, (row + 1) * size);
}
