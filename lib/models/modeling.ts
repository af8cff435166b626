import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Callable } from '../callable.ts';
import type { EncoderStats, Engine, Fp32Precision, LoadedEncoder, LoadOptions, ModelDtype } from '../engines/engine.ts';
import { nativeEngine } from '../engines/native.ts';
import type { EncoderSpecification } from '../engines/specification.ts';
import type { TaskDescription } from '../engines/task.ts';
import { BertNativeError } from '../errors.ts';
import { makeFolder } from '../files.ts';
import { type ResolveOptions, resolveModelFolder, resolveRules } from '../hub/resolve.ts';
import {
  booleanRule,
  checkOption,
  checkOptions,
  type GivenOptions,
  integerRule,
  type OptionRule,
  type OptionRules,
  oneOfRule,
  optionError,
  pickOptions,
  stringRule,
} from '../options.ts';
import { elementCount } from '../weights/checkpoint-tensor.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { encodeStored } from '../weights/stored-tensor.ts';
import { type Architecture, type StoredParameter, storedParameters } from './architecture.ts';
import {
  type ArithmeticOptions,
  arithmeticRules,
  describeArithmetic,
  keepsBits,
  readArithmetic,
} from './arithmetic.ts';
import { type ConfigValues, PretrainedConfig, readConfigValues, writeConfigValues } from './configuration.ts';
import {
  type ExtraHead,
  initialParameters,
  type LoadedParameters,
  loadParameters,
  readParameterSource,
  withExtraHeads,
} from './loading.ts';

/** How a model is run. */
export interface EngineOptions extends ArithmeticOptions {
  /** `native` (default), or `reference`: plain TypeScript, slow and exact, for comparison; of dtype `fp32` only. */
  readonly engine?: 'native' | 'reference' | null;
  readonly device?: 'cpu' | 'auto' | null;
}

export interface InitOptions extends EngineOptions {
  /** Seed of the random initialisation, 0 unless given; the same seed gives the same weights on every machine. */
  readonly seed?: number | null;
}

export interface FromPretrainedOptions extends ResolveOptions, InitOptions {
  /** A configuration in place of the folder's, or fields that override some of it. */
  readonly config?: PretrainedConfig | ConfigValues | null;
  /** Missing weights are `ERR_WEIGHT_MISSING` instead of a warning and a random initialisation. */
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

export interface SaveOptions {
  /**
   * `checkpoint` (default): weights for Python and this library. `onnx`: the encoder for onnxruntime and transformers.js,
   * as `onnx/model.onnx`, `onnx/model_fp16.onnx` or `onnx/model_quantized.onnx`.
   */
  readonly format?: 'checkpoint' | 'onnx' | null;
  /** `true` (default): `model.safetensors`; `false`: `pytorch_model.bin`, as `torch.load` reads it. */
  readonly safe_serialization?: boolean | null;
  /**
   * ONNX only. `fp32` (default); `fp16`: weights in float16, those beyond its ±65504 at that, and computing in float16 but
   * for norms, pooling, small heads and the residual stream of models whose norms stand in front of it; inputs and outputs
   * as in `fp32`; or `q8`: weights in eight bits, activations in eight bits where they meet them.
   */
  readonly dtype?: 'fp32' | 'fp16' | 'q8' | null;
  /**
   * ONNX only. Whether the weights lie in a file of their own (`model.onnx_data`) beside the graph; unless given, they do
   * where the graph's file would pass protobuf's limit of 2 GB.
   */
  readonly external_data?: boolean | null;
  /**
   * ONNX only. `true`: attention, sums with their norms, and activations are operators of ONNX Runtime's own
   * (`com.microsoft`) where one does what the model does, in files of the same names. They are for its execution providers
   * on accelerators: on the CPU, plain graphs are as fast or faster. No other runtime has them, nor onnxruntime before 1.17.
   * Accuracy and masks are as in the plain graph. Relative keys, DeBERTa-v2's distances and all attention in `fp16` stay
   * as they are. `false` (default): operators of ONNX alone.
   */
  readonly fused_operators?: boolean | null;
  /** ONNX only. Called after each parameter that was written. */
  readonly progress_callback?: ((progress: SaveProgress) => void) | null;
}

/** How far a model has been written. */
export interface SaveProgress {
  readonly written_bytes: number;
  readonly total_bytes: number;
}

const deviceRule: OptionRule = {
  expected: "'cpu' or 'auto'",
  accepts: (value) => {
    if (value === 'cuda') throw new BertNativeError('ERR_DEVICE', "device is 'cuda': this version runs on 'cpu'");
    return value === 'cpu' || value === 'auto';
  },
};

const initRules: OptionRules<InitOptions> = {
  engine: oneOfRule('native', 'reference'),
  ...arithmeticRules,
  device: deviceRule,
  seed: integerRule(0),
};

const fromPretrainedRules: OptionRules<FromPretrainedOptions> = {
  ...initRules,
  ...resolveRules,
  config: {
    expected: 'a configuration, or an object of its fields',
    accepts: (value) => typeof value === 'object' && !Array.isArray(value),
  },
  strict: booleanRule,
  extra_heads: { expected: 'an array of heads', accepts: Array.isArray },
};

const saveRules: OptionRules<SaveOptions> = {
  format: oneOfRule('checkpoint', 'onnx'),
  safe_serialization: booleanRule,
  dtype: oneOfRule('fp32', 'fp16', 'q8'),
  external_data: booleanRule,
  fused_operators: booleanRule,
  progress_callback: { expected: 'a function', accepts: (value) => typeof value === 'function' },
};

/** Options of `save_pretrained` that belong to one format. */
const optionsOfFormats = {
  checkpoint: ['safe_serialization'],
  onnx: ['dtype', 'external_data', 'fused_operators', 'progress_callback'],
} as const;

/** What transformers.js documents for `from_pretrained` and has no meaning for a checkpoint folder. */
const optionsWithoutEffect = ['model_file_name', 'use_external_data_format', 'session_options', 'transformers_config'];

// What most programs do without is imported when it is first used: starting up is much of a short program's time.
const importReference = () => import('../engines/reference/index.ts');
const importOnnx = () => import('../onnx/export.ts');
const importTorchBin = () => import('../weights/torch-bin.ts');

const engines: Readonly<Record<'native' | 'reference', Engine>> = {
  native: nativeEngine,
  reference: {
    name: 'reference',
    dtypes: ['fp32'],
    load: async (specification, parameters) =>
      (await importReference()).referenceEngine.load(specification, parameters),
  },
};

/**
 * The static side of a model class.
 *
 * @internal what a family's file defines
 */
export interface ModelClass<M extends PreTrainedModel = PreTrainedModel, Options extends object = object> {
  new (config: never, options?: (NoInfer<Options> & InitOptions) | null, parameters?: LoadedParameters): M;
  readonly name: string;
  readonly config_class: new (values?: ConfigValues) => PretrainedConfig;
  readonly base_model_prefix: string;
  /** Rules of the options besides those of every model. */
  readonly option_rules: OptionRules<Options>;
  /** What a task's model makes of its heads' results; undefined: a bare encoder. */
  readonly task?: TaskDescription;
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
  /** The architecture's, with heads that were added to it. */
  readonly #specification: EncoderSpecification;
  readonly #engine: Engine;
  readonly #arithmetic: LoadOptions;
  readonly #parameters: LoadedParameters;
  #encoder: Promise<LoadedEncoder> | undefined;
  #loaded: LoadedEncoder | undefined;
  #pendingCalls = 0;
  #disposed = false;

  /** @param parameters @internal what `from_pretrained` loaded */
  constructor(config: PretrainedConfig, options?: InitOptions | null, parameters?: LoadedParameters) {
    super();
    const modelClass = this.constructor as unknown as ModelClass;
    const given = checkOptions<InitOptions>(modelClass.name, options, { ...initRules, ...modelClass.option_rules });
    checkConfigClass(modelClass, config);
    this.config = config;
    [this.#engine, this.#arithmetic] = chooseEngine(given);
    this.#architecture = modelClass.architecture(config as never, given);
    this.#parameters = parameters ?? initialParameters(this.#architecture, given.seed ?? 0);
    const { specification } = this.#architecture;
    this.#specification = { ...specification, heads: [...specification.heads, ...this.#parameters.extra_heads] };
  }

  /**
   * Loads a checkpoint as its author published it: `model.safetensors` or `pytorch_model.bin`, whole or sharded.
   *
   * Parameters that the checkpoint lacks are initialised at random and named in a warning, as transformers does; those
   * that the model has no place for are named in a warning too.
   *
   * @param pathOrId a folder, or the id of a model in `env.localModelPath` or on the hub
   * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_OFFLINE`, `ERR_HUB`, `ERR_FILE_FORMAT`, `ERR_UNSAFE_PICKLE`, `ERR_CONFIG`, `ERR_WEIGHT_MISSING`,
   *   `ERR_WEIGHT_SHAPE`, `ERR_DTYPE`, `ERR_OPTION`, `ERR_IO`, `ERR_MEMORY`
   */
  static async from_pretrained<M extends PreTrainedModel, Options extends object>(
    this: ModelClass<M, Options>,
    pathOrId: string,
    options?: (FromPretrainedOptions & NoInfer<Options>) | null,
  ): Promise<M> {
    const rules = { ...fromPretrainedRules, ...this.option_rules };
    const given = checkOptions(`${this.name}.from_pretrained`, options, rules, optionsWithoutEffect);
    const { config: givenConfig, strict, seed, extra_heads } = given as FromPretrainedOptions;

    const initOptions = pickOptions(given, { ...initRules, ...this.option_rules }) as Options & InitOptions;
    chooseEngine(initOptions); // what does not fit is known before anything is read
    if (givenConfig instanceof PretrainedConfig) checkConfigClass(this, givenConfig);

    const folder = await resolveModelFolder(pathOrId, pickOptions(given, resolveRules), 'model');
    const config =
      givenConfig instanceof PretrainedConfig
        ? givenConfig
        : new this.config_class(await readConfigValues(folder, givenConfig ?? {}));
    const architecture = this.architecture(config as never, initOptions);
    const parameters = await loadParameters(this, architecture, folder, seed ?? 0, strict ?? false);
    const all = withExtraHeads(parameters, architecture.specification, extra_heads ?? []);
    const model = new this(config as never, initOptions, all);
    await model.withEncoder(async () => {});
    return model;
  }

  /**
   * Runs `use` with the encoder, whose weights are made on first use and stay until `use` has settled, also where
   * `dispose` is called meanwhile.
   */
  protected async withEncoder<T>(use: (encoder: LoadedEncoder) => Promise<T>): Promise<T> {
    if (this.#disposed) throw new BertNativeError('ERR_DISPOSED', 'the model was disposed');
    this.#encoder ??= this.#engine.load(this.#specification, this.#parameters.sources, this.#arithmetic);
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
    return this.#specification;
  }

  /** The engine in use. */
  get engine(): 'native' | 'reference' {
    return this.#engine.name;
  }

  /** How the weights of the matrices are held and multiplied. */
  get dtype(): ModelDtype {
    return this.#arithmetic.dtype;
  }

  /** How exact products in fp32 are; without meaning for other dtypes. */
  get fp32_precision(): Fp32Precision {
    return this.#arithmetic.fp32_precision;
  }

  /** What the calls of this model are doing and have done, also once it is disposed of, and the memory that it takes. */
  stats(): ModelStats {
    const { workspace_size_bytes, ...calls } = this.#loaded?.stats() ?? noCalls;
    const weights_size_bytes = this.#encoder ? (this.#loaded?.weights_size_bytes ?? 0) : 0;
    return { ...calls, memory: { weights_size_bytes, workspace_size_bytes } };
  }

  /** The number of parameters. */
  num_parameters(): number {
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
    const given = checkOptions('save_pretrained', options, saveRules);
    const format = given.format ?? 'checkpoint';
    const foreign = optionsOfFormats[format === 'onnx' ? 'checkpoint' : 'onnx'].find((name) => name in given);
    if (foreign !== undefined) {
      throw new BertNativeError(
        'ERR_OPTION',
        `save_pretrained: ${foreign} has no meaning for format '${format}'` +
          (format === 'checkpoint'
            ? ": expected format: 'onnx' with it"
            : ': expected dtype, external_data, fused_operators or none of them'),
      );
    }
    if (!keepsBits(this.#arithmetic)) {
      throw new BertNativeError(
        'ERR_DTYPE',
        `save_pretrained: this model was made with ${describeArithmetic(this.#arithmetic)}, which does not keep the bits ` +
          "of its weights: expected one made with dtype 'fp32' (and fp32_precision 'highest'), the default",
      );
    }
    await this.withEncoder(async (encoder) => {
      if (format === 'onnx') await this.#saveOnnx(folder, encoder, given);
      else await this.#saveCheckpoint(folder, encoder, given.safe_serialization ?? true);
      this.config.architectures = [this.constructor.name];
      await writeConfigValues(folder, await withExternalData(this.config.to_dict(), folder, format));
    });
  }

  async #saveOnnx(folder: string, encoder: LoadedEncoder, options: GivenOptions<SaveOptions>): Promise<void> {
    const { dtype = 'fp32', external_data = null, fused_operators = false, progress_callback } = options;
    const read = (name: string) => encoder.readParameter(name);
    const { exportEncoder } = await importOnnx();
    await exportEncoder(folder, this.#architecture.specification, dtype, read, {
      task: (this.constructor as unknown as ModelClass).task ?? null,
      external_data,
      fused_operators,
      onProgress: (written_bytes, total_bytes) => progress_callback?.({ written_bytes, total_bytes }),
    });
  }

  async #saveCheckpoint(folder: string, encoder: LoadedEncoder, safe_serialization: boolean): Promise<void> {
    const tensors = storedParameters(this.#architecture).map((parameter) => {
      const { key, shape } = parameter;
      const dtype = this.#parameters.stored.get(key) ?? 'F32';
      if (dtype === 'F64') {
        throw new BertNativeError('ERR_DTYPE', `${key} was stored as F64 and is held in fp32: saving would lose bits`);
      }
      const data = async () => encodeStored(await this.#readStored(parameter, encoder), dtype);
      return { name: key, dtype, shape, data };
    });
    await makeFolder(folder);
    if (safe_serialization) {
      await writeSafetensors(join(folder, 'model.safetensors'), tensors);
    } else {
      const { writeTorchBin } = await importTorchBin();
      await writeTorchBin(join(folder, 'pytorch_model.bin'), tensors);
      for (const name of ['model.safetensors', 'model.safetensors.index.json']) {
        await rm(join(folder, name), { force: true });
      }
    }
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
    const parameters = this.num_parameters().toLocaleString('en');
    const { dtype, fp32_precision } = this.#arithmetic;
    const arithmetic = fp32_precision === 'high' ? `${dtype} at precision high` : dtype;
    return `${this.constructor.name} (${parameters} parameters, ${arithmetic}, ${this.engine} engine) ${inspect(this.config, options)}`;
  }

  #releaseIfDone(): void {
    if (!this.#disposed || this.#pendingCalls > 0) return;
    this.#encoder?.then(
      (encoder) => encoder.dispose(),
      () => {},
    );
    this.#encoder = undefined;
  }

  async #readStored({ key, parts }: StoredParameter, encoder: LoadedEncoder): Promise<Float32Array> {
    if (parts.length === 0) return readParameterSource(this.#parameters.unread.get(key)!);
    if (parts.length === 1) return encoder.readParameter(parts[0]!);
    const values = await Promise.all(parts.map((name) => encoder.readParameter(name)));
    const whole = new Float32Array(values.reduce((total, { length }) => total + length, 0));
    values.reduce((offset, part) => {
      whole.set(part, offset);
      return offset + part.length;
    }, 0);
    return whole;
  }
}

/** @throws BertNativeError `ERR_OPTION` for the configuration of another family */
function checkConfigClass({ config_class }: Pick<ModelClass, 'config_class'>, config: unknown): void {
  if (!(config instanceof config_class)) throw optionError('config', config, `a ${config_class.name}`);
}

/** @throws BertNativeError `ERR_OPTION` for arithmetic that an engine does not have */
function chooseEngine(options: EngineOptions): [Engine, LoadOptions] {
  const arithmetic = readArithmetic(options);
  const engine = engines[options.engine ?? 'native'];
  if (!engine.dtypes.includes(arithmetic.dtype)) {
    throw new BertNativeError(
      'ERR_OPTION',
      `dtype is '${arithmetic.dtype}', but engine '${engine.name}' has ${engine.dtypes.join(', ')} alone: ` +
        "expected that, or engine 'native'",
    );
  }
  return [engine, arithmetic];
}

/**
 * Configuration values that tell transformers.js which of the folder's ONNX models have their weights in a file of their
 * own; in a browser it cannot look.
 */
async function withExternalData(
  values: ConfigValues,
  folder: string,
  format: 'checkpoint' | 'onnx',
): Promise<ConfigValues> {
  const { modelsWithExternalData } = await importOnnx();
  const models = await modelsWithExternalData(folder);
  const key = 'transformers.js_config';
  if (models.length === 0 && (format === 'checkpoint' || values[key] === undefined)) return values;
  const told = values[key];
  const { use_external_data_format: _, ...others } = (
    typeof told === 'object' && told !== null ? told : {}
  ) as ConfigValues;
  const numberOfFiles = Object.fromEntries(models.map((name) => [name, 1]));
  const external = models.length > 0 ? { use_external_data_format: numberOfFiles } : {};
  return { ...values, [key]: { ...others, ...external } };
}
