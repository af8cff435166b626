import { type InspectOptions, inspect } from 'node:util';
import type { NativeEncodeInput, NativeEncoding, NativeTokenizer } from '../binding/native.ts';
import { optionError } from '../options.ts';
import { formatTensorHead } from '../tensor/format.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { EncodePlan } from './encode-options.ts';
import type { PaddedRows, PlacedToken } from './padded-rows.ts';

/** What the values of a BatchEncoding are: one value per token, one pair of offsets per token, one value per row. */
export interface EncodedValues {
  readonly per_token: unknown;
  readonly pair_per_token: unknown;
  readonly per_row: unknown;
}

/** int64 tensors `[rows, tokens]`, `[rows, tokens, 2]` and `[rows]`. */
export interface TensorValues extends EncodedValues {
  readonly per_token: Tensor<'int64'>;
  readonly pair_per_token: Tensor<'int64'>;
  readonly per_row: Tensor<'int64'>;
}

/** Arrays of several rows. */
export interface ArrayValues extends EncodedValues {
  readonly per_token: number[][];
  readonly pair_per_token: [start: number, end: number][][];
  readonly per_row: number[];
}

/** Arrays of the only row. */
export interface RowValues extends EncodedValues {
  readonly per_token: number[];
  readonly pair_per_token: [start: number, end: number][];
  readonly per_row: number[];
}

/** Half-open ranges of characters (UTF-16 units) or of tokens. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where the values of a BatchEncoding come from. */
export interface EncodingSource {
  readonly tokenizer: NativeTokenizer;
  readonly texts: NativeEncodeInput;
  /** One text was given, not several: arrays come without a dimension for the rows. */
  readonly single: boolean;
  readonly plan: EncodePlan;
  readonly tokenOf: (id: number) => string;
}

/** A native encoding that has the alignments. */
type Alignments = NativeEncoding & { readonly offsets: Int32Array; readonly word_ids: Int32Array };

/**
 * What a tokenizer makes of texts: a model's inputs as fields, and methods that relate tokens, words and characters.
 *
 * Rows are the samples in their order, each followed by its overflow rows. Methods take a row (default 0) and positions in
 * it, padding counted, negative numbers from the end; they follow the fast tokenizers of transformers. Characters are
 * UTF-16 units, so that `text.slice(start, end)` is what a token stands for; in texts that were given as words they count
 * inside the word. They answer null for special tokens put around the texts, for padding, and where there is no answer.
 */
export class BatchEncoding<Values extends EncodedValues = TensorValues> {
  declare readonly input_ids: Values['per_token'];
  /** 1 for the second text of a pair and the special token after it, else 0. Absent if switched off. */
  declare readonly token_type_ids: Values['per_token'];
  /** 1 for tokens, 0 for padding. Absent if switched off. */
  declare readonly attention_mask: Values['per_token'];
  /** With `return_special_tokens_mask`. */
  declare readonly special_tokens_mask?: Values['per_token'];
  /** With `return_offsets_mapping`; (0, 0) for special tokens and padding. */
  declare readonly offset_mapping?: Values['pair_per_token'];
  /** With `return_length`. */
  declare readonly length?: Values['per_row'];
  /** With `return_overflowing_tokens`: the sample of each row. */
  declare readonly overflow_to_sample_mapping?: Values['per_row'];

  readonly #source: EncodingSource;
  readonly #encoding: NativeEncoding;
  readonly #rows: PaddedRows;
  #alignments: Alignments | undefined;

  constructor(source: EncodingSource, encoding: NativeEncoding, rows: PaddedRows) {
    this.#source = source;
    this.#encoding = encoding;
    this.#rows = rows;
    Object.assign(this, encodedFields(source, encoding, rows));
  }

  /** The tokens of a row as strings. */
  tokens(row = 0): string[] {
    const { pad_token_id } = this.#source.plan.padding;
    return this.#mapRow(row, (token) => this.#source.tokenOf(token < 0 ? pad_token_id : this.#encoding.ids[token]!));
  }

  /** For each token the word of its text that it belongs to, counted from 0. */
  word_ids(row = 0): (number | null)[] {
    return this.#mapRow(row, (token) => this.#wordOf(token));
  }

  /** For each token 0 if it comes from the first text and 1 if it comes from the second. */
  sequence_ids(row = 0): (number | null)[] {
    return this.#mapRow(row, (token) => this.#sequenceOf(token));
  }

  /** Which text the token comes from: 0 or 1. With one argument: of row 0. */
  token_to_sequence(row_or_token: number, token?: number): number | null {
    return this.#sequenceOf(this.#token(row_or_token, token));
  }

  /** The word that the token belongs to. With one argument: of row 0. */
  token_to_word(row_or_token: number, token?: number): number | null {
    return this.#wordOf(this.#token(row_or_token, token));
  }

  /** The characters that the token stands for. With one argument: of row 0. */
  token_to_chars(row_or_token: number, token?: number): Span | null {
    const index = this.#token(row_or_token, token);
    return this.#sequenceOf(index) === null ? null : this.#charsOf(index);
  }

  /** The positions of the tokens that make up a word of text `sequence_index`. With one argument: of row 0. */
  word_to_tokens(row_or_word: number, word?: number, sequence_index = 0): Span | null {
    const [row, wanted] = this.#rowAnd('word', row_or_word, word);
    return this.#joinWord(row, wanted, sequence_index, ({ position }) => ({ start: position, end: position + 1 }));
  }

  /** The characters of a word of text `sequence_index`. With one argument: of row 0. */
  word_to_chars(row_or_word: number, word?: number, sequence_index = 0): Span | null {
    const [row, wanted] = this.#rowAnd('word', row_or_word, word);
    return this.#joinWord(row, wanted, sequence_index, ({ token }) => this.#charsOf(token));
  }

  /** The position of the token that a character of text `sequence_index` went into. With one argument: of row 0. */
  char_to_token(row_or_char: number, char?: number, sequence_index = 0): number | null {
    const [row, wanted] = this.#rowAnd('character', row_or_char, char);
    return this.#findChar(row, wanted, sequence_index)?.position ?? null;
  }

  /** The word that a character of text `sequence_index` belongs to. With one argument: of row 0. */
  char_to_word(row_or_char: number, char?: number, sequence_index = 0): number | null {
    const [row, wanted] = this.#rowAnd('character', row_or_char, char);
    const found = this.#findChar(row, wanted, sequence_index);
    return found === null ? null : this.#wordOf(found.token);
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const lines = Object.entries(this).map(([name, value]) => {
      const shown = value instanceof Tensor ? formatTensorHead(value.type, value.dims) : inspect(value, options);
      return `  ${name}: ${shown.replaceAll('\n', '\n  ')}`;
    });
    return `BatchEncoding {\n${lines.join(',\n')}\n}`;
  }

  /** Alignments are computed when they are first asked for: most calls never need them. */
  #aligned(): Alignments {
    if (this.#alignments === undefined) {
      const { tokenizer, texts, plan } = this.#source;
      const options = { ...plan.native, return_offsets: true, return_word_ids: true };
      this.#alignments = tokenizer.encode(texts, options) as Alignments;
    }
    return this.#alignments;
  }

  #mapRow<T>(row: number, map: (token: number) => T): T[] {
    const checked = checkIndex('row', row, this.#rows.count);
    return Array.from({ length: this.#rows.width(checked) }, (_, position) =>
      map(this.#rows.tokenAt(checked, position)),
    );
  }

  /** The arguments of a method that takes a row and something else, or only that. */
  #rowAnd(name: string, first: number, second: number | undefined): [row: number, index: number] {
    const [row, index] = second === undefined ? [0, first] : [first, second];
    return [checkIndex('row', row, this.#rows.count), checkIndex(name, index, Number.POSITIVE_INFINITY)];
  }

  /** The token at a position of a row, -1 for padding. */
  #token(first: number, second: number | undefined): number {
    const [row, position] = second === undefined ? [0, first] : [first, second];
    const checked = checkIndex('row', row, this.#rows.count);
    return this.#rows.tokenAt(checked, checkIndex('token', position, this.#rows.width(checked)));
  }

  #sequenceOf(token: number): number | null {
    const sequence = token < 0 ? -1 : this.#encoding.sequence_ids[token]!;
    return sequence < 0 ? null : sequence;
  }

  #wordOf(token: number): number | null {
    const word = token < 0 ? -1 : this.#aligned().word_ids[token]!;
    return word < 0 ? null : word;
  }

  #charsOf(token: number): Span {
    const { offsets } = this.#aligned();
    return { start: offsets[2 * token]!, end: offsets[2 * token + 1]! };
  }

  /** From the start of a word's first token to the end of its last. */
  #joinWord(row: number, word: number, sequence_index: number, spanOf: (found: PlacedToken) => Span): Span | null {
    const spans = [...this.#textTokens(row, sequence_index)]
      .filter(({ token }) => this.#wordOf(token) === word)
      .map(spanOf);
    return spans.length === 0 ? null : { start: spans[0]!.start, end: spans.at(-1)!.end };
  }

  *#textTokens(row: number, sequence_index: number): Generator<PlacedToken> {
    for (const found of this.#rows.tokens(row)) {
      if (this.#encoding.sequence_ids[found.token] === sequence_index) yield found;
    }
  }

  #findChar(row: number, char: number, sequence_index: number): PlacedToken | null {
    for (const found of this.#textTokens(row, sequence_index)) {
      const { start, end } = this.#charsOf(found.token);
      if (start <= char && char < end) return found;
    }
    return null;
  }
}

/** The fields that a call asked for, in the order in which Python lists them. */
function encodedFields(
  { plan, single }: EncodingSource,
  encoding: NativeEncoding,
  rows: PaddedRows,
): Record<string, unknown> {
  const { returns, padding } = plan;
  // Overflow makes several rows of one text.
  const unwrap = single && !returns.overflow_to_sample_mapping;
  const perToken = (name: string, values: ArrayLike<number>, pad: number): unknown => {
    if (returns.tensor) return rows.toTensor(name, values, pad);
    const arrays = rows.toArrays(
      (token) => values[token]!,
      () => pad,
    );
    return unwrap ? arrays[0] : arrays;
  };
  const perRow = (valueAt: (row: number) => number): unknown => {
    const values = Array.from({ length: rows.count }, (_, row) => valueAt(row));
    return returns.tensor ? new Tensor('int64', values) : values;
  };

  const fields: Record<string, unknown> = { input_ids: perToken('input_ids', encoding.ids, padding.pad_token_id) };
  if (returns.token_type_ids) fields.token_type_ids = perToken('token_type_ids', encoding.type_ids, 0);
  if (returns.attention_mask) {
    fields.attention_mask = perToken('attention_mask', new Uint8Array(encoding.ids.length).fill(1), 0);
  }
  if (returns.special_tokens_mask) {
    const mask = Uint8Array.from(encoding.sequence_ids, (sequence) => (sequence < 0 ? 1 : 0));
    fields.special_tokens_mask = perToken('special_tokens_mask', mask, 1);
  }
  if (returns.offset_mapping) fields.offset_mapping = offsetMapping(encoding.offsets!, rows, returns.tensor, unwrap);
  if (returns.length) fields.length = perRow((row) => rows.width(row));
  if (returns.overflow_to_sample_mapping) {
    fields.overflow_to_sample_mapping = perRow((row) => encoding.sample_of_row[row]!);
  }
  return fields;
}

function offsetMapping(offsets: Int32Array, rows: PaddedRows, tensor: boolean, unwrap: boolean): unknown {
  if (tensor) return rows.toTensor('offset_mapping', offsets, 0, 2);
  const arrays = rows.toArrays(
    (token) => [offsets[2 * token]!, offsets[2 * token + 1]!],
    () => [0, 0],
  );
  return unwrap ? arrays[0] : arrays;
}

/** @throws BertNativeError `ERR_OPTION` unless `index` is one of `length`; negative ones count from the end */
function checkIndex(name: string, index: number, length: number): number {
  const checked = index < 0 && Number.isFinite(length) ? index + length : index;
  if (!Number.isInteger(index) || checked < 0 || checked >= length) {
    const expected = Number.isFinite(length) ? `an integer from 0 to ${length - 1}` : 'an integer from 0 up';
    throw optionError(`the index of the ${name}`, index, expected);
  }
  return checked;
}
