import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type InspectOptions, inspect } from 'node:util';
import { nativeBinding } from '../binding/load.ts';
import type {
  NativeAddedToken,
  NativeEncoding,
  NativeModelOptions,
  NativePackedCall,
  NativeTokenizer,
  NativeTokenizerDescription,
} from '../binding/native.ts';
import { Callable } from '../callable.ts';
import { BertNativeError } from '../errors.ts';
import { fileError, type JsonObject, makeFolder, writeFileAtomically } from '../files.ts';
import {
  booleanRule,
  checkOption,
  checkOptions,
  describe,
  type GivenOptions,
  type OptionRules,
  stringRule,
} from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  type ArrayValues,
  BatchEncoding,
  type EncodedValues,
  type EncodingSource,
  type RowValues,
  type TensorValues,
} from './batch-encoding.ts';
import { DecodeStream } from './decode-stream.ts';
import {
  type EncodeOptions,
  type EncodePlan,
  encodeOptionRules,
  planEncoding,
  type Side,
  veryLargeInteger,
  type WarnOnce,
} from './encode-options.ts';
import { type PackedEncoding, type PackedOptions, packedCall, packedOptionRules } from './packed-encoding.ts';
import { PaddedRows } from './padded-rows.ts';
import { type TokenizerSettings, tokenizerSettingRules } from './settings.ts';
import {
  type AddedToken,
  type AddedTokenInput,
  addedTokenRule,
  fromAddedToken,
  type SpecialTokenName,
  type SpecialTokenOptions,
  specialTokenNames,
  specialTokenRules,
  toAddedToken,
} from './special-tokens.ts';
import { checkInput, type TextInput } from './text-input.ts';
import { checkIds, splitRows, type TokenIds } from './token-ids.ts';
import { TokenRows } from './token-rows.ts';
import { TokenTable } from './token-table.ts';
import type { AddedTokenWithId } from './tokenizer-json/added-tokens.ts';
import { tokenizerJsonText } from './tokenizer-json/write.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface SkipOptions {
  /** Leaves special tokens out; default false. */
  readonly skip_special_tokens?: boolean | null;
}

/** How ids become text. */
export interface DecodeOptions extends SkipOptions {
  /** Takes away spaces before punctuation and in English contractions; default: the tokenizer's own setting. */
  readonly clean_up_tokenization_spaces?: boolean | null;
}

/** What `tokenize` cuts into tokens. */
export interface TokenizeOptions {
  /** The second text of a pair. */
  readonly pair?: string | null;
  /** Puts the special tokens around the texts; default false. */
  readonly add_special_tokens?: boolean | null;
}

export interface AddTokensOptions {
  /** Adds them as special tokens, which `skip_special_tokens` leaves out; default false. */
  readonly special_tokens?: boolean | null;
}

const skipOptionRules: OptionRules<SkipOptions> = { skip_special_tokens: booleanRule };

const addTokensOptionRules: OptionRules<AddTokensOptions> = { special_tokens: booleanRule };

const decodeOptionRules: OptionRules<DecodeOptions> = {
  ...skipOptionRules,
  clean_up_tokenization_spaces: booleanRule,
};

const tokenizeOptionRules: OptionRules<TokenizeOptions> = { pair: stringRule, add_special_tokens: booleanRule };

/** The parts of a tokenizer around its model. */
export type TokenizerParts = Omit<NativeTokenizerDescription, 'model' | 'added_tokens'>;

/** What a kind of tokenizer hands to its base. */
export interface TokenizerCore {
  readonly vocabulary: Vocabulary;
  /** What the vocabulary's model was made of. */
  readonly model: NativeModelOptions;
  /** The tokens beside the vocabulary that its own file names. */
  readonly added_tokens: readonly AddedTokenWithId[];
  /** Whether added tokens are numbered behind the vocabulary without a gap, as readers of `tokenizer.json` do. */
  readonly consecutive_ids: boolean;
  /** Whether added tokens are all found in the raw text, whatever they say themselves. */
  readonly matches_raw: boolean;
  /** Flags of special tokens that are given by their content alone. */
  readonly special_token_flags: Readonly<Partial<Record<SpecialTokenName, Partial<AddedToken>>>>;
  readonly clean_up_tokenization_spaces: boolean;
  readonly model_input_names: readonly string[];
}

/** @internal Rows with the alignments of their tokens. */
export type AlignedEncoding = NativeEncoding & { readonly offsets: Int32Array; readonly word_ids: Int32Array };

type SpecialTokenFields = { readonly [Name in SpecialTokenName]: string | null } & {
  readonly [Name in SpecialTokenName as `${Name}_id`]: number | null;
};

/** Options whose result is tensors. */
type ForTensors = EncodeOptions & { readonly return_tensor?: true | null };
/** Options whose result is arrays of the rank of the input. */
type ForArrays = EncodeOptions & {
  readonly return_tensor: false;
  readonly return_overflowing_tokens?: false | null;
  readonly is_split_into_words?: false | null;
};

/** Options whose result is arrays of rows, whatever the input. */
type ForOverflowArrays = EncodeOptions & { readonly return_tensor: false; readonly return_overflowing_tokens: true };

/** Tensors asked for where arrays are the default. */
type TensorRequest = { readonly return_tensor: true } | { readonly return_tensors: string | true };

type AnyValues = TensorValues | ArrayValues | RowValues;

export interface PreTrainedTokenizer extends SpecialTokenFields {
  /**
   * Turns texts into a model's inputs, on the calling thread.
   *
   * @param text one text, several, or several pairs `[first, second]`
   * @returns int64 tensors `[rows, tokens]` (one text: `[1, tokens]`), or arrays with `return_tensor: false`
   * @throws BertNativeError `ERR_OPTION`; `ERR_DTYPE` for what is not a text; `ERR_SHAPE` for rows of different lengths
   *   that should make up a tensor, or texts and pairs that differ in number; `ERR_TRUNCATION` where `max_length` cannot be
   *   reached; `ERR_MEMORY`
   */
  (text: TextInput, options?: ForTensors | null): BatchEncoding<TensorValues>;
  (text: string, options: ForArrays): BatchEncoding<RowValues>;
  (text: readonly string[], options: ForArrays): BatchEncoding<ArrayValues>;
  (text: TextInput, options: ForOverflowArrays): BatchEncoding<ArrayValues>;
  (text: TextInput, options?: EncodeOptions | null): BatchEncoding<AnyValues>;
}

/**
 * What all tokenizers have in common: the call, which turns texts into ids, the way back, the special tokens, and saving.
 * Names and semantics are those of Python's transformers.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: a class cannot declare that its instances are callable
export abstract class PreTrainedTokenizer extends Callable {
  /** The names of the inputs that the model takes. */
  readonly model_input_names: readonly string[];
  /** What `decode` does unless it is told. */
  readonly clean_up_tokenization_spaces: boolean;
  readonly #core: TokenizerCore;
  readonly #table: TokenTable;
  /** Contents of the special tokens by name. */
  readonly #specialTokens = new Map<SpecialTokenName, string>();
  #additionalSpecialTokens: readonly string[] = [];
  #modelMaxLength: number;
  #paddingSide: Side;
  #truncationSide: Side;
  #native: NativeTokenizer | undefined;
  readonly #warned = new Set<string>();

  static {
    for (const name of specialTokenNames) {
      Object.defineProperty(PreTrainedTokenizer.prototype, name, {
        get(this: PreTrainedTokenizer): string | null {
          return this.#specialTokens.get(name) ?? null;
        },
      });
      Object.defineProperty(PreTrainedTokenizer.prototype, `${name}_id`, {
        get(this: PreTrainedTokenizer): number | null {
          const token = this.#specialTokens.get(name);
          return token === undefined ? null : this.#table.id(token)!;
        },
      });
    }
  }

  /** @param special_tokens those that the vocabulary lacks are added to it, with a warning */
  protected constructor(
    core: TokenizerCore,
    special_tokens: SpecialTokenOptions,
    settings: GivenOptions<TokenizerSettings>,
  ) {
    super();
    this.#core = core;
    this.#table = new TokenTable(core.vocabulary, core.consecutive_ids);
    this.#modelMaxLength = settings.model_max_length ?? veryLargeInteger;
    this.#paddingSide = settings.padding_side ?? 'right';
    this.#truncationSide = settings.truncation_side ?? 'right';
    this.clean_up_tokenization_spaces = settings.clean_up_tokenization_spaces ?? core.clean_up_tokenization_spaces;
    this.model_input_names = settings.model_input_names ?? core.model_input_names;
    const configured = Object.entries(settings.added_tokens_decoder ?? {}).map(([id, token]) => ({
      token: toAddedToken(token, false),
      id: Number(id),
      where: 'added_tokens_decoder',
    }));
    // Of two with one id the configuration's is the later, so that its flags hold.
    for (const { token, id, where } of [...core.added_tokens, ...configured].sort((a, b) => a.id - b.id)) {
      this.#table.addAt(token, id, where);
    }
    const missing = this.#setSpecialTokens(special_tokens);
    if (missing.length > 0) {
      this.#warnOnce(
        'BERT_NATIVE_SPECIAL_TOKENS_ADDED',
        `the vocabulary lacks the special tokens ${missing.join(', ')}: they were added behind it, where the model has no embeddings`,
      );
    }
  }

  /** The parts of the tokenizer that depend on its kind. */
  protected abstract parts(): TokenizerParts;

  /** `tokenizer.json` but for the added tokens and the model's vocabulary; null, and why, where it cannot say what this is. */
  protected abstract definition(): { readonly json: JsonObject } | { readonly objection: string };

  /** What `tokenizer_config.json` holds beyond what every tokenizer writes there. */
  protected abstract savedSettings(): Record<string, unknown>;

  /** The files that hold the vocabulary, `tokenizer.json` aside: contents by name. */
  protected abstract vocabularyFiles(): Readonly<Record<string, Uint8Array>>;

  // --- fields ---

  /** The number of different tokens in the vocabulary, added tokens not counted. */
  get vocab_size(): number {
    return this.#table.vocabulary.size;
  }

  /** The most tokens that the model takes; 10^30 where nothing is known about it. */
  get model_max_length(): number {
    return this.#modelMaxLength;
  }

  set model_max_length(value: number) {
    this.#checkSetting('model_max_length', value);
    this.#modelMaxLength = value;
  }

  get padding_side(): Side {
    return this.#paddingSide;
  }

  set padding_side(value: Side) {
    this.#checkSetting('padding_side', value);
    this.#paddingSide = value;
  }

  get truncation_side(): Side {
    return this.#truncationSide;
  }

  set truncation_side(value: Side) {
    this.#checkSetting('truncation_side', value);
    this.#truncationSide = value;
  }

  /** Special tokens beyond those that have a name. */
  get additional_special_tokens(): string[] {
    return [...this.#additionalSpecialTokens];
  }

  get additional_special_tokens_ids(): number[] {
    return this.convert_tokens_to_ids(this.additional_special_tokens);
  }

  /** The special tokens by name. */
  get special_tokens_map(): Partial<Record<SpecialTokenName, string>> & { additional_special_tokens?: string[] } {
    const additional = this.additional_special_tokens;
    return {
      ...Object.fromEntries(this.#namedSpecialTokens()),
      ...(additional.length > 0 ? { additional_special_tokens: additional } : {}),
    };
  }

  /** Every special token once. */
  get all_special_tokens(): string[] {
    const named = [...this.#namedSpecialTokens()].map(([, content]) => content);
    return [...new Set([...named, ...this.additional_special_tokens])];
  }

  get all_special_ids(): number[] {
    return this.convert_tokens_to_ids(this.all_special_tokens);
  }

  /** Whether tokens know where they stand in the text: always. */
  get is_fast(): true {
    return true;
  }

  // --- text to ids ---

  override _call(text: TextInput, options?: EncodeOptions | null): BatchEncoding<EncodedValues> {
    return this.#encode(text, checkOptions('tokenizer()', options, encodeOptionRules));
  }

  /** The same as calling the tokenizer, on a thread of the library; rejects where that throws. */
  encode_async(text: TextInput, options?: ForTensors | null): Promise<BatchEncoding<TensorValues>>;
  encode_async(text: string, options: ForArrays): Promise<BatchEncoding<RowValues>>;
  encode_async(text: readonly string[], options: ForArrays): Promise<BatchEncoding<ArrayValues>>;
  encode_async(text: TextInput, options: ForOverflowArrays): Promise<BatchEncoding<ArrayValues>>;
  encode_async(text: TextInput, options?: EncodeOptions | null): Promise<BatchEncoding<AnyValues>>;
  async encode_async(text: TextInput, options?: EncodeOptions | null): Promise<BatchEncoding<EncodedValues>> {
    const given = checkOptions('encode_async()', options, encodeOptionRules);
    const source = this.#source(text, given);
    return this.#finish(source, given, await source.tokenizer.encode_async(source.texts, source.plan.native));
  }

  /**
   * The ids of texts or pairs in one array, without padding: what costs least, and what an engine without padding takes.
   * Large batches are spread over the library's threads (`env.numThreads`).
   *
   * @throws BertNativeError `ERR_OPTION`; `ERR_DTYPE` for what is not a text; `ERR_SHAPE` for texts and pairs that differ
   *   in number; `ERR_TRUNCATION` where `max_length` cannot be reached; `ERR_MEMORY`
   */
  encode_packed(text: string | readonly string[], options?: PackedOptions | null): PackedEncoding {
    return this.#nativeTokenizer().encode_packed(...this.#packedCall('encode_packed()', text, options));
  }

  /** The same as `encode_packed`, on threads of the library; rejects where that throws. */
  async encode_packed_async(text: string | readonly string[], options?: PackedOptions | null): Promise<PackedEncoding> {
    return this.#nativeTokenizer().encode_packed_async(...this.#packedCall('encode_packed_async()', text, options));
  }

  /**
   * The same as `encode_packed`, on threads of the library, kept where `model.embed` finds it. Type ids are among it if the
   * model takes them.
   */
  async encode_rows(text: string | readonly string[], options?: PackedOptions | null): Promise<TokenRows> {
    const defaults = { return_token_type_ids: this.model_input_names.includes('token_type_ids') };
    const call = this.#packedCall('encode_rows()', text, options, defaults);
    return new TokenRows(await this.#nativeTokenizer().encode_rows_async(...call));
  }

  /**
   * Rows without padding, with where every token stands in its text and which word it belongs to; on a thread of the
   * library.
   *
   * @internal
   */
  async encode_aligned(text: readonly string[], options: EncodeOptions): Promise<AlignedEncoding> {
    const { tokenizer, texts, plan } = this.#source(text, checkOptions('encode_aligned()', options, encodeOptionRules));
    const alignments = { return_offsets: true, return_word_ids: true };
    return tokenizer.encode_async(texts, { ...plan.native, ...alignments }) as Promise<AlignedEncoding>;
  }

  /** @internal What the model over the vocabulary is called in `tokenizer.json`. */
  get model_kind(): NativeModelOptions['type'] {
    return this.#core.model.type;
  }

  /** The ids of one text or pair: an array, or a tensor `[1, tokens]` with `return_tensor: true`. */
  encode(text: string | readonly string[], options: EncodeOptions & TensorRequest): Tensor<'int64'>;
  encode(text: string | readonly string[], options?: EncodeOptions | null): number[];
  encode(text: string | readonly string[], options?: EncodeOptions | null): unknown {
    const given = checkOptions('encode()', options, encodeOptionRules);
    const return_tensor = given.return_tensor ?? given.return_tensors !== undefined;
    const idsOnly = { return_token_type_ids: false, return_attention_mask: false };
    return this.#encode(text, { ...given, ...idsOnly, return_tensor }, 'one').input_ids;
  }

  /** The same as calling the tokenizer with one text or pair. */
  encode_plus(text: string, options?: ForTensors | null): BatchEncoding<TensorValues>;
  encode_plus(text: string, options: ForArrays): BatchEncoding<RowValues>;
  encode_plus(text: string | readonly string[], options?: EncodeOptions | null): BatchEncoding<AnyValues>;
  encode_plus(text: string | readonly string[], options?: EncodeOptions | null): BatchEncoding<EncodedValues> {
    const given = checkOptions('encode_plus()', options, encodeOptionRules);
    return this.#encode(text, given, 'one');
  }

  /** The same as calling the tokenizer with several texts or pairs. */
  batch_encode_plus(texts: Exclude<TextInput, string>, options?: ForTensors | null): BatchEncoding<TensorValues>;
  batch_encode_plus(texts: readonly string[], options: ForArrays): BatchEncoding<ArrayValues>;
  batch_encode_plus(texts: Exclude<TextInput, string>, options?: EncodeOptions | null): BatchEncoding<AnyValues>;
  batch_encode_plus(texts: Exclude<TextInput, string>, options?: EncodeOptions | null): BatchEncoding<EncodedValues> {
    const given = checkOptions('batch_encode_plus()', options, encodeOptionRules);
    return this.#encode(texts, given, 'several');
  }

  /** The tokens of a text as strings. */
  tokenize(text: string, options?: TokenizeOptions | null): string[] {
    const { pair, add_special_tokens = false } = checkOptions('tokenize()', options, tokenizeOptionRules);
    return this.#encode(
      text,
      { text_pair: pair, add_special_tokens, return_tensor: false, verbose: false },
      'one',
    ).tokens();
  }

  /** The number of special tokens that are put around a text, or around a pair. */
  num_special_tokens_to_add(pair = false): number {
    const { single, pair: double } = this.parts().post_processor;
    return (pair ? double : single).filter((piece) => 'special_id' in piece).length;
  }

  // --- ids to text ---

  /**
   * The text of a row of ids.
   *
   * @param ids a number, an array, a typed array, or a tensor `[tokens]` or `[1, tokens]`
   * @throws BertNativeError `ERR_TOKEN_ID` for an id outside the vocabulary, `ERR_DTYPE`, `ERR_SHAPE`, `ERR_OPTION`
   */
  decode(ids: TokenIds | number | bigint, options?: DecodeOptions | null): string {
    const row = typeof ids === 'number' || typeof ids === 'bigint' ? [ids] : ids;
    return this.#decode([checkIds(row, 'ids')], options, 'decode()')[0]!;
  }

  /** The texts of several rows of ids: arrays of what `decode` takes, or a tensor `[rows, tokens]`. */
  batch_decode(rows: Tensor | readonly TokenIds[], options?: DecodeOptions | null): string[] {
    return this.#decode(
      splitRows(rows).map((row, i) => checkIds(row, `ids[${i}]`)),
      options,
      'batch_decode()',
    );
  }

  // --- tokens and ids ---

  /** The id of a token, or the unknown token's where there is none such. */
  convert_tokens_to_ids(tokens: string): number;
  convert_tokens_to_ids(tokens: readonly string[]): number[];
  convert_tokens_to_ids(tokens: string | readonly string[]): number | number[] {
    if (!Array.isArray(tokens)) return this.#idOf(tokens, 'tokens');
    return tokens.map((token, i) => this.#idOf(token, `tokens[${i}]`));
  }

  /** The token of an id. @throws BertNativeError `ERR_TOKEN_ID` for an id outside the vocabulary */
  convert_ids_to_tokens(ids: number | bigint): string;
  convert_ids_to_tokens(ids: TokenIds, options?: SkipOptions | null): string[];
  convert_ids_to_tokens(ids: TokenIds | number | bigint, options?: SkipOptions | null): string | string[] {
    const { skip_special_tokens = false } = checkOptions('convert_ids_to_tokens()', options, skipOptionRules);
    if (typeof ids === 'number' || typeof ids === 'bigint') return this.#tokenOf(checkIds([ids], 'ids')[0]!);
    const special = new Set(skip_special_tokens ? this.all_special_ids : []);
    return Array.from(checkIds(ids, 'ids'))
      .filter((id) => !special.has(id))
      .map((id) => this.#tokenOf(id));
  }

  /** The tokens joined to a text, without clean-up. */
  convert_tokens_to_string(tokens: readonly string[]): string {
    const strings = Array.from(tokens, (token, i) => checkToken(token, `tokens[${i}]`));
    return this.#nativeTokenizer().join_tokens(strings);
  }

  /**
   * Decodes ids that come one by one, as from a model that generates text.
   *
   * @returns what takes the ids and gives the text that is certain
   */
  decode_stream(options?: SkipOptions | null): DecodeStream {
    const { skip_special_tokens = false } = checkOptions('decode_stream()', options, skipOptionRules);
    return new DecodeStream({
      decode: (ids) =>
        this.#decode(
          [Int32Array.from(ids)],
          { skip_special_tokens, clean_up_tokenization_spaces: false },
          'step()',
        )[0]!,
      isSkipped: (id) => skip_special_tokens && this.#table.addedToken(this.#tokenOf(id))?.special === true,
    });
  }

  /** Two rows of ids with the special tokens of the model around them, as a call would put them there. */
  build_inputs_with_special_tokens(ids: TokenIds, pair_ids?: TokenIds | null): number[] {
    const first = checkIds(ids, 'ids');
    const second = pair_ids == null ? null : checkIds(pair_ids, 'pair_ids');
    const { single, pair } = this.parts().post_processor;
    return (second === null ? single : pair).flatMap((piece) =>
      'special_id' in piece ? [piece.special_id] : [...(piece.sequence === 'A' ? first : second!)],
    );
  }

  /** Every token, added ones included, and its id. */
  get_vocab(): Map<string, number> {
    const vocab = this.#table.vocabulary.entries();
    for (const { content, id } of this.#table.added) vocab.set(content, id);
    return vocab;
  }

  /** The added tokens, those that the vocabulary has among them, and their ids. */
  get_added_vocab(): Map<string, number> {
    return new Map([...this.#table.added].sort((a, b) => a.id - b.id).map(({ content, id }) => [content, id]));
  }

  /**
   * Adds tokens that are found as a whole. Those that the vocabulary has keep their ids. `normalized` (default: of tokens
   * that are not special) finds them in what the normalizer makes of a text; tokenizers of BERT's that were read from
   * `vocab.txt` find all of them as they are written, before anything is lower-cased.
   *
   * @returns how many were new; the model's embeddings need as many more rows
   */
  add_tokens(tokens: AddedTokenInput | readonly AddedTokenInput[], options?: AddTokensOptions | null): number {
    const { special_tokens = false } = checkOptions('add_tokens()', options, addTokensOptionRules);
    const list: readonly unknown[] = Array.isArray(tokens) ? tokens : [tokens];
    list.forEach((token, i) => {
      checkOption(`tokens[${i}]`, token, addedTokenRule);
    });
    return (list as readonly AddedTokenInput[]).filter((token) => this.#add(toAddedToken(token, special_tokens)))
      .length;
  }

  /**
   * Names special tokens, such as `{ additional_special_tokens: ['[E1]', '[/E1]'] }`; those that the vocabulary lacks are
   * added to it.
   *
   * @returns how many were new
   */
  add_special_tokens(special_tokens: SpecialTokenOptions): number {
    return this.#setSpecialTokens(checkOptions('add_special_tokens()', special_tokens, specialTokenRules)).length;
  }

  // --- saving and printing ---

  /**
   * Writes the vocabulary, `tokenizer_config.json`, `special_tokens_map.json` and, where tokens were added,
   * `added_tokens.json`: from_pretrained reads the same tokenizer again. `tokenizer.json` is written beside them for the
   * fast tokenizers and transformers.js; one that would give other ids than this tokenizer is left out, with a warning.
   *
   * @returns the paths written
   * @throws BertNativeError `ERR_IO`
   */
  async save_pretrained(folder: string): Promise<string[]> {
    checkOption('folder', folder, stringRule);
    const { beyond } = this.#table;
    const vocabularyFiles = this.vocabularyFiles();
    const config = {
      ...this.savedSettings(),
      // Their flags stand in added_tokens_decoder: older versions of transformers take only strings here.
      ...this.special_tokens_map,
      ...(this.#modelMaxLength < veryLargeInteger ? { model_max_length: this.#modelMaxLength } : {}),
      padding_side: this.#paddingSide,
      truncation_side: this.#truncationSide,
      clean_up_tokenization_spaces: this.clean_up_tokenization_spaces,
      model_input_names: this.model_input_names,
      added_tokens_decoder: Object.fromEntries([...this.#table.added].map(({ id, ...token }) => [id, token])),
    };
    const files = new Map<string, string | Uint8Array | Iterable<string>>(Object.entries(vocabularyFiles));
    const fast = this.#tokenizerJson();
    if (fast !== null) files.set('tokenizer.json', fast);
    files.set('special_tokens_map.json', toJson(this.#savedSpecialTokens()));
    // Beside tokenizer.json alone nobody looks for it.
    if (beyond.length > 0 && Object.keys(vocabularyFiles).length > 0) {
      files.set('added_tokens.json', toJson(Object.fromEntries(beyond.map(({ content, id }) => [content, id]))));
    }
    files.set('tokenizer_config.json', toJson(config));
    await makeFolder(folder);
    // Ones that lie there from another tokenizer would be read with this one, or in its place.
    for (const name of ['added_tokens.json', 'tokenizer.json']) {
      if (!files.has(name)) await removeFile(join(folder, name));
    }
    for (const [name, content] of files) await writeFile(join(folder, name), content);
    return [...files.keys()].map((name) => join(folder, name));
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const shown = {
      vocab_size: this.vocab_size,
      model_max_length: this.model_max_length,
      padding_side: this.padding_side,
      truncation_side: this.truncation_side,
      special_tokens: this.special_tokens_map,
      added_tokens: this.#table.beyond.map(({ content }) => content),
    };
    return `${this.constructor.name} ${inspect(shown, options)}`;
  }

  // --- for subclasses ---

  /** Whether an id is that of a token. */
  protected hasId(id: number): boolean {
    return this.#table.token(id) !== undefined;
  }

  /** @throws BertNativeError `ERR_CONFIG` where the tokenizer has no such special token */
  protected specialId(name: SpecialTokenName): number {
    const id = this[`${name}_id`];
    if (id === null) throw new BertNativeError('ERR_CONFIG', `the tokenizer has no ${name}`);
    return id;
  }

  /** The text of the file; null, after a warning, where it would load and give other ids than ours: better none. */
  #tokenizerJson(): Iterable<string> | null {
    const definition = this.definition();
    const objection = 'objection' in definition ? definition.objection : this.#numberingObjection();
    if ('json' in definition && objection === null) {
      return tokenizerJsonText({
        definition: definition.json,
        added_tokens: this.#nativeAddedTokens(),
        vocabulary: this.#table.vocabulary,
        model: this.#core.model,
      });
    }
    this.#warnOnce(
      'BERT_NATIVE_TOKENIZER_JSON_LEFT_OUT',
      `save_pretrained writes no tokenizer.json: ${objection}. transformers.js cannot load this tokenizer.`,
    );
    return null;
  }

  /** A reader of the file numbers the tokens beyond the vocabulary itself: in their order, from the vocabulary's size on. */
  #numberingObjection(): string | null {
    if (this.#core.consecutive_ids) return null;
    const { size, length } = this.#table.vocabulary;
    if (size !== length) return `${length - size} of its ${length} tokens stand in the vocabulary twice`;
    for (const [index, { content, id }] of this.#table.beyond.entries()) {
      if (id === size + index) continue;
      return `the added token ${JSON.stringify(content)} has the id ${id}, where readers of that file would give it ${size + index}`;
    }
    return null;
  }

  #nativeTokenizer(): NativeTokenizer {
    this.#native ??= nativeBinding().create_tokenizer({
      ...this.parts(),
      model: this.#table.vocabulary.model,
      added_tokens: this.#nativeAddedTokens(),
    });
    return this.#native;
  }

  #nativeAddedTokens(): NativeAddedToken[] {
    const { matches_raw } = this.#core;
    return [...this.#table.added].map((token) => ({ ...token, normalized: token.normalized && !matches_raw }));
  }

  #encode(
    text: unknown,
    options: GivenOptions<EncodeOptions>,
    expected?: 'one' | 'several',
  ): BatchEncoding<EncodedValues> {
    const source = this.#source(text, options, expected);
    return this.#finish(source, options, source.tokenizer.encode(source.texts, source.plan.native));
  }

  #source(text: unknown, options: GivenOptions<EncodeOptions>, expected?: 'one' | 'several'): EncodingSource {
    const { texts, batched } = checkInput(text, options.text_pair, options.is_split_into_words ?? false);
    if (expected !== undefined && batched !== (expected === 'several')) {
      throw new BertNativeError(
        'ERR_DTYPE',
        `text is ${describe(text)}: expected ${expected === 'one' ? 'one text' : 'an array of texts'}`,
      );
    }
    return {
      tokenizer: this.#nativeTokenizer(),
      texts,
      single: !batched,
      plan: this.#plan(options),
      tokenOf: (id) => this.#tokenOf(id),
    };
  }

  #packedCall(name: string, text: unknown, options: unknown, unless_given: PackedOptions = {}): NativePackedCall {
    const given = { ...unless_given, ...checkOptions(name, options, packedOptionRules) } as GivenOptions<PackedOptions>;
    const defaults = { model_max_length: this.#modelMaxLength, truncation_side: this.#truncationSide };
    return packedCall(text, given, defaults, this.#warner(given));
  }

  #warner({ verbose = true }: { readonly verbose?: boolean | undefined }): WarnOnce {
    return verbose ? this.#warnOnce.bind(this) : () => {};
  }

  #plan(options: GivenOptions<EncodeOptions>): EncodePlan {
    return planEncoding(
      options,
      {
        model_max_length: this.#modelMaxLength,
        padding_side: this.#paddingSide,
        truncation_side: this.#truncationSide,
        model_input_names: this.model_input_names,
        pad_token_id: this.pad_token_id,
      },
      this.#warner(options),
    );
  }

  #finish(
    source: EncodingSource,
    { verbose = true }: GivenOptions<EncodeOptions>,
    encoding: NativeEncoding,
  ): BatchEncoding<EncodedValues> {
    const rows = new PaddedRows(encoding.row_starts, source.plan.padding);
    const { warn_above } = source.plan;
    if (verbose && warn_above !== null && rows.longest > warn_above) {
      this.#warnOnce(
        'BERT_NATIVE_LONGER_THAN_MODEL',
        `a row has ${rows.longest} tokens and the model takes ${warn_above}: pass truncation: true to cut it.`,
      );
    }
    return new BatchEncoding(source, encoding, rows);
  }

  #decode(rows: readonly Int32Array[], options: unknown, name: string): string[] {
    const given = checkOptions(name, options, decodeOptionRules);
    const row_starts = new Int32Array(rows.length + 1);
    rows.forEach((row, i) => {
      row_starts[i + 1] = row_starts[i]! + row.length;
    });
    const ids = new Int32Array(row_starts.at(-1)!);
    rows.forEach((row, i) => {
      ids.set(row, row_starts[i]!);
    });
    return this.#nativeTokenizer().decode(ids, row_starts, {
      skip_special_tokens: given.skip_special_tokens ?? false,
      clean_up_tokenization_spaces: given.clean_up_tokenization_spaces ?? this.clean_up_tokenization_spaces,
    });
  }

  #idOf(token: unknown, name: string): number {
    return this.#table.id(checkToken(token, name)) ?? this.specialId('unk_token');
  }

  #tokenOf(id: number): string {
    const token = this.#table.token(id);
    if (token === undefined) {
      throw new BertNativeError(
        'ERR_TOKEN_ID',
        `there is no token with the id ${id}: the vocabulary has ${this.#table.vocabulary.length}`,
      );
    }
    return token;
  }

  /** @returns the tokens that were new */
  #setSpecialTokens(special_tokens: SpecialTokenOptions): string[] {
    const added: string[] = [];
    const add = (token: AddedTokenInput, flags: object = {}): string => {
      // A bare name leaves the flags to whoever added the token with some.
      const isName = typeof token === 'string';
      const full = toAddedToken(isName ? { content: token, ...flags } : token, true);
      if (this.#add(full, isName)) added.push(full.content);
      return full.content;
    };
    for (const name of specialTokenNames) {
      const token = special_tokens[name];
      if (token) this.#specialTokens.set(name, add(token, this.#core.special_token_flags[name]));
    }
    const { additional_special_tokens: additional } = special_tokens;
    if (additional) this.#additionalSpecialTokens = additional.map((token) => add(token));
    return added;
  }

  #add(token: AddedToken, keepFlags = false): boolean {
    this.#native = undefined;
    return this.#table.add(token, keepFlags);
  }

  *#namedSpecialTokens(): Generator<[SpecialTokenName, string]> {
    for (const name of specialTokenNames) {
      const token = this.#specialTokens.get(name);
      if (token !== undefined) yield [name, token];
    }
  }

  #savedSpecialTokens(): SpecialTokenOptions {
    const saved = (content: string): AddedTokenInput => fromAddedToken(this.#table.addedToken(content)!);
    const additional = this.#additionalSpecialTokens.map(saved);
    return {
      ...Object.fromEntries([...this.#namedSpecialTokens()].map(([name, content]) => [name, saved(content)])),
      ...(additional.length > 0 ? { additional_special_tokens: additional } : {}),
    };
  }

  #checkSetting(name: keyof TokenizerSettings, value: unknown): void {
    checkOption(name, value, tokenizerSettingRules[name]);
  }

  #warnOnce(code: string, message: string): void {
    if (this.#warned.has(code)) return;
    this.#warned.add(code);
    process.emitWarning(message, { type: 'BertNativeWarning', code });
  }
}

function checkToken(token: unknown, name: string): string {
  if (typeof token === 'string') return token;
  throw new BertNativeError('ERR_DTYPE', `${name} is ${describe(token)}: expected a string`);
}

async function writeFile(path: string, content: string | Uint8Array | Iterable<string>): Promise<void> {
  if (typeof content === 'string' || content instanceof Uint8Array) return writeFileAtomically(path, content);
  return writeFileAtomically(path, async (file) => {
    for (const chunk of content) await file.write(Buffer.from(chunk));
  });
}

async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause) => {
    throw fileError('removing', path, cause);
  });
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
