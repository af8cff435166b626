import type { Activation, AttentionSpecification, NormSpecification } from '../engines/specification.ts';
import { asBytes, floatTensor } from './float-types.ts';
import type { Value } from './graph-builder.ts';
import { addedToScores } from './masks.ts';
import type { Attribute } from './messages.ts';
import type { Network, NetworkInputs } from './network.ts';
import { addDistanceBias } from './relative-positions.ts';
import { type Rotary, rotaryName } from './rotary.ts';

// Operators of ONNX Runtime, each of which does what several of ONNX's do, by its own description of them:
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
//
// Of their inputs only those that its providers have in common: masks are added to the scores, which every one of them does,
// while one for keys, and biases of query, key and value, are unknown to some.
//
// B batch, S sequence, A heads, D head size, R pairs of columns that are turned.

const domain = 'com.microsoft';

/** W x + b by the parameters of `name`; `place`: what the graph calls it. */
export interface Projection {
  readonly place: string;
  readonly name: string;
  readonly x: Value;
}

/** norm(x + W y + b). */
export function addSkipNorm(
  network: Network,
  added: Projection,
  x: Value,
  name: string,
  norm: NormSpecification,
): Value {
  const { inputs, attributes } = skipNormOf(network, added, x, name, norm);
  return network.graph.node('SkipLayerNormalization', inputs, { domain, attributes });
}

/** x + W y + b, and its norm. */
export function addSkipNormWithSum(
  network: Network,
  added: Projection,
  x: Value,
  name: string,
  norm: NormSpecification,
): { sum: Value; normed: Value } {
  const { inputs, attributes } = skipNormOf(network, added, x, name, norm);
  // Between them two that only training knows.
  const outputs = ['output', '', '', 'sum'] as const;
  const [normed, , , sum] = network.graph.nodes('SkipLayerNormalization', inputs, outputs, { attributes, domain });
  return { sum, normed };
}

function skipNormOf(
  network: Network,
  added: Projection,
  x: Value,
  name: string,
  norm: NormSpecification,
): { inputs: Value[]; attributes: Record<string, Attribute> } {
  const { graph } = network;
  const product = productOf(network, added);
  const dtype = graph.dtypeOf(x);
  const bias = network.bias(added.name, product);
  const parts = [
    graph.cast(product, dtype),
    x,
    network.parameter(`${name}.weight`, x),
    norm.bias ? network.parameter(`${name}.bias`, x) : '',
    bias === null ? '' : graph.cast(bias, dtype),
  ];
  const given = parts.findLastIndex((part) => part !== '') + 1;
  return { inputs: parts.slice(0, given), attributes: { epsilon: { float: norm.eps } } };
}

/** activation(W x + b). */
export function addFusedActivation(network: Network, activation: Activation, projection: Projection): Value {
  const { graph } = network;
  const product = productOf(network, projection);
  const bias = network.bias(projection.name, product);
  const build = (): Value => {
    if (activation === 'gelu_erf') {
      return bias === null
        ? graph.node('Gelu', [product], { domain })
        : graph.node('BiasGelu', [product, bias], { domain });
    }
    if (activation === 'gelu_tanh')
      return graph.node('FastGelu', bias === null ? [product] : [product, bias], { domain });
    const sum = bias === null ? product : graph.node('Add', [product, bias]);
    if (activation !== 'quick_gelu') return network.activation(activation, sum);
    return graph.node('QuickGelu', [sum], { domain, attributes: { alpha: { float: 1.702 } } });
  };
  return graph.within(projection.place, build);
}

function productOf(network: Network, { place, name, x }: Projection): Value {
  return network.graph.within(place, () => network.product(name, x));
}

/**
 * Whether one operator does the attention. What depends on query and key besides their product does not fit; and nothing can
 * be added to scores of float16 that hides a key for certain (see `maskScores`).
 */
export function canFuseAttention({ fused, floatType }: Network, { position }: AttentionSpecification): boolean {
  return fused && floatType === 'float32' && ['none', 'bias', 'rotary'].includes(position.kind);
}

/** softmax(scores / √(D · scale_factor) + mask) V, `[B, S, A·D]`. */
export function addFusedAttention(
  network: Network,
  inputs: NetworkInputs,
  attention: AttentionSpecification,
  name: string,
  x: Value,
): Value {
  const { graph } = network;
  const { num_attention_heads: num_heads, head_size, position, scale_factor } = attention;
  const [query, key, value] = (['query', 'key', 'value'] as const).map((part) =>
    graph.within(part, () => {
      const projected = network.linear(`${name}.${part}`, x);
      if (position.kind !== 'rotary' || part === 'value') return projected;
      return addFusedRotation(network, inputs, attention, position, projected);
    }),
  );
  const attributes: Record<string, Attribute> = { num_heads };
  if (scale_factor !== 1) attributes.scale = { float: 1 / Math.sqrt(head_size * scale_factor) };
  const added = addScoreTerms(inputs, attention);
  return graph.node('MultiHeadAttention', [query!, key!, value!, '', '', added], { domain, attributes });
}

/** `[B, A, S, S]`: what is added to the scores. */
function addScoreTerms(inputs: NetworkInputs, { mask, num_attention_heads, position }: AttentionSpecification): Value {
  const kind = mask.kind === 'window' ? `window_${mask.size}` : mask.kind;
  const padding = addedToScores(inputs, mask);
  return inputs.once(`score_terms/${kind}_${num_attention_heads}`, (network) => {
    const { graph } = network;
    if (position.kind === 'bias') return graph.node('Add', [addDistanceBias(inputs), padding]);
    // Of all heads, although they are alike: onnxruntime 1.20 on the CPU takes `[B, 1, S, S]`, and reads the wrong rows of it.
    const heads = graph.constant('int64', [num_attention_heads]);
    const shape = [heads, network.lengths(inputs.input_ids, [1]), graph.constant('int64', [1])];
    return graph.node('Expand', [padding, graph.node('Concat', shape, { attributes: { axis: 0 } })]);
  });
}

/** The first 2R of D columns turned by the position's angles. x `[B, S, A·D]` */
function addFusedRotation(
  network: Network,
  inputs: NetworkInputs,
  { num_attention_heads: num_heads, head_size }: AttentionSpecification,
  { inverse_frequencies, pairs }: Rotary,
  x: Value,
): Value {
  const { graph, specification } = network;
  const R = inverse_frequencies.length;
  if (R === 0) return x;
  const rows = specification.embeddings.max_position_embeddings;
  const name = rotaryName(network, inverse_frequencies);
  const table = (of: 'cos' | 'sin') =>
    inputs.once(`${name}/${of}_table`, () => {
      const values = () =>
        Float32Array.from({ length: rows * R }, (_, i) => Math[of](Math.floor(i / R) * inverse_frequencies[i % R]!));
      const tensor = floatTensor(`${name}/${of}_table`, [rows, R]);
      graph.initializers({ tensors: [tensor], read: async () => [asBytes(values())] });
      return tensor.name;
    });
  const attributes = {
    interleaved: Number(pairs === 'neighbours'),
    num_heads,
    ...(2 * R < head_size && { rotary_embedding_dim: 2 * R }),
  };
  // One position: that of the first column.
  const first = graph.constant('int64', [0]);
  return graph.node('RotaryEmbedding', [x, first, table('cos'), table('sin')], { domain, attributes });
}
