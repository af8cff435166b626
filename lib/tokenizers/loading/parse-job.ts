import { basename } from 'node:path';
import { type ByteLevelLayout, convertByteLevelBpe } from '../conversions/byte-level-bpe.ts';
import type { ConversionOptions } from '../conversions/conversion.ts';
import type { FileBytes } from '../conversions/file-bytes.ts';
import type { SentencePieceLayout } from '../conversions/sentencepiece.ts';
import { convertVocabTxt } from '../conversions/wordpiece.ts';
import { parseTokenizerJson } from '../tokenizer-json/parse.ts';
import type { ParsedTokenizer } from '../tokenizer-json/parsed.ts';

/** Files, and what is to be made of them: plain data, which a worker can be given. */
export interface ParseJob {
  readonly task: ParseTask;
  /** In the order in which the task names them. */
  readonly paths: readonly string[];
  readonly options: ConversionOptions;
}

export type ParseTask =
  | { readonly kind: 'tokenizer.json' }
  | { readonly kind: 'vocab.txt' }
  /** `vocab.json`, `merges.txt`. */
  | { readonly kind: 'byte-level-bpe'; readonly layout: ByteLevelLayout }
  /** The model, and a `vocab.txt` where one gives the order of the ids. */
  | { readonly kind: 'sentencepiece'; readonly layout: SentencePieceLayout };

const importSentencePiece = () => import('../conversions/sentencepiece.ts'); // with a parser of protobuf

/** @throws (rejects) BertNativeError `ERR_FILE_FORMAT`, `ERR_UNSUPPORTED_TOKENIZER`, `ERR_CONFIG` */
export async function parseFiles({ task, options }: ParseJob, files: readonly FileBytes[]): Promise<ParsedTokenizer> {
  const [first, second] = files as [FileBytes, FileBytes?];
  switch (task.kind) {
    case 'tokenizer.json':
      return parseTokenizerJson(first.bytes, first.path);
    case 'vocab.txt':
      return convertVocabTxt(first, options);
    case 'byte-level-bpe':
      return convertByteLevelBpe(first, second!, task.layout, options);
    case 'sentencepiece': {
      const { convertSentencePiece } = await importSentencePiece();
      return convertSentencePiece(first, basename(first.path), second ?? null, task.layout, options);
    }
  }
}
