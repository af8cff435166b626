import { inspect } from 'node:util';
import { Callable } from '../callable.ts';
import type { EncoderStats, EngineName, Fp32Precision, LoadedEncoder, ModelDtype } from '../engines/engine.ts';
import type { LoadedGraph } from '../engines/onnxruntime/index.ts';
import type { EncoderSpecification } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import { findModel, type ResolveOptions, resolveRules } from '../hub/resolve.ts';
import type { GraphDtype } from '../onnx/graph-files.ts';
import {
  booleanRule,
  checkOption,
  checkOptions,
  integerRule,
  type OptionRules,
  optionError,
  pickOptions,
  stringRule,
} from '../options.ts';
import { elementCount } from '../weights/checkpoint-tensor.ts';
import { type Architecture, storedParameters } from './architecture.ts';
import { type ConfigValues, PretrainedConfig } from './configuration.ts';
import { type EncoderSource, parametersSource } from './encoder-source.ts';
import {
  type EngineOptions,
  engineRules,
  fileWish,
  type NewModelOptions,
  newModelRules,
  readEngineOptions,
  readNewModelOptions,
  warnOfGraphOptions,
} from './engine-choice.ts';
import { type ExtraHead, initialParameters } from './loading.ts';
import { type ModelDescription, openModel } from './model-source.ts';
import { checkSaving, type SaveOptions, saveConfig, saveWeights } from './saving.ts';

export type { EngineOptions } from './engine-choice.ts';
export type { SaveOptions, SaveProgress } from './saving.ts';

/** How a model is made that has no checkpoint. */
export interface InitOptions extends NewModelOptions {
  /** Seed of the random initialisation, 0 unless given; the same seed gives the same weights on every machine. */
  readonly seed?: number | null;
}

/** How a model is found, loaded and run. */
export interface FromPretrainedOptions extends ResolveOptions, EngineOptions, Pick<InitOptions, 'seed'> {
  /** A configuration in place of the folder's, or fields that override some of it. */
  readonly config?: PretrainedConfig | ConfigValues | null;
  /**
   * Missing weights are `ERR_WEIGHT_MISSING` instead of a warning and a random initialisation. A graph has all of its own.
   */
  readonly strict?: boolean | null;
  /** @internal Heads behind the model's own, whose parameters come from elsewhere; `run_heads` runs them. */
  readonly extra_heads?: readonly ExtraHead[] | null;
}

/** What {@link PreTrainedModel.stats} tells. */
export interface ModelStats extends Omit<EncoderStats, 'workspace_size_bytes'> {
  readonly memory: {
    /** Of the weights as they are held for computing, shared by all models of the process made from the same files. */
    readonly weights_size_bytes: number;
    /** What forward passes hold for what they are computing, of all models of the process; given back when idle. */
    readonly workspace_size_bytes: number;
  };
}

/** Before the weights are there. */
const noCalls: EncoderStats = {
  queued_calls: 0,
  running_calls: 0,
  finished_calls: 0,
  queued_tokens: 0,
  computed_tokens: 0,
  threads: 0,
  workspace_size_bytes: 0,
};

const initRules: OptionRules<InitOptions> = { ...newModelRules, seed: integerRule(0) };

const fromPretrainedRules: OptionRules<FromPretrainedOptions> = {
  ...engineRules,
  ...resolveRules,
  seed: integerRule(0),
  config: {
    expected: 'a configuration, or an object of its fields',
    accepts: (value) => typeof value === 'object' && !Array.isArray(value),
  },
  strict: booleanRule,
  extra_heads: { expected: 'an array of heads', accepts: Array.isArray, internal: true },
};

/** What transformers.js documents for `from_pretrained` and has no meaning here. */
const optionsWithoutEffect = ['transformers_config'];

/**
 * The static side of a model class.
 *
 * @internal what a family's file defines
 */
export interface ModelClass<M extends PreTrainedModel = PreTrainedModel, Options extends object = object>
  extends ModelDescription {
  new (config: never, options?: (NoInfer<Options> & InitOptions) | null, source?: EncoderSource): M;
  /** Rules of the options besides those of every model. */
  readonly option_rules: OptionRules<Options>;
  architecture(config: never, options: NoInfer<Options>): Architecture;
}

/**
 * Base class of every model: loading, saving, running, disposing.
 *
 * A model made with `new` initialises its weights on first use; one from `from_pretrained` has them when the promise
 * resolves.
 */
export abstract class PreTrainedModel extends Callable {
  readonly config: PretrainedConfig;
  readonly #architecture: Architecture;
  readonly #source: EncoderSource;
  #encoder: Promise<LoadedEncoder | LoadedGraph> | undefined;
  #loaded: LoadedEncoder | LoadedGraph | undefined;
  #pendingCalls = 0;
  #disposed = false;

  /** @param source @internal what `from_pretrained` found */
  constructor(config: PretrainedConfig, options?: InitOptions | null, source?: EncoderSource) {
    super();
    const modelClass = this.constructor as unknown as ModelClass;
    checkConfigClass(modelClass, config);
    this.config = config;
    this.#source = source ?? newSource(modelClass, config, options);
    this.#architecture = this.#source.architecture;
  }

  /**
   * Loads a model as its author published it: a checkpoint, `model.safetensors` or `pytorch_model.bin`, whole or sharded; or
   * an ONNX graph, `onnx/model.onnx` and what else `dtype` names, which `engine` says more about.
   *
   * Parameters that the checkpoint lacks are initialised at random and named in a warning, as transformers does; those
   * that the model has no place for are named in a warning too.
   *
   * @param pathOrId a folder, an `.onnx` file, or the id of a model in `env.localModelPath` or on the hub
   * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_OFFLINE`, `ERR_HUB`, `ERR_FILE_FORMAT`, `ERR_UNSAFE_PICKLE`, `ERR_CONFIG`, `ERR_WEIGHT_MISSING`,
   *   `ERR_WEIGHT_SHAPE`, `ERR_DTYPE`, `ERR_OPTION`, `ERR_IO`, `ERR_MEMORY`; `ERR_ENGINE`, `ERR_DEVICE` for a graph
   */
  static async from_pretrained<M extends PreTrainedModel, Options extends object>(
    this: ModelClass<M, Options>,
    pathOrId: string,
    options?: (FromPretrainedOptions & NoInfer<Options>) | null,
  ): Promise<M> {
    const rules = { ...fromPretrainedRules, ...this.option_rules };
    const given = checkOptions(`${this.name}.from_pretrained`, options, rules, optionsWithoutEffect);
    const { config, strict, seed, extra_heads } = given as FromPretrainedOptions;
    const wish = readEngineOptions(given as EngineOptions); // what does not fit is known before anything is read
    if (config instanceof PretrainedConfig) checkConfigClass(this, config);

    const ofClass = this.describe_graph ? { ...wish, origins: ['graph'] as const } : wish;
    const place = await findModel(pathOrId, pickOptions(given, resolveRules), 'model', fileWish(ofClass));
    const class_options = pickOptions(given, this.option_rules) as Options;
    const opened = await openModel(this, place, {
      ...{ wish: ofClass, class_options },
      config: config ?? null,
      seed: seed ?? 0,
      strict: strict ?? false,
      extra_heads: extra_heads ?? [],
    });
    if (opened.source.parameters !== null) warnOfGraphOptions(`${this.name}.from_pretrained`, given as EngineOptions);
    const model = new this(opened.config as never, class_options, opened.source);
    await model.withEncoder(async () => {});
    return model;
  }

  /**
   * Runs `use` with the encoder, whose weights are made on first use and stay until `use` has settled, also where
   * `dispose` is called meanwhile.
   */
  protected async withEncoder<T>(use: (encoder: LoadedEncoder) => Promise<T>): Promise<T> {
    if (this.#disposed) throw new BertNativeError('ERR_DISPOSED', 'the model was disposed');
    this.#encoder ??= this.#source.load();
    const loading = this.#encoder;
    this.#pendingCalls++;
    try {
      // Once it is loaded, a call reaches the engine in the same turn of the event loop, and counts in its stats.
      this.#loaded ??= await loading.catch((error) => {
        this.#encoder = undefined; // the next call tries again
        throw error;
      });
      return await use(this.#loaded);
    } finally {
      this.#pendingCalls--;
      this.#releaseIfDone();
    }
  }

  protected get specification(): EncoderSpecification {
    return this.#source.specification;
  }

  /** Whether the encoder takes rows of tokens as they are; null before it is there. */
  protected get takesTokenRows(): boolean | null {
    return this.#loaded?.takes_token_rows ?? null;
  }

  /** The same once the encoder is there. */
  protected askForTokenRows(): Promise<boolean> {
    return this.withEncoder(async ({ takes_token_rows }) => takes_token_rows);
  }

  /** The engine in use. */
  get engine(): EngineName {
    return this.#source.engine;
  }

  /** How the weights of the matrices are held and multiplied; of a graph, which of a folder's it is. */
  get dtype(): ModelDtype | GraphDtype {
    return this.#source.dtype;
  }

  /**
   * What forward passes run on, the preferred one first: `['cpu']`, or of engine `onnxruntime` the execution providers of its
   * session, `['cuda', 'cpu']`.
   */
  get execution_providers(): readonly string[] {
    return this.#loaded !== undefined && 'execution_providers' in this.#loaded
      ? this.#loaded.execution_providers
      : ['cpu'];
  }

  /** How exact products in fp32 are; without meaning for other dtypes. */
  get fp32_precision(): Fp32Precision {
    return this.#source.fp32_precision;
  }

  /** What the calls of this model are doing and have done, also once it is disposed of, and the memory that it takes. */
  stats(): ModelStats {
    const { workspace_size_bytes, ...calls } = this.#loaded?.stats() ?? noCalls;
    const weights_size_bytes = this.#encoder ? (this.#loaded?.weights_size_bytes ?? 0) : 0;
    return { ...calls, memory: { weights_size_bytes, workspace_size_bytes } };
  }

  /**
   * The number of parameters, by the configuration: of the checkpoint, where a graph made of it is run. NaN for a graph of a
   * family that is not known here.
   */
  num_parameters(): number {
    if ((this.constructor as unknown as ModelClass).describe_graph !== undefined) return Number.NaN;
    return storedParameters(this.#architecture).reduce((total, { key, shape }) => total + elementCount(shape, key), 0);
  }

  /**
   * Writes `config.json` and the weights, each in the element type it was loaded from, bit for bit. With
   * `safe_serialization: false` a `model.safetensors` that the folder holds is removed: readers would prefer it.
   *
   * With `format: 'onnx'`, writes `config.json` and the encoder as a graph, in the layout in which transformers.js looks
   * for it, so that all dtypes may lie in one folder, and a checkpoint beside them. `fp32` holds the weights exactly,
   * whatever the element type they were stored in. Weights that the encoder does not read are left out.
   *
   * @throws BertNativeError `ERR_DTYPE` for a model of another dtype than `fp32`, or of `fp32_precision: 'high'`, which
   *   does not hold what it was loaded from; for a checkpoint's parameter stored as F64, which is held rounded to fp32;
   *   `ERR_OPTION`, among them for weights that cannot be quantised; `ERR_IO`; `ERR_DISPOSED`
   */
  async save_pretrained(folder: string, options?: SaveOptions | null): Promise<void> {
    checkOption('folder', folder, stringRule);
    const given = checkSaving(options, this.#source);
    const { name, task = null } = this.constructor as unknown as ModelClass;
    await this.withEncoder(async (encoder) => {
      await saveWeights(folder, { source: this.#source, task, encoder }, given);
      this.config.architectures = [name];
      await saveConfig(folder, this.config.to_dict(), given.format ?? 'checkpoint');
    });
  }

  /** Lets go of the weights once pending calls have settled; later calls reject with `ERR_DISPOSED`. */
  dispose(): void {
    this.#disposed = true;
    this.#releaseIfDone();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  [inspect.custom](_depth: number, options: object): string {
    const count = this.num_parameters();
    const parameters = Number.isNaN(count) ? [] : [`${count.toLocaleString('en')} parameters`];
    const { dtype, fp32_precision } = this.#source;
    const arithmetic = fp32_precision === 'high' ? `${dtype} at precision high` : dtype;
    const providers = this.engine === 'onnxruntime' ? ` on ${this.execution_providers.join(', ')}` : '';
    const traits = [...parameters, arithmetic, `${this.engine} engine${providers}`].join(', ');
    return `${this.constructor.name} (${traits}) ${inspect(this.config, options)}`;
  }

  #releaseIfDone(): void {
    if (!this.#disposed || this.#pendingCalls > 0) return;
    this.#encoder?.then(
      (encoder) => encoder.dispose(),
      () => {},
    );
    this.#encoder = undefined;
  }
}

/** @throws BertNativeError `ERR_OPTION` for the configuration of another family */
function checkConfigClass({ config_class }: Pick<ModelClass, 'config_class'>, config: unknown): void {
  if (!(config instanceof config_class)) throw optionError('config', config, `a ${config_class.name}`);
}

/** An encoder whose weights are random. @throws BertNativeError `ERR_OPTION`, `ERR_DEVICE`, `ERR_CONFIG` */
function newSource(
  modelClass: ModelClass,
  config: PretrainedConfig,
  options: InitOptions | null | undefined,
): EncoderSource {
  const given = checkOptions<InitOptions>(modelClass.name, options, { ...initRules, ...modelClass.option_rules });
  if (modelClass.describe_graph) {
    throw optionError('config', config, `from_pretrained: a ${modelClass.name} is what its graph makes of it`);
  }
  const { engine, ...arithmetic } = readNewModelOptions(given);
  const architecture = modelClass.architecture(config as never, given);
  return parametersSource(engine, architecture, initialParameters(architecture, given.seed ?? 0), arithmetic);
}
