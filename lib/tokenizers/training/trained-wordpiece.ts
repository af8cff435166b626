import { BertNativeError } from '../../errors.ts';
import { BertTokenizer, type BertTokenizerOptions } from '../bert.ts';
import { continuingSubwordPrefix } from '../conversions/wordpiece.ts';

/** A vocabulary that `train_wordpiece` made. */
export class TrainedWordPiece {
  /** Every token; its index is its id. */
  readonly vocab: readonly string[];
  readonly #prefix: string;
  readonly #options: BertTokenizerOptions;

  constructor(vocab: readonly string[], continuing_subword_prefix: string, options: BertTokenizerOptions) {
    this.vocab = vocab;
    this.#prefix = continuing_subword_prefix;
    this.#options = options;
  }

  /**
   * A tokenizer that cuts texts as the training did.
   *
   * @param options further ones, such as `model_max_length`, and the names of special tokens that are not BERT's
   * @throws BertNativeError `ERR_UNSUPPORTED_TOKENIZER` for another `continuing_subword_prefix` than `##`; `ERR_FILE_FORMAT`
   *   where the vocabulary lacks the unknown token
   */
  to_tokenizer(options?: BertTokenizerOptions | null): BertTokenizer {
    if (this.#prefix !== continuingSubwordPrefix) {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_TOKENIZER',
        `the vocabulary marks pieces that continue a word with ${JSON.stringify(this.#prefix)}: expected ` +
          `${JSON.stringify(continuingSubwordPrefix)}, the only mark that BertTokenizer reads`,
      );
    }
    return new BertTokenizer({ vocab: this.vocab }, { ...this.#options, ...options });
  }

  /**
   * Writes what `to_tokenizer` gives: `vocab.txt`, `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.
   *
   * @returns the paths written
   * @throws BertNativeError `ERR_IO`, and what `to_tokenizer` throws
   */
  async save_pretrained(folder: string, options?: BertTokenizerOptions | null): Promise<string[]> {
    return this.to_tokenizer(options).save_pretrained(folder);
  }
}
