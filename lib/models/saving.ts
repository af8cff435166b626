import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadedEncoder, LoadOptions } from '../engines/engine.ts';
import type { TaskDescription } from '../engines/task.ts';
import { BertNativeError } from '../errors.ts';
import { makeFolder } from '../files.ts';
import { booleanRule, checkOptions, type GivenOptions, type OptionRules, oneOfRule } from '../options.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { encodeStored } from '../weights/stored-tensor.ts';
import { type StoredParameter, storedParameters } from './architecture.ts';
import { describeArithmetic, keepsBits } from './arithmetic.ts';
import { type ConfigValues, writeConfigValues } from './configuration.ts';
import type { EncoderSource } from './encoder-source.ts';
import { type LoadedParameters, readParameterSource } from './loading.ts';

/** What `save_pretrained` of a model writes. */
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

// What most programs do without is imported when it is first used: starting up is much of a short program's time.
const importOnnx = () => import('../onnx/export.ts');
const importTorchBin = () => import('../weights/torch-bin.ts');

/** What is written of a model. */
export interface SavedModel {
  readonly source: EncoderSource;
  readonly task: TaskDescription | null;
  readonly encoder: LoadedEncoder;
}

type GivenSaveOptions = GivenOptions<SaveOptions>;

/**
 * The options of a call of `save_pretrained`.
 *
 * @throws BertNativeError `ERR_OPTION` for what has no meaning, and for a model that runs a graph; `ERR_DTYPE` for one that
 *   does not hold what it was loaded from
 */
export function checkSaving(options: SaveOptions | null | undefined, source: EncoderSource): GivenSaveOptions {
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
  if (source.parameters === null) {
    throw new BertNativeError(
      'ERR_OPTION',
      `save_pretrained: this model runs ${source.description}, and has no weights of its own to write: copy its files, or save ` +
        "a model that engine 'native' loaded from a checkpoint",
    );
  }
  const arithmetic = source as LoadOptions;
  if (!keepsBits(arithmetic)) {
    throw new BertNativeError(
      'ERR_DTYPE',
      `save_pretrained: this model was made with ${describeArithmetic(arithmetic)}, which does not keep the bits ` +
        "of its weights: expected one made with dtype 'fp32' (and fp32_precision 'highest'), the default",
    );
  }
  return given;
}

/** Writes the weights, in either format. @throws BertNativeError `ERR_DTYPE`, `ERR_OPTION`, `ERR_IO`, `ERR_DISPOSED` */
export async function saveWeights(folder: string, model: SavedModel, options: GivenSaveOptions): Promise<void> {
  if (options.format === 'onnx') await saveOnnx(folder, model, options);
  else await saveCheckpoint(folder, model, options.safe_serialization ?? true);
}

async function saveOnnx(
  folder: string,
  { source, task, encoder }: SavedModel,
  options: GivenSaveOptions,
): Promise<void> {
  const { dtype = 'fp32', external_data = null, fused_operators = false, progress_callback } = options;
  const read = (name: string) => encoder.readParameter(name);
  const { exportEncoder } = await importOnnx();
  await exportEncoder(folder, source.architecture.specification, dtype, read, {
    task,
    external_data,
    fused_operators,
    onProgress: (written_bytes, total_bytes) => progress_callback?.({ written_bytes, total_bytes }),
  });
}

async function saveCheckpoint(
  folder: string,
  { source, encoder }: SavedModel,
  safe_serialization: boolean,
): Promise<void> {
  const parameters = source.parameters!;
  const tensors = storedParameters(source.architecture).map((parameter) => {
    const { key, shape } = parameter;
    const dtype = parameters.stored.get(key) ?? 'F32';
    if (dtype === 'F64') {
      throw new BertNativeError('ERR_DTYPE', `${key} was stored as F64 and is held in fp32: saving would lose bits`);
    }
    const data = async () => encodeStored(await readStored(parameter, parameters, encoder), dtype);
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

async function readStored(
  { key, parts }: StoredParameter,
  { unread }: LoadedParameters,
  encoder: LoadedEncoder,
): Promise<Float32Array> {
  if (parts.length === 0) return readParameterSource(unread.get(key)!);
  if (parts.length === 1) return encoder.readParameter(parts[0]!);
  const values = await Promise.all(parts.map((name) => encoder.readParameter(name)));
  const whole = new Float32Array(values.reduce((total, { length }) => total + length, 0));
  values.reduce((offset, part) => {
    whole.set(part, offset);
    return offset + part.length;
  }, 0);
  return whole;
}

/** Writes `config.json`, which tells readers of the folder's ONNX models, too. @throws BertNativeError `ERR_IO` */
export async function saveConfig(folder: string, values: ConfigValues, format: 'checkpoint' | 'onnx'): Promise<void> {
  await writeConfigValues(folder, await withExternalData(values, folder, format));
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
