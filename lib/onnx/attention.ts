import type { AttentionSpecification } from '../engines/specification.ts';
import { addFusedAttention, canFuseAttention } from './fused.ts';
import type { Value } from './graph-builder.ts';
import { maskScores } from './masks.ts';
import type { Network, NetworkInputs } from './network.ts';
import { addDistanceBias, addDistanceScores } from './relative-positions.ts';
import { addRotation } from './rotary.ts';

// B batch, S sequence, A heads, D head size.

/** softmax(scores / √(D · scale_factor) + mask) V, `[B, S, A·D]`: what goes through the output's matrix. */
export function addAttention(
  network: Network,
  inputs: NetworkInputs,
  attention: AttentionSpecification,
  name: string,
  x: Value,
): Value {
  const add = canFuseAttention(network, attention) ? addFusedAttention : addPlainAttention;
  const context = add(network, inputs, attention, name, x);
  if (attention.masked_queries === 'attend') return context;
  return network.graph.node('Mul', [context, inputs.keptLike(context)]);
}

function addPlainAttention(
  network: Network,
  inputs: NetworkInputs,
  attention: AttentionSpecification,
  name: string,
  x: Value,
): Value {
  const { graph } = network;
  const { num_attention_heads, head_size, position } = attention;
  const split = graph.constant('int64', [0, 0, num_attention_heads, head_size]);
  const heads = (part: string) => {
    const projected = graph.node('Reshape', [network.linear(`${name}.${part}`, x), split]);
    const ofHeads = network.transpose(projected, [0, 2, 1, 3]); // [B, A, S, D]
    if (position.kind !== 'rotary' || part === 'value') return ofHeads;
    return graph.within('rotary', () => addRotation(network, inputs, position, head_size, ofHeads));
  };
  const [query, key, value] = (['query', 'key', 'value'] as const).map((part) => graph.within(part, () => heads(part)));

  const scale = (x: Value) => graph.node('Div', [x, graph.number(x, Math.sqrt(head_size * attention.scale_factor))]);
  // The sums of products pass what float16 holds more easily than their factors do: there, a factor is scaled.
  const early = network.floatType === 'float16';
  const factor = early ? scale(query!) : query!;
  const product = graph.node('MatMul', [factor, network.transpose(key!, [0, 1, 3, 2])]);
  const scored = { query: factor, key: () => (early ? scale(key!) : key!), scores: product };
  const sum = graph.within('distance', () => addDistanceScores(network, inputs, attention, name, scored));
  let scores = early ? sum : scale(sum);
  if (position.kind === 'bias') {
    scores = graph.node('Add', [scores, graph.cast(addDistanceBias(inputs), graph.dtypeOf(scores))]);
  }
  const masked = maskScores(network, inputs, attention.mask, scores);
  const probabilities = graph.node('Softmax', [masked], { attributes: { axis: -1 } });

  const rows = network.transpose(graph.node('MatMul', [probabilities, value!]), [0, 2, 1, 3]);
  const joined = graph.constant('int64', [0, 0, num_attention_heads * head_size]);
  return graph.node('Reshape', [rows, joined]);
}
