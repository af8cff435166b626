import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { fileError, type JsonObject } from '../files.ts';
import { type ResolveOptions, resolveModelFolder, resolveRules } from '../hub/resolve.ts';
import { checkOptions, type GivenOptions, optionError, pickOptions } from '../options.ts';
import type { ConversionOptions } from './conversions/conversion.ts';
import { veryLargeInteger } from './encode-options.ts';
import {
  type CommonOptions,
  type CuttingOptions,
  familyOptionRules,
  type TokenizerFamily,
  type TokenizerOptions,
  type TokenizerSource,
  tokenizerJson,
} from './family.ts';
import { LoadedTokenizer, loadTokenizer } from './loading/load.ts';
import { readAtOnce } from './loading/read-at-once.ts';
import {
  type AddedToken,
  type SpecialTokenName,
  specialTokenNames,
  specialTokenRules,
  toAddedToken,
} from './special-tokens.ts';
import { PreTrainedTokenizer, type TokenizerParts } from './tokenizer.ts';
import { readTokenizerConfig } from './tokenizer-config.ts';
import { readAddedTokens } from './tokenizer-json/added-tokens.ts';
import { readDecoder } from './tokenizer-json/decoders.ts';
import { JsonPart } from './tokenizer-json/json-part.ts';
import { readNormalizer } from './tokenizer-json/normalizers.ts';
import { checkApplicable, readDefaults, withOptions } from './tokenizer-json/options.ts';
import { flattenTokenizerJson, parseTokenizerJson } from './tokenizer-json/parse.ts';
import { readPostProcessor } from './tokenizer-json/post-processors.ts';
import { readPreTokenizer } from './tokenizer-json/pre-tokenizers.ts';
import { Vocabulary } from './vocabulary.ts';

/** Settings of a {@link PreTrainedTokenizerFast}, in place of the folder's. */
export type FastTokenizerOptions = CommonOptions &
  Pick<
    CuttingOptions,
    'do_lower_case' | 'strip_accents' | 'tokenize_chinese_chars' | 'add_prefix_space' | 'trim_offsets'
  >;

/** What transformers and transformers.js document for from_pretrained and has no bearing here. */
const optionsWithoutEffect = ['legacy', 'config', 'use_fast'];

/** A class of tokenizers that {@link loadPretrained} can make. */
export interface FastTokenizerClass<T> {
  readonly name: string;
  /** @internal */
  readonly family: TokenizerFamily;
  new (source: LoadedTokenizer, options?: TokenizerOptions | null): T;
}

/**
 * A tokenizer as `tokenizer.json` describes it, which is what the Rust library tokenizers makes of that file. The families'
 * classes differ in the names of their special tokens and in the other files that they can be read from.
 */
export class PreTrainedTokenizerFast extends PreTrainedTokenizer {
  /** @internal */
  static readonly family: TokenizerFamily = {
    name: 'PreTrainedTokenizerFast',
    special_tokens: {},
    special_token_flags: {},
    replaceable: [],
    model_input_names: ['input_ids', 'token_type_ids', 'attention_mask'],
    clean_up_tokenization_spaces: false,
    options: ['do_lower_case', 'strip_accents', 'tokenize_chinese_chars', 'add_prefix_space', 'trim_offsets'],
    caller_options: ['do_lower_case', 'strip_accents', 'tokenize_chinese_chars', 'trim_offsets'],
    sources: [tokenizerJson],
  };

  readonly #loaded: LoadedTokenizer;
  readonly #definition: JsonObject;
  readonly #options: GivenOptions<TokenizerOptions>;
  #parts: TokenizerParts | undefined;

  /**
   * @param source the path of a `tokenizer.json`, which is read at once, or what is in one
   * @throws BertNativeError `ERR_OPTION`; `ERR_NOT_FOUND`, `ERR_IO`; `ERR_FILE_FORMAT` and `ERR_UNSUPPORTED_TOKENIZER`, with
   *   the path of the part
   */
  constructor(source: string | object, options?: FastTokenizerOptions | null) {
    const { family } = new.target;
    const given = checkOptions(family.name, options, familyOptionRules(family));
    const loaded = toLoaded(source);
    const { parsed } = loaded;
    const definition = withOptions(parsed.definition, given);
    const part = new JsonPart(definition, parsed.path);
    const { pad_token, ...defaults } = readDefaults(part);
    const special = {
      ...(pad_token === undefined ? {} : { pad_token }),
      ...family.special_tokens,
      ...parsed.special_tokens,
      ...pickOptions(given, specialTokenRules),
    };
    const isVocabTxt = parsed.source === 'vocab.txt';
    const core = {
      vocabulary: new Vocabulary(parsed.vocabulary, loaded.model, parsed.holes, parsed.size),
      model: parsed.model,
      added_tokens: readAddedTokens(part.member('added_tokens')).sort((a, b) => a.id - b.id),
      consecutive_ids: !isVocabTxt,
      matches_raw: isVocabTxt,
      special_token_flags: family.special_token_flags,
      clean_up_tokenization_spaces: family.clean_up_tokenization_spaces,
      model_input_names: family.model_input_names,
    };
    super(core, special, { ...defaults, ...given });
    this.#loaded = loaded;
    this.#definition = definition;
    this.#options = given;
    if (!isVocabTxt) this.#parts = this.#readParts(part);
  }

  /**
   * The tokenizer in a model's folder, from the files that its class can be read from and, where they are there,
   * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and the number of positions in `config.json`,
   * which bounds `model_max_length`. Files above a megabyte are parsed in a worker.
   *
   * @param options win over what the files say
   * @throws BertNativeError `ERR_NOT_FOUND`; `ERR_UNSUPPORTED_TOKENIZER` for a folder without such files, or a part that is
   *   not supported; `ERR_FILE_FORMAT` and `ERR_CONFIG` for files that are not what they should be; and what the
   *   constructor throws
   */
  static async from_pretrained<T extends PreTrainedTokenizerFast>(
    this: FastTokenizerClass<T>,
    id: string,
    options?: (TokenizerOptions & ResolveOptions) | null,
  ): Promise<T> {
    return loadPretrained(this, id, options, this.family.sources);
  }

  protected override parts(): TokenizerParts {
    return this.#parts!;
  }

  protected override definition(): { readonly json: JsonObject } | { readonly objection: string } {
    return { json: this.#definition };
  }

  protected override savedSettings(): Record<string, unknown> {
    const { family } = this.constructor as typeof PreTrainedTokenizerFast;
    const given = family.options.flatMap((name) =>
      this.#options[name] === undefined ? [] : [[name, this.#options[name]]],
    );
    return { tokenizer_class: family.name, ...Object.fromEntries(given) };
  }

  protected override vocabularyFiles(): Readonly<Record<string, Uint8Array>> {
    return this.#loaded.parsed.files;
  }

  #readParts(part: JsonPart): TokenizerParts {
    return {
      normalizer: readNormalizer(part.member('normalizer')),
      pre_tokenizer: readPreTokenizer(part.member('pre_tokenizer')),
      post_processor: readPostProcessor(part.member('post_processor'), (id) => this.hasId(id)),
      decoder: readDecoder(part.member('decoder')),
    };
  }
}

/**
 * What from_pretrained of a class does.
 *
 * @param sources best first
 */
export async function loadPretrained<T>(
  tokenizerClass: FastTokenizerClass<T>,
  id: string,
  options: unknown,
  sources: readonly TokenizerSource[],
): Promise<T> {
  const { family, name } = tokenizerClass;
  const rules = familyOptionRules(family);
  const call = `${name}.from_pretrained`;
  const given = checkOptions(call, options, { ...rules, ...resolveRules }, optionsWithoutEffect);
  const folder = await resolveModelFolder(id, pickOptions(given, resolveRules), 'tokenizer');
  const { source, paths } = await findSource(folder, sources);
  const config = await readTokenizerConfig(folder, rules);
  for (const option of family.caller_options) delete config.options[option];
  const own = pickOptions(given, rules);
  const merged: GivenOptions<TokenizerOptions> = { ...config.options, ...own };
  const loaded = await loadTokenizer({ task: source.task, paths, options: conversionOptions(family, merged) });
  if (source === tokenizerJson) checkApplicable(new JsonPart(loaded.parsed.definition, paths[0]!), own);
  const model_max_length = Math.min(
    merged.model_max_length ?? veryLargeInteger,
    config.max_position_embeddings ?? veryLargeInteger,
  );
  return new tokenizerClass(loaded, { ...merged, model_max_length });
}

async function findSource(
  folder: string,
  sources: readonly TokenizerSource[],
): Promise<{ source: TokenizerSource; paths: string[] }> {
  const present = await readdir(folder).catch((cause) => {
    throw fileError('reading', folder, cause);
  });
  for (const source of sources) {
    const names = source.files.map((candidates) => candidates.find((name) => present.includes(name)));
    if (names.includes(undefined)) continue;
    if (source.optional !== undefined && present.includes(source.optional)) names.push(source.optional);
    return { source, paths: names.map((name) => join(folder, name!)) };
  }
  const expected = sources.map(({ files }) => files.map(([name]) => name).join(' and ')).join(', or ');
  const found = present.filter((name) => /^(tokenizer\.json|.*\.model|vocab\.(json|txt)|merges\.txt)$/.test(name));
  throw found.length > 0
    ? new BertNativeError('ERR_UNSUPPORTED_TOKENIZER', `${folder} has ${found.sort().join(', ')}: expected ${expected}`)
    : new BertNativeError('ERR_NOT_FOUND', `${folder} has no ${expected}`);
}

/** What a conversion from other files than `tokenizer.json` has to know. */
export function conversionOptions(family: TokenizerFamily, given: GivenOptions<TokenizerOptions>): ConversionOptions {
  const special_tokens: Partial<Record<SpecialTokenName, AddedToken>> = {};
  for (const name of specialTokenNames) {
    const token = given[name] ?? family.special_tokens[name];
    if (token == null) continue;
    const flags = family.special_token_flags[name];
    special_tokens[name] = toAddedToken(typeof token === 'string' ? { content: token, ...flags } : token, true);
  }
  const added = Object.entries(given.added_tokens_decoder ?? {});
  return {
    special_tokens,
    replaceable: family.replaceable.filter((name) => given[name] === undefined),
    added_ids: Object.fromEntries(added.map(([id, token]) => [toAddedToken(token, false).content, Number(id)])),
    ...pickCuttingOptions(given),
  };
}

function pickCuttingOptions(given: GivenOptions<TokenizerOptions>): Partial<ConversionOptions> {
  const { add_prefix_space, trim_offsets, add_bos_token, do_lower_case, keep_accents, split_by_punct } = given;
  return { add_prefix_space, trim_offsets, add_bos_token, do_lower_case, keep_accents, split_by_punct };
}

function toLoaded(source: unknown): LoadedTokenizer {
  if (source instanceof LoadedTokenizer) return source;
  if (typeof source === 'string')
    return LoadedTokenizer.of(
      parseTokenizerJson(
        readAtOnce(source, 'the tokenizer', 'a tokenizer.json; from_pretrained takes a folder'),
        source,
      ),
    );
  if (typeof source === 'object' && source !== null) {
    return LoadedTokenizer.of(flattenTokenizerJson(source, 'tokenizer.json'));
  }
  throw optionError('the tokenizer', source, 'the path of a tokenizer.json, or what is in one');
}
