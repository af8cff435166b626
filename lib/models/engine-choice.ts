import {
  defaultLoadOptions,
  type EngineName,
  type Fp32Precision,
  type LoadOptions,
  type ModelDtype,
  modelDtypes,
} from '../engines/engine.ts';
import { cacheOptimizedModelRule, type SessionOptions, sessionPlan } from '../engines/onnxruntime/session-options.ts';
import { BertNativeError } from '../errors.ts';
import type { ModelOrigin, ModelWish } from '../hub/model-files.ts';
import { type GraphDtype, graphDtypes, usualName } from '../onnx/graph-files.ts';
import { type OptionRule, type OptionRules, oneOfRule, warnOnce } from '../options.ts';
import { arithmeticRules, meantDtype, readArithmetic } from './arithmetic.ts';
import { dtypesOf, type WeightsEngine } from './encoder-source.ts';

/** Where forward passes run. Any name of an execution provider of ONNX Runtime is one, with its engine. */
export type Device = 'auto' | 'cpu' | 'cuda' | 'coreml' | 'dml' | 'webgpu' | (string & {});

/** How a model is run. */
export interface EngineOptions {
  /**
   * `native`: our own, on a checkpoint's weights. `onnxruntime`: a graph that was exported (`onnx/model.onnx`), by ONNX
   * Runtime, which the application brings (`onnxruntime-node`). `reference`: plain TypeScript, slow and exact, for
   * comparison; of dtype `fp32` only. Unless given: `native` where there are weights of a family that is known here, else
   * `onnxruntime` where there is a graph; `onnxruntime` for what only it has, such as dtype `q4` or device `cuda`.
   */
  readonly engine?: EngineName | null;
  /**
   * `native`: how the weights of the matrices are held and multiplied: `fp32` (default), `fp16`, `bf16`, `q8`.
   * `onnxruntime`: which of the folder's graphs is run, by the suffix of its name, as transformers.js has them: `fp32`,
   * `fp16` (`_fp16`), `q8` (`_quantized`), `uint8`, `int8`, `q4`, `q4f16`, `bnb4`, `q2`, `q2f16`, `q1`, `q1f16`; unless given,
   * the one that the configuration's `transformers.js_config` names, else the first of these that is there. `auto`: as if it
   * was not given.
   */
  readonly dtype?: ModelDtype | GraphDtype | 'auto' | null;
  /**
   * Of dtype `fp32` of engine `native`. `highest` (default): relative error about 1e-6 against exact arithmetic. `high`:
   * about 1e-5, faster on processors with bf16 matrix units and the same as `highest` on others; PyTorch's
   * `float32_matmul_precision`.
   */
  readonly fp32_precision?: Fp32Precision | null;
  /**
   * `cpu` (default), or `auto`: the best there is, which is the processor for other engines than `onnxruntime`; of that one
   * also what its library has providers for: `cuda`, `coreml`, `dml`, `webgpu`, …, and `gpu`, whichever it is.
   */
  readonly device?: Device | null;
  /** Of engine `onnxruntime`: its session's options, as onnxruntime-node and transformers.js take them. */
  readonly session_options?: SessionOptions | null;
  /**
   * Of engine `onnxruntime`: whether the graph as it was optimised is kept for the next load, which is faster then: in a
   * folder beside the hub's cache, or the one named. False unless given.
   */
  readonly cache_optimized_model?: boolean | string | null;
  /** Of engine `onnxruntime`: what the graph's file is called before its suffix; `model` unless given. */
  readonly model_file_name?: string | null;
  /** Of transformers.js; the graph itself says where its weights are. */
  readonly use_external_data_format?: boolean | number | Readonly<Record<string, boolean | number>> | null;
}

const engineRule: OptionRule = {
  ...oneOfRule('native', 'onnxruntime', 'reference'),
  suggest: (value) => (/^(onnx|ort)/i.test(String(value)) ? "'onnxruntime'" : undefined),
};

const deviceRule: OptionRule = {
  expected: "'cpu', 'auto', or with engine 'onnxruntime' one of its providers, such as 'cuda'",
  accepts: (value) => typeof value === 'string' && /^[a-z][a-z0-9_-]{0,40}$/i.test(value),
  suggest(value) {
    const [, name, deviceId] = /^([a-z]+):(\d+)$/.exec(String(value)) ?? [];
    if (name === undefined || ['cpu', 'gpu'].includes(name)) return name && `'${name}'`;
    return `session_options: { executionProviders: [{ name: '${name}', deviceId: ${deviceId} }] }`;
  },
};

const dtypeRule: OptionRule = {
  expected: `${oneOfRule(...modelDtypes).expected}, or of ONNX models ${oneOfRule(...graphDtypes).expected}`,
  accepts: (value) => value === 'auto' || [...modelDtypes, ...graphDtypes].includes(value as GraphDtype),
  suggest: (value) => meantDtype(value),
};

const fileNameRule: OptionRule = {
  expected: "the name of a file without folder, suffix and ending, such as 'model'",
  accepts: (value) => typeof value === 'string' && /^[\w][\w.-]{0,200}$/.test(value) && !/\.\.|\.onnx$/i.test(value),
};

export const engineRules: OptionRules<EngineOptions> = {
  engine: engineRule,
  dtype: dtypeRule,
  fp32_precision: arithmeticRules.fp32_precision,
  device: deviceRule,
  session_options: {
    expected: 'an object, such as { intraOpNumThreads: 2 }',
    accepts: (value) => typeof value === 'object' && !Array.isArray(value),
  },
  cache_optimized_model: cacheOptimizedModelRule,
  model_file_name: fileNameRule,
  use_external_data_format: {
    expected: 'true, false, a number of files, or such a value for each model',
    accepts: (value) => ['boolean', 'number', 'object'].includes(typeof value) && !Array.isArray(value),
  },
};

/** Those of a model that is made anew: without a graph there is nothing that ONNX Runtime could run. */
export type NewModelOptions = Pick<EngineOptions, 'engine' | 'dtype' | 'fp32_precision' | 'device'>;

export const newModelRules: OptionRules<NewModelOptions> = {
  engine: engineRule,
  ...arithmeticRules,
  device: deviceRule,
};

/** What the options of a call say about engines. */
export interface EngineWish {
  /** Null: as the files say. */
  readonly engine: EngineName | null;
  /** What to run from, most wished for first. */
  readonly origins: readonly ModelOrigin[];
  /** As it was given. */
  readonly device: string | null;
  /** As it was given. */
  readonly dtype: ModelDtype | GraphDtype | null;
  readonly fp32_precision: Fp32Precision | null;
  readonly session_options: SessionOptions | null;
  readonly cache_optimized_model: boolean | string | null;
  readonly model_file_name: string | null;
}

/**
 * @param options checked by {@link engineRules}
 * @throws BertNativeError `ERR_OPTION`, `ERR_DEVICE` for options that no engine has together, or not the one that was named
 */
export function readEngineOptions(options: EngineOptions): EngineWish {
  const { engine, device, fp32_precision, session_options, cache_optimized_model, model_file_name } = options;
  const dtype = options.dtype == null || options.dtype === 'auto' ? null : options.dtype;
  const wish: EngineWish = {
    engine: engine ?? null,
    origins: [],
    device: device ?? null,
    dtype,
    fp32_precision: fp32_precision ?? null,
    session_options: session_options ?? null,
    cache_optimized_model: cache_optimized_model ?? null,
    model_file_name: model_file_name ?? null,
  };
  sessionPlan(session_options); // what is wrong with them is known before anything is fetched
  if (isPlainDtype(dtype)) readArithmetic({ dtype, fp32_precision: wish.fp32_precision });
  if (engine === 'onnxruntime') checkForGraph(wish);
  if (engine === 'native' || engine === 'reference') weightsOptions(engine, wish);
  const origins = originsOf(wish);
  if (origins.length === 0) {
    const [own, foreign] = [describeNativeOnly(wish)!, describeGraphOnly(wish)!];
    const code = foreign.startsWith('device') ? 'ERR_DEVICE' : 'ERR_OPTION';
    throw new BertNativeError(
      code,
      `${own} is of engine 'native', and ${foreign} of engine 'onnxruntime': expected one of them`,
    );
  }
  return { ...wish, origins };
}

/** What a choice among a model's files has to know of a wish. */
export function fileWish({ origins, dtype, model_file_name }: EngineWish): ModelWish {
  return { origins, dtype, model_file_name };
}

/** What only one of the engines has keeps the other out; a graph that is named, or a device, is wished for first. */
function originsOf(wish: EngineWish): ModelOrigin[] {
  const { engine, dtype, model_file_name } = wish;
  if (engine !== null) return [engine === 'onnxruntime' ? 'graph' : 'weights'];
  const nativeOnly = describeNativeOnly(wish) !== null;
  if (dtype !== null && !isPlainDtype(dtype)) return nativeOnly ? [] : ['graph'];
  if (describeGraphOnly(wish) !== null) return nativeOnly ? [] : ['graph', 'weights'];
  if (nativeOnly) return ['weights'];
  if (model_file_name === null) return ['weights', 'graph'];
  // Weights are another model than a graph of a name of its own.
  return model_file_name === usualName ? ['graph', 'weights'] : ['graph'];
}

function isPlainDtype(dtype: ModelDtype | GraphDtype | null): dtype is ModelDtype {
  return (modelDtypes as readonly unknown[]).includes(dtype);
}

/** The option that only the native engine has. */
export function describeNativeOnly({ dtype, fp32_precision }: EngineWish): string | null {
  if (dtype === 'bf16') return "dtype 'bf16'";
  return fp32_precision === 'high' ? "fp32_precision 'high'" : null;
}

/** The option that only ONNX Runtime has. */
function describeGraphOnly({ dtype, device }: EngineWish): string | null {
  if (dtype !== null && !isPlainDtype(dtype)) return `dtype '${dtype}'`;
  return isProcessor(device) ? null : `device '${device}'`;
}

function isProcessor(device: string | null): boolean {
  return device === null || device === 'cpu' || device === 'auto';
}

function checkForGraph(wish: EngineWish): void {
  const own = describeNativeOnly(wish);
  if (own === null) return;
  throw new BertNativeError('ERR_OPTION', `${own} is of engine 'native', but engine is 'onnxruntime'`);
}

/** An engine that runs weights, and how. */
export interface WeightsOptions extends LoadOptions {
  readonly engine: WeightsEngine;
}

/**
 * How an engine that runs weights computes.
 *
 * @throws BertNativeError `ERR_OPTION`, `ERR_DEVICE` for what that engine does not have
 */
export function weightsOptions(engine: WeightsEngine, wish: EngineWish): WeightsOptions {
  const { dtype, device } = wish;
  const dtypes: readonly string[] = dtypesOf(engine);
  if (dtype !== null && !dtypes.includes(dtype)) {
    const others = isPlainDtype(dtype) ? "engine 'native'" : "engine 'onnxruntime' and a graph";
    const meant = isPlainDtype(dtype) ? undefined : meantDtype(dtype);
    throw new BertNativeError(
      'ERR_OPTION',
      `dtype is '${dtype}', but engine '${engine}' has ${dtypes.join(', ')} alone: expected ` +
        `${dtypes.length === 1 ? 'that' : 'one of those'}, or ${others}${meant ? `; did you mean ${meant}?` : ''}`,
    );
  }
  if (!isProcessor(device)) {
    throw new BertNativeError(
      'ERR_DEVICE',
      `device is '${device}': engine '${engine}' runs on 'cpu'; engine 'onnxruntime' may run an ONNX model there`,
    );
  }
  const { fp32_precision } = wish;
  return {
    engine,
    ...readArithmetic({ dtype: (dtype as ModelDtype | null) ?? defaultLoadOptions.dtype, fp32_precision }),
  };
}

/** @throws BertNativeError `ERR_OPTION` for the engine that needs a graph, and as {@link weightsOptions} */
export function readNewModelOptions(options: NewModelOptions): WeightsOptions {
  const { engine } = options;
  if (engine === 'onnxruntime') {
    throw new BertNativeError(
      'ERR_OPTION',
      "engine is 'onnxruntime', which runs a graph: expected a folder that holds one, for from_pretrained; " +
        "save_pretrained(folder, { format: 'onnx' }) of a model of engine 'native' writes it",
    );
  }
  const chosen = engine ?? 'native';
  return weightsOptions(chosen, readEngineOptions({ ...options, engine: chosen }));
}

const graphOptions = [
  'session_options',
  'cache_optimized_model',
  'model_file_name',
  'use_external_data_format',
] as const;

/** Tells of options that a model which runs weights was given in vain. */
export function warnOfGraphOptions(call: string, options: EngineOptions): void {
  for (const name of graphOptions) {
    if (options[name] == null) continue;
    const message = `${call}: the option ${name} has no effect on weights, only on an ONNX model`;
    warnOnce('BERT_NATIVE_OPTION_WITHOUT_EFFECT', `${call} ${name}`, message);
  }
}
