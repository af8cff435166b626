import type { TemplatePiece } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import type { JsonObject } from '../files.ts';
import type { ResolveOptions } from '../hub/resolve.ts';
import { checkOptions, describe, type GivenOptions, optionError } from '../options.ts';
import { type TemplateItem, templateProcessing } from './conversions/conversion.ts';
import { continuingSubwordPrefix, fromVocabTxt } from './conversions/wordpiece.ts';
import {
  type CommonOptions,
  type CuttingOptions,
  familyOptionRules,
  type TokenizerFamily,
  tokenizerJson,
  vocabTxt,
} from './family.ts';
import { conversionOptions, type FastTokenizerClass, loadPretrained, PreTrainedTokenizerFast } from './fast.ts';
import { LoadedTokenizer } from './loading/load.ts';
import { readAtOnce } from './loading/read-at-once.ts';
import type { SpecialTokenName } from './special-tokens.ts';
import { bertSpecialTokens } from './special-tokens.ts';
import type { TokenizerParts } from './tokenizer.ts';
import { VocabTxt } from './vocab-txt.ts';

/** Settings of a {@link BertTokenizer}, in place of the folder's. */
export type BertTokenizerOptions = CommonOptions &
  Pick<
    CuttingOptions,
    'do_lower_case' | 'strip_accents' | 'tokenize_chinese_chars' | 'never_split' | 'do_basic_tokenize'
  >;

/** A vocabulary in memory: tokens in the order of their ids, or ids by token, which run from 0 without gaps. */
export interface VocabularyInput {
  readonly vocab: readonly string[] | ReadonlyMap<string, number>;
}

/** A token around the texts, by its name, or a text; and the type id. */
type NamedPiece = readonly [piece: SpecialTokenName | 'A' | 'B', type_id: number];

/**
 * BERT's tokenizer: texts are cleaned, optionally lower-cased, split at white space and punctuation, and every word is
 * looked up piece by piece, the longest first (WordPiece). `vocab.txt` is all that it needs; special tokens are named as in
 * the vocabularies that Devlin et al. 2018 released.
 *
 * Follows the slow, pure Python `BertTokenizer` of transformers 4.30; one that was read from `tokenizer.json` follows the
 * Rust tokenizers.
 */
export class BertTokenizer extends PreTrainedTokenizerFast {
  static override readonly family: TokenizerFamily = {
    name: 'BertTokenizer',
    special_tokens: bertSpecialTokens,
    special_token_flags: {},
    replaceable: [],
    model_input_names: ['input_ids', 'token_type_ids', 'attention_mask'],
    clean_up_tokenization_spaces: true,
    options: ['do_lower_case', 'strip_accents', 'tokenize_chinese_chars', 'never_split', 'do_basic_tokenize'],
    caller_options: [],
    sources: [vocabTxt, tokenizerJson],
  };

  /** Whether it was read from a `vocab.txt`. */
  readonly #isSlow: boolean;
  readonly #options: GivenOptions<BertTokenizerOptions>;

  /**
   * @param vocabulary the path of a `vocab.txt`, which is read at once, or a vocabulary in memory
   * @throws BertNativeError `ERR_OPTION`; `ERR_NOT_FOUND`, `ERR_IO`; `ERR_FILE_FORMAT` for a file that is no vocabulary, or
   *   one without the unknown token; `ERR_UNSUPPORTED_TOKENIZER` for `do_basic_tokenize: false`
   */
  constructor(
    vocabulary: string | VocabularyInput | VocabTxt | LoadedTokenizer,
    options?: BertTokenizerOptions | null,
  ) {
    const { family } = new.target;
    const given = checkOptions(family.name, options, familyOptionRules(family));
    if (given.do_basic_tokenize === false) {
      throw new BertNativeError(
        'ERR_UNSUPPORTED_TOKENIZER',
        'do_basic_tokenize is false: WordPiece over texts that are split only at white space is not supported',
      );
    }
    const loaded = toLoaded(vocabulary, family, given);
    super(loaded, options);
    this.#isSlow = loaded.parsed.source === 'vocab.txt';
    this.#options = given;
  }

  /** As {@link PreTrainedTokenizerFast.from_pretrained}, from `vocab.txt`, or from `tokenizer.json` where there is none. */
  static override async from_pretrained<T extends PreTrainedTokenizerFast>(
    this: FastTokenizerClass<T>,
    id: string,
    options?: (BertTokenizerOptions & ResolveOptions) | null,
  ): Promise<T> {
    return loadPretrained(this, id, options, this.family.sources);
  }

  override convert_tokens_to_string(tokens: readonly string[]): string {
    if (!this.#isSlow) return super.convert_tokens_to_string(tokens);
    return tokens.join(' ').replaceAll(` ${continuingSubwordPrefix}`, '').trim();
  }

  /** What stands around one text, and around two. */
  protected templates(): { readonly single: readonly NamedPiece[]; readonly pair: readonly NamedPiece[] } {
    const single: NamedPiece[] = [
      ['cls_token', 0],
      ['A', 0],
      ['sep_token', 0],
    ];
    return { single, pair: [...single, ['B', 1], ['sep_token', 1]] };
  }

  protected override parts(): TokenizerParts {
    if (!this.#isSlow) return super.parts();
    const { single, pair } = this.templates();
    const { never_split = [] } = this.#options;
    const piece = ([name, type_id]: NamedPiece): TemplatePiece =>
      name === 'A' || name === 'B' ? { sequence: name, type_id } : { special_id: this.specialId(name), type_id };
    return {
      normalizer: { type: 'BertNormalizer', ...this.#normalizer(), characters: 'python' },
      pre_tokenizer: {
        type: 'BertPreTokenizer',
        never_split: [...new Set([...never_split, ...this.all_special_tokens])],
      },
      post_processor: {
        single: single.map(piece),
        pair: pair.map(piece),
        always_type_ids: false,
        trim_offsets: null,
      },
      decoder: { type: 'SlowWordPiece', prefix: continuingSubwordPrefix },
    };
  }

  protected override definition(): { readonly json: JsonObject } | { readonly objection: string } {
    const definition = super.definition();
    if (!this.#isSlow || 'objection' in definition) return definition;
    const special = new Set(this.all_special_tokens);
    const never_split = (this.#options.never_split ?? []).filter((word) => !special.has(word));
    if (never_split.length > 0) {
      return { objection: `never_split (${never_split.length} words) has no counterpart there` };
    }
    const { single, pair } = this.templates();
    const item = ([name, type_id]: NamedPiece): TemplateItem =>
      name === 'A' || name === 'B' ? [name, type_id] : [{ content: this[name]!, id: this.specialId(name) }, type_id];
    return {
      json: {
        normalizer: { type: 'BertNormalizer', ...this.#normalizer() },
        pre_tokenizer: { type: 'BertPreTokenizer' },
        post_processor: templateProcessing(single.map(item), pair.map(item)),
        decoder: { type: 'WordPiece', prefix: continuingSubwordPrefix, cleanup: this.clean_up_tokenization_spaces },
        model: definition.json.model,
      },
    };
  }

  protected override savedSettings(): Record<string, unknown> {
    if (!this.#isSlow) return super.savedSettings();
    const {
      do_lower_case = true,
      strip_accents = null,
      tokenize_chinese_chars = true,
      never_split = null,
    } = this.#options;
    return {
      tokenizer_class: (this.constructor as typeof BertTokenizer).family.name,
      do_lower_case,
      do_basic_tokenize: true,
      never_split,
      strip_accents,
      tokenize_chinese_chars,
    };
  }

  #normalizer() {
    const { do_lower_case = true, strip_accents = do_lower_case, tokenize_chinese_chars = true } = this.#options;
    return {
      clean_text: true,
      handle_chinese_chars: tokenize_chinese_chars,
      strip_accents,
      lowercase: do_lower_case,
    };
  }
}

/** BERT's tokenizer without type ids: Sanh et al. 2019. */
export class DistilBertTokenizer extends BertTokenizer {
  static override readonly family: TokenizerFamily = {
    ...BertTokenizer.family,
    name: 'DistilBertTokenizer',
    model_input_names: ['input_ids', 'attention_mask'],
  };
}

/** BERT's tokenizer: Clark et al. 2020. */
export class ElectraTokenizer extends BertTokenizer {
  static override readonly family: TokenizerFamily = { ...BertTokenizer.family, name: 'ElectraTokenizer' };
}

/** BERT's tokenizer with RoBERTa's special tokens, two of them between two texts: Song et al. 2020. */
export class MPNetTokenizer extends BertTokenizer {
  static override readonly family: TokenizerFamily = {
    ...BertTokenizer.family,
    name: 'MPNetTokenizer',
    special_tokens: {
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '[UNK]',
      sep_token: '</s>',
      pad_token: '<pad>',
      cls_token: '<s>',
      mask_token: '<mask>',
    },
    special_token_flags: { mask_token: { lstrip: true } },
    model_input_names: ['input_ids', 'attention_mask'],
  };

  protected override templates(): { readonly single: readonly NamedPiece[]; readonly pair: readonly NamedPiece[] } {
    const single: NamedPiece[] = [
      ['cls_token', 0],
      ['A', 0],
      ['sep_token', 0],
    ];
    return { single, pair: [...single, ['sep_token', 0], ['B', 1], ['sep_token', 1]] };
  }
}

function toLoaded(
  vocabulary: unknown,
  family: TokenizerFamily,
  given: GivenOptions<BertTokenizerOptions>,
): LoadedTokenizer {
  if (vocabulary instanceof LoadedTokenizer) return vocabulary;
  const { file, path } = toVocabTxt(vocabulary);
  return LoadedTokenizer.of(fromVocabTxt(file, path, conversionOptions(family, given)));
}

function toVocabTxt(vocabulary: unknown): { file: VocabTxt; path: string } {
  if (vocabulary instanceof VocabTxt) return { file: vocabulary, path: 'vocab' };
  if (typeof vocabulary === 'string') return { file: readVocabTxt(vocabulary), path: vocabulary };
  const vocab = (vocabulary as Partial<VocabularyInput> | null | undefined)?.vocab;
  if (Array.isArray(vocab)) return { file: VocabTxt.fromTokens(vocab), path: 'vocab' };
  if (vocab instanceof Map) return { file: VocabTxt.fromTokens(tokensById(vocab)), path: 'vocab' };
  throw optionError('the vocabulary', vocabulary, 'the path of a vocab.txt, or { vocab } with an array or a Map');
}

function readVocabTxt(path: string): VocabTxt {
  const expected = 'a vocab.txt; BertTokenizer.from_pretrained takes a folder';
  return new VocabTxt(readAtOnce(path, 'the vocabulary', expected), path);
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

export {
  BertTokenizer as BertTokenizerFast,
  DistilBertTokenizer as DistilBertTokenizerFast,
  ElectraTokenizer as ElectraTokenizerFast,
  MPNetTokenizer as MPNetTokenizerFast,
};
