import { join } from 'node:path';
import { expect } from 'vitest';
import { BertConfig, BertTokenizer, type ErrorCode, type PreTrainedTokenizer, Tensor } from '../../lib/index.ts';
import type { TokenRows } from '../../lib/tokenizers/token-rows.ts';
import { fixturesFolder } from '../support/fixtures.ts';

export const engine = 'native' as const;

/** A vocabulary of English and Korean, of 328 tokens, and labels 부정, 중립, 긍정. */
export const classifierFolder = join(fixturesFolder, 'bert-text-classification-ko');
export const encoderFolder = join(fixturesFolder, 'bert-text-embedding');

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

/** A cased WordPiece tokenizer of these tokens behind the special ones. */
export function tokenizerOf(tokens: readonly string[], model_max_length = 64): PreTrainedTokenizer {
  return new BertTokenizer({ vocab: [...special, ...tokens] }, { do_lower_case: false, model_max_length });
}

/** A configuration of a small BERT. */
export function smallConfig(values: object = {}): BertConfig {
  return new BertConfig({
    vocab_size: 328,
    hidden_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 32,
    max_position_embeddings: 64,
    initializer_range: 0.5,
    ...values,
  });
}

/** What a {@link fakeModel} is asked: unpadded rows of ids. */
export interface FakeCall {
  readonly rows: readonly (readonly number[])[];
  readonly type_ids: readonly (readonly number[])[];
  readonly logits_positions: readonly (readonly [number, number])[] | null;
}

/** What it answers: values by name, by row (and by position where `perToken`). */
export type FakeAnswer = Record<string, number[][] | number[][][]>;

/**
 * A model of a class whose answers are made up by a function of the rows. Answers by position are padded as a model's are.
 */
export function fakeModel<Model extends object>(
  modelClass: { readonly prototype: Model },
  config: BertConfig,
  answer: (call: FakeCall) => FakeAnswer | Promise<FakeAnswer>,
  max_sequence_length = 64,
): Model & { disposed: boolean; calls: FakeCall[] } {
  const calls: FakeCall[] = [];
  const ask = async (call: FakeCall): Promise<Record<string, Tensor<'float32'>>> => {
    calls.push(call);
    const values = await answer(call);
    const width = Math.max(...call.rows.map(({ length }) => length));
    return Object.fromEntries(Object.entries(values).map(([name, rows]) => [name, padded(rows, width)]));
  };
  const model = async (inputs: { input_ids: Arrays; attention_mask: Arrays; token_type_ids?: Arrays }) => {
    const lengths = rowsOf(inputs.attention_mask).map((row) => row.reduce((sum, value) => sum + value, 0));
    const cut = (arrays: Arrays) => rowsOf(arrays).map((row, i) => row.slice(0, lengths[i]));
    const rows = cut(inputs.input_ids);
    const type_ids = inputs.token_type_ids ? cut(inputs.token_type_ids) : rows.map((row) => row.map(() => 0));
    return ask({ rows, type_ids, logits_positions: null });
  };
  const call_rows = async (
    rows: TokenRows,
    { logits_positions = null }: { logits_positions?: FakeCall['logits_positions'] } = {},
  ) => {
    const all = (of: (row: number) => Int32Array) => Array.from({ length: rows.size }, (_, row) => [...of(row)]);
    return ask({ rows: all((row) => rows.ids(row)), type_ids: all((row) => rows.type_ids(row)), logits_positions });
  };
  const fields = {
    config,
    calls,
    call_rows,
    max_sequence_length,
    disposed: false,
    dispose() {
      (model as unknown as { disposed: boolean }).disposed = true;
    },
  };
  Object.setPrototypeOf(model, modelClass.prototype);
  for (const [name, value] of Object.entries(fields)) Object.defineProperty(model, name, { value, writable: true });
  return model as never;
}

interface Arrays {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}

function rowsOf({ data, dims }: Arrays): number[][] {
  const [count, width] = dims as [number, number];
  return Array.from({ length: count }, (_, row) => Array.from(data).slice(row * width, (row + 1) * width));
}

function padded(rows: number[][] | number[][][], width: number): Tensor<'float32'> {
  const first = rows[0]![0];
  if (!Array.isArray(first)) {
    const matrix = rows as number[][];
    const columns = Math.max(...matrix.map(({ length }) => length));
    const data = matrix.flatMap((row) => [...row, ...new Array(columns - row.length).fill(0)]);
    return new Tensor('float32', data, [matrix.length, columns]);
  }
  const zeros = new Array<number>(first.length).fill(0);
  const data = (rows as number[][][]).flatMap((row) =>
    Array.from({ length: width }, (_, position) => row[position] ?? zeros).flat(),
  );
  return new Tensor('float32', data, [rows.length, width, first.length]);
}

/** What a stream gives, and what it ends with. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<{ results: T[]; error: unknown }> {
  const results: T[] = [];
  try {
    for await (const result of stream) results.push(result);
  } catch (error) {
    return { results, error };
  }
  return { results, error: undefined };
}

export async function* asyncly<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

/** For `toMatchObject`: an error of this library. */
export function failure(code: ErrorCode, message: RegExp): object {
  return { name: 'BertNativeError', code, message: expect.stringMatching(message) };
}
