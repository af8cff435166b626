import { asBytes, encodeFloats, type FloatType } from './float-types.ts';
import {
  type Attribute,
  type DataType,
  dataTypes,
  type GraphHeader,
  type Node,
  type TensorDescription,
  type ValueDescription,
} from './messages.ts';

/** The name of something that the graph computes, takes or holds. */
export type Value = string;

/** Initializers whose elements come from one reading of one parameter. */
export interface InitializerGroup {
  readonly tensors: readonly TensorDescription[];
  /** The elements of each of them, row-major and little-endian. Called when they are written, and once. */
  readonly read: () => Promise<readonly Uint8Array[]>;
}

export interface Graph extends GraphHeader {
  readonly initializers: readonly InitializerGroup[];
}

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Whose operator it is; absent: ONNX's own. */
  readonly domain?: string;
  /** The value's name where something outside the graph knows it. */
  readonly output?: Value;
  /** Its element type where that is not the first input's, and the operator alone does not tell. */
  readonly dtype?: DataType;
}

export interface NodesOptions extends Pick<NodeOptions, 'attributes' | 'domain'> {
  /** The outputs' element types where they are not the first input's. */
  readonly dtypes?: readonly DataType[];
}

/** What operators give, whatever they take. */
const resultTypes: Readonly<Record<string, DataType>> = {
  Equal: 'bool',
  Greater: 'bool',
  MatMulInteger: 'int32',
  Not: 'bool',
  Shape: 'int64',
};

/**
 * Collects the nodes of a graph in the order in which they run. Nodes and values are named by where they stand in the
 * network: `layers.0/attention/query/MatMul`.
 */
export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #inputs: ValueDescription[] = [];
  readonly #outputs: ValueDescription[] = [];
  /** By the name of the first tensor. */
  readonly #initializers = new Map<string, InitializerGroup>();
  readonly #constants = new Map<string, Value>();
  readonly #casts = new Map<string, Value>();
  readonly #dtypes = new Map<Value, DataType>();
  readonly #timesUsed = new Map<string, number>();
  readonly #scope: string[] = [];

  /** Runs `build` with a part of the network as the place of what it adds. */
  within<T>(part: string, build: () => T): T {
    this.#scope.push(part);
    try {
      return build();
    } finally {
      this.#scope.pop();
    }
  }

  input(description: ValueDescription): Value {
    this.#inputs.push(description);
    this.#dtypes.set(description.name, description.dtype);
    return description.name;
  }

  /** @param description its name is a value's */
  output(description: ValueDescription): void {
    this.#outputs.push(description);
  }

  /** Adds an operator with one output. */
  node(op_type: string, inputs: readonly Value[], options: NodeOptions = {}): Value {
    const name = this.#uniqueName(op_type);
    const output = options.output ?? `${name}_output`;
    const { domain, attributes = {} } = options;
    this.#dtypes.set(output, options.dtype ?? resultTypes[op_type] ?? this.dtypeOf(inputs[0]!));
    this.#nodes.push({ op_type, ...(domain && { domain }), name, inputs, outputs: [output], attributes });
    return output;
  }

  /** Adds an operator with several outputs, named by `suffixes`; '': one that is left out. */
  nodes<const Suffixes extends readonly string[]>(
    op_type: string,
    inputs: readonly Value[],
    suffixes: Suffixes,
    { attributes = {}, dtypes, domain }: NodesOptions = {},
  ): { [Index in keyof Suffixes]: Value } {
    const name = this.#uniqueName(op_type);
    const outputs = suffixes.map((suffix) => suffix && `${name}_${suffix}`);
    this.#nodes.push({ op_type, ...(domain && { domain }), name, inputs, outputs, attributes });
    for (const [index, output] of outputs.entries())
      this.#dtypes.set(output, dtypes?.[index] ?? this.dtypeOf(inputs[0]!));
    return outputs as { [Index in keyof Suffixes]: Value };
  }

  /** The element type of a value of this graph. */
  dtypeOf(value: Value): DataType {
    const dtype = this.#dtypes.get(value);
    if (dtype === undefined) throw new Error(`${value} is no value of the graph`);
    return dtype;
  }

  /** The value in another element type, itself where it is of that type already. Who asks again gets the same. */
  cast(x: Value, dtype: DataType): Value {
    if (this.dtypeOf(x) === dtype) return x;
    const key = `${dtype} ${x}`;
    const known = this.#casts.get(key);
    if (known !== undefined) return known;
    const value = this.node('Cast', [x], { attributes: { to: dataTypes[dtype].code }, dtype });
    this.#casts.set(key, value);
    return value;
  }

  /** Adds what is not held yet: a parameter may be used in several places. */
  initializers(group: InitializerGroup): void {
    const name = group.tensors[0]!.name;
    if (this.#initializers.has(name)) return;
    this.#initializers.set(name, group);
    for (const tensor of group.tensors) this.#dtypes.set(tensor.name, tensor.dtype);
  }

  /** A number in the element type of a value of floats. */
  number(like: Value, value: number): Value {
    return this.constant(this.dtypeOf(like) as FloatType, value);
  }

  /** One number as a scalar, or a row of them; equal ones are held once. */
  constant(dtype: FloatType | 'int64', values: number | readonly number[]): Value {
    const numbers = typeof values === 'number' ? [values] : values;
    const shape = typeof values === 'number' ? [] : [values.length];
    const name = `constants/${dtype}/${typeof values === 'number' ? values : `[${values}]`}`;
    const known = this.#constants.get(name);
    if (known !== undefined) return known;
    this.#constants.set(name, name);
    const bytes =
      dtype === 'int64'
        ? asBytes(BigInt64Array.from(numbers, BigInt))
        : encodeFloats(Float32Array.from(numbers), dtype);
    this.initializers({ tensors: [{ name, dtype, shape }], read: async () => [bytes] });
    return name;
  }

  build(name: string): Graph {
    return {
      name,
      nodes: this.#nodes,
      inputs: this.#inputs,
      outputs: this.#outputs,
      initializers: [...this.#initializers.values()],
    };
  }

  #uniqueName(op_type: string): string {
    const name = [...this.#scope, op_type].join('/');
    const used = this.#timesUsed.get(name) ?? 0;
    this.#timesUsed.set(name, used + 1);
    return used === 0 ? name : `${name}_${used}`;
  }
}
