import { BertTokenizer, type BertTokenizerOptions } from '../../lib/tokenizers/bert.ts';
import { withWarnings } from '../support/warnings.ts';

/** A vocabulary in which every id below is easy to follow. */
export const smallVocab = [
  '[PAD]', // 0
  '[UNK]', // 1
  '[CLS]', // 2
  '[SEP]', // 3
  '[MASK]', // 4
  'one', // 5
  'two', // 6
  'three', // 7
  'four', // 8
  'un', // 9
  '##know', // 10
  '##n', // 11
  '!', // 12
  '안', // 13
  '##녕', // 14
  '한', // 15
  '.', // 16
  'One', // 17
];

export function smallTokenizer(options?: BertTokenizerOptions): BertTokenizer {
  return new BertTokenizer({ vocab: smallVocab }, { do_lower_case: false, ...options });
}

/** The warnings that an action causes, as [code, message]. */
export async function warningsOf(action: () => unknown): Promise<[code: string, message: string][]> {
  const { warnings } = await withWarnings(async () => action());
  return warnings.map(({ code, message }) => [code, message]);
}
