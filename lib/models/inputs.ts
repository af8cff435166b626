import type { ForwardRequest, OutputArrays } from '../engines/engine.ts';
import { type EncoderSpecification, longestSequence } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import {
  booleanRule,
  checkOptions,
  describe,
  type OptionRules,
  oneOfRule,
  optionError,
  signalRule,
} from '../options.ts';
import { convertElement } from '../tensor/data-type.ts';
import { flattenNested, type NestedInput } from '../tensor/nested.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { TokenRows } from '../tokenizers/token-rows.ts';

/** Values with dimensions: a Tensor, something shaped like one, or nested arrays. */
export type TensorInput =
  | Tensor
  | { readonly data: ArrayLike<number | bigint>; readonly dims: readonly number[] }
  | NestedInput;

/** What an encoder is called with. B rows of S positions; every array is copied at the call. */
export interface EncoderInputs {
  /** `[B, S]`, ids below `vocab_size`. Left out where `inputs_embeds` is given. */
  input_ids?: TensorInput | null;
  /** `[B, S]` of 0 and 1; all ones unless given. Positions of 0 are never attended to. */
  attention_mask?: TensorInput | null;
  /** `[B, S]` or `[1, S]`; all zeros unless given. Models without token types ignore them. */
  token_type_ids?: TensorInput | null;
  /** `[B, S]` or `[1, S]`; unless given, 0, 1, 2, …, or as the family counts (RoBERTa, MPNet). */
  position_ids?: TensorInput | null;
  /** `[B, S, E]`, in place of the word embeddings of `input_ids`; E is H in most families, `embedding_size` in others. */
  inputs_embeds?: TensorInput | null;
  /** Return the embeddings and every layer's output; the configuration's setting unless given. */
  output_hidden_states?: boolean | null;
  /** Return every layer's attention probabilities; the configuration's setting unless given. */
  output_attentions?: boolean | null;
  /** `compute` (as the Python reference does) or `skip`: zeros where the mask is 0, and less work. */
  masked_positions?: 'compute' | 'skip' | null;
  /**
   * Arrays to put outputs into, by the output's name, each of exactly its length. Memory that is shared (over a
   * SharedArrayBuffer) is filled in place; any other gets a copy when the call resolves.
   */
  out?: OutputArrays | null;
  /** Aborts the call: it rejects at once with `ERR_ABORTED`, whose cause is the signal's reason. */
  signal?: AbortSignal | null;
}

/** Arrays are checked where they are read. */
const anyValue = { expected: '', accepts: () => true };

/** @internal */
export const inputRules: OptionRules<EncoderInputs> = {
  input_ids: anyValue,
  attention_mask: anyValue,
  token_type_ids: anyValue,
  position_ids: anyValue,
  inputs_embeds: anyValue,
  output_hidden_states: booleanRule,
  output_attentions: booleanRule,
  masked_positions: oneOfRule('compute', 'skip'),
  out: anyValue,
  signal: signalRule,
};

/** What a tokenizer may return besides a model's inputs; a call may pass it along. */
const tokenizerExtras = {
  offset_mapping: anyValue,
  special_tokens_mask: anyValue,
  overflow_to_sample_mapping: anyValue,
  length: anyValue,
};

/** Refuses what a call was given behind its inputs. */
export function onlyArgument(others: readonly unknown[]): void {
  if (others.every((value) => value === undefined)) return;
  throw optionError('the second argument of the model', others[0], 'one argument, { input_ids, attention_mask, … }');
}

/** Called with a tensor or nested arrays alone, a model takes them as `input_ids`. */
export function asEncoderInputs(inputs: EncoderInputs | TensorInput): EncoderInputs {
  if (isText(inputs)) {
    throw optionError('the input', inputs, 'token ids: give texts to a tokenizer, and what it returns to the model');
  }
  const bare = Array.isArray(inputs) || ArrayBuffer.isView(inputs) || inputs instanceof Tensor;
  if (bare || (isObject(inputs) && 'data' in inputs && 'dims' in inputs)) return { input_ids: inputs as TensorInput };
  if (isObject(inputs) && 'then' in inputs) {
    throw optionError('the input', inputs, 'what it resolves to: await it before the call');
  }
  if (!isObject(inputs)) {
    throw optionError('the input', inputs, 'what a tokenizer returns, { input_ids, … }, a Tensor or nested arrays');
  }
  return inputs as EncoderInputs;
}

/** The tokens of rows, wherever they are kept. */
export type RowTokens = Pick<TokenRows, 'size' | 'lengths' | 'ids' | 'type_ids'>;

/** Rows of tokens as arrays, padded on the right to the longest of them: for an engine that cannot take them as they are. */
export function paddedInputs(rows: RowTokens): EncoderInputs {
  const dims = [rows.size, longest(rows)];
  const [input_ids, token_type_ids] = [new Int32Array(dims[0]! * dims[1]!), new Int32Array(dims[0]! * dims[1]!)];
  const attention_mask = new Uint8Array(input_ids.length);
  rows.lengths.forEach((length, row) => {
    const begin = row * dims[1]!;
    input_ids.set(rows.ids(row), begin);
    token_type_ids.set(rows.type_ids(row), begin);
    attention_mask.fill(1, begin, begin + length);
  });
  return {
    input_ids: { data: input_ids, dims },
    attention_mask: { data: attention_mask, dims },
    ...(token_type_ids.some((id) => id !== 0) && { token_type_ids: { data: token_type_ids, dims } }),
  };
}

/** Where the tokens of rows, back to back, lie in the arrays of {@link paddedInputs}: row · S + column. */
export function packedIndices(rows: TokenRows): Int32Array {
  const S = longest(rows);
  const indices = [...rows.lengths].map((length, row) => Int32Array.from({ length }, (_, column) => row * S + column));
  const packed = new Int32Array(indices.reduce((total, { length }) => total + length, 0));
  indices.reduce((offset, part) => {
    packed.set(part, offset);
    return offset + part.length;
  }, 0);
  return packed;
}

/** The part of a request that rows of tokens are; the native engine checks their ids and lengths. */
export function requestOfRows(rows: TokenRows): RequestInputs {
  return {
    batch: rows.size,
    sequence: longest(rows),
    input_ids: null,
    inputs_embeds: null,
    attention_mask: null,
    token_type_ids: null,
    position_ids: null,
    masked_positions: 'skip',
    token_rows: { handle: rows.handle, rows: rows.rows },
  };
}

function longest(rows: RowTokens): number {
  return rows.lengths.reduce((most, length) => Math.max(most, length), 0);
}

/** Whether a text stands where token ids should, or texts do. */
function isText(value: unknown): boolean {
  return typeof (Array.isArray(value) ? value[0] : value) === 'string';
}

export type RequestInputs = Omit<ForwardRequest, 'outputs' | 'out'>;

/**
 * Checks a call's inputs against a specification and copies them into the arrays that engines take.
 *
 * @throws BertNativeError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_TOKEN_ID`, `ERR_SEQUENCE_TOO_LONG`
 */
export function readEncoderInputs(inputs: EncoderInputs, specification: EncoderSpecification): RequestInputs {
  const given = checkOptions<EncoderInputs>('the model', inputs, { ...inputRules, ...tokenizerExtras });
  const { vocab_size, type_vocab_size, max_position_embeddings, embedding_size } = specification.embeddings;

  const byIds = isGiven(inputs.input_ids);
  if (byIds === isGiven(inputs.inputs_embeds)) {
    throw new BertNativeError(
      'ERR_OPTION',
      byIds ? 'input_ids and inputs_embeds were both given: expected one of them' : 'input_ids are missing',
    );
  }
  const ids = byIds ? readIntegers('input_ids', inputs.input_ids!) : null;
  const embeds = byIds ? null : readEmbeddings(inputs.inputs_embeds!, embedding_size);
  const [batch, sequence] = (ids ?? embeds!).dims as [number, number];

  if (batch > 0 && sequence === 0) {
    throw new BertNativeError('ERR_SHAPE', `the ${batch} rows have no positions: expected at least one token in each`);
  }
  if (ids !== null) checkRange('input_ids', ids, vocab_size, 'ERR_TOKEN_ID', `vocab_size is ${vocab_size}`);
  const attention_mask = isGiven(inputs.attention_mask) ? readMask(inputs.attention_mask!, batch, sequence) : null;
  const token_type_ids = readPerPosition('token_type_ids', inputs.token_type_ids, batch, sequence);
  if (token_type_ids !== null && type_vocab_size > 0) {
    const limit = `type_vocab_size is ${type_vocab_size}`;
    checkRange('token_type_ids', token_type_ids, type_vocab_size, 'ERR_TOKEN_ID', limit);
  }
  const position_ids = readPerPosition('position_ids', inputs.position_ids, batch, sequence);
  if (position_ids !== null) {
    const limit = `max_position_embeddings is ${max_position_embeddings}`;
    checkRange('position_ids', position_ids, max_position_embeddings, 'ERR_SEQUENCE_TOO_LONG', limit);
  }
  checkLength(sequence, specification);
  return {
    batch,
    sequence,
    input_ids: ids?.data ?? null,
    inputs_embeds: embeds?.data ?? null,
    attention_mask,
    token_type_ids: type_vocab_size > 0 ? (token_type_ids?.data ?? null) : null,
    position_ids: position_ids?.data ?? null,
    masked_positions: given.masked_positions ?? 'compute',
  };
}

function checkLength(sequence: number, specification: EncoderSpecification): void {
  const limit = longestSequence(specification);
  if (sequence <= limit) return;
  const { max_position_embeddings } = specification.embeddings;
  const reason =
    limit === max_position_embeddings
      ? 'max_position_embeddings'
      : `max_position_embeddings is ${max_position_embeddings}, and positions begin behind the padding token's id`;
  throw new BertNativeError(
    'ERR_SEQUENCE_TOO_LONG',
    `the rows have ${sequence} positions: the model takes at most ${limit} (${reason}); ` +
      'tokenize with truncation: true, or split the text',
  );
}

interface Integers {
  readonly data: Int32Array;
  readonly dims: readonly number[];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** The values and dimensions of an input, whatever form it came in. */
/** @internal */
export function asArray(
  name: string,
  input: TensorInput,
): { data: ArrayLike<number | bigint>; dims: readonly number[] } {
  if (isObject(input) && 'data' in input && 'dims' in input) {
    const { data, dims } = input as { data: ArrayLike<number | bigint>; dims: readonly number[] };
    if (!Array.isArray(dims) || !dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
      throw new BertNativeError('ERR_SHAPE', `${name}: dims is ${describe(dims)}: expected an array of whole numbers`);
    }
    if (!Array.isArray(data) && !isTypedArray(data)) throw optionError(`the data of ${name}`, data, 'an array');
    const size = dims.reduce((product, dim) => product * dim, 1);
    if (data.length !== size) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `${name}: dims [${dims.join(', ')}] mean ${size} elements; the data hold ${data.length}`,
      );
    }
    return { data, dims };
  }
  if (!Array.isArray(input)) {
    throw optionError(name, input, 'a Tensor, { data, dims } or nested arrays');
  }
  return nested(name, input);
}

function nested(name: string, input: NestedInput): { data: ArrayLike<number | bigint>; dims: readonly number[] } {
  try {
    return flattenNested(input, name === 'inputs_embeds' ? 'float32' : 'int64');
  } catch (error) {
    if (!(error instanceof BertNativeError)) throw error;
    const hint = error.code === 'ERR_SHAPE' ? '; the tokenizer makes rows equal with padding: true' : '';
    throw new BertNativeError(error.code, `${name}: ${error.message}${hint}`, { cause: error });
  }
}

/** `[B, S]` integers as 32 bits, copied. Values beyond 32 bits become ones that no range check lets pass. */
function readIntegers(name: string, input: TensorInput): Integers {
  const { data, dims } = asArray(name, input);
  if (dims.length !== 2) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `${name} has the dims [${dims.join(', ')}]: expected two, [batch, sequence]` +
        (dims.length === 1 ? '; put the row in an array of its own' : ''),
    );
  }
  return { data: toInt32(name, data), dims };
}

function toInt32(name: string, data: ArrayLike<number | bigint>): Int32Array {
  if (data instanceof Int32Array || data instanceof Uint8Array) return Int32Array.from(data);
  const out = new Int32Array(data.length);
  if (data instanceof BigInt64Array) {
    // Reading bigints one by one makes an object of each; their halves are plain numbers (low half first: every
    // platform that Node runs on is little-endian).
    const halves = new Int32Array(data.buffer, data.byteOffset, data.length * 2);
    for (let i = 0; i < out.length; i++) {
      const low = halves[2 * i]!;
      out[i] = halves[2 * i + 1] === low >> 31 ? low : outOfRange;
    }
    return out;
  }
  if (ArrayBuffer.isView(data)) {
    throw new BertNativeError(
      'ERR_DTYPE',
      `${name} is a ${data.constructor.name}: expected int64 or int32 (BigInt64Array, Int32Array or numbers)`,
    );
  }
  for (let i = 0; i < out.length; i++) {
    const value = Number(convertElement(data[i], 'int64', () => `element ${i} of ${name}`));
    out[i] = value === (value | 0) ? value : outOfRange;
  }
  return out;
}

/** Stands for any integer that 32 bits do not hold: outside every range that is checked. */
const outOfRange = -(2 ** 31);

/** One value per position; `[1, S]` counts for every row, as in Python. */
function readPerPosition(
  name: string,
  input: TensorInput | null | undefined,
  batch: number,
  sequence: number,
): Integers | null {
  if (!isGiven(input)) return null;
  const integers = readIntegers(name, input!);
  const [rows, columns] = integers.dims as [number, number];
  if (columns !== sequence || (rows !== batch && rows !== 1)) throw shapeMismatch(name, integers.dims, batch, sequence);
  if (rows === batch) return integers;
  const data = new Int32Array(batch * sequence);
  for (let row = 0; row < batch; row++) data.set(integers.data, row * sequence);
  return { data, dims: [batch, sequence] };
}

function readMask(input: TensorInput, batch: number, sequence: number): Uint8Array {
  const { data, dims } = readIntegers('attention_mask', input);
  if (dims[0] !== batch || dims[1] !== sequence) throw shapeMismatch('attention_mask', dims, batch, sequence);
  const mask = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value !== 0 && value !== 1) {
      throw new BertNativeError('ERR_OPTION', `attention_mask${at(i, sequence)} is ${value}: expected 0 or 1`);
    }
    mask[i] = value;
  }
  return mask;
}

function readEmbeddings(input: TensorInput, size: number): { data: Float32Array; dims: readonly number[] } {
  const { data, dims } = asArray('inputs_embeds', input);
  if (dims.length !== 3 || dims[2] !== size) {
    throw new BertNativeError(
      'ERR_SHAPE',
      `inputs_embeds has the dims [${dims.join(', ')}]: expected [batch, sequence, ${size}]`,
    );
  }
  if (ArrayBuffer.isView(data) && !(data instanceof Float32Array)) {
    throw new BertNativeError('ERR_DTYPE', `inputs_embeds is a ${data.constructor.name}: expected a Float32Array`);
  }
  if (data instanceof Float32Array) return { data: data.slice(), dims };
  const values = Float32Array.from(data, (value, i) =>
    Number(convertElement(value, 'float32', () => `element ${i} of inputs_embeds`)),
  );
  return { data: values, dims };
}

function isTypedArray(value: unknown): value is ArrayLike<number | bigint> {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function checkRange(
  name: string,
  { data, dims }: Integers,
  limit: number,
  code: 'ERR_TOKEN_ID' | 'ERR_SEQUENCE_TOO_LONG',
  reason: string,
): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value < 0 || value >= limit) {
      const shown = value === outOfRange ? 'a number beyond 32 bits' : value;
      throw new BertNativeError(code, `${name}${at(i, dims[1]!)} is ${shown}: expected 0 to ${limit - 1} (${reason})`);
    }
  }
}

function at(index: number, columns: number): string {
  return `[${Math.floor(index / columns)}][${index % columns}]`;
}

function shapeMismatch(name: string, dims: readonly number[], batch: number, sequence: number): BertNativeError {
  return new BertNativeError(
    'ERR_SHAPE',
    `${name} has the dims [${dims.join(', ')}]: expected [${batch}, ${sequence}], as the other inputs have`,
  );
}
