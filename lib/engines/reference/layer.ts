import { activate } from './activations.ts';
import { attendHead, type Projections } from './attention.ts';
import { applyLinear } from './matmul.ts';
import { allocateDoubles } from './memory.ts';
import { applyLayerNorm } from './norm.ts';
import { pause } from './pause.ts';
import type { Sequence } from './sequence.ts';
import type { LayerWeights } from './weights.ts';

/** Tokens that pass through a linear map together: few enough for the cache, and for the event loop not to wait long. */
const blockTokens = 32;

/**
 * One transformer layer with the norms after the residual sums (Vaswani et al. 2017), in place:
 *
 *     h = LayerNorm(h + W_o·attention(h))
 *     h = LayerNorm(h + W_down·activation(W_up h))
 *
 * @param hidden `[T, H]`
 * @param probabilities `[A, S, S]` of this layer and row, zero before; null where nobody asked
 */
export async function runLayer(
  weights: LayerWeights,
  sequence: Sequence,
  hidden: Float64Array,
  probabilities: Float32Array | null,
): Promise<void> {
  const projections = await project(weights, sequence, hidden);
  const context = await attend(weights, sequence, projections, probabilities);
  await finishLayer(weights, sequence, context, hidden);
}

async function project(weights: LayerWeights, sequence: Sequence, hidden: Float64Array): Promise<Projections> {
  const { query, key, value } = weights;
  const tokens = sequence.columns.length;
  const projections: Projections = {
    query: allocateDoubles(tokens * query.outputs),
    key: allocateDoubles(tokens * key.outputs),
    value: allocateDoubles(tokens * value.outputs),
  };
  for (const { first, count } of tokenBlocks(tokens)) {
    applyLinear(query, hidden, first * query.inputs, count, projections.query, first * query.outputs);
    applyLinear(key, hidden, first * key.inputs, count, projections.key, first * key.outputs);
    applyLinear(value, hidden, first * value.inputs, count, projections.value, first * value.outputs);
    await pause();
  }
  return projections;
}

/** The heads' contexts side by side, `[T, A·D]`. */
async function attend(
  { specification, distance }: LayerWeights,
  sequence: Sequence,
  projections: Projections,
  probabilities: Float32Array | null,
): Promise<Float64Array> {
  const { attention } = specification;
  const context = allocateDoubles(projections.query.length);
  const headArea = probabilities === null ? 0 : probabilities.length / attention.num_attention_heads;
  for (let head = 0; head < attention.num_attention_heads; ++head) {
    const ofHead = probabilities?.subarray(head * headArea, (head + 1) * headArea) ?? null;
    attendHead(attention, head, projections, distance, sequence, context, ofHead);
    await pause();
  }
  return context;
}

/** What follows the attention and looks at each token alone. */
async function finishLayer(
  { specification, attentionOutput, attentionNorm, up, down, mlpNorm }: LayerWeights,
  sequence: Sequence,
  context: Float64Array,
  hidden: Float64Array,
): Promise<void> {
  const residual = allocateDoubles(blockTokens * down.outputs);
  const inner = allocateDoubles(blockTokens * up.outputs);
  for (const { first, count } of tokenBlocks(sequence.columns.length)) {
    const start = first * down.outputs;
    const size = count * down.outputs;
    applyLinear(attentionOutput, context, first * attentionOutput.inputs, count, residual, 0);
    addFrom(residual, hidden, start, size);
    applyLayerNorm(attentionNorm, residual, count, hidden, start);
    await pause();

    applyLinear(up, hidden, start, count, inner, 0);
    activate(specification.mlp.activation, inner, count * up.outputs);
    applyLinear(down, inner, 0, count, residual, 0);
    addFrom(residual, hidden, start, size);
    applyLayerNorm(mlpNorm, residual, count, hidden, start);
    await pause();
  }
}

/** out[i] += x[start + i] for i < size. */
function addFrom(out: Float64Array, x: Float64Array, start: number, size: number): void {
  for (let i = 0; i < size; ++i) out[i]! += x[start + i]!;
}

function* tokenBlocks(tokens: number): Generator<{ first: number; count: number }> {
  for (let first = 0; first < tokens; first += blockTokens) {
    yield { first, count: Math.min(blockTokens, tokens - first) };
  }
}
