import type { ConvolutionSpecification, LayerSpecification } from '../engines/specification.ts';
import { addAttention } from './attention.ts';
import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

/** One layer, its norms behind the residual sums or in front of what is added. */
export function addLayer(network: Network, inputs: NetworkInputs, layer: LayerSpecification, hidden: Value): Value {
  const { graph } = network;
  const { attention, attention_norm, mlp_norm, norm_placement } = layer;
  const name = `layers.${layer.parameters}`;
  const normed = (part: 'attention' | 'mlp', x: Value): Value => {
    const norm = part === 'attention' ? attention_norm : mlp_norm;
    return norm === null ? x : network.norm(`${name}.${part}.norm`, x, norm);
  };
  const residual = (part: 'attention' | 'mlp', x: Value, add: (input: Value) => Value): Value =>
    graph.within(part, () => {
      const added = add(norm_placement === 'post' ? x : normed(part, x));
      const sum = graph.node('Add', [graph.cast(added, graph.dtypeOf(x)), x]);
      return norm_placement === 'post' ? normed(part, sum) : sum;
    });
  const attended = residual('attention', hidden, (x) =>
    addAttention(network, inputs, attention, `${name}.attention`, x),
  );
  return residual('mlp', attended, (x) => addMlp(network, layer, `${name}.mlp`, x));
}

function addMlp(network: Network, { mlp }: LayerSpecification, name: string, x: Value): Value {
  const { graph } = network;
  const up = graph.within('up', () => network.linear(`${name}.up`, x));
  const gate = mlp.gated ? graph.within('gate', () => network.linear(`${name}.gate`, x)) : up;
  const activated = network.activation(mlp.activation, gate);
  const inner = mlp.gated ? graph.node('Mul', [activated, up]) : activated;
  return graph.within('down', () => network.linear(`${name}.down`, inner));
}

/** norm(x + activation(conv(embedded))), zero at masked positions. */
export function addConvolution(
  network: Network,
  inputs: NetworkInputs,
  { kernel_size, groups, activation, norm }: ConvolutionSpecification,
  embedded: Value,
  x: Value,
): Value {
  const { graph } = network;
  const channels = network.transpose(graph.node('Mul', [embedded, inputs.keptLike(embedded)]), [0, 2, 1]);
  // In float32: onnxruntime 1.30 on the CPU crashes while it rearranges a Conv of float16.
  const operands = [channels, ...['convolution.weight', 'convolution.bias'].map((name) => network.parameter(name))];
  const exact = operands.map((operand) => graph.cast(operand, 'float32'));
  const reach = (kernel_size - 1) / 2;
  const attributes = { group: groups, kernel_shape: [kernel_size], pads: [reach, reach] };
  const convolved = graph.cast(graph.node('Conv', exact, { attributes }), graph.dtypeOf(x));
  const added = network.activation(activation, network.transpose(convolved, [0, 2, 1]));
  const normed = network.norm('convolution.norm', graph.node('Add', [x, added]), norm);
  return graph.node('Mul', [normed, inputs.keptLike(normed)]);
}
