import type { AttentionMask } from '../engines/specification.ts';
import { largestHalf } from './float-types.ts';
import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

/** The lowest float32, which Python adds to the score of a masked key. */
const lowestFloat = -3.4028234663852886e38;

/**
 * The scores `[B, A, S, S]` of every head as softmax takes them. Those of masked keys are so low that a query without keys
 * attends to all of its columns alike, as in Python.
 */
export function maskScores(network: Network, inputs: NetworkInputs, mask: AttentionMask, scores: Value): Value {
  const { graph } = network;
  if (network.floatType === 'float32') return graph.node('Add', [scores, addedToScores(inputs, mask)]);
  return graph.node('Where', [hiddenKeys(inputs, mask), graph.number(scores, -largestHalf), scores], {
    dtype: network.floatType,
  });
}

/**
 * In float32: `[B, 1, 1, S]`, or `[B, 1, S, S]` where the mask goes by distance: 0 for a key that a query sees, else the lowest float,
 * which swallows every score that it is added to.
 */
export function addedToScores(inputs: NetworkInputs, mask: AttentionMask): Value {
  const lowest = ({ graph }: Network, hidden: Value) =>
    graph.node('Mul', [graph.cast(hidden, 'float32'), graph.constant('float32', lowestFloat)]);
  const padding = inputs.once('mask', (network) => {
    const { graph } = network;
    const keys = graph.cast(maskOfKeys(network, inputs), 'float32');
    return lowest(network, graph.node('Sub', [graph.constant('float32', 1), keys]));
  });
  if (mask.kind === 'full') return padding;
  return inputs.once(nameOf(mask), (network) =>
    network.graph.node('Min', [padding, lowest(network, hiddenByDistance(network, inputs, mask))]),
  );
}

/**
 * The same as truth values. To the lowest float16 nothing is added: the sum might overflow, and where it does not, scores
 * from 16 on would still tell.
 */
function hiddenKeys(inputs: NetworkInputs, mask: AttentionMask): Value {
  const padding = inputs.once('mask', (network) => {
    const { graph } = network;
    return graph.node('Equal', [maskOfKeys(network, inputs), graph.constant('int64', 0)]);
  });
  if (mask.kind === 'full') return padding;
  return inputs.once(nameOf(mask), (network) =>
    network.graph.node('Or', [padding, hiddenByDistance(network, inputs, mask)]),
  );
}

function nameOf(mask: Exclude<AttentionMask, { kind: 'full' }>): string {
  return mask.kind === 'window' ? `mask/window_${mask.size}` : `mask/${mask.kind}`;
}

/** `[B, 1, 1, S]`. */
function maskOfKeys(network: Network, { attention_mask }: NetworkInputs): Value {
  return network.unsqueeze(network.unsqueeze(attention_mask, 1), 2);
}

/** `[S, S]`: whether a query does not see a key, wherever the padding is. */
function hiddenByDistance(
  { graph }: Network,
  { distances }: NetworkInputs,
  mask: Exclude<AttentionMask, { kind: 'full' }>,
): Value {
  const [distance, reach] =
    mask.kind === 'window'
      ? [graph.node('Abs', [distances]), Math.floor(mask.size / 2)]
      : [graph.node('Neg', [distances]), 0];
  return graph.node('Greater', [distance, graph.constant('int64', reach)]);
}
