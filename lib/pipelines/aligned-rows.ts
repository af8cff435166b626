import type { RowTokens } from '../models/inputs.ts';
import type { AlignedEncoding, PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';

/** What is known of a row's tokens. */
export interface RowAlignment {
  readonly ids: Int32Array;
  /** `[start, end)` of each token in its text, in UTF-16 units. */
  readonly offsets: Int32Array;
  /** -1: a special token around the texts; 0: of the first text; 1: of the second. */
  readonly sequence_ids: Int8Array;
  /** The word of its text that each token belongs to; -1 for special tokens. */
  readonly word_ids: Int32Array;
}

/** Rows of tokens with their alignments; a text that is too long for one has several. */
export class AlignedRows implements RowTokens {
  readonly lengths: Int32Array;
  readonly #encoding: AlignedEncoding;
  readonly #indices: Int32Array;
  readonly #typed: boolean;

  /** @param windows `first`: only the first row of every sample */
  constructor(encoding: AlignedEncoding, { model_input_names }: PreTrainedTokenizer, windows: 'all' | 'first') {
    const { sample_of_row, row_starts } = encoding;
    const isFirst = (row: number) => row === 0 || sample_of_row[row] !== sample_of_row[row - 1];
    this.#encoding = encoding;
    this.#typed = model_input_names.includes('token_type_ids');
    this.#indices = Int32Array.from(sample_of_row.keys()).filter((row) => windows === 'all' || isFirst(row));
    this.lengths = this.#indices.map((row) => row_starts[row + 1]! - row_starts[row]!);
  }

  get size(): number {
    return this.#indices.length;
  }

  /** Sample i's rows are those from `row_starts[i]` up to `row_starts[i + 1]`. */
  rowStarts(samples: number): Int32Array {
    const starts = new Int32Array(samples + 1);
    for (const row of this.#indices) starts[this.#encoding.sample_of_row[row]! + 1]!++;
    for (let i = 0; i < samples; i++) starts[i + 1]! += starts[i]!;
    return starts;
  }

  ids(row: number): Int32Array {
    return this.#encoding.ids.subarray(...this.#range(row));
  }

  type_ids(row: number): Int32Array {
    const [begin, end] = this.#range(row);
    return this.#typed ? Int32Array.from(this.#encoding.type_ids.subarray(begin, end)) : new Int32Array(end - begin);
  }

  alignment(row: number): RowAlignment {
    const [begin, end] = this.#range(row);
    const { offsets, sequence_ids, word_ids } = this.#encoding;
    return {
      ids: this.ids(row),
      offsets: offsets.subarray(2 * begin, 2 * end),
      sequence_ids: sequence_ids.subarray(begin, end),
      word_ids: word_ids.subarray(begin, end),
    };
  }

  /** Some of the rows, in that order. */
  select(rows: readonly number[]): RowTokens {
    return {
      size: rows.length,
      lengths: Int32Array.from(rows, (row) => this.lengths[row]!),
      ids: (row) => this.ids(rows[row]!),
      type_ids: (row) => this.type_ids(rows[row]!),
    };
  }

  #range(row: number): [begin: number, end: number] {
    const index = this.#indices[row]!;
    const { row_starts } = this.#encoding;
    return [row_starts[index]!, row_starts[index + 1]!];
  }
}

/** A piece of a text without the white space at its ends, which some tokenizers count to a token. */
export function withoutSpace(
  text: string,
  start: number,
  end: number,
): { readonly start: number; readonly end: number } {
  const piece = text.slice(start, end);
  const inner = piece.trim();
  if (inner === '') return { start, end };
  const begin = start + piece.length - piece.trimStart().length;
  return { start: begin, end: begin + inner.length };
}
