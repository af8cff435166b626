import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nativeBinding } from '../binding/load.ts';
import type { FlatStrings, NativeModelOptions, NativeTokenizerDescription, TemplatePiece } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import { fileError, readFileIfPresent } from '../files.ts';
import { type ResolveOptions, resolveModelFolder, resolveRules } from '../hub/resolve.ts';
import {
  arrayRule,
  booleanRule,
  checkOptions,
  describe,
  type GivenOptions,
  type OptionRules,
  optionError,
  pickOptions,
  stringRule,
} from '../options.ts';
import { veryLargeInteger } from './encode-options.ts';
import { countOf, lastIndexOf } from './flat-strings.ts';
import { type AddedTokenInput, type SpecialTokenOptions, specialTokenRules, toAddedToken } from './special-tokens.ts';
import { PreTrainedTokenizer, type TokenizerSettings, tokenizerSettingRules } from './tokenizer.ts';
import { readTokenizerConfig } from './tokenizer-config.ts';
import { VocabTxt } from './vocab-txt.ts';
import { Vocabulary } from './vocabulary.ts';

export interface BertTokenizerOptions extends TokenizerSettings, SpecialTokenOptions {
  /** Lower-cases texts; default true. */
  readonly do_lower_case?: boolean | null;
  /** Removes accents; default: as `do_lower_case` says. */
  readonly strip_accents?: boolean | null;
  /** Sets every Chinese character apart as a word; default true. */
  readonly tokenize_chinese_chars?: boolean | null;
  /** Words that are neither lower-cased nor split at punctuation. Special tokens never are. */
  readonly never_split?: readonly string[] | null;
  /** Only true: texts are cleaned and split at punctuation before WordPiece. */
  readonly do_basic_tokenize?: boolean | null;
}

/** A vocabulary in memory: tokens in the order of their ids, or ids by token, which run from 0 without gaps. */
export interface VocabularyInput {
  readonly vocab: readonly string[] | ReadonlyMap<string, number>;
}

/** Options of `from_pretrained` besides the tokenizer's own: where the model comes from. */
const bertOptionRules: OptionRules<BertTokenizerOptions> = {
  ...tokenizerSettingRules,
  ...specialTokenRules,
  do_lower_case: booleanRule,
  strip_accents: booleanRule,
  tokenize_chinese_chars: booleanRule,
  never_split: arrayRule(stringRule, 'an array of words'),
  do_basic_tokenize: booleanRule,
};

/** What transformers.js documents for from_pretrained and has no bearing on this tokenizer. */
const optionsWithoutEffect = ['legacy', 'config', 'progress_callback'];

const fromPretrainedRules: OptionRules<BertTokenizerOptions & ResolveOptions> = {
  ...bertOptionRules,
  ...resolveRules,
};

/** Marks a piece that continues a word. */
const continuingSubwordPrefix = '##';
/** Code points of a word that is looked up; a longer one is unknown. */
const maxInputCharsPerWord = 100;

/** Devlin et al. 2018; the names in their released vocabularies. */
const defaultSpecialTokens = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
} as const;

/**
 * BERT's tokenizer: texts are cleaned, optionally lower-cased, split at white space and punctuation, and every word is
 * looked up piece by piece, the longest first (WordPiece). `vocab.txt` is all that it needs.
 *
 * Follows the slow, pure Python `BertTokenizer` of transformers 4.30.
 */
export class BertTokenizer extends PreTrainedTokenizer {
  readonly #vocabTxt: VocabTxt;
  readonly #options: GivenOptions<BertTokenizerOptions>;
  readonly #model: WordPieceOptions;

  /**
   * @param vocabulary the path of a `vocab.txt`, which is read at once, or a vocabulary in memory
   * @throws BertNativeError `ERR_OPTION`; `ERR_NOT_FOUND`, `ERR_IO`; `ERR_FILE_FORMAT` for a file that is no vocabulary, or
   *   one without the unknown token; `ERR_UNSUPPORTED_TOKENIZER` for `do_basic_tokenize: false`
   */
  constructor(vocabulary: string | VocabularyInput | VocabTxt, options?: BertTokenizerOptions | null) {
    const given = checkOptions('BertTokenizer', options, bertOptionRules);
    if (given.do_basic_tokenize === false) {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_TOKENIZER',
        'do_basic_tokenize is false: WordPiece over texts that are split only at white space is not supported',
      );
    }
    const vocabTxt = toVocabTxt(vocabulary);
    const special = { ...defaultSpecialTokens, ...pickOptions(given, specialTokenRules) };
    const modelOptions = wordPieceOptions(knownId(vocabTxt.tokens, special.unk_token));
    const model = nativeBinding().create_tokenizer_model({ vocabulary: vocabTxt.tokens, model: modelOptions });
    super(new Vocabulary(vocabTxt.tokens, model), special, given);
    this.#model = modelOptions;
    this.#vocabTxt = vocabTxt;
    this.#options = given;
  }

  /**
   * The tokenizer in a model's folder: `vocab.txt` and, where they are there, `tokenizer_config.json`,
   * `special_tokens_map.json`, `added_tokens.json` and the `max_position_embeddings` of `config.json`, which bounds
   * `model_max_length`.
   *
   * @param options win over what the files say
   * @throws BertNativeError `ERR_NOT_FOUND`; `ERR_UNSUPPORTED_TOKENIZER` for a folder without `vocab.txt`; `ERR_FILE_FORMAT`
   *   and `ERR_CONFIG` for files that are not what they should be; and what the constructor throws
   */
  static async from_pretrained(
    id: string,
    options?: (BertTokenizerOptions & ResolveOptions) | null,
  ): Promise<BertTokenizer> {
    const call = `${this.name}.from_pretrained`;
    const given = checkOptions(call, options, fromPretrainedRules, optionsWithoutEffect);
    const folder = await resolveModelFolder(id, pickOptions(given, resolveRules));
    const path = join(folder, 'vocab.txt');
    const bytes = await readFileIfPresent(path);
    if (bytes === undefined) throw await missingVocabulary(folder);
    const config = await readTokenizerConfig(folder, bertOptionRules);
    const merged = { ...config.options, ...pickOptions(given, bertOptionRules) };
    const model_max_length = Math.min(
      merged.model_max_length ?? veryLargeInteger,
      config.max_position_embeddings ?? veryLargeInteger,
    );
    return new this(new VocabTxt(bytes, path), { ...merged, model_max_length });
  }

  override convert_tokens_to_string(tokens: readonly string[]): string {
    return tokens.join(' ').replaceAll(` ${continuingSubwordPrefix}`, '').trim();
  }

  protected override describe(): Omit<NativeTokenizerDescription, 'model' | 'added_tokens'> {
    const {
      do_lower_case = true,
      strip_accents = do_lower_case,
      tokenize_chinese_chars = true,
      never_split = [],
    } = this.#options;
    const cls: TemplatePiece = { special_id: this.specialId('cls_token'), type_id: 0 };
    const sep = (type_id: number): TemplatePiece => ({ special_id: this.specialId('sep_token'), type_id });
    const single: TemplatePiece[] = [cls, { sequence: 'A', type_id: 0 }, sep(0)];
    return {
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: tokenize_chinese_chars,
        strip_accents,
        lowercase: do_lower_case,
        characters: 'python',
      },
      pre_tokenizer: {
        type: 'BertPreTokenizer',
        never_split: [...new Set([...never_split, ...this.all_special_tokens])],
      },
      post_processor: {
        single,
        pair: [...single, { sequence: 'B', type_id: 1 }, sep(1)],
        always_type_ids: false,
        trim_offsets: null,
      },
      decoder: { type: 'SlowWordPiece', prefix: continuingSubwordPrefix },
    };
  }

  protected override wordPiece(): WordPieceOptions {
    return this.#model;
  }

  protected override savedSettings(): Record<string, unknown> {
    const {
      do_lower_case = true,
      strip_accents = null,
      tokenize_chinese_chars = true,
      never_split = null,
    } = this.#options;
    return {
      tokenizer_class: 'BertTokenizer',
      do_lower_case,
      do_basic_tokenize: true,
      never_split,
      strip_accents,
      tokenize_chinese_chars,
    };
  }

  protected override neverSplit(): readonly string[] {
    const special = new Set(this.all_special_tokens);
    return (this.#options.never_split ?? []).filter((word) => !special.has(word));
  }

  protected override vocabularyFiles(): ReadonlyMap<string, Uint8Array> {
    return new Map([['vocab.txt', this.#vocabTxt.bytes]]);
  }
}

type WordPieceOptions = Extract<NativeModelOptions, { type: 'WordPiece' }>;

function wordPieceOptions(unk_id: number): WordPieceOptions {
  return {
    type: 'WordPiece',
    unk_id,
    continuing_subword_prefix: continuingSubwordPrefix,
    max_input_chars_per_word: maxInputCharsPerWord,
  };
}

function toVocabTxt(vocabulary: unknown): VocabTxt {
  if (vocabulary instanceof VocabTxt) return vocabulary;
  if (typeof vocabulary === 'string') return readVocabTxt(vocabulary);
  const vocab = (vocabulary as Partial<VocabularyInput> | null | undefined)?.vocab;
  if (Array.isArray(vocab)) return VocabTxt.fromTokens(vocab);
  if (vocab instanceof Map) return VocabTxt.fromTokens(tokensById(vocab));
  throw optionError('the vocabulary', vocabulary, 'the path of a vocab.txt, or { vocab } with an array or a Map');
}

function readVocabTxt(path: string): VocabTxt {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') {
      throw optionError('the vocabulary', path, 'a vocab.txt; BertTokenizer.from_pretrained takes a folder');
    }
    throw fileError('reading', path, error);
  }
  return new VocabTxt(bytes, path);
}

function tokensById(ids: ReadonlyMap<unknown, unknown>): string[] {
  const tokens = new Array<string>(ids.size);
  for (const [token, id] of ids) {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= ids.size || (id as number) in tokens) {
      throw optionError(`the id of ${describe(token)} in vocab`, id, `every integer from 0 to ${ids.size - 1} once`);
    }
    tokens[id as number] = token as string;
  }
  return tokens;
}

function knownId(tokens: FlatStrings, unk_token: AddedTokenInput): number {
  const { content } = toAddedToken(unk_token, true);
  const id = lastIndexOf(tokens, content);
  if (id < 0) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `the vocabulary of ${countOf(tokens)} tokens lacks the unknown token ${JSON.stringify(content)}: ` +
        'expected a vocabulary of BERT, or its unknown token as the option unk_token',
    );
  }
  return id;
}

async function missingVocabulary(folder: string): Promise<BertNativeError> {
  const found = (await readdir(folder)).filter((name) => /^(tokenizer\.json|.*\.model|vocab\.json)$/.test(name));
  return found.length > 0
    ? new BertNativeError(
        'ERR_UNSUPPORTED_TOKENIZER',
        `${folder} has ${found.join(', ')} but no vocab.txt: expected vocab.txt, which is what BERT's tokenizer is read from`,
      )
    : new BertNativeError('ERR_NOT_FOUND', `${folder} has no vocab.txt`);
}

export { BertTokenizer as BertTokenizerFast };
