import type { AttentionPosition } from '../engines/specification.ts';
import { asBytes, floatTensor, type Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

type Rotary = Extract<AttentionPosition, { kind: 'rotary' }>;

/**
 * The first 2R of D columns turned by the position's angles (see `AttentionPosition`).
 *
 * @param x `[B, A, S, D]`
 */
export function addRotation(
  network: Network,
  inputs: NetworkInputs,
  position: Rotary,
  head_size: number,
  x: Value,
): Value {
  const { graph } = network;
  const R = position.inverse_frequencies.length;
  if (R === 0) return x;
  const angles = addAngles(inputs, position.inverse_frequencies);
  const cos = inputs.once(`${angles}/cos`, () => graph.node('Cos', [angles]));
  const sin = inputs.once(`${angles}/sin`, () => graph.node('Sin', [angles]));
  const turn = (a: Value, b: Value): [Value, Value] => [
    graph.node('Sub', [graph.node('Mul', [a, cos]), graph.node('Mul', [b, sin])]),
    graph.node('Add', [graph.node('Mul', [a, sin]), graph.node('Mul', [b, cos])]),
  ];
  const concat = (parts: readonly Value[]) => graph.node('Concat', parts, { attributes: { axis: -1 } });

  const rest = head_size - 2 * R;
  if (position.pairs === 'halves') {
    const [a, b, ...others] = split(network, x, rest > 0 ? [R, R, rest] : [R, R]);
    return concat([...turn(a!, b!), ...others]);
  }
  const [turned, ...others] = rest > 0 ? split(network, x, [2 * R, rest]) : [x];
  const pairs = graph.node('Reshape', [turned!, graph.constant('int64', [0, 0, 0, R, 2])]);
  const last = graph.constant('int64', [-1]);
  const [a, b] = split(network, pairs, [1, 1]).map((part) => graph.node('Squeeze', [part, last]));
  const together = concat(turn(a!, b!).map((part) => graph.node('Unsqueeze', [part, last])));
  const joined = graph.node('Reshape', [together, graph.constant('int64', [0, 0, 0, 2 * R])]);
  return others.length === 0 ? joined : concat([joined, ...others]);
}

/** `[S, R]`: column · inverse frequency, in float32 as in Python. */
function addAngles(inputs: NetworkInputs, inverse_frequencies: readonly number[]): Value {
  const name = `rotary/${inverse_frequencies.join(',')}`;
  return inputs.once(name, (network) => {
    const { graph } = network;
    const frequencies = `${name}/inverse_frequencies`;
    graph.initializers({
      tensors: [floatTensor(frequencies, [1, inverse_frequencies.length])],
      read: async () => [asBytes(Float32Array.from(inverse_frequencies))],
    });
    return graph.node('Mul', [network.toFloat(network.unsqueeze(inputs.columns, 1)), frequencies]);
  });
}

/** Parts of the last dimension. */
function split({ graph }: Network, x: Value, sizes: readonly number[]): Value[] {
  const suffixes = sizes.map((_, index) => `part_${index}`);
  return [...graph.nodes('Split', [x, graph.constant('int64', sizes)], suffixes, { axis: -1 })];
}
