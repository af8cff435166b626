import type { Activation, EncoderSpecification, NormSpecification } from '../engines/specification.ts';
import { addActivation } from './activations.ts';
import { encodeFloats, type FloatType, floatTensor } from './float-types.ts';
import { GraphBuilder, type Value } from './graph-builder.ts';
import { ParameterReader, type ReadParameter } from './parameters.ts';
import { QuantizedOperators } from './quantization.ts';
import { addParameter, FloatOperators, type WeightOperators } from './weight-operators.ts';

/** How the large parameters are held: `fp16` is also what the graph computes with, but for what float16 is too small for. */
export const onnxDtypes = ['fp32', 'fp16', 'q8'] as const;

export type OnnxDtype = (typeof onnxDtypes)[number];

export interface NetworkOptions {
  /** Whether operators may be ONNX Runtime's own, each of which does what several of ONNX's do; default false. */
  readonly fused_operators?: boolean;
}

/** A graph that knows an encoder's parameters by their canonical names. */
export class Network {
  readonly specification: EncoderSpecification;
  readonly dtype: OnnxDtype;
  readonly fused: boolean;
  /** What the parts of a graph compute with that do not say otherwise. */
  readonly floatType: FloatType;
  /** That of the residual stream: what layers add up without norms between can pass what float16 holds. */
  readonly residualType: FloatType;
  readonly graph = new GraphBuilder();
  readonly #parameters: ParameterReader;
  readonly #weights: WeightOperators;
  /** For what is small or sensitive, whatever the dtype. */
  readonly #exact: WeightOperators;

  constructor(
    specification: EncoderSpecification,
    dtype: OnnxDtype,
    read: ReadParameter,
    { fused_operators = false }: NetworkOptions = {},
  ) {
    this.specification = specification;
    this.#parameters = new ParameterReader(specification, read);
    this.dtype = dtype;
    this.fused = fused_operators;
    this.floatType = dtype === 'fp16' ? 'float16' : 'float32';
    const summed = specification.layers.some(({ norm_placement }) => norm_placement === 'pre');
    this.residualType = summed ? 'float32' : this.floatType;
    this.#exact = new FloatOperators(this.graph, this.#parameters, 'float32');
    this.#weights =
      dtype === 'q8'
        ? new QuantizedOperators(this.graph, this.#parameters)
        : new FloatOperators(this.graph, this.#parameters, this.floatType);
  }

  /**
   * W x + b, where there is a b. `exact`: of weights in float32; `constant`: x is none of the inputs' doing, so that runtimes
   * can compute this once: in float32, for which they always have an operator on the CPU.
   */
  linear(name: string, x: Value, options: { exact?: boolean; constant?: boolean } = {}): Value {
    return this.addBias(name, this.product(name, x, options));
  }

  /** W x, to which the bias of the name is still to be added. */
  product(name: string, x: Value, options: { exact?: boolean; constant?: boolean } = {}): Value {
    const weights = options.exact ? this.#exact : this.#weights;
    const dtype = options.constant ? 'float32' : weights.dtype;
    return weights.matmul(this.graph.cast(x, dtype), `${name}.weight`);
  }

  /** x + b for the bias of the name, where there is one. */
  addBias(name: string, x: Value): Value {
    const bias = this.bias(name, x);
    return bias === null ? x : this.graph.node('Add', [x, bias]);
  }

  /** The bias of the name in the element type of a value; null where there is none. */
  bias(name: string, like: Value): Value | null {
    const bias = `${name}.bias`;
    return this.#parameters.has(bias) ? this.parameter(bias, like) : null;
  }

  /** How many numbers a parameter holds. */
  elementCount(name: string): number {
    return this.#parameters.shape(name).reduce((product, length) => product * length, 1);
  }

  /** LayerNorm; its statistics are float32 whatever x is (`stash_type`'s default). */
  norm(name: string, x: Value, { eps, bias }: NormSpecification): Value {
    const weight = this.parameter(`${name}.weight`, x);
    // Never left out: onnxruntime up to 1.18 ends the process where it looks for one to fuse.
    const shift = bias ? this.parameter(`${name}.bias`, x) : this.#zeros(this.elementCount(`${name}.weight`), x);
    return this.graph.node('LayerNormalization', [x, weight, shift], {
      attributes: { axis: -1, epsilon: { float: eps } },
    });
  }

  #zeros(length: number, like: Value): Value {
    const dtype = this.graph.dtypeOf(like) as FloatType;
    const tensor = floatTensor(`constants/${dtype}/zeros_${length}`, [length], dtype);
    this.graph.initializers({
      tensors: [tensor],
      read: async () => [encodeFloats(new Float32Array(length), dtype)],
    });
    return tensor.name;
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
    return this.#weights.matmulTable(this.graph.cast(x, this.#weights.dtype), name);
  }

  /** A parameter in the shape in which it is stored, in the element type of a value or in the network's own. */
  parameter(name: string, like?: Value): Value {
    const dtype = like === undefined ? this.floatType : (this.graph.dtypeOf(like) as FloatType);
    return addParameter(this.graph, this.#parameters, name, dtype);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.graph.node('Transpose', [x], { attributes: { perm } });
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
    return this.once('kept', (network) => network.graph.cast(network.unsqueeze(this.attention_mask, 2), 'float32'));
  }

  /** {@link kept} in the element type of a value. */
  keptLike(x: Value): Value {
    const { graph } = this.#network;
    return graph.cast(this.kept, graph.dtypeOf(x));
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
