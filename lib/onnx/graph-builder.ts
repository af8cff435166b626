import type { Attribute, DataType, GraphHeader, Node, TensorDescription, ValueDescription } from './messages.ts';

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
  /** The value's name where something outside the graph knows it. */
  readonly output?: Value;
}

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
    this.#nodes.push({ op_type, name, inputs, outputs: [output], attributes: options.attributes ?? {} });
    return output;
  }

  /** Adds an operator with several outputs, named by `suffixes`. */
  nodes<const Suffixes extends readonly string[]>(
    op_type: string,
    inputs: readonly Value[],
    suffixes: Suffixes,
    attributes: Node['attributes'] = {},
  ): { [Index in keyof Suffixes]: Value } {
    const name = this.#uniqueName(op_type);
    const outputs = suffixes.map((suffix) => `${name}_${suffix}`);
    this.#nodes.push({ op_type, name, inputs, outputs, attributes });
    return outputs as { [Index in keyof Suffixes]: Value };
  }

  /** Adds what is not held yet: a parameter may be used in several places. */
  initializers(group: InitializerGroup): void {
    const name = group.tensors[0]!.name;
    if (!this.#initializers.has(name)) this.#initializers.set(name, group);
  }

  /** One number as a scalar, or a row of them; equal ones are held once. */
  constant(dtype: 'float32' | 'int64', values: number | readonly number[]): Value {
    const numbers = typeof values === 'number' ? [values] : values;
    const shape = typeof values === 'number' ? [] : [values.length];
    const name = `constants/${dtype}/${typeof values === 'number' ? values : `[${values}]`}`;
    const known = this.#constants.get(name);
    if (known !== undefined) return known;
    this.#constants.set(name, name);
    const bytes = dtype === 'float32' ? Float32Array.from(numbers) : BigInt64Array.from(numbers, BigInt);
    this.initializers({ tensors: [{ name, dtype, shape }], read: async () => [asBytes(bytes)] });
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

/** The elements of a typed array as they lie in memory, which is little-endian wherever Node runs on supported machines. */
export function asBytes(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

export function floatTensor(name: string, shape: readonly number[]): TensorDescription {
  return { name, dtype: 'float32' satisfies DataType, shape };
}
