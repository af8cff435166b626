import { join } from 'node:path';
import { inspect } from 'node:util';
import { Callable } from '../callable.ts';
import type { Engine, LoadedEncoder, ParameterSource, ParameterSources } from '../engines/engine.ts';
import { nativeEngine } from '../engines/native.ts';
import { encoderParameters, type Parameter } from '../engines/parameters.ts';
import { parameterSeed } from '../engines/random.ts';
import { referenceEngine } from '../engines/reference/index.ts';
import { readParameterSource } from '../engines/reference/weights.ts';
import type { EncoderSpecification } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import { makeFolder } from '../files.ts';
import { type ResolveOptions, resolveModelFolder, resolveOptionNames } from '../hub/resolve.ts';
import { checkOptionNames, choiceOption, optionError } from '../options.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import { matchParameters } from '../weights/match-parameters.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { encodeStored } from '../weights/stored-tensor.ts';
import type { StoredDtype } from '../weights/tensor-span.ts';
import { writeTorchBin } from '../weights/torch-bin.ts';
import { type ConfigValues, PretrainedConfig, readConfigValues } from './configuration.ts';

/** How a model family's parameters are laid out in its checkpoints. */
export interface Architecture {
  readonly specification: EncoderSpecification;
  /** The checkpoint's key, without the base model's prefix, of a canonical parameter (`encoderParameters`). */
  readonly checkpointKey: (canonicalName: string) => string;
  /** Parameters that checkpoints of this family hold and the encoder does not read: loaded and saved all the same. */
  readonly unread: readonly Parameter[];
  /** Names in a checkpoint that the model leaves out on purpose, so that they are not worth a warning. */
  readonly ignored: readonly RegExp[];
  /** The row of `embeddings.word` that initialisation leaves zero, or -1. */
  readonly padding_row: number;
  /** The standard deviation of newly initialised weights. */
  readonly initializer_range: number;
}

/** How a model is run. */
export interface EngineOptions {
  /** `native` (default), or `reference`: plain TypeScript, slow and exact, for comparison. */
  engine?: 'native' | 'reference';
  /** Arithmetic of the forward pass. */
  dtype?: 'fp32';
  /** `highest` (default): relative error about 1e-6 against exact arithmetic. */
  fp32_precision?: 'highest';
  device?: 'cpu' | 'auto';
}

export interface InitOptions extends EngineOptions {
  /** Seed of the random initialisation; the same seed gives the same weights on every machine. */
  seed?: number;
}

export interface FromPretrainedOptions extends ResolveOptions, InitOptions {
  /** A configuration in place of the folder's, or fields that override some of it. */
  config?: PretrainedConfig | ConfigValues;
  /** Missing weights are `ERR_WEIGHT_MISSING` instead of a warning and a random initialisation. */
  strict?: boolean;
  local_files_only?: boolean;
}

export interface SaveOptions {
  /** `true` (default): `model.safetensors`; `false`: `pytorch_model.bin`, as `torch.load` reads it. */
  safe_serialization?: boolean;
}

const engineOptionNames = ['engine', 'dtype', 'fp32_precision', 'device'] as const;

/** What transformers.js documents for `from_pretrained` and has no meaning for a checkpoint folder. */
const optionsWithoutEffect = [
  'progress_callback',
  'model_file_name',
  'use_external_data_format',
  'session_options',
  'transformers_config',
];

const engines: Readonly<Record<'native' | 'reference', Engine>> = { native: nativeEngine, reference: referenceEngine };

/** The static side of a model class. */
export interface ModelClass<M extends PreTrainedModel = PreTrainedModel, Options extends object = object> {
  new (config: never, options?: Options & InitOptions, parameters?: LoadedParameters): M;
  readonly name: string;
  readonly config_class: new (values?: ConfigValues) => PretrainedConfig;
  readonly base_model_prefix: string;
  /** Names of the options of the constructor besides those of every model. */
  readonly option_names: readonly string[];
  architecture(config: never, options: Options): Architecture;
}

/** Where a model's parameters come from, by canonical name, and those the encoder does not read by checkpoint key. */
export interface LoadedParameters {
  readonly sources: ParameterSources;
  readonly unread: ReadonlyMap<string, ParameterSource>;
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
  readonly #engine: Engine;
  readonly #parameters: LoadedParameters;
  #encoder: Promise<LoadedEncoder> | undefined;
  #disposed = false;

  constructor(config: PretrainedConfig, options: InitOptions = {}, parameters?: LoadedParameters) {
    super();
    const modelClass = this.constructor as unknown as ModelClass;
    checkOptionNames(modelClass.name, options, ['seed', ...engineOptionNames, ...modelClass.option_names]);
    if (!(config instanceof modelClass.config_class)) {
      throw optionError('config', config, `a ${modelClass.config_class.name}`);
    }
    this.config = config;
    this.#engine = engines[checkEngineOptions(options)];
    this.#architecture = modelClass.architecture(config as never, options);
    this.#parameters = parameters ?? initialParameters(this.#architecture, checkSeed(options.seed));
  }

  /**
   * Loads a checkpoint as its author published it: `model.safetensors` or `pytorch_model.bin`, whole or sharded.
   *
   * Parameters that the checkpoint lacks are initialised at random and named in a warning, as transformers does; those
   * that the model has no place for are named in a warning too.
   *
   * @param pathOrId a folder, or the id of a model in `env.localModelPath` or the hub cache
   * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_FILE_FORMAT`, `ERR_UNSAFE_PICKLE`, `ERR_CONFIG`, `ERR_WEIGHT_MISSING`,
   *   `ERR_WEIGHT_SHAPE`, `ERR_DTYPE`, `ERR_OPTION`, `ERR_IO`, `ERR_MEMORY`
   */
  static async from_pretrained<M extends PreTrainedModel, Options extends object>(
    this: ModelClass<M, Options>,
    pathOrId: string,
    options: FromPretrainedOptions & Options = {} as FromPretrainedOptions & Options,
  ): Promise<M> {
    const { config: givenConfig, strict = false, seed, ...rest } = options;
    const known = ['config', 'strict', 'seed', ...resolveOptionNames, ...engineOptionNames, ...this.option_names];
    checkOptionNames(`${this.name}.from_pretrained`, options, known, optionsWithoutEffect);
    if (typeof strict !== 'boolean') throw optionError('strict', strict, 'true or false');
    checkEngineOptions(options);

    const folder = await resolveModelFolder(pathOrId, options);
    const config =
      givenConfig instanceof PretrainedConfig
        ? givenConfig
        : new this.config_class(await readConfigValues(folder, givenConfig));
    const pick = (names: readonly string[]) =>
      Object.fromEntries(Object.entries(rest).filter(([name]) => names.includes(name)));
    const classOptions = pick(this.option_names) as Options;
    const architecture = this.architecture(config as never, classOptions);
    const parameters = await loadedParameters(this, architecture, folder, checkSeed(seed), strict);
    const model = new this(config as never, { ...classOptions, ...pick(engineOptionNames) }, parameters);
    await model.encoder();
    return model;
  }

  /** The encoder with its weights, made on first use. */
  protected async encoder(): Promise<LoadedEncoder> {
    if (this.#disposed) throw new BertNativeError('ERR_DISPOSED', 'the model was disposed');
    this.#encoder ??= this.#engine.load(this.#architecture.specification, this.#parameters.sources);
    try {
      return await this.#encoder;
    } catch (error) {
      this.#encoder = undefined; // the next call tries again
      throw error;
    }
  }

  protected get specification(): EncoderSpecification {
    return this.#architecture.specification;
  }

  /** The engine in use. */
  get engine(): 'native' | 'reference' {
    return this.#engine.name;
  }

  /** The number of parameters. */
  num_parameters(): number {
    return this.#savedParameters().reduce((total, { shape }) => total + elementCount(shape), 0);
  }

  /**
   * Writes `config.json` and the weights, each in the element type it was loaded from, bit for bit.
   *
   * @throws BertNativeError `ERR_DTYPE` for a parameter stored as F64, which is held rounded to fp32; `ERR_IO`;
   *   `ERR_DISPOSED`
   */
  async save_pretrained(folder: string, options: SaveOptions = {}): Promise<void> {
    checkOptionNames('save_pretrained', options, ['safe_serialization']);
    const { safe_serialization = true } = options;
    if (typeof safe_serialization !== 'boolean') {
      throw optionError('safe_serialization', safe_serialization, 'true or false');
    }
    const encoder = await this.encoder();
    const tensors = this.#savedParameters().map(({ name, shape, source, read }) => {
      const dtype: StoredDtype = source.kind === 'span' ? source.span.dtype : 'F32';
      if (dtype === 'F64') {
        throw new BertNativeError('ERR_DTYPE', `${name} was stored as F64 and is held in fp32: saving would lose bits`);
      }
      return { name, dtype, shape, data: async () => encodeStored(await read(encoder), dtype) };
    });
    await makeFolder(folder);
    if (safe_serialization) await writeSafetensors(join(folder, 'model.safetensors'), tensors);
    else await writeTorchBin(join(folder, 'pytorch_model.bin'), tensors);
    this.config.architectures = [this.constructor.name];
    await this.config.save_pretrained(folder);
  }

  /** Lets go of the weights once pending calls have settled; later calls reject with `ERR_DISPOSED`. */
  dispose(): void {
    this.#disposed = true;
    this.#encoder?.then(
      (encoder) => encoder.dispose(),
      () => {},
    );
    this.#encoder = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  [inspect.custom](_depth: number, options: object): string {
    const parameters = this.num_parameters().toLocaleString('en');
    return `${this.constructor.name} (${parameters} parameters, ${this.engine} engine) ${inspect(this.config, options)}`;
  }

  #savedParameters() {
    const { specification, checkpointKey, unread } = this.#architecture;
    const { sources, unread: unreadSources } = this.#parameters;
    return [
      ...encoderParameters(specification).map(({ name, shape }) => ({
        name: checkpointKey(name),
        shape,
        source: sources.get(name)!,
        read: (encoder: LoadedEncoder) => encoder.readParameter(name),
      })),
      ...unread.map(({ name, shape }) => {
        const source = unreadSources.get(name)!;
        return { name, shape, source, read: () => readParameterSource(source) };
      }),
    ];
  }
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Checks the options that say how a model is run, and gives the name of the engine. */
function checkEngineOptions(options: EngineOptions): 'native' | 'reference' {
  const { engine, dtype, fp32_precision, device } = options as Record<string, unknown>;
  choiceOption('dtype', dtype, ['fp32'], 'fp32');
  choiceOption('fp32_precision', fp32_precision, ['highest'], 'highest');
  if (device === 'cuda') throw new BertNativeError('ERR_DEVICE', "device is 'cuda': this version runs on 'cpu'");
  choiceOption('device', device, ['cpu', 'auto'], 'cpu');
  return choiceOption('engine', engine, ['native', 'reference'], 'native');
}

function checkSeed(seed: unknown = 0): number {
  if (!Number.isSafeInteger(seed) || (seed as number) < 0) throw optionError('seed', seed, 'a whole number, 0 or more');
  return seed as number;
}

/** Matrices at random, norms as the identity, biases zero: Devlin et al. 2018, as transformers' `_init_weights`. */
function initialSource(
  { padding_row, initializer_range: std }: Architecture,
  name: string,
  shape: readonly number[],
  seed: bigint,
): ParameterSource {
  if (name.endsWith('norm.weight')) return { kind: 'constant', shape, value: 1 };
  if (name.endsWith('.bias')) return { kind: 'constant', shape, value: 0 };
  return { kind: 'normal', shape, seed, std, zero_row: name === 'embeddings.word' ? padding_row : -1 };
}

function initialParameters(architecture: Architecture, seed: number): LoadedParameters {
  const { specification, checkpointKey, unread } = architecture;
  const sourceOf = (canonicalName: string, key: string, shape: readonly number[]) =>
    initialSource(architecture, canonicalName, shape, parameterSeed(seed, key));
  return {
    sources: new Map(
      encoderParameters(specification).map(({ name, shape }) => [name, sourceOf(name, checkpointKey(name), shape)]),
    ),
    unread: new Map(unread.map(({ name, shape }) => [name, sourceOf(name, name, shape)])),
  };
}

/** A checkpoint's parameters for a model; what it lacks is initialised, and both kinds of difference are told. */
async function loadedParameters(
  { name, base_model_prefix }: Pick<ModelClass, 'name' | 'base_model_prefix'>,
  architecture: Architecture,
  folder: string,
  seed: number,
  strict: boolean,
): Promise<LoadedParameters> {
  const { specification, checkpointKey, unread, ignored } = architecture;
  const parameters = encoderParameters(specification);
  const checkpoint = await openCheckpoint(folder);
  const { found, missing, unexpected } = matchParameters({
    checkpoint,
    wanted: [...parameters.map(({ name, shape }) => ({ name: checkpointKey(name), shape })), ...unread],
    base_model_prefix,
    ignore_on_unexpected: ignored,
  });
  reportDifferences(name, folder, missing, unexpected, strict);

  const initial = initialParameters(architecture, seed);
  const sourceOf = (key: string, otherwise: ParameterSource): ParameterSource => {
    const span = found.get(key);
    return span === undefined ? otherwise : { kind: 'span', span };
  };
  return {
    sources: new Map([...initial.sources].map(([name, source]) => [name, sourceOf(checkpointKey(name), source)])),
    unread: new Map([...initial.unread].map(([key, source]) => [key, sourceOf(key, source)])),
  };
}

function reportDifferences(
  model: string,
  folder: string,
  missing: readonly string[],
  unexpected: readonly string[],
  strict: boolean,
): void {
  if (missing.length > 0) {
    const names = missing.join(', ');
    if (strict) {
      throw new BertNativeError(
        'ERR_WEIGHT_MISSING',
        `'${folder}' lacks ${missing.length} parameters of ${model}: ${names}`,
      );
    }
    process.emitWarning(
      `${model}: '${folder}' lacks ${missing.length} parameters, which were initialised at random: ${names}. ` +
        'Their outputs mean nothing until they are trained.',
      { type: 'BertNativeWarning', code: 'BERT_NATIVE_WEIGHTS_MISSING' },
    );
  }
  if (unexpected.length > 0) {
    process.emitWarning(
      `${model}: '${folder}' holds ${unexpected.length} tensors that the model has no place for: ${unexpected.join(', ')}`,
      { type: 'BertNativeWarning', code: 'BERT_NATIVE_WEIGHTS_UNEXPECTED' },
    );
  }
}
