import { inspect } from 'node:util';
import { rejectOnAbort, throwIfAborted } from '../abort.ts';
import { BertNativeError } from '../errors.ts';
import { findModel, resolveRules } from '../hub/resolve.ts';
import { AutoModel, modelWish } from '../models/auto.ts';
import type { EncoderModel } from '../models/encoder-model.ts';
import type { FromPretrainedOptions, ModelStats } from '../models/modeling.ts';
import {
  checkOption,
  checkOptions,
  describe,
  integerRule,
  type OptionRules,
  oneOfRule,
  optionError,
  optionsObject,
  pickOptions,
  stringRule,
} from '../options.ts';
import { quantize_embeddings } from '../tensor/quantize.ts';
import { Tensor } from '../tensor/tensor.ts';
import { AutoTokenizer } from '../tokenizers/auto.ts';
import type { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import {
  type EmbeddingPrecision,
  type EmbeddingTypes,
  encodeRules,
  type SentenceEncodeOptions,
} from './encode-options.ts';
import { encodeTexts } from './encode-texts.ts';
import { embeddingSize, extraHeads, readModules, type SentenceModules } from './modules.ts';
import { choosePrompt, preparedText, promptLength, withPromptName } from './prompts.ts';
import { saveSentenceTransformer } from './save.ts';
import { checkPromptName, promptsRule, readSettings, type SentenceSettings } from './settings.ts';
import {
  checkSimilarityName,
  type SimilarityFunctionName,
  similarity,
  similarity_pairwise,
  similarityFunctionNames,
  type Vectors,
} from './similarity.ts';

/** How a {@link SentenceTransformer} is found and loaded, and what replaces the folder's settings. */
export interface SentenceTransformerOptions extends Omit<FromPretrainedOptions, 'extra_heads'> {
  /** In place of the folder's. */
  readonly prompts?: Readonly<Record<string, string>> | null;
  /** In place of the folder's. */
  readonly default_prompt_name?: string | null;
  /** In place of the folder's. */
  readonly similarity_fn_name?: SimilarityFunctionName | null;
  /** In place of the folder's: texts are cut to so many tokens. */
  readonly max_seq_length?: number | null;
}

type OwnOptions = Pick<
  SentenceTransformerOptions,
  'prompts' | 'default_prompt_name' | 'similarity_fn_name' | 'max_seq_length'
>;

const ownRules: OptionRules<OwnOptions> = {
  prompts: promptsRule,
  default_prompt_name: stringRule,
  similarity_fn_name: oneOfRule(...similarityFunctionNames),
  max_seq_length: integerRule(1),
};

/** Progress is told after so many texts. */
const progressStep = 256;

/** What {@link SentenceTransformer.from_pretrained} made of a folder. */
interface Parts {
  readonly model: EncoderModel;
  readonly tokenizer: PreTrainedTokenizer;
  readonly modules: SentenceModules;
  readonly settings: SentenceSettings;
}

/**
 * A model of sentence-transformers (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084): texts in, one vector for
 * each out, by the modules that its folder lists.
 */
export class SentenceTransformer {
  readonly tokenizer: PreTrainedTokenizer;
  /** The bare encoder. */
  readonly model: EncoderModel;
  /** Texts to be put in front, by name. */
  prompts: Readonly<Record<string, string>>;
  /** The prompt of calls that name none. */
  default_prompt_name: string | null;
  readonly #modules: SentenceModules;
  readonly #do_lower_case: boolean;
  #similarity_fn_name: SimilarityFunctionName;
  #max_seq_length: number;

  private constructor({ model, tokenizer, modules, settings }: Parts) {
    this.tokenizer = tokenizer;
    this.model = model;
    this.prompts = settings.prompts;
    this.default_prompt_name = settings.default_prompt_name;
    this.#modules = modules;
    this.#do_lower_case = settings.do_lower_case;
    this.#similarity_fn_name = settings.similarity_fn_name;
    this.#max_seq_length = Math.min(settings.max_seq_length ?? tokenizer.model_max_length, model.max_sequence_length);
  }

  /**
   * Loads a folder as sentence-transformers saves it, of any version. A folder without `modules.json` becomes an encoder
   * whose states' mean is the vector; a warning says so.
   *
   * @param pathOrId a folder, an `.onnx` file in one, or the id of a model in `env.localModelPath` or on the hub
   * @param options engine, dtype and the like as every model's `from_pretrained` takes them
   * @throws BertNativeError what a model's and a tokenizer's `from_pretrained` throw; `ERR_UNSUPPORTED_MODEL` for modules that
   *   are not supported, `ERR_CONFIG`, `ERR_WEIGHT_SHAPE` where they do not fit together
   */
  static async from_pretrained(
    pathOrId: string,
    options?: SentenceTransformerOptions | null,
  ): Promise<SentenceTransformer> {
    const given = optionsObject('SentenceTransformer.from_pretrained', options);
    const own = pickOptions<OwnOptions>(given, ownRules);
    const others = Object.entries(given).filter(([name]) => !Object.hasOwn(ownRules, name));
    const place = await findModel(pathOrId, pickOptions(given, resolveRules), 'everything', modelWish(given));
    const { folder } = place;
    const modules = await readModules(folder);
    const settings = { ...(await readSettings(folder, modules.transformer)), ...own };
    checkPromptName('default_prompt_name', settings.default_prompt_name, settings.prompts, 'ERR_OPTION');
    const { transformer } = modules;
    const loading = AutoModel.from_pretrained(place.graph ?? transformer, {
      ...Object.fromEntries(others.filter(([name]) => !Object.hasOwn(resolveRules, name))),
      // Nothing here asks for the pooler: weights of one are held, so that saving keeps them.
      ...((await hasPooler(transformer)) ? {} : { add_pooling_layer: false }),
      extra_heads: extraHeads(modules),
    });
    loading.catch(() => {}); // heard of below, but perhaps after the tokenizer
    try {
      const tokenizer = await AutoTokenizer.from_pretrained(place.graph ?? transformer);
      return new SentenceTransformer({ model: await loading, tokenizer, modules, settings });
    } catch (error) {
      // A model that loads all the same is nobody's.
      loading.then((model) => model.dispose()).catch(() => {});
      throw error;
    }
  }

  /**
   * One vector for each text, by the folder's modules. Texts are tokenized and computed as the engine has room, so that
   * memory beside the result does not grow with their number; a text's vector does not depend on the others.
   *
   * @returns `[texts, dimensions]` of the precision's type, eight dimensions to an element in `binary` and `ubinary`
   * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_TRUNCATION`, `ERR_MEMORY`, `ERR_DISPOSED`, `ERR_ABORTED`; `ERR_SHAPE`
   *   where bits are packed and the dimensions are no multiple of 8
   */
  async encode<P extends EmbeddingPrecision = 'float32'>(
    texts: string | readonly string[],
    options?: SentenceEncodeOptions<P> | null,
  ): Promise<Tensor<EmbeddingTypes[P]>> {
    const given = checkOptions('encode', options, encodeRules);
    const { precision = 'float32', ranges, signal } = given;
    throwIfAborted(signal);
    const call = this.#encode(checkTexts(texts), given as SentenceEncodeOptions);
    const vectors = await (signal ? rejectOnAbort(call, signal) : call);
    if (precision === 'float32') return vectors as Tensor as Tensor<EmbeddingTypes[P]>;
    return quantize_embeddings(vectors, precision, ranges ? { ranges } : {}) as Tensor as Tensor<EmbeddingTypes[P]>;
  }

  /** {@link encode} with the prompt `query`, where there is one and the call names none. */
  encode_query<P extends EmbeddingPrecision = 'float32'>(
    texts: string | readonly string[],
    options?: SentenceEncodeOptions<P> | null,
  ): Promise<Tensor<EmbeddingTypes[P]>> {
    return this.encode(texts, withPromptName(this, ['query'], options ?? {}));
  }

  /** {@link encode} with the prompt `document`, `passage` or `corpus`, where there is one and the call names none. */
  encode_document<P extends EmbeddingPrecision = 'float32'>(
    texts: string | readonly string[],
    options?: SentenceEncodeOptions<P> | null,
  ): Promise<Tensor<EmbeddingTypes[P]>> {
    return this.encode(texts, withPromptName(this, ['document', 'passage', 'corpus'], options ?? {}));
  }

  async #encode(texts: readonly string[], options: SentenceEncodeOptions): Promise<Tensor<'float32'>> {
    const { normalize, batch_tokens, progress_callback, signal } = options;
    const size = this.get_sentence_embedding_dimension();
    const dimensions = options.dimensions ?? size;
    if (dimensions > size) throw optionError('dimensions', dimensions, `at most ${size}, which the vectors have`);
    const max_length = this.#checkedLength();
    const prompt = choosePrompt(this, options);
    const prepare = (text: string): string => preparedText(prompt + text, this.#do_lower_case);
    const skipsPrompt = prompt !== '' && !this.#modules.pooling.include_prompt;
    const vectors = new Tensor('float32', allocate(texts.length, dimensions), [texts.length, dimensions]);
    const encoded = encodeTexts({
      model: this.model,
      tokenizer: this.tokenizer,
      modules: this.#modules,
      texts,
      prepare,
      max_length,
      batch_tokens: batch_tokens ?? 2048,
      pooling_skip: skipsPrompt ? await promptLength(this.tokenizer, prepare(''), max_length) : 0,
      signal: signal ?? null,
    });
    let done = 0;
    for await (const vector of encoded) {
      vectors.data.set(vector.subarray(0, dimensions), done * dimensions);
      done++;
      if (done % progressStep === 0 || done === texts.length) progress_callback?.({ done, total: texts.length });
    }
    return normalize ? vectors.normalize_(2, 1) : vectors;
  }

  #checkedLength(): number {
    const special = this.tokenizer.num_special_tokens_to_add();
    if (this.#max_seq_length >= special) return this.#max_seq_length;
    throw new BertNativeError(
      'ERR_TRUNCATION',
      `max_seq_length is ${this.#max_seq_length}: expected at least ${special}, the number of special tokens around a text`,
    );
  }

  /**
   * How alike each of the vectors `a` and each of `b` are, by {@link similarity_fn_name}.
   *
   * @returns `[n, m]`
   * @throws BertNativeError `ERR_SHAPE`
   */
  similarity(a: Vectors, b: Vectors): Tensor<'float32'> {
    return similarity(this.#similarity_fn_name, a, b);
  }

  /**
   * How alike the vectors at the same place in `a` and `b` are, by {@link similarity_fn_name}.
   *
   * @returns `[n]`
   * @throws BertNativeError `ERR_SHAPE`
   */
  similarity_pairwise(a: Vectors, b: Vectors): Tensor<'float32'> {
    return similarity_pairwise(this.#similarity_fn_name, a, b);
  }

  get similarity_fn_name(): SimilarityFunctionName {
    return this.#similarity_fn_name;
  }

  set similarity_fn_name(name: SimilarityFunctionName) {
    checkSimilarityName(name);
    this.#similarity_fn_name = name;
  }

  /** Texts are cut to so many tokens, special ones included. At most what the model takes. */
  get max_seq_length(): number {
    return this.#max_seq_length;
  }

  set max_seq_length(value: number) {
    checkOption('max_seq_length', value, integerRule(1));
    const most = this.model.max_sequence_length;
    if (value > most) throw optionError('max_seq_length', value, `at most ${most}: the model has no more positions`);
    this.#max_seq_length = value;
  }

  get_max_seq_length(): number {
    return this.#max_seq_length;
  }

  /** The number of values in a vector. */
  get_sentence_embedding_dimension(): number {
    return embeddingSize(this.#modules, this.model.hidden_size);
  }

  /** What calls are doing and have done, and the memory that the model takes. */
  stats(): ModelStats {
    return this.model.stats();
  }

  /**
   * Writes a folder that sentence-transformers and this library load: modules, settings, weights and tokenizer.
   *
   * @throws (rejects) BertNativeError as a model's `save_pretrained`
   */
  async save_pretrained(folder: string): Promise<void> {
    checkOption('folder', folder, stringRule);
    checkPromptName('default_prompt_name', this.default_prompt_name, this.prompts, 'ERR_OPTION');
    await saveSentenceTransformer(folder, {
      model: this.model,
      tokenizer: this.tokenizer,
      modules: this.#modules,
      settings: {
        prompts: this.prompts,
        default_prompt_name: this.default_prompt_name,
        similarity_fn_name: this.#similarity_fn_name,
        max_seq_length: this.#max_seq_length,
        do_lower_case: this.#do_lower_case,
      },
    });
  }

  /** Lets go of the weights once nothing is being computed; later calls, and what is left of others, reject with `ERR_DISPOSED`. */
  dispose(): void {
    this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  [inspect.custom](_depth: number, options: object): string {
    const { modes } = this.#modules.pooling;
    const steps = [...modes.map((mode) => `${mode} pooling`), ...this.#modules.steps.map(({ kind }) => kind)].join(
      ', ',
    );
    const size = this.get_sentence_embedding_dimension();
    return `SentenceTransformer (${steps}; ${size} dimensions) ${inspect(this.model, options)}`;
  }
}

async function hasPooler(folder: string): Promise<boolean> {
  const tensors = await openCheckpoint(folder).then(
    (checkpoint) => [...checkpoint.tensors.keys()],
    (error): string[] => {
      // A graph may be there in their place; whoever loads the model says if not.
      if (error instanceof BertNativeError && error.code === 'ERR_NOT_FOUND') return [];
      throw error;
    },
  );
  return tensors.some((name) => /(^|\.)pooler\./.test(name));
}

function checkTexts(texts: unknown): readonly string[] {
  if (typeof texts === 'string') return [texts];
  if (!Array.isArray(texts)) throw optionError('texts', texts, 'a string or an array of strings');
  const other = texts.findIndex((text) => typeof text !== 'string');
  if (other >= 0) throw optionError(`texts[${other}]`, texts[other], 'a string');
  return texts.slice(); // they are read while the call runs
}

function allocate(count: number, dimensions: number): Float32Array {
  try {
    return new Float32Array(count * dimensions);
  } catch (cause) {
    throw new BertNativeError(
      'ERR_MEMORY',
      `${count} vectors of ${dimensions} values do not fit into one array: encode the texts in parts (${describe((cause as Error).message)})`,
      { cause },
    );
  }
}
