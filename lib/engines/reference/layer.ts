import type { LayerSpecification } from '../specification.ts';
import { activate } from './activations.ts';
import { attendHead, type Projections } from './attention.ts';
import { addTo, blockTokens, mapRows, tokenBlocks } from './blocks.ts';
import { applyLinear, type Linear } from './matmul.ts';
import { allocateDoubles } from './memory.ts';
import { applyLayerNorm, type LayerNorm } from './norm.ts';
import { pause } from './pause.ts';
import type { DistanceTerms } from './relative-positions.ts';
import { rotate } from './rotary.ts';
import type { Sequence } from './sequence.ts';

export interface LayerWeights {
  readonly specification: LayerSpecification;
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly distances: DistanceTerms | null;
  readonly attentionOutput: Linear;
  readonly attentionNorm: LayerNorm | null;
  /** Null unless the MLP is gated. */
  readonly gate: Linear | null;
  readonly up: Linear;
  readonly down: Linear;
  readonly mlpNorm: LayerNorm;
}

/**
 * One transformer layer, in place, with the norms behind the residual sums (Vaswani et al. 2017) or in front of what is
 * added (Xiong et al. 2020):
 *
 *     post:  h = norm(h + attention(h)),  h = norm(h + mlp(h))
 *     pre:   h = h + attention(norm(h)),  h = h + mlp(norm(h))
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
  const { specification, attentionNorm } = weights;
  let input = hidden;
  if (specification.norm_placement === 'pre' && attentionNorm !== null) {
    input = allocateDoubles(hidden.length);
    applyLayerNorm(attentionNorm, hidden, sequence.columns.length, input);
  }
  const projections = await project(weights, sequence, input);
  const context = await attend(weights, sequence, projections, probabilities);
  await finishLayer(weights, sequence, context, hidden);
}

async function project(weights: LayerWeights, sequence: Sequence, x: Float64Array): Promise<Projections> {
  const { position, head_size } = weights.specification.attention;
  const tokens = sequence.columns.length;
  const query = await mapRows(weights.query, x, tokens);
  const key = await mapRows(weights.key, x, tokens);
  if (position.kind === 'rotary') {
    rotate(position, query, head_size, sequence.positions);
    rotate(position, key, head_size, sequence.positions);
  }
  return { query, key, value: await mapRows(weights.value, x, tokens) };
}

/** The heads' contexts side by side, `[T, A·D]`. */
async function attend(
  { specification, distances }: LayerWeights,
  sequence: Sequence,
  projections: Projections,
  probabilities: Float32Array | null,
): Promise<Float64Array> {
  const { attention } = specification;
  const context = allocateDoubles(projections.query.length);
  const headArea = probabilities === null ? 0 : probabilities.length / attention.num_attention_heads;
  for (let head = 0; head < attention.num_attention_heads; ++head) {
    const ofHead = probabilities?.subarray(head * headArea, (head + 1) * headArea) ?? null;
    attendHead(attention, head, projections, distances, sequence, context, ofHead);
    await pause();
  }
  return context;
}

/** What follows the attention and looks at each token alone. */
async function finishLayer(
  weights: LayerWeights,
  sequence: Sequence,
  context: Float64Array,
  hidden: Float64Array,
): Promise<void> {
  const { specification, attentionOutput, attentionNorm, down, mlpNorm } = weights;
  const width = down.outputs;
  const added = allocateDoubles(blockTokens * width);
  const normed = allocateDoubles(blockTokens * width);
  for (const { first, count } of tokenBlocks(sequence.columns.length)) {
    const states = hidden.subarray(first * width, (first + count) * width);
    applyLinear(attentionOutput, context, first * attentionOutput.inputs, count, added, 0);
    addTo(states, added);
    if (specification.norm_placement === 'post') applyLayerNorm(attentionNorm!, states, count, states);
    await pause();

    if (specification.norm_placement === 'post') {
      applyMlp(weights, states, count, added);
      addTo(states, added);
      applyLayerNorm(mlpNorm, states, count, states);
    } else {
      applyLayerNorm(mlpNorm, states, count, normed);
      applyMlp(weights, normed, count, added);
      addTo(states, added);
    }
    await pause();
  }
}

/** out = down(activation(up(x))), or down(activation(gate(x)) · up(x)) (Shazeer 2020), for a block of tokens. */
function applyMlp(
  { specification, gate, up, down }: LayerWeights,
  x: Float64Array,
  tokens: number,
  out: Float64Array,
): void {
  const { activation } = specification.mlp;
  const size = tokens * up.outputs;
  const inner = allocateDoubles(size);
  applyLinear(up, x, 0, tokens, inner, 0);
  if (gate === null) {
    activate(activation, inner, size);
  } else {
    const gated = allocateDoubles(size);
    applyLinear(gate, x, 0, tokens, gated, 0);
    activate(activation, gated, size);
    for (let i = 0; i < size; ++i) inner[i]! *= gated[i]!;
  }
  applyLinear(down, inner, 0, tokens, out, 0);
}
