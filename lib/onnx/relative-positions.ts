import type { AttentionPosition, AttentionSpecification, RelativePositions } from '../engines/specification.ts';
import { asBytes } from './float-types.ts';
import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

// B batch, S sequence, A heads, D head size, P max_position_embeddings, N rows of a table.

/** Queries, keys `[B, A, S, D]`, as they are to be multiplied by what distances give, and their products `[B, A, S, S]`. */
export interface Scored {
  readonly query: Value;
  readonly key: () => Value;
  readonly scores: Value;
}

/** The scores and what distances add to them before they are scaled. */
export function addDistanceScores(
  network: Network,
  inputs: NetworkInputs,
  attention: AttentionSpecification,
  name: string,
  scored: Scored,
): Value {
  const { position } = attention;
  if (position.kind === 'relative_key' || position.kind === 'relative_key_query') {
    return addRelativeScores(network, inputs, position.kind, name, scored);
  }
  if (position.kind === 'disentangled') {
    return addDisentangledScores(network, inputs, attention, position, name, scored);
  }
  return scored.scores;
}

/**
 * score(l, r) + q_l · e_{l-r}, and + k_r · e_{l-r} for `relative_key_query`. As products of matrices, with the position
 * that the embeddings depend on in front: `[S, B, A, D]` times `[S, 1, D, S]`.
 */
function addRelativeScores(
  network: Network,
  inputs: NetworkInputs,
  kind: 'relative_key' | 'relative_key_query',
  name: string,
  { query, key, scores }: Scored,
): Value {
  const { graph } = network;
  const multiply = (x: Value, embeddings: Value) =>
    graph.node('MatMul', [network.transpose(x, [2, 0, 1, 3]), network.unsqueeze(embeddings, 1)]);
  const middle = network.specification.embeddings.max_position_embeddings - 1;
  const indices = graph.node('Add', [inputs.distances, graph.constant('int64', middle)]);
  const embeddings = network.lookup(`${name}.distance`, indices); // [S of l, S of r, D]

  const byQuery = multiply(query, network.transpose(embeddings, [0, 2, 1])); // [l, B, A, r]
  const sum = graph.node('Add', [scores, network.transpose(byQuery, [1, 2, 0, 3])]);
  if (kind !== 'relative_key_query') return sum;
  const byKey = multiply(key(), network.transpose(embeddings, [1, 2, 0])); // [r, B, A, l]
  return graph.node('Add', [sum, network.transpose(byKey, [1, 2, 3, 0])]);
}

/** score(l, r) + q_l · P_k[row of l - r] + k_r · P_q[row of l - r]: products with every row, then the row of each pair. */
function addDisentangledScores(
  network: Network,
  inputs: NetworkInputs,
  { num_attention_heads, head_size }: AttentionSpecification,
  position: Extract<AttentionPosition, { kind: 'disentangled' }>,
  name: string,
  { query, key, scores }: Scored,
): Value {
  const { graph } = network;
  const own = position.shared_projections ? '' : 'position_';
  const products = (x: Value, part: string): Value => {
    const split = graph.constant('int64', [0, num_attention_heads, head_size]);
    const projected = network.linear(`${name}.${own}${part}`, sharedVectors(inputs), { constant: true });
    const ofHeads = graph.node('Reshape', [projected, split]); // [N, A, D]
    const factor = graph.cast(network.transpose(ofHeads, [1, 2, 0]), graph.dtypeOf(x));
    return graph.node('MatMul', [x, factor]); // [B, A, S, N]
  };
  const choose = (x: Value, rows: Value) => graph.node('GatherElements', [x, rows], { attributes: { axis: 3 } });
  const expanded = (which: string, rows: () => Value) =>
    inputs.once(`distances/${which}_${num_attention_heads}`, () => {
      const shape = inputs.once(`distances/shape_${num_attention_heads}`, () => graph.node('Shape', [scores]));
      return graph.node('Expand', [rows(), shape]);
    });

  let sum = scores;
  if (position.to_key) {
    const rows = expanded('rows', () => rowsOfDistances(inputs));
    sum = graph.node('Add', [sum, graph.within('to_key', () => choose(products(query, 'key'), rows))]);
  }
  if (position.to_query) {
    // By the key's position first: [B, A, r, l].
    const rows = expanded('rows_of_keys', () => network.transpose(rowsOfDistances(inputs), [1, 0]));
    const byKey = graph.within('to_query', () => choose(products(key(), 'query'), rows));
    sum = graph.node('Add', [sum, network.transpose(byKey, [0, 1, 3, 2])]);
  }
  return sum;
}

/** `[1, A, S, S]`: a number for each distance and head, added after the scores are scaled. */
export function addDistanceBias(inputs: NetworkInputs): Value {
  return inputs.once('relative_positions/bias', (network) => {
    const numbers = network.lookup('relative_positions.weight', rowsOfDistances(inputs), { exact: true });
    return network.unsqueeze(network.transpose(numbers, [2, 0, 1]), 0);
  });
}

/** `[N, H]` behind their norm, in float32. */
function sharedVectors(inputs: NetworkInputs): Value {
  return inputs.once('relative_positions/vectors', (network) => {
    const vectors = network.graph.cast(network.parameter('relative_positions.weight'), 'float32');
    const relative = network.specification.relative_positions!;
    const norm = relative.kind === 'vectors' ? relative.norm : null;
    return norm === null ? vectors : network.norm('relative_positions.norm', vectors, norm);
  });
}

/** `[S, S]`: the row of the shared table for each distance. */
function rowsOfDistances(inputs: NetworkInputs): Value {
  return inputs.once('relative_positions/rows', (network) => {
    const { graph } = network;
    const { row_of } = network.specification.relative_positions as RelativePositions;
    const farthest = (row_of.length - 1) / 2;
    const table = 'relative_positions.row_of';
    graph.initializers({
      tensors: [{ name: table, dtype: 'int64', shape: [row_of.length] }],
      read: async () => [asBytes(BigInt64Array.from(row_of, BigInt))],
    });
    const limit = (distance: number) => graph.constant('int64', distance);
    const near = graph.node('Clip', [inputs.distances, limit(-farthest), limit(farthest)]);
    return graph.node('Gather', [table, graph.node('Add', [near, limit(farthest)])]);
  });
}
