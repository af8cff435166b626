import { inspect } from 'node:util';
import { formatTensorHead } from './format.ts';
import { Tensor } from './tensor.ts';

/** One output: a tensor, or one per layer. */
export type OutputValue = Tensor<'float32'> | readonly Tensor<'float32'>[];

/**
 * What a model returns: values by attribute (`outputs.last_hidden_state`), by key (`outputs['pooler_output']`) and by
 * position (`outputs[1]`, `[...outputs]`). Positions follow the order of declaration; outputs that were not computed are
 * undefined by name and have no position, as in transformers.
 *
 * A model declares its outputs by a subclass, or by `ModelOutput.of({ … })`, which types them.
 */
export class ModelOutput {
  /** The values by position. */
  readonly [index: number]: OutputValue;

  constructor(values: Readonly<Record<string, OutputValue | undefined>>) {
    const present = Object.entries(values).filter(([, value]) => value !== undefined);
    Object.assign(this, Object.fromEntries(present));
    present.forEach(([, value], position) => {
      // Not enumerable, so that keys, JSON and spreading into an object show each value once.
      Object.defineProperty(this, position, { value });
    });
  }

  static of<Values extends Readonly<Record<string, OutputValue | undefined>>>(values: Values): ModelOutput & Values {
    return new ModelOutput(values) as ModelOutput & Values;
  }

  /** The names of the values that were computed, in order. */
  keys(): string[] {
    return Object.keys(this);
  }

  /** The values in order, without those that were not computed. */
  to_tuple(): OutputValue[] {
    return Object.values(this) as OutputValue[];
  }

  [Symbol.iterator](): Iterator<OutputValue> {
    return this.to_tuple()[Symbol.iterator]();
  }

  [inspect.custom](): string {
    const lines = Object.entries(this).map(([name, value]) => `  ${name}: ${formatValue(value as OutputValue)}`);
    return `${this.constructor.name} {\n${lines.join(',\n')}\n}`;
  }
}

function formatValue(value: OutputValue): string {
  if (value instanceof Tensor) return formatTensorHead(value.type, value.dims);
  const heads = value.map(({ type, dims }) => formatTensorHead(type, dims));
  return new Set(heads).size === 1 ? `${heads.length} × ${heads[0]}` : `[${heads.join(', ')}]`;
}
