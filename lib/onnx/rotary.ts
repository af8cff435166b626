import type { AttentionPosition } from '../engines/specification.ts';
import { asBytes, floatTensor } from './float-types.ts';
import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

export type Rotary = Extract<AttentionPosition, { kind: 'rotary' }>;

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
  const turns = addTurns(network, inputs, position.inverse_frequencies);
  const [cos, sin] = [turns.cos, turns.sin].map((part) => graph.cast(part, graph.dtypeOf(x))) as [Value, Value];
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

interface Turns {
  readonly cos: Value;
  readonly sin: Value;
}

/**
 * Cosine and sine of column · inverse frequency, `[S, R]` each. In float32 the product itself would lose digits towards the
 * end of long rows: a column is a multiple of `stride` and a rest, each of which has its turns in a table.
 */
function addTurns(network: Network, inputs: NetworkInputs, inverse_frequencies: readonly number[]): Turns {
  const { graph, specification } = network;
  const { max_position_embeddings } = specification.embeddings;
  const stride = 2 ** Math.ceil(Math.log2(max_position_embeddings) / 2);
  const divisor = graph.constant('int64', stride);
  const name = rotaryName(network, inverse_frequencies);
  const part = (which: 'multiple' | 'rest', rows: number, step: number): Turns => {
    const operator = which === 'multiple' ? 'Div' : 'Mod';
    const indices = inputs.once(`rotary/${which}`, () => graph.node(operator, [inputs.columns, divisor]));
    const angles = (row: number) => inverse_frequencies.map((frequency) => row * step * frequency);
    const lookup = (of: 'cos' | 'sin') =>
      inputs.once(`${name}/${which}/${of}`, () => {
        const table = `${name}/${which}_${of}`;
        const read = () => Float32Array.from(Array.from({ length: rows }, (_, row) => angles(row)).flat(), Math[of]);
        graph.initializers({
          tensors: [floatTensor(table, [rows, inverse_frequencies.length])],
          read: async () => [asBytes(read())],
        });
        return graph.node('Gather', [table, indices]);
      });
    return { cos: lookup('cos'), sin: lookup('sin') };
  };
  const a = part('multiple', Math.ceil(max_position_embeddings / stride), stride);
  const b = part('rest', stride, 1);
  const multiply = (x: Value, y: Value) => graph.node('Mul', [x, y]);
  return {
    cos: inputs.once(`${name}/cos`, () => graph.node('Sub', [multiply(a.cos, b.cos), multiply(a.sin, b.sin)])),
    sin: inputs.once(`${name}/sin`, () => graph.node('Add', [multiply(a.sin, b.cos), multiply(a.cos, b.sin)])),
  };
}

/** Layers of the same frequencies share what is made of them. */
export function rotaryName({ specification }: Network, inverse_frequencies: readonly number[]): string {
  const all = specification.layers.flatMap(({ attention: { position } }) =>
    position.kind === 'rotary' ? [position.inverse_frequencies.join()] : [],
  );
  return `rotary/${[...new Set(all)].indexOf(inverse_frequencies.join())}`;
}

/** Parts of the last dimension. */
function split({ graph }: Network, x: Value, sizes: readonly number[]): Value[] {
  const suffixes = sizes.map((_, index) => `part_${index}`);
  return [...graph.nodes('Split', [x, graph.constant('int64', sizes)], suffixes, { attributes: { axis: -1 } })];
}
