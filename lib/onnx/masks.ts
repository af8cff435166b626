import type { AttentionMask } from '../engines/specification.ts';
import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

/** What is added to the score of a masked key: the lowest float32, as in Python. */
const lowestFloat = -3.4028234663852886e38;

/**
 * What is added to the scores of every head: `[B, 1, 1, S]`, or `[B, 1, S, S]` where the mask goes by distance. 0 for a key
 * that a query sees, else the lowest float. That swallows every score that it is added to, so a query without keys attends
 * to all of its columns alike, as in Python.
 */
export function addMask(inputs: NetworkInputs, mask: AttentionMask): Value {
  const padding = inputs.once('mask', (network) => maskPadding(network, inputs));
  if (mask.kind === 'full') return padding;
  const name = mask.kind === 'window' ? `mask/window_${mask.size}` : `mask/${mask.kind}`;
  return inputs.once(name, (network) => maskByDistance(network, inputs, mask, padding));
}

function maskPadding(network: Network, { attention_mask }: NetworkInputs): Value {
  const { graph } = network;
  const keys = network.toFloat(network.unsqueeze(network.unsqueeze(attention_mask, 1), 2));
  const masked = graph.node('Sub', [graph.constant('float32', 1), keys]);
  return graph.node('Mul', [masked, graph.constant('float32', lowestFloat)]);
}

function maskByDistance(
  network: Network,
  { distances }: NetworkInputs,
  mask: Exclude<AttentionMask, { kind: 'full' }>,
  padding: Value,
): Value {
  const { graph } = network;
  const [distance, reach] =
    mask.kind === 'window'
      ? [graph.node('Abs', [distances]), Math.floor(mask.size / 2)]
      : [graph.node('Neg', [distances]), 0];
  const hidden = network.toFloat(graph.node('Greater', [distance, graph.constant('int64', reach)]));
  return graph.node('Min', [padding, graph.node('Mul', [hidden, graph.constant('float32', lowestFloat)])]);
}
