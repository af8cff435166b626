import { BertTokenizer, type BertTokenizerOptions } from '../../lib/tokenizers/bert.ts';

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

/** The warnings emitted while `run` ran, as [code, message]. */
export async function warningsOf(run: () => unknown): Promise<[code: string, message: string][]> {
  const warnings: [string, string][] = [];
  const listener = (warning: Error & { code?: string }) => {
    if (warning.name === 'BertNativeWarning') warnings.push([warning.code ?? '', warning.message]);
  };
  process.on('warning', listener);
  try {
    await run();
    // Warnings are emitted on the next tick.
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('warning', listener);
  }
  return warnings;
}
