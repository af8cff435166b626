import type {
  AttentionMask,
  AttentionSpecification,
  EmbeddingsSpecification,
  EncoderSpecification,
  MlpSpecification,
} from '../engines/specification.ts';
import { addActivation } from './activations.ts';
import { type Graph, GraphBuilder, type Value } from './graph-builder.ts';
import { dataTypes } from './messages.ts';
import { ParameterReader, type ReadParameter } from './parameters.ts';
import { QuantizedOperators } from './quantization.ts';
import { addFloat32, Float32Operators, type WeightOperators } from './weight-operators.ts';

// B batch, S sequence, H hidden, A heads, D head size, P max_position_embeddings.

/** How the large parameters are held. */
export type OnnxDtype = 'fp32' | 'q8';

/** What is added to the score of a masked key: the lowest float32, as in Python. */
const lowestFloat = -3.4028234663852886e38;

/**
 * The encoder as an ONNX graph of opset 17.
 *
 * Inputs `input_ids`, `attention_mask`, `token_type_ids`: int64 `[batch_size, sequence_length]`, all of them required, as in
 * Optimum's exports. Outputs: `last_hidden_state` `[batch_size, sequence_length, H]` and, where the encoder has a pooler,
 * `pooler_output` `[batch_size, H]`. (Optimum leaves the pooler out of its feature-extraction exports; a reader that asks
 * for the first output alone sees no difference.)
 *
 * More positions than the model has, and ids outside a table, fail in the runtime.
 */
export function encoderGraph(specification: EncoderSpecification, dtype: OnnxDtype, read: ReadParameter): Graph {
  return new EncoderGraph(specification, dtype, read).build();
}

class EncoderGraph {
  readonly #specification: EncoderSpecification;
  readonly #graph = new GraphBuilder();
  readonly #parameters: ParameterReader;
  readonly #weights: WeightOperators;

  constructor(specification: EncoderSpecification, dtype: OnnxDtype, read: ReadParameter) {
    this.#specification = specification;
    this.#parameters = new ParameterReader(specification, read);
    const Operators = dtype === 'fp32' ? Float32Operators : QuantizedOperators;
    this.#weights = new Operators(this.#graph, this.#parameters);
  }

  build(): Graph {
    const graph = this.#graph;
    const { hidden_size, embeddings, layers, pooler } = this.#specification;
    const rows = ['batch_size', 'sequence_length'];
    const input = (name: string) => graph.input({ name, dtype: 'int64', shape: rows });
    const input_ids = input('input_ids');
    const attention_mask = input('attention_mask');
    const token_type_ids = input('token_type_ids');

    const positions = graph.within('positions', () => this.#positions(input_ids));
    const padding = graph.within('mask', () => this.#mask(attention_mask));
    const masks = new Map<string, Value>();
    const maskOf = (mask: AttentionMask): Value => {
      const name = mask.kind === 'window' ? `window_${mask.size}` : mask.kind;
      const known =
        masks.get(name) ?? graph.within(`mask/${name}`, () => this.#maskByDistance(mask, padding, positions));
      masks.set(name, known);
      return known;
    };
    let hidden = graph.within('embeddings', () => this.#embeddings(embeddings, input_ids, token_type_ids, positions));
    layers.forEach(({ attention, mlp, layer_norm_eps }, index) => {
      const layer = `layers.${index}`;
      const mask = maskOf(attention.mask);
      hidden = graph.within(`${layer}/attention`, () => {
        const output = this.#attention(attention, `${layer}.attention`, hidden, mask, positions);
        return this.#norm(`${layer}.attention.norm`, graph.node('Add', [output, hidden]), layer_norm_eps);
      });
      hidden = graph.within(`${layer}/mlp`, () => {
        const output = this.#mlp(mlp, `${layer}.mlp`, hidden);
        return this.#norm(`${layer}.mlp.norm`, graph.node('Add', [output, hidden]), layer_norm_eps);
      });
    });
    const last_hidden_state = graph.node('Identity', [hidden], { output: 'last_hidden_state' });
    graph.output({ name: last_hidden_state, dtype: 'float32', shape: [...rows, hidden_size] });
    if (pooler !== null) {
      const output = graph.within('pooler', () => this.#pooler(hidden));
      graph.output({ name: output, dtype: 'float32', shape: ['batch_size', hidden_size] });
    }
    return graph.build('encoder');
  }

  /** 0, 1, 2, … S - 1. */
  #positions(input_ids: Value): Value {
    const graph = this.#graph;
    const [zero, one] = [graph.constant('int64', 0), graph.constant('int64', 1)];
    const length = graph.node('Gather', [graph.node('Shape', [input_ids]), one]);
    return graph.node('Range', [zero, length, one]);
  }

  /**
   * `[B, 1, 1, S]`: 0 for a key, the lowest float for a masked one. It swallows every score that it is added to, so a row
   * without keys attends to all of its columns alike, as in Python.
   */
  #mask(attention_mask: Value): Value {
    const graph = this.#graph;
    const heads = graph.node('Unsqueeze', [attention_mask, graph.constant('int64', [1])]);
    const queries = graph.node('Unsqueeze', [heads, graph.constant('int64', [2])]);
    const keys = graph.node('Cast', [queries], { attributes: { to: dataTypes.float32.code } });
    const masked = graph.node('Sub', [graph.constant('float32', 1), keys]);
    return graph.node('Mul', [masked, graph.constant('float32', lowestFloat)]);
  }

  /** `[B, 1, S, S]`: the same with the lowest float for each pair of a query and a key that the mask hides from it. */
  #maskByDistance(mask: AttentionMask, padding: Value, positions: Value): Value {
    if (mask.kind === 'full') return padding;
    const graph = this.#graph;
    const queries = graph.node('Unsqueeze', [positions, graph.constant('int64', [1])]);
    const keys = graph.node('Unsqueeze', [positions, graph.constant('int64', [0])]);
    const ahead = graph.node('Sub', [keys, queries]);
    const [distance, reach] =
      mask.kind === 'window' ? [graph.node('Abs', [ahead]), Math.floor(mask.size / 2)] : [ahead, 0];
    const hidden = graph.node('Greater', [distance, graph.constant('int64', reach)]);
    const numbers = graph.node('Cast', [hidden], { attributes: { to: dataTypes.float32.code } });
    const lowest = graph.node('Mul', [numbers, graph.constant('float32', lowestFloat)]);
    return graph.node('Min', [padding, lowest]);
  }

  #embeddings(
    { position, layer_norm_eps }: EmbeddingsSpecification,
    input_ids: Value,
    token_type_ids: Value,
    positions: Value,
  ): Value {
    const graph = this.#graph;
    const words = this.#weights.lookup('embeddings.word', input_ids);
    const types = this.#weights.lookup('embeddings.token_type', token_type_ids);
    let sum = graph.node('Add', [words, types]);
    if (position === 'absolute') {
      sum = graph.node('Add', [sum, this.#weights.lookup('embeddings.position', positions)]);
    }
    return this.#norm('embeddings.norm', sum, layer_norm_eps);
  }

  /** softmax((Q Kᵀ + relative positions) / √D + mask) V, through the output's matrix. */
  #attention(attention: AttentionSpecification, name: string, x: Value, mask: Value, positions: Value): Value {
    const graph = this.#graph;
    const { num_attention_heads, head_size } = attention;
    const split = graph.constant('int64', [0, 0, num_attention_heads, head_size]);
    const heads = (part: string, perm: readonly number[]) =>
      graph.within(part, () => {
        const projected = this.#linear(`${name}.${part}`, x);
        return graph.node('Transpose', [graph.node('Reshape', [projected, split])], { attributes: { perm } });
      });
    const query = heads('query', [0, 2, 1, 3]); // [B, A, S, D]
    const key = heads('key', [0, 2, 3, 1]); // [B, A, D, S]
    const value = heads('value', [0, 2, 1, 3]); // [B, A, S, D]

    let scores = graph.node('MatMul', [query, key]);
    if (attention.position !== 'none') {
      scores = graph.within('distance', () => this.#relativeScores(attention, name, scores, query, key, positions));
    }
    const scaled = graph.node('Div', [scores, graph.constant('float32', Math.sqrt(head_size))]);
    const probabilities = graph.node('Softmax', [graph.node('Add', [scaled, mask])], { attributes: { axis: -1 } });
    const context = graph.node('MatMul', [probabilities, value]);
    const rows = graph.node('Transpose', [context], { attributes: { perm: [0, 2, 1, 3] } });
    const joined = graph.constant('int64', [0, 0, num_attention_heads * head_size]);
    return graph.within('output', () => this.#linear(`${name}.output`, graph.node('Reshape', [rows, joined])));
  }

  /**
   * score(l, r) + q_l · e_{l-r}, and + k_r · e_{l-r} for `relative_key_query`. As products of matrices, with the position
   * that the embeddings depend on in front: `[S, B, A, D]` times `[S, 1, D, S]`.
   */
  #relativeScores(
    { position }: AttentionSpecification,
    name: string,
    scores: Value,
    query: Value,
    key: Value,
    positions: Value,
  ): Value {
    const graph = this.#graph;
    const transpose = (x: Value, perm: readonly number[]) => graph.node('Transpose', [x], { attributes: { perm } });
    const multiply = (x: Value, embeddings: Value) =>
      graph.node('MatMul', [x, graph.node('Unsqueeze', [embeddings, graph.constant('int64', [1])])]);

    const distances = graph.node('Sub', [
      graph.node('Unsqueeze', [positions, graph.constant('int64', [1])]),
      graph.node('Unsqueeze', [positions, graph.constant('int64', [0])]),
    ]);
    const middle = this.#specification.embeddings.max_position_embeddings - 1;
    const indices = graph.node('Add', [distances, graph.constant('int64', middle)]);
    const embeddings = this.#weights.lookup(`${name}.distance`, indices); // [S of l, S of r, D]

    const byQuery = multiply(transpose(query, [2, 0, 1, 3]), transpose(embeddings, [0, 2, 1])); // [l, B, A, r]
    const sum = graph.node('Add', [scores, transpose(byQuery, [1, 2, 0, 3])]);
    if (position !== 'relative_key_query') return sum;
    const byKey = multiply(transpose(key, [3, 0, 1, 2]), transpose(embeddings, [1, 2, 0])); // [r, B, A, l]
    return graph.node('Add', [sum, transpose(byKey, [1, 2, 3, 0])]);
  }

  #mlp({ activation }: MlpSpecification, name: string, x: Value): Value {
    const graph = this.#graph;
    const up = graph.within('up', () => this.#linear(`${name}.up`, x));
    const activated = graph.within('activation', () => addActivation(graph, activation, up));
    return graph.within('down', () => this.#linear(`${name}.down`, activated));
  }

  /** tanh(W h₀ + b), h₀ the first position. */
  #pooler(hidden: Value): Value {
    const graph = this.#graph;
    const first = graph.node('Gather', [hidden, graph.constant('int64', 0)], { attributes: { axis: 1 } });
    return graph.node('Tanh', [this.#linear('pooler.dense', first)], { output: 'pooler_output' });
  }

  /** W x + b. */
  #linear(name: string, x: Value): Value {
    const product = this.#weights.matmul(x, `${name}.weight`);
    return this.#graph.node('Add', [product, this.#float32(`${name}.bias`)]);
  }

  #norm(name: string, x: Value, eps: number): Value {
    return this.#graph.node('LayerNormalization', [x, this.#float32(`${name}.weight`), this.#float32(`${name}.bias`)], {
      attributes: { axis: -1, epsilon: { float: eps } },
    });
  }

  #float32(name: string): Value {
    return addFloat32(this.#graph, this.#parameters, name);
  }
}
