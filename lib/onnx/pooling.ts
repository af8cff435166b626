import type { Activation, PoolingMode } from '../engines/specification.ts';
import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

// B batch, S sequence, H hidden.

/** activation(W h₀ + b), h₀ the first position: `[B, H]`. */
export function addPooler(network: Network, activation: Activation, hidden: Value): Value {
  return network.activation(activation, network.linear('pooler.dense', firstState(network, hidden)));
}

/** The vectors of all modes side by side, `[B, modes·H]`, over the positions whose mask is 1, in float32. */
export function addPooling(
  network: Network,
  inputs: NetworkInputs,
  modes: readonly PoolingMode[],
  hidden: Value,
): Value {
  const { graph } = network;
  // Sums over a row pass what float16 holds, and columns from 2048 on are no numbers of it.
  const states = graph.cast(hidden, 'float32');
  const vectors = modes.map((mode) => graph.within(mode, () => poolers[mode](network, inputs, states)));
  return vectors.length === 1 ? vectors[0]! : graph.node('Concat', vectors, { attributes: { axis: -1 } });
}

type Pooler = (network: Network, inputs: NetworkInputs, hidden: Value) => Value;

const poolers: Readonly<Record<PoolingMode, Pooler>> = {
  cls: (network, _, hidden) => firstState(network, hidden),
  max(network, { kept }, hidden) {
    const { graph } = network;
    const zero = graph.constant('float32', 0);
    const isKept = graph.node('Greater', [kept, zero]);
    const others = graph.constant('float32', -3.4028234663852886e38);
    const options = { attributes: { axes: [1], keepdims: 0 } };
    const largest = graph.node('ReduceMax', [graph.node('Where', [isKept, hidden, others])], options);
    const any = graph.node('Greater', [graph.node('ReduceMax', [kept], options), zero]);
    return graph.node('Where', [any, largest, zero]);
  },
  mean: (network, { kept }, hidden) => weightedMean(network, hidden, kept, (total) => total),
  mean_sqrt_len_tokens: (network, { kept }, hidden) =>
    weightedMean(network, hidden, kept, (total) => network.graph.node('Sqrt', [total])),
  weightedmean: (network, inputs, hidden) => weightedMean(network, hidden, places(network, inputs), (total) => total),
  lasttoken(network, inputs, hidden) {
    const { graph } = network;
    const ofTokens = places(network, inputs);
    const last = graph.node('ReduceMax', [ofTokens], { attributes: { axes: [1], keepdims: 1 } });
    const isLast = graph.cast(graph.node('Equal', [ofTokens, last]), 'float32');
    const weights = graph.node('Mul', [isLast, inputs.kept]);
    return sumOverTokens(network, graph.node('Mul', [hidden, weights]));
  },
};

function firstState({ graph }: Network, hidden: Value): Value {
  return graph.node('Gather', [hidden, graph.constant('int64', 0)], { attributes: { axis: 1 } });
}

/** `[B, S, 1]`: the columns from 1 on, 0 where masked. */
function places(network: Network, inputs: NetworkInputs): Value {
  const { graph } = network;
  const columns = graph.cast(network.unsqueeze(inputs.columns, 0, 2), 'float32');
  return graph.node('Mul', [graph.node('Add', [columns, graph.constant('float32', 1)]), inputs.kept]);
}

/** Σ weight · state / divisor(Σ weight), zeros where all weights are zero; weights `[B, S, 1]` of whole numbers. */
function weightedMean(network: Network, hidden: Value, weights: Value, divisor: (total: Value) => Value): Value {
  const { graph } = network;
  const sum = sumOverTokens(network, graph.node('Mul', [hidden, weights]));
  const total = graph.node('Max', [sumOverTokens(network, weights), graph.constant('float32', 1)]);
  return graph.node('Div', [sum, divisor(total)]);
}

/** `[B, S, N]` → `[B, N]`. */
function sumOverTokens({ graph }: Network, x: Value): Value {
  return graph.node('ReduceSum', [x, graph.constant('int64', [1])], { attributes: { keepdims: 0 } });
}
