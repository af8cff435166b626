import { BertNativeError } from '../errors.ts';
import { type EncoderInputs, paddedInputs } from '../models/inputs.ts';
import type { PreTrainedModel } from '../models/modeling.ts';
import { booleanRule, integerRule, type OptionRules, optionError, warnOnce } from '../options.ts';
import { modelPositions, tokenLimit } from '../streams/limits.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { TokenRows } from '../tokenizers/token-rows.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';
import { type CallOptions, callRules, type Pipeline, wrongModel } from './base.ts';

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

/** What rows of tokens look like to a model: those of `encode_rows`, or with alignments. */
export type Rows = Pick<TokenRows, 'size' | 'lengths' | 'ids' | 'type_ids'>;

/** The most tokens of a row. @throws BertNativeError `ERR_OPTION`, `ERR_TRUNCATION` */
export function checkMaxLength(
  pipe: Pick<Pipeline, 'model' | 'tokenizer'>,
  given: number | null | undefined,
  name = 'max_length',
  pair = false,
): number {
  const positions = modelPositions(pipe.model);
  if (given != null && given > positions) {
    throw optionError(name, given, `at most ${positions}: the model has no more positions`);
  }
  const special = pipe.tokenizer.num_special_tokens_to_add(pair);
  const max_length = given ?? tokenLimit(pipe.model, pipe.tokenizer);
  if (max_length < special) {
    throw new BertNativeError(
      'ERR_TRUNCATION',
      `${name} is ${max_length}: expected at least ${special}, the number of special tokens`,
    );
  }
  return max_length;
}

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
      warnOfTruncation(pipe.task, max_length!);
      break;
    }
  }
  return rows;
}

export function warnOfTruncation(task: string, max_length: number): void {
  warnOnce(
    'BERT_NATIVE_TEXT_TRUNCATED',
    task,
    `${task}: a text has more than ${max_length} tokens and was cut there`,
  );
}

/** Options of a call of the model that pipelines use. */
export interface ForwardOptions {
  readonly signal?: AbortSignal | null | undefined;
  /** Of models that predict tokens: the positions to do it for, row · S + column, ascending. */
  readonly logits_positions?: Int32Array;
}

/** Runs rows of tokens, padded on the right; masked positions are nobody's business here. */
export async function forward(
  model: PreTrainedModel,
  tokenizer: PreTrainedTokenizer,
  rows: Rows,
  { signal, ...others }: ForwardOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const { token_type_ids, ...inputs } = paddedInputs(rows as TokenRows);
  const call = model as unknown as (inputs: EncoderInputs) => Promise<Readonly<Record<string, unknown>>>;
  return call({
    ...inputs,
    ...(token_type_ids && tokenizer.model_input_names.includes('token_type_ids') && { token_type_ids }),
    masked_positions: 'skip',
    signal: signal ?? null,
    ...others,
  });
}

/** An output of the model by its name. @throws BertNativeError `ERR_UNSUPPORTED_MODEL` where it is not there */
export function outputOf(
  pipe: Pipeline,
  outputs: Readonly<Record<string, unknown>>,
  name: string,
  rank: number,
  needed: string,
): Tensor<'float32'> {
  const value = outputs[name];
  if (value instanceof Tensor && value.dims.length === rank) return value as Tensor<'float32'>;
  throw wrongModel(pipe.task, pipe.model, needed);
}

/** The rows of a tensor, each `[…]` less the first dimension: views of its data. */
export function rowsOf({ data, dims }: Tensor<'float32'>): Float32Array[] {
  const count = dims[0]!;
  const size = count === 0 ? 0 : data.length / count;
  return Array.from({ length: count }, (_, row) => data.subarray(row * size, (row + 1) * size));
}
