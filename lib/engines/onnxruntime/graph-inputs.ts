import type { GraphBinding } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import type { GraphValueSummary } from '../../onnx/reading/graph-summary.ts';
import { quoted } from '../../weights/checkpoint-tensor.ts';
import type { InterfaceRequest } from './graph-interface.ts';

// B batch, C choices, S sequence, E embedding_size.

/** Lengths that the session's options set, by the names of symbolic dimensions. */
export type Lengths = ReadonlyMap<string, number>;

type InputRole = 'input_ids' | 'attention_mask' | 'token_type_ids' | 'position_ids' | 'inputs_embeds';

export type InputBinding = Pick<GraphBinding, InputRole | 'has_choices' | 'fixed_rows' | 'fixed_columns'>;

/** Names of inputs, those of transformers first, then of the original BERT and of exporters from other frameworks. */
const inputNames: Readonly<Record<InputRole, readonly string[]>> = {
  input_ids: ['input_ids', 'token_ids', 'ids', 'input'],
  attention_mask: ['attention_mask', 'input_mask', 'mask'],
  token_type_ids: ['token_type_ids', 'segment_ids', 'type_ids'],
  position_ids: ['position_ids', 'positions'],
  inputs_embeds: ['inputs_embeds', 'input_embeds'],
};

const integers = ['int64', 'int32'];
const floats = ['float32', 'float16'];
const inputTypes: Readonly<Record<InputRole, readonly string[]>> = {
  input_ids: integers,
  attention_mask: [...integers, 'bool', ...floats],
  token_type_ids: integers,
  position_ids: integers,
  inputs_embeds: floats,
};

/** What graphs that are no encoders ask for, and what they are. */
const foreignInputs: readonly (readonly [name: RegExp, is: string])[] = [
  [/^past_key_values|^past\b|cache/, 'a decoder, which generates text'],
  [/^decoder_|^encoder_hidden_states/, 'a decoder, of a model that also has an encoder'],
  [/pixel|image/, 'a model of images'],
  [/audio|input_(features|values)|speech/, 'a model of sounds'],
  [/^bbox/, 'a model of pages'],
  [/^task_id/, 'a model with an adapter for each task'],
];

/** @throws BertNativeError `ERR_UNSUPPORTED_MODEL`, `ERR_CONFIG` */
export function bindInputs(request: InterfaceRequest, lengths: Lengths): InputBinding {
  const { path, summary } = request;
  const found = new Map<InputRole, GraphValueSummary>();
  for (const input of summary.inputs) {
    const role = roleOf(input.name);
    if (role === undefined || found.has(role)) throw unknownInput(path, input);
    found.set(role, input);
  }
  if (found.has('input_ids') === found.has('inputs_embeds')) {
    const has = found.size === 0 ? 'neither' : found.has('input_ids') ? 'both' : 'neither';
    throw new BertNativeError(
      'ERR_UNSUPPORTED_MODEL',
      `${path} takes ${has} of input_ids and inputs_embeds: expected one of them; its inputs are ` +
        `${summary.inputs.map(({ name }) => quoted(name)).join(', ') || 'none'}`,
    );
  }
  const fixed = new FixedLengths(request, lengths);
  for (const [role, input] of found) fixed.add(role, input);
  const name = (role: InputRole) => found.get(role)?.name ?? null;
  return {
    input_ids: name('input_ids'),
    attention_mask: name('attention_mask'),
    token_type_ids: name('token_type_ids'),
    position_ids: name('position_ids'),
    inputs_embeds: name('inputs_embeds'),
    has_choices: request.task?.choices ?? false,
    fixed_rows: fixed.rows,
    fixed_columns: fixed.columns,
  };
}

function roleOf(name: string): InputRole | undefined {
  // TensorFlow numbers the outputs of what stands for an input.
  const bare = name.replace(/:0$/, '');
  return (Object.keys(inputNames) as InputRole[]).find((role) => inputNames[role].includes(bare));
}

function unknownInput(path: string, { name }: GraphValueSummary): BertNativeError {
  const kind = foreignInputs.find(([pattern]) => pattern.test(name))?.[1];
  return new BertNativeError(
    'ERR_UNSUPPORTED_MODEL',
    `${path} has to be given ${quoted(name)}, which an encoder of text does not have` +
      `${kind ? `: it looks like ${kind}` : ''}. Known are ${Object.keys(inputNames).join(', ')}`,
  );
}

/** Collects the static lengths of the inputs; 0: none so far. */
class FixedLengths {
  rows = 0;
  columns = 0;
  readonly #request: InterfaceRequest;
  readonly #lengths: Lengths;

  constructor(request: InterfaceRequest, lengths: Lengths) {
    this.#request = request;
    this.#lengths = lengths;
  }

  add(role: InputRole, input: GraphValueSummary): void {
    const { path, task, specification } = this.#request;
    const { name, dtype, shape } = input;
    const types = inputTypes[role];
    if (dtype === null || !types.includes(dtype)) {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_MODEL',
        `${path}: the input ${quoted(name)} is of ${dtype ?? 'no tensor'}: expected ${types.join(', ')}`,
      );
    }
    if (shape === null) return;
    const choices = task?.choices ?? false;
    const rank = 2 + Number(choices) + Number(role === 'inputs_embeds');
    if (shape.length !== rank) {
      const text = `[${shape.map((length) => length ?? '?').join(', ')}]`;
      throw new BertNativeError(
        'ERR_UNSUPPORTED_MODEL',
        `${path}: the input ${quoted(name)} has ${shape.length} dimensions, ${text}: expected ${rank}` +
          `${choices ? ' of a model that compares choices' : ''}`,
      );
    }
    const [rows, ...rest] = shape.map((length) => this.#static(length));
    const ofChoices = choices ? rest.shift()! : 0;
    const [columns, width] = rest;
    if (ofChoices > 1) {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_MODEL',
        `${path}: the input ${quoted(name)} is made for exactly ${ofChoices} choices: expected any number`,
      );
    }
    this.rows = this.#same(input, this.rows, rows!);
    this.columns = this.#same(input, this.columns, columns!);
    const embedding_size = specification.embeddings.embedding_size;
    if (width !== undefined && width > 0 && width !== embedding_size) {
      throw new BertNativeError(
        'ERR_CONFIG',
        `${path}: the input ${quoted(name)} is ${width} wide, where the configuration says ${embedding_size}`,
      );
    }
  }

  /** 0: not fixed. */
  #static(length: number | string | null): number {
    if (typeof length === 'string') return this.#lengths.get(length) ?? 0;
    return length ?? 0;
  }

  #same({ name }: GraphValueSummary, before: number, now: number): number {
    if (before > 0 && now > 0 && before !== now) {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_MODEL',
        `${this.#request.path}: the input ${quoted(name)} has a length of ${now}, where others have ${before}`,
      );
    }
    return Math.max(before, now);
  }
}
