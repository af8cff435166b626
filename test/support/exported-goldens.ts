import * as library from '../../lib/index.ts';
import type { Case } from './fixtures.ts';
import type { Rows } from './onnx-run.ts';

type Engine = 'native' | 'reference';
export type Model = library.EncoderModel | library.TaskModel;

export interface ModelClass {
  from_pretrained(folder: string, options: object): Promise<Model>;
}

/** Every class of the library that goldens name. */
export const classes = Object.entries(library)
  .filter(([, value]) => typeof value === 'function' && value.prototype instanceof library.PreTrainedModel)
  .map(([name, value]) => [name, value as unknown as ModelClass] as const);

export const isBare = (className: string) => className.endsWith('Model');
export const hasPooler = ({ name }: Case) => !name.includes('without_pooler');

export function load(modelClass: ModelClass, folder: string, pooler: boolean, engine: Engine): Promise<Model> {
  return modelClass.from_pretrained(folder, { engine, ...(pooler ? {} : { add_pooling_layer: false }) });
}

/** What a golden has besides a model's own outputs. */
export const isOwn = (output: string) =>
  !/^(hidden_states\.|attentions\.|softmax$|sentence_embedding$)|_pooled/.test(output);

/** Rows of every kind that differ in how they are masked, the last without any key. */
export function maskedRows(model: Model, choices: boolean): Required<Rows> {
  const { vocab_size, type_vocab_size = 0 } = model.config.to_dict() as {
    vocab_size: number;
    type_vocab_size?: number;
  };
  const sequence = Math.min(9, model.max_sequence_length);
  const row = (value: (i: number) => number) => Array.from({ length: sequence }, (_, i) => value(i));
  const masks: ((i: number) => number)[] = [
    () => 1,
    (i) => Number(i < sequence - 2), // right
    (i) => Number(i >= 3), // left
    (i) => Number(i % 3 !== 1), // interior
    (i) => Number(i === 4),
    () => 0,
  ];
  const rows = (value: (b: number, i: number) => number) => {
    const all = masks.map((_, b) => row((i) => value(b, i)));
    return choices ? [all.slice(0, 3), all.slice(3)] : all;
  };
  return {
    input_ids: rows((b, i) => 1 + ((7 * b + 5 * i) % (vocab_size - 1))),
    attention_mask: rows((b, i) => masks[b]!(i)),
    token_type_ids: rows((b, i) => Math.min(Number(i > 2 + b), Math.max(type_vocab_size - 1, 0))),
  };
}
