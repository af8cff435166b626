import type {
  Activation,
  ConvolutionSpecification,
  LayerSpecification,
  NormSpecification,
} from '../engines/specification.ts';
import { addAttention } from './attention.ts';
import { addFusedActivation, addSkipNorm, addSkipNormWithSum, type Projection } from './fused.ts';
import type { Value } from './graph-builder.ts';
import type { Network, NetworkInputs } from './network.ts';

/** One layer, its norms behind the residual sums or in front of what is added. */
export function addLayer(network: Network, inputs: NetworkInputs, layer: LayerSpecification, hidden: Value): Value {
  const { graph } = network;
  const { attention, attention_norm, mlp_norm } = layer;
  const name = `layers.${layer.parameters}`;
  const attend = (x: Value): Projection => ({
    place: 'output',
    name: `${name}.attention.output`,
    x: addAttention(network, inputs, attention, `${name}.attention`, x),
  });
  const transform = (x: Value): Projection => ({
    place: 'down',
    name: `${name}.mlp.down`,
    x: addMlp(network, layer, `${name}.mlp`, x),
  });
  if (layer.norm_placement === 'post') {
    const attended = graph.within('attention', () =>
      addNormOfSum(network, attend(hidden), hidden, `${name}.attention.norm`, attention_norm),
    );
    return graph.within('mlp', () =>
      addNormOfSum(network, transform(attended), attended, `${name}.mlp.norm`, mlp_norm),
    );
  }
  const attended = graph.within('attention', () => {
    const normed = attention_norm === null ? hidden : network.norm(`${name}.attention.norm`, hidden, attention_norm);
    return addSumAndNorm(network, attend(normed), hidden, `${name}.mlp.norm`, mlp_norm);
  });
  return graph.within('mlp', () => addSum(network, transform(attended.normed), attended.sum));
}

/** x + W y + b. */
function addSum(network: Network, { place, name, x: y }: Projection, x: Value): Value {
  const { graph } = network;
  const added = graph.within(place, () => network.linear(name, y));
  return graph.node('Add', [graph.cast(added, graph.dtypeOf(x)), x]);
}

/** norm(x + W y + b). */
function addNormOfSum(
  network: Network,
  added: Projection,
  x: Value,
  name: string,
  norm: NormSpecification | null,
): Value {
  if (norm === null) return addSum(network, added, x);
  return network.fused
    ? addSkipNorm(network, added, x, name, norm)
    : network.norm(name, addSum(network, added, x), norm);
}

/** x + W y + b, and its norm. */
function addSumAndNorm(
  network: Network,
  added: Projection,
  x: Value,
  name: string,
  norm: NormSpecification,
): { sum: Value; normed: Value } {
  if (network.fused) return addSkipNormWithSum(network, added, x, name, norm);
  const sum = addSum(network, added, x);
  return { sum, normed: network.norm(name, sum, norm) };
}

/** `[B, S, I]`: what goes through the matrix of `down`. */
function addMlp(network: Network, { mlp }: LayerSpecification, name: string, x: Value): Value {
  const { graph } = network;
  const project = (place: 'up' | 'gate'): Projection => ({ place, name: `${name}.${place}`, x });
  const activated = addActivated(network, mlp.activation, project(mlp.gated ? 'gate' : 'up'));
  if (!mlp.gated) return activated;
  return graph.node('Mul', [activated, graph.within('up', () => network.linear(`${name}.up`, x))]);
}

/** activation(W x + b). */
function addActivated(network: Network, activation: Activation, projection: Projection): Value {
  if (network.fused) return addFusedActivation(network, activation, projection);
  const { place, name, x } = projection;
  return network.activation(
    activation,
    network.graph.within(place, () => network.linear(name, x)),
  );
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
