import type { FlatStrings, NativeModelOptions } from '../../binding/native.ts';
import type { JsonObject } from '../../files.ts';
import type { AddedToken, SpecialTokenName } from '../special-tokens.ts';

/** A model as flat data, and what is needed to write it again. */
export interface ParsedModel {
  readonly vocabulary: FlatStrings;
  readonly model: NativeModelOptions;
  /** The number of different entries of the vocabulary, where it was counted. */
  readonly size: number | undefined;
  /** Ids below the largest that the vocabulary leaves to added tokens; their entries are empty. */
  readonly holes: readonly number[];
}

/**
 * A tokenizer in the layout of `tokenizer.json`, from whatever files it was read: the model as flat data, everything else
 * as JSON. It can be posted from a worker: its arrays are transferred.
 */
export interface ParsedTokenizer extends ParsedModel {
  /** The kind of files that it was read from. */
  readonly source: 'tokenizer.json' | 'vocab.txt' | 'byte-level-bpe' | 'sentencepiece';
  /** The file that messages name. */
  readonly path: string;
  /** All members, `model` without `vocab` and `merges`. */
  readonly definition: JsonObject;
  /** Other files that the vocabulary was read from: their contents by name. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** The special tokens by name, where the files decide about them. */
  readonly special_tokens?: Readonly<Partial<Record<SpecialTokenName, AddedToken>>>;
}
