import type { Activation, EncoderSpecification, NormSpecification } from '../engines/specification.ts';
import { addActivation } from './activations.ts';
import { GraphBuilder, type Value } from './graph-builder.ts';
import { dataTypes } from './messages.ts';
import { ParameterReader, type ReadParameter } from './parameters.ts';
import { QuantizedOperators } from './quantization.ts';
import { addFloat32, Float32Operators, type WeightOperators } from './weight-operators.ts';

/** How the large parameters are held. */
export type OnnxDtype = 'fp32' | 'q8';

/** A graph that knows an encoder's parameters by their canonical names. */
export class Network {
  readonly specification: EncoderSpecification;
  readonly graph = new GraphBuilder();
  readonly #parameters: ParameterReader;
  readonly #weights: WeightOperators;
  /** For what is small or sensitive, whatever the dtype. */
  readonly #exact: WeightOperators;

  constructor(specification: EncoderSpecification, dtype: OnnxDtype, read: ReadParameter) {
    this.specification = specification;
    this.#parameters = new ParameterReader(specification, read);
    this.#exact = new Float32Operators(this.graph, this.#parameters);
    this.#weights = dtype === 'fp32' ? this.#exact : new QuantizedOperators(this.graph, this.#parameters);
  }

  /** W x + b, where there is a b. */
  linear(name: string, x: Value, options: { exact?: boolean } = {}): Value {
    const weights = options.exact ? this.#exact : this.#weights;
    return this.addBias(name, weights.matmul(x, `${name}.weight`));
  }

  /** x + b for the bias of the name, where there is one. */
  addBias(name: string, x: Value): Value {
    const bias = `${name}.bias`;
    return this.#parameters.has(bias) ? this.graph.node('Add', [x, this.float32(bias)]) : x;
  }

  /** How many numbers a parameter holds. */
  elementCount(name: string): number {
    return this.#parameters.shape(name).reduce((product, length) => product * length, 1);
  }

  norm(name: string, x: Value, { eps, bias }: NormSpecification): Value {
    const parameters = [`${name}.weight`, ...(bias ? [`${name}.bias`] : [])].map((each) => this.float32(each));
    return this.graph.node('LayerNormalization', [x, ...parameters], {
      attributes: { axis: -1, epsilon: { float: eps } },
    });
  }

  activation(activation: Activation, x: Value): Value {
    return this.graph.within('activation', () => addActivation(this.graph, activation, x));
  }

  /** Rows of a table. */
  lookup(name: string, indices: Value, options: { exact?: boolean } = {}): Value {
    return (options.exact ? this.#exact : this.#weights).lookup(name, indices);
  }

  /** x Wᵀ for a table W that is looked up, too; x `[N, width]`. */
  matmulTable(name: string, x: Value): Value {
    return this.#weights.matmulTable(x, name);
  }

  /** A parameter as it is stored. */
  float32(name: string): Value {
    return addFloat32(this.graph, this.#parameters, name);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.graph.node('Transpose', [x], { attributes: { perm } });
  }

  toFloat(x: Value): Value {
    return this.graph.node('Cast', [x], { attributes: { to: dataTypes.float32.code } });
  }

  unsqueeze(x: Value, ...axes: number[]): Value {
    return this.graph.node('Unsqueeze', [x, this.graph.constant('int64', axes)]);
  }

  /** One dimension's length, as a scalar, or several dimensions' as a row. */
  lengths(x: Value, dims: number | readonly number[]): Value {
    return this.graph.node('Gather', [this.graph.node('Shape', [x]), this.graph.constant('int64', dims)]);
  }
}

/** What every part of a graph may ask of its inputs. */
export class NetworkInputs {
  readonly #network: Network;
  /** `[B, S]`. */
  readonly input_ids: Value;
  readonly attention_mask: Value;
  /** Null where all tokens are of one type, or of none. */
  readonly token_type_ids: Value | null;
  readonly #known = new Map<string, Value>();

  constructor(network: Network, input_ids: Value, attention_mask: Value, token_type_ids: Value | null) {
    this.#network = network;
    this.input_ids = input_ids;
    this.attention_mask = attention_mask;
    this.token_type_ids = token_type_ids;
  }

  /** 0, 1, 2, … S - 1. */
  get columns(): Value {
    return this.once('columns', (network) => {
      const [zero, one] = [network.graph.constant('int64', 0), network.graph.constant('int64', 1)];
      return network.graph.node('Range', [zero, network.lengths(this.input_ids, 1), one]);
    });
  }

  /** `[S, S]`: l - r of the columns of a query and a key. */
  get distances(): Value {
    return this.once('distances', (network) =>
      network.graph.node('Sub', [network.unsqueeze(this.columns, 1), network.unsqueeze(this.columns, 0)]),
    );
  }

  /** `[B, S, 1]`: the mask as 0 and 1 in float32. */
  get kept(): Value {
    return this.once('kept', (network) => network.toFloat(network.unsqueeze(this.attention_mask, 2)));
  }

  /** What several parts share: it stands in the graph once. */
  once(name: string, build: (network: Network) => Value): Value {
    let value = this.#known.get(name);
    if (value === undefined) {
      value = this.#network.graph.within(name, () => build(this.#network));
      this.#known.set(name, value);
    }
    return value;
  }
}
