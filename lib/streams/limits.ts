import { BertNativeError } from '../errors.ts';
import type { ForwardModel } from '../models/forward-model.ts';
import { optionError } from '../options.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';

/**
 * The most tokens of a row: what was given, else what model and tokenizer take.
 *
 * @param pair whether rows hold two texts
 * @throws BertNativeError `ERR_OPTION` for more than the model has positions for, `ERR_TRUNCATION` where the special tokens
 *   find no room
 */
export function checkMaxLength(
  { model, tokenizer }: { readonly model: ForwardModel; readonly tokenizer: PreTrainedTokenizer },
  given: number | null | undefined,
  { name = 'max_length', pair = false }: { readonly name?: string; readonly pair?: boolean } = {},
): number {
  const positions = model.max_sequence_length;
  if (given != null && given > positions) {
    throw optionError(name, given, `at most ${positions}: the model has no more positions`);
  }
  const special = tokenizer.num_special_tokens_to_add(pair);
  const max_length = given ?? Math.min(positions, tokenizer.model_max_length);
  if (max_length >= special) return max_length;
  throw new BertNativeError(
    'ERR_TRUNCATION',
    `${name} is ${max_length}: expected at least ${special}, the number of special tokens around ${pair ? 'two texts' : 'a text'}`,
  );
}
