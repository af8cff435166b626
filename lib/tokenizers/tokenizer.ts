import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type InspectOptions, inspect } from 'node:util';
import { nativeBinding } from '../binding/load.ts';
import type {
  NativeEncoding,
  NativePackedCall,
  NativeTokenizer,
  NativeTokenizerDescription,
} from '../binding/native.ts';
import { Callable } from '../callable.ts';
import { BertNativeError } from '../errors.ts';
import { fileError, makeFolder, writeFileAtomically } from '../files.ts';
import {
  booleanRule,
  checkOption,
  checkOptions,
  describe,
  type GivenOptions,
  integerRule,
  type OptionRules,
  stringRule,
} from '../options.ts';
import { Tensor } from '../tensor/tensor.ts';
import {
  type ArrayValues,
  BatchEncoding,
  type EncodedValues,
  type EncodingSource,
  type RowValues,
  type TensorValues,
} from './batch-encoding.ts';
import {
  type EncodeOptions,
  type EncodePlan,
  encodeOptionRules,
  planEncoding,
  type Side,
  sideRule,
  veryLargeInteger,
  type WarnOnce,
} from './encode-options.ts';
import { type PackedEncoding, type PackedOptions, packedCall, packedOptionRules } from './packed-encoding.ts';
import { PaddedRows } from './padded-rows.ts';
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
import { TokenTable } from './token-table.ts';
import { inexpressible, type TokenizerJsonSource, tokenizerJson } from './tokenizer-json.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface SkipOptions {
  /** Leaves special tokens out; default false. */
  readonly skip_special_tokens?: boolean | null;
}

export interface DecodeOptions extends SkipOptions {
  /** Takes away spaces before punctuation and in English contractions; default: the tokenizer's own setting. */
  readonly clean_up_tokenization_spaces?: boolean | null;
}

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

/** Token ids of one row. */
export type TokenIds = Tensor | ArrayLike<number> | ArrayLike<bigint>;

/** What every kind of tokenizer is made with. */
export interface TokenizerSettings {
  readonly model_max_length?: number | null;
  readonly padding_side?: Side | null;
  readonly truncation_side?: Side | null;
  readonly clean_up_tokenization_spaces?: boolean | null;
  readonly model_input_names?: readonly string[] | null;
  /** Tokens beyond the vocabulary, and those of the vocabulary that are found in the raw text, by id. */
  readonly added_tokens_decoder?: Readonly<Record<string, AddedTokenInput>> | null;
}

export const tokenizerSettingRules: OptionRules<TokenizerSettings> = {
  model_max_length: integerRule(1),
  padding_side: sideRule,
  truncation_side: sideRule,
  clean_up_tokenization_spaces: booleanRule,
  model_input_names: {
    expected: 'an array of names, input_ids among them',
    accepts: (value) =>
      Array.isArray(value) && value.every((name) => typeof name === 'string') && value.includes('input_ids'),
  },
  added_tokens_decoder: {
    expected: 'an object of tokens by id',
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.entries(value).every(
        ([id, token]) => /^\d+$/.test(id) && isTokenId(Number(id)) && addedTokenRule.accepts(token),
      ),
  },
};

const skipOptionRules: OptionRules<SkipOptions> = { skip_special_tokens: booleanRule };

const addTokensOptionRules: OptionRules<AddTokensOptions> = { special_tokens: booleanRule };

const decodeOptionRules: OptionRules<DecodeOptions> = {
  ...skipOptionRules,
  clean_up_tokenization_spaces: booleanRule,
};

const tokenizeOptionRules: OptionRules<TokenizeOptions> = { pair: stringRule, add_special_tokens: booleanRule };

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
  readonly #table: TokenTable;
  readonly #specialTokens = new Map<SpecialTokenName, AddedToken>();
  #additionalSpecialTokens: readonly AddedToken[] = [];
  #modelMaxLength: number;
  #paddingSide: Side;
  #truncationSide: Side;
  #native: NativeTokenizer | undefined;
  readonly #warned = new Set<string>();

  static {
    for (const name of specialTokenNames) {
      Object.defineProperty(PreTrainedTokenizer.prototype, name, {
        get(this: PreTrainedTokenizer): string | null {
          return this.#specialTokens.get(name)?.content ?? null;
        },
      });
      Object.defineProperty(PreTrainedTokenizer.prototype, `${name}_id`, {
        get(this: PreTrainedTokenizer): number | null {
          const token = this.#specialTokens.get(name);
          return token === undefined ? null : this.#table.id(token.content)!;
        },
      });
    }
  }

  /** @param special_tokens those that the vocabulary lacks are added to it, with a warning */
  protected constructor(
    vocabulary: Vocabulary,
    special_tokens: SpecialTokenOptions,
    settings: GivenOptions<TokenizerSettings>,
  ) {
    super();
    this.#table = new TokenTable(vocabulary);
    this.#modelMaxLength = settings.model_max_length ?? veryLargeInteger;
    this.#paddingSide = settings.padding_side ?? 'right';
    this.#truncationSide = settings.truncation_side ?? 'right';
    this.clean_up_tokenization_spaces = settings.clean_up_tokenization_spaces ?? true;
    this.model_input_names = settings.model_input_names ?? ['input_ids', 'token_type_ids', 'attention_mask'];
    for (const [id, token] of Object.entries(settings.added_tokens_decoder ?? {})) {
      this.#table.addAt(toAddedToken(token, false), Number(id), 'added_tokens_decoder');
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
  protected abstract describe(): Omit<NativeTokenizerDescription, 'model' | 'added_tokens'>;

  /** The model's options. */
  protected abstract wordPiece(): TokenizerJsonSource['model'];

  /** What `tokenizer_config.json` holds beyond what every tokenizer writes there. */
  protected abstract savedSettings(): Record<string, unknown>;

  /** Words of the caller's own that are neither lower-cased nor split; special tokens not among them. */
  protected abstract neverSplit(): readonly string[];

  /** The files that hold the vocabulary: contents by name. */
  protected abstract vocabularyFiles(): ReadonlyMap<string, Uint8Array>;

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
    return this.#additionalSpecialTokens.map(({ content }) => content);
  }

  get additional_special_tokens_ids(): number[] {
    return this.convert_tokens_to_ids(this.additional_special_tokens);
  }

  /** The special tokens by name. */
  get special_tokens_map(): Partial<Record<SpecialTokenName, string>> & { additional_special_tokens?: string[] } {
    const named = [...this.#namedSpecialTokens()].map(([name, { content }]) => [name, content]);
    const additional = this.additional_special_tokens;
    return {
      ...Object.fromEntries(named),
      ...(additional.length > 0 ? { additional_special_tokens: additional } : {}),
    };
  }

  /** Every special token once. */
  get all_special_tokens(): string[] {
    const named = [...this.#namedSpecialTokens()].map(([, { content }]) => content);
    return [...new Set([...named, ...this.additional_special_tokens])];
  }

  get all_special_ids(): number[] {
    return this.convert_tokens_to_ids(this.all_special_tokens);
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
    const { single, pair: double } = this.describe().post_processor;
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
  abstract convert_tokens_to_string(tokens: readonly string[]): string;

  /** Every token, added ones included, and its id. */
  get_vocab(): Map<string, number> {
    const vocab = this.#table.vocabulary.entries();
    for (const { content, id } of this.#table.added) vocab.set(content, id);
    return vocab;
  }

  /**
   * Adds tokens that are found as a whole in the raw text, as they are written: before anything is lower-cased. Those that
   * the vocabulary has keep their ids.
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
    const beyond = [...this.#table.added].filter(({ id }) => !this.#table.isInVocabulary(id));
    const added = Object.fromEntries(beyond.map(({ content, id }) => [content, id]));
    const special = this.#savedSpecialTokens();
    const config = {
      ...this.savedSettings(),
      // Their flags stand in added_tokens_decoder: older versions of transformers take only strings here.
      ...this.special_tokens_map,
      ...(this.#modelMaxLength < veryLargeInteger ? { model_max_length: this.#modelMaxLength } : {}),
      padding_side: this.#paddingSide,
      truncation_side: this.#truncationSide,
      clean_up_tokenization_spaces: this.clean_up_tokenization_spaces,
      model_input_names: this.model_input_names,
      added_tokens_decoder: Object.fromEntries(
        [...this.#table.added].map(({ id, ...token }) => [id, { ...token, normalized: !token.special }]),
      ),
    };
    const fast = this.#tokenizerJson();
    const files = new Map<string, string | Uint8Array>([
      ...this.vocabularyFiles(),
      ...(fast !== null ? ([['tokenizer.json', fast]] as const) : []),
      ['special_tokens_map.json', toJson(special)],
      ...(beyond.length > 0 ? ([['added_tokens.json', toJson(added)]] as const) : []),
      ['tokenizer_config.json', toJson(config)],
    ]);
    await makeFolder(folder);
    // One that lies there from another tokenizer would be read with this one, or in its place.
    for (const name of ['added_tokens.json', 'tokenizer.json']) {
      if (!files.has(name)) await removeFile(join(folder, name));
    }
    for (const [name, content] of files) await writeFileAtomically(join(folder, name), content);
    return [...files.keys()].map((name) => join(folder, name));
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const shown = {
      vocab_size: this.vocab_size,
      model_max_length: this.model_max_length,
      padding_side: this.padding_side,
      truncation_side: this.truncation_side,
      special_tokens: this.special_tokens_map,
      added_tokens: [...this.#table.added]
        .filter(({ id }) => !this.#table.isInVocabulary(id))
        .map(({ content }) => content),
    };
    return `${this.constructor.name} ${inspect(shown, options)}`;
  }

  // --- for subclasses ---

  /** @throws BertNativeError `ERR_CONFIG` where the tokenizer has no such special token */
  protected specialId(name: SpecialTokenName): number {
    const id = this[`${name}_id`];
    if (id === null) throw new BertNativeError('ERR_CONFIG', `the tokenizer has no ${name}`);
    return id;
  }

  #tokenizerJson(): string | null {
    const { normalizer, post_processor, decoder } = this.describe();
    const source = {
      normalizer: normalizer as TokenizerJsonSource['normalizer'],
      model: this.wordPiece(),
      post_processor,
      decoder: decoder as TokenizerJsonSource['decoder'],
      table: this.#table,
      clean_up_tokenization_spaces: this.clean_up_tokenization_spaces,
      never_split: this.neverSplit(),
    };
    const objection = inexpressible(source);
    if (objection === null) return tokenizerJson(source);
    this.#warnOnce(
      'BERT_NATIVE_TOKENIZER_JSON_LEFT_OUT',
      `save_pretrained writes no tokenizer.json: ${objection}. transformers.js cannot load this tokenizer.`,
    );
    return null;
  }

  #nativeTokenizer(): NativeTokenizer {
    this.#native ??= nativeBinding().create_tokenizer({
      ...this.describe(),
      model: this.#table.vocabulary.model,
      added_tokens: [...this.#table.added].map((token) => ({ ...token, normalized: false })),
    });
    return this.#native;
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

  #packedCall(name: string, text: unknown, options: unknown): NativePackedCall {
    const given = checkOptions(name, options, packedOptionRules);
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
    if (typeof token !== 'string') {
      throw new BertNativeError('ERR_DTYPE', `${name} is ${describe(token)}: expected a string`);
    }
    return this.#table.id(token) ?? this.specialId('unk_token');
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
    const { additional_special_tokens: additional, ...named } = special_tokens;
    for (const [name, token] of Object.entries(named)) {
      if (token) this.#specialTokens.set(name as SpecialTokenName, toAddedToken(token, true));
    }
    if (additional) this.#additionalSpecialTokens = additional.map((token) => toAddedToken(token, true));
    const tokens = [...this.#specialTokens.values(), ...this.#additionalSpecialTokens];
    return tokens.filter((token) => this.#add(token)).map(({ content }) => content);
  }

  #add(token: AddedToken): boolean {
    this.#native = undefined;
    return this.#table.add(token);
  }

  *#namedSpecialTokens(): Generator<[SpecialTokenName, AddedToken]> {
    for (const name of specialTokenNames) {
      const token = this.#specialTokens.get(name);
      if (token !== undefined) yield [name, token];
    }
  }

  #savedSpecialTokens(): SpecialTokenOptions {
    const additional = this.#additionalSpecialTokens.map(fromAddedToken);
    return {
      ...Object.fromEntries([...this.#namedSpecialTokens()].map(([name, token]) => [name, fromAddedToken(token)])),
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

/** The rows of a tensor or of an array of rows. */
function splitRows(rows: unknown): readonly unknown[] {
  if (!(rows instanceof Tensor)) {
    if (Array.isArray(rows)) return rows;
    throw new BertNativeError('ERR_DTYPE', `ids are ${describe(rows)}: expected an array of rows or a tensor`);
  }
  const [count, width] = rows.dims;
  if (rows.dims.length !== 2) {
    throw new BertNativeError('ERR_SHAPE', `ids have the dims [${rows.dims.join(', ')}]: expected [rows, tokens]`);
  }
  return Array.from({ length: count! }, (_, i) => rows.data.subarray(i * width!, (i + 1) * width!));
}

/** Token ids of one row, checked for what they are, not yet against the vocabulary. */
function checkIds(ids: unknown, name: string): Int32Array {
  if (ids instanceof Tensor) {
    const { dims } = ids;
    if (dims.length !== 1 && !(dims.length === 2 && dims[0] === 1)) {
      const found = `${name} have the dims [${dims.join(', ')}]`;
      throw new BertNativeError('ERR_SHAPE', `${found}: expected one row, [tokens]; batch_decode() takes several`);
    }
    return checkIds(ids.data, name);
  }
  if (!Array.isArray(ids) && (!ArrayBuffer.isView(ids) || ids instanceof DataView)) {
    throw new BertNativeError('ERR_DTYPE', `${name} is ${describe(ids)}: expected an array of ids or a tensor`);
  }
  const { length } = ids as ArrayLike<unknown>;
  const checked = new Int32Array(length);
  for (let i = 0; i < length; ++i) checked[i] = checkId((ids as ArrayLike<unknown>)[i], name, i);
  return checked;
}

function checkId(id: unknown, name: string, i: number): number {
  if (typeof id !== 'number' && typeof id !== 'bigint') {
    throw new BertNativeError('ERR_DTYPE', `${name}[${i}] is ${describe(id)}: expected a token id`);
  }
  const number = Number(id);
  if (!isTokenId(number)) {
    throw new BertNativeError(
      'ERR_TOKEN_ID',
      `${name}[${i}] is ${id}: expected the id of a token, an integer from 0 up`,
    );
  }
  return number;
}

function isTokenId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id < 2 ** 31;
}

async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause) => {
    throw fileError('removing', path, cause);
  });
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
