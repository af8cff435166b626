import { encoderParameters, type Parameter } from '../engines/parameters.ts';
import type { EncoderSpecification } from '../engines/specification.ts';

/**
 * Where a checkpoint keeps a parameter: a tensor, or one of the equal blocks of rows that make up a tensor, as where
 * query, key and value are one matrix.
 */
export interface CheckpointPlace {
  readonly key: string;
  /** Which of the blocks, from 0 on. */
  readonly part: number;
  /** How many there are: 1, it is the whole tensor. */
  readonly of: number;
}

/** How a model's parameters are laid out in its checkpoints, and how they start out. */
export interface Architecture {
  readonly specification: EncoderSpecification;
  /** The place of a canonical parameter (`encoderParameters`). */
  readonly place: (canonicalName: string) => CheckpointPlace;
  /** Other keys that checkpoints have for a key, best first. */
  readonly otherKeys: Readonly<Record<string, readonly string[]>>;
  /** Parameters that checkpoints of this class hold and the encoder does not read: loaded and saved all the same. */
  readonly unread: readonly Parameter[];
  /** Names in a checkpoint that the model leaves out on purpose, so that they are not worth a warning. */
  readonly ignored: readonly RegExp[];
  /** The row of the word embeddings (and of positions that count from it) that initialisation leaves zero, or -1. */
  readonly padding_row: number;
  /** The standard deviation of newly initialised weights. */
  readonly initialDeviation: (canonicalName: string) => number;
}

/** A tensor of a checkpoint. */
export interface StoredParameter {
  readonly key: string;
  readonly shape: readonly number[];
  /** The canonical names of its blocks of rows, in order; none: nothing reads it. */
  readonly parts: readonly string[];
}

/** Every tensor that a model's checkpoint has. */
export function storedParameters({ specification, place, unread }: Architecture): StoredParameter[] {
  const stored = new Map<string, { key: string; shape: readonly number[]; parts: string[] }>();
  for (const { name, shape } of encoderParameters(specification)) {
    const { key, part, of } = place(name);
    const [rows = 1, ...others] = shape;
    const tensor = stored.get(key) ?? { key, shape: [rows * of, ...others], parts: new Array<string>(of) };
    tensor.parts[part] = name;
    stored.set(key, tensor);
  }
  return [...stored.values(), ...unread.map(({ name, shape }) => ({ key: name, shape, parts: [] }))];
}
