import { paddedInputs, type RowTokens } from '../models/inputs.ts';
import type { RowsOptions, TaskModel } from '../models/tasks/task-model.ts';
import { booleanRule, integerRule, type OptionRules, warnOnce } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { TokenRows } from '../tokenizers/token-rows.ts';
import { type CallOptions, callRules, type Pipeline } from './base.ts';

/** Options of pipelines that cut texts which are too long. */
export interface TextOptions extends CallOptions {
  /** Tokens that a text, or pair, is cut to, special ones included; default, and at most: what model and tokenizer take. */
  readonly max_length?: number | null;
  /** Default true. `false`: a text that the model cannot take is an error. */
  readonly truncation?: boolean | null;
}

/** @internal */
export const textRules: OptionRules<TextOptions> = {
  ...callRules,
  max_length: integerRule(1),
  truncation: booleanRule,
};

/** Texts, or pairs, as rows; says once for each task when one had to be cut. */
export async function encodeTexts(
  pipe: Pipeline,
  texts: readonly string[],
  text_pair: readonly string[] | null,
  max_length: number | null,
): Promise<TokenRows> {
  const truncation = max_length === null ? { truncation: false } : { truncation: true, max_length };
  const rows = await pipe.tokenizer.encode_rows(texts, { text_pair, ...truncation, verbose: false });
  for (let row = 0; row < rows.size; row++) {
    if (rows.isTruncated(row)) {
      warnOfTruncation(pipe.task, `a text has more than ${max_length} tokens and was cut there`);
      break;
    }
  }
  return rows;
}

export function warnOfTruncation(task: string, what: string): void {
  warnOnce('BERT_NATIVE_TEXT_TRUNCATED', task, `${task}: ${what}; later ones are cut without a word`);
}

type Outputs<Names extends string> = Readonly<Record<Names, Tensor<'float32'>>>;

/** Some rows through a task's model, without padding: outputs over tokens come packed. */
export async function callRows(
  pipe: Pipeline<TaskModel>,
  rows: TokenRows,
  { signal, ...others }: RowsOptions,
): Promise<Tensor<'float32'>> {
  const outputs = await pipe.model.call_rows(rows, { ...others, signal: signal ?? null });
  return (outputs as unknown as Outputs<'logits'>).logits;
}

/** Some rows through a model as one call of it, padded on the right. */
export async function callPadded<Names extends string>(
  pipe: Pipeline,
  rows: RowTokens,
  signal: AbortSignal | null | undefined,
): Promise<Outputs<Names>> {
  const call = pipe.model as unknown as (inputs: object) => Promise<Outputs<Names>>;
  return call({ ...paddedInputs(rows), masked_positions: 'skip', signal: signal ?? null });
}

/** The parts of a tensor along its first dimension: views of its data. */
export function rowsOf({ data, dims }: Tensor<'float32'>): Float32Array[] {
  const count = dims[0]!;
  const size = count === 0 ? 0 : data.length / count;
  return Array.from({ length: count }, (_, row) => data.subarray(row * size, (row + 1) * size));
}
