import { throwIfAborted } from '../../abort.ts';
import type { ForwardRequest, ForwardResult } from '../engine.ts';
import { headWidth } from '../parameters.ts';
import type { EncoderSpecification, PoolingMode } from '../specification.ts';
import type { EncoderWeights } from './bind.ts';
import { convolve } from './convolution.ts';
import { embed } from './embeddings.ts';
import { type HeadWeights, runHead } from './heads.ts';
import { runLayer } from './layer.ts';
import { allocateDoubles, allocateFloats } from './memory.ts';
import { applyLayerNorm } from './norm.ts';
import { normalize, poolFirstToken, poolSequence } from './pooling.ts';
import { planSequence, type Sequence } from './sequence.ts';

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
    await runSequence({ specification, weights, request, sequence, outputs, signal: signal ?? null });
  }
  return { outputs, tokens };
}

type Outputs = Omit<ForwardResult, 'queued_ms' | 'running_ms'>;

function allocateResult(specification: EncoderSpecification, request: ForwardRequest): Outputs {
  const { batch, sequence, outputs, out } = request;
  const { hidden_size, layers } = specification;
  // The rows that are not shown stay zero, also where the memory is the caller's.
  const named = (name: string, size: number): Float32Array => out?.[name]?.fill(0) ?? allocateFloats(size);

  const result: Outputs = {};
  const perToken = batch * sequence * hidden_size;
  if (outputs.last_hidden_state) result.last_hidden_state = named('last_hidden_state', perToken);
  if (outputs.pooler_output) result.pooler_output = named('pooler_output', batch * hidden_size);
  if (outputs.hidden_states) {
    result.hidden_states = Array.from({ length: layers.length + 1 }, () => allocateFloats(perToken));
  }
  if (outputs.attentions) {
    result.attentions = layers.map(({ attention }) =>
      allocateFloats(batch * attention.num_attention_heads * sequence * sequence),
    );
  }
  if (outputs.pooled !== null) result.pooled = named('pooled', batch * outputs.pooled.modes.length * hidden_size);
  if (outputs.heads) {
    const positions = outputs.head_positions?.length ?? batch * sequence;
    result.heads = Object.fromEntries(
      specification.heads.map((head) => {
        const rows = head.input.kind === 'tokens' ? positions : batch;
        return [head.name, named(head.name, rows * headWidth(head, specification))];
      }),
    );
  }
  return result;
}

/** One row of the request on its way to its part of every output. */
interface Pass {
  readonly specification: EncoderSpecification;
  readonly weights: EncoderWeights;
  readonly request: ForwardRequest;
  readonly sequence: Sequence;
  readonly outputs: Outputs;
  readonly signal: AbortSignal | null;
}

async function runSequence(pass: Pass): Promise<void> {
  const { weights, request, outputs } = pass;
  const hidden = await encode(pass);
  storeStates(pass, outputs.last_hidden_state, hidden);
  if (request.outputs.pooler_output) rowOf(pass, outputs.pooler_output).set(poolerOutput(pass, hidden));
  const { pooled } = request.outputs;
  if (pooled !== null) {
    const vector = pool(pass, pooled.modes, hidden);
    if (pooled.normalize) normalize(vector);
    rowOf(pass, outputs.pooled).set(vector);
  }
  if (!request.outputs.heads) return;
  for (const head of weights.heads) {
    throwIfAborted(pass.signal);
    await runHeadOver(pass, head, hidden);
  }
}

/** The last hidden states, `[T, H]`. */
async function encode(pass: Pass): Promise<Float64Array> {
  const { weights, request, sequence, outputs, signal } = pass;
  const { convolution, finalNorm } = weights;
  const hidden = await embed(weights.embeddings, request, sequence);
  const embedded = convolution === null ? null : hidden.slice();
  storeStates(pass, outputs.hidden_states?.[0], hidden);
  for (const [index, layer] of weights.layers.entries()) {
    throwIfAborted(signal);
    const probabilities = outputs.attentions === undefined ? null : rowOf(pass, outputs.attentions[index]);
    await runLayer(layer, sequence, hidden, probabilities);
    if (index === 0 && convolution !== null) await convolve(convolution, sequence, embedded!, hidden);
    storeStates(pass, outputs.hidden_states?.[index + 1], hidden);
  }
  throwIfAborted(signal);
  if (finalNorm !== null) applyLayerNorm(finalNorm, hidden, sequence.columns.length, hidden);
  return hidden;
}

function poolerOutput({ specification, weights }: Pass, hidden: Float64Array): Float64Array {
  return poolFirstToken(weights.pooler!, specification.pooler!.activation, hidden);
}

function pool({ specification, request, sequence }: Pass, modes: readonly PoolingMode[], hidden: Float64Array) {
  return poolSequence(modes, request.outputs.pooling_skip, sequence, hidden, specification.hidden_size);
}

async function runHeadOver(pass: Pass, head: HeadWeights, hidden: Float64Array): Promise<void> {
  const { input, name } = head.specification;
  const out = pass.outputs.heads![name]!;
  if (input.kind !== 'tokens') {
    const x = input.kind === 'pooler' ? poolerOutput(pass, hidden) : pool(pass, input.modes, hidden);
    await runHead(head, x, 1, (_, values) => rowOf(pass, out).set(values));
    return;
  }
  const places = headPlaces(pass);
  const width = pass.specification.hidden_size;
  const x = allocateDoubles(places.length * width);
  places.forEach(({ token }, i) => {
    x.set(hidden.subarray(token * width, (token + 1) * width), i * width);
  });
  await runHead(head, x, places.length, (i, values) => out.set(values, places[i]!.place * values.length));
}

/** The tokens that heads run on, and the place in the output that each one has. */
function headPlaces({ request, sequence }: Pass): { readonly token: number; readonly place: number }[] {
  const { head_positions } = request.outputs;
  const { row, length, columns, visible } = sequence;
  const shown = [...columns.keys()].filter((token) => visible[token] === 1);
  const positionOf = (token: number): number => row * length + columns[token]!;
  if (head_positions === null) return shown.map((token) => ({ token, place: positionOf(token) }));
  const places = new Map(Array.from(head_positions, (position, place) => [position, place]));
  return shown.flatMap((token) => {
    const place = places.get(positionOf(token));
    return place === undefined ? [] : [{ token, place }];
  });
}

function storeStates({ specification, sequence }: Pass, out: Float32Array | undefined, hidden: Float64Array): void {
  if (out === undefined) return;
  const { row, length, columns, visible } = sequence;
  const width = specification.hidden_size;
  columns.forEach((column, token) => {
    if (visible[token] === 0) return;
    out.set(hidden.subarray(token * width, (token + 1) * width), (row * length + column) * width);
  });
}

/** The row's part of an output of B equal parts. */
function rowOf({ request, sequence }: Pass, output: Float32Array | undefined): Float32Array {
  const size = output!.length / request.batch;
  return output!.subarray(sequence.row * size, (sequence.row + 1) * size);
}
