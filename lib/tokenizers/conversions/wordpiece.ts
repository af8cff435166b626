import { BertNativeError } from '../../errors.ts';
import { countOf, lastIndexOf } from '../flat-strings.ts';
import type { ParsedTokenizer } from '../tokenizer-json/parsed.ts';
import { VocabTxt } from '../vocab-txt.ts';
import type { ConversionOptions } from './conversion.ts';
import type { FileBytes } from './file-bytes.ts';

/** Marks a piece that continues a word. */
export const continuingSubwordPrefix = '##';
/** Code points of a word that is looked up; a longer one is unknown. */
const maxInputCharsPerWord = 100;

/**
 * WordPiece from `vocab.txt`. The definition holds the model alone: the rest follows from the options and the special tokens
 * that a tokenizer has at the time.
 *
 * @throws BertNativeError `ERR_FILE_FORMAT` for a file that is no vocabulary, or one without the unknown token
 */
export function convertVocabTxt({ bytes, path }: FileBytes, options: ConversionOptions): ParsedTokenizer {
  return fromVocabTxt(new VocabTxt(bytes, path), path, options);
}

/** @param path for messages */
export function fromVocabTxt({ tokens, bytes }: VocabTxt, path: string, options: ConversionOptions): ParsedTokenizer {
  const unk_token = options.special_tokens.unk_token!.content;
  const unk_id = lastIndexOf(tokens, unk_token);
  if (unk_id < 0) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path}: the vocabulary of ${countOf(tokens)} tokens lacks the unknown token ${JSON.stringify(unk_token)}: ` +
        'expected a vocabulary of BERT, or its unknown token as the option unk_token',
    );
  }
  const model = {
    type: 'WordPiece',
    continuing_subword_prefix: continuingSubwordPrefix,
    max_input_chars_per_word: maxInputCharsPerWord,
  } as const;
  return {
    source: 'vocab.txt',
    path,
    vocabulary: tokens,
    model: { ...model, unk_id },
    size: undefined,
    holes: [],
    definition: { model: { ...model, unk_token } },
    files: { 'vocab.txt': bytes },
  };
}
