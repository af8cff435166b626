import { join } from 'node:path';
import type { Activation, HeadStep } from '../engines/specification.ts';
import { BertNativeError } from '../errors.ts';
import { type JsonObject, readFileIfPresent, readJsonObject } from '../files.ts';
import { type ExtraHead, readParameterSource } from '../models/loading.ts';
import { booleanRule, checkConfigValue, describe, integerRule, stringRule } from '../options.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import { isLoadable } from '../weights/checkpoint-tensor.ts';
import type { TensorSpan } from '../weights/tensor-span.ts';
import { meanPooling, type PoolingSettings, readPooling } from './pooling.ts';

/** What a folder's `modules.json` lists: an encoder, a pooling, and what is done to the pooled vector. */
export interface SentenceModules {
  /** The folder of the encoder and its tokenizer. */
  readonly transformer: string;
  readonly pooling: PoolingSettings;
  readonly steps: readonly HeadStep[];
  /** The parameters of the steps by `<step's name>.weight` and `.bias`. */
  readonly parameters: ReadonlyMap<string, StepParameter>;
}

export interface StepParameter {
  readonly span: TensorSpan;
  /** In fp32: a model does not depend on its files once it is loaded, and is saved with these. */
  readonly values: Float32Array;
}

/** Of the head that runs the steps. */
export const headName = 'sentence_embedding';

/** Whether the steps need a head of the encoder's: a pooling alone, or with a normalization, does not. */
export function hasHead({ steps }: SentenceModules): boolean {
  return steps.some(({ kind }) => kind !== 'normalize');
}

/** The head that pools and does the steps, as a model takes it; none where there is nothing for it to do. */
export function extraHeads(modules: SentenceModules): ExtraHead[] {
  if (!hasHead(modules)) return [];
  const { pooling, steps, parameters } = modules;
  return [
    {
      specification: { name: headName, input: { kind: 'pooled', modes: pooling.modes }, steps },
      sources: new Map([...parameters].map(([name, { span }]) => [name, { kind: 'span', span }])),
    },
  ];
}

/** The length of the vectors that the modules make of states of `hidden_size`. */
export function embeddingSize({ pooling, steps }: SentenceModules, hidden_size: number): number {
  return steps.reduce(
    (width, step) => (step.kind === 'linear' ? step.outputs : width),
    pooling.modes.length * hidden_size,
  );
}

interface ModuleEntry {
  readonly path: string;
  readonly type: string;
}

interface Step {
  readonly steps: readonly HeadStep[];
  readonly parameters?: readonly (readonly [string, StepParameter])[];
}

const maxModules = 64;

/** PyTorch's classes, by the last part of their names. */
const activations: ReadonlyMap<string, Activation | null> = new Map([
  ['Identity', null],
  ['Tanh', 'tanh'],
  ['GELU', 'gelu_erf'],
  ['ReLU', 'relu'],
  ['SiLU', 'silu'],
]);

const readers: ReadonlyMap<string, (folder: string, name: string) => Promise<Step>> = new Map([
  ['Dense', readDense],
  ['LayerNorm', readLayerNorm],
  ['Normalize', async (): Promise<Step> => ({ steps: [{ kind: 'normalize' }] })],
  // Drops nothing outside training.
  ['Dropout', async (): Promise<Step> => ({ steps: [] })],
]);

/**
 * Reads the modules of a folder. Without a `modules.json`, the folder is an encoder's, and its vectors are means, of which a
 * warning tells, as in sentence-transformers.
 *
 * @throws BertNativeError `ERR_UNSUPPORTED_MODEL` for a module that is not known here, or a list that does not begin with
 *   Transformer and Pooling; `ERR_FILE_FORMAT`, `ERR_CONFIG`, `ERR_NOT_FOUND`, `ERR_WEIGHT_MISSING`, `ERR_WEIGHT_SHAPE`,
 *   `ERR_DTYPE`, `ERR_UNSAFE_PICKLE`, `ERR_IO`
 */
export async function readModules(folder: string): Promise<SentenceModules> {
  const path = join(folder, 'modules.json');
  const bytes = await readFileIfPresent(path, 1 << 20);
  if (bytes === undefined) {
    process.emitWarning(`'${folder}' has no modules.json: its vectors are means of the encoder's states`, {
      type: 'BertNativeWarning',
      code: 'BERT_NATIVE_MEAN_POOLING',
    });
    return { transformer: folder, pooling: meanPooling, steps: [], parameters: new Map() };
  }
  const [transformer, pooling, ...others] = readEntries(path, bytes);
  if (classOf(transformer) !== 'Transformer' || classOf(pooling) !== 'Pooling') {
    const types = [transformer, pooling].map((entry) => describe(entry?.type)).join(' and ');
    throw unsupported(path, `the first modules are ${types}: expected a Transformer and a Pooling`);
  }
  const poolingPath = join(folder, pooling!.path, 'config.json');
  const steps: HeadStep[] = [];
  const parameters = new Map<string, StepParameter>();
  for (const [index, entry] of others.entries()) {
    const read = readers.get(classOf(entry) ?? '');
    if (read === undefined) {
      const known = [...readers.keys()].join(', ');
      throw unsupported(path, `the module ${describe(entry.type)} is not supported behind a Pooling: ${known} are`);
    }
    const step = await read(join(folder, entry.path), `step_${index}`);
    steps.push(...step.steps);
    for (const [name, parameter] of step.parameters ?? []) parameters.set(name, parameter);
  }
  return {
    transformer: join(folder, transformer!.path),
    pooling: readPooling(poolingPath, await readJsonObject(poolingPath)),
    steps,
    parameters,
  };
}

function unsupported(path: string, message: string): BertNativeError {
  return new BertNativeError('ERR_UNSUPPORTED_MODEL', `${path}: ${message}`);
}

function readEntries(path: string, bytes: Uint8Array): ModuleEntry[] {
  let entries: unknown;
  try {
    entries = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not JSON in UTF-8: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (!Array.isArray(entries) || entries.length > maxModules) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${path}: expected an array of at most ${maxModules} modules`);
  }
  return entries.map((entry: unknown, index) => {
    const { path: folder = '', type } = Object(entry) as { path?: unknown; type?: unknown };
    // A folder's list must not lead out of it.
    const isPlain = typeof folder === 'string' && !folder.split(/[\\/]/).includes('..') && !/^[\\/]|:|\0/.test(folder);
    if (!isPlain || typeof type !== 'string') {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${path}: module ${index} has the path ${describe(folder)} and the type ${describe(type)}: expected a folder inside, and a class`,
      );
    }
    return { path: folder, type };
  });
}

/** The class that a module of sentence-transformers has, whatever package a version keeps it in. */
function classOf(entry: ModuleEntry | undefined): string | undefined {
  return /^sentence_transformers\.(?:.*\.)?(\w+)$/.exec(entry?.type ?? '')?.[1];
}

async function readDense(folder: string, name: string): Promise<Step> {
  const path = join(folder, 'config.json');
  const values = await readJsonObject(path);
  const { in_features, out_features, bias = true, activation_function = 'torch.nn.modules.activation.Tanh' } = values;
  checkConfigValue(path, 'in_features', in_features, integerRule(1));
  checkConfigValue(path, 'out_features', out_features, integerRule(1));
  checkConfigValue(path, 'bias', bias, booleanRule);
  checkConfigValue(path, 'activation_function', activation_function, stringRule);
  checkPlace(path, values);
  if (values.use_residual === true) throw unsupported(path, 'use_residual is true: expected false');
  const className = /^torch\.nn\.(?:.*\.)?(\w+)$/.exec(activation_function as string)?.[1];
  const activation = className === undefined ? undefined : activations.get(className);
  if (activation === undefined) {
    const known = [...activations.keys()].join(', ');
    throw unsupported(path, `activation_function is ${describe(activation_function)}: expected torch.nn's ${known}`);
  }
  const shapes = {
    'linear.weight': [out_features as number, in_features as number],
    ...(bias ? { 'linear.bias': [out_features as number] } : {}),
  };
  return {
    steps: [
      { kind: 'linear', name, outputs: out_features as number, bias: bias as boolean },
      ...(activation === null ? [] : [{ kind: 'activation', activation } as const]),
    ],
    parameters: await readParameters(folder, 'linear', name, shapes),
  };
}

async function readLayerNorm(folder: string, name: string): Promise<Step> {
  const path = join(folder, 'config.json');
  const values = await readJsonObject(path);
  const { dimension } = values;
  checkConfigValue(path, 'dimension', dimension, integerRule(1));
  checkPlace(path, values);
  const shape = [dimension as number];
  return {
    // PyTorch's own eps: the module's configuration has none.
    steps: [{ kind: 'norm', name, norm: { eps: 1e-5, bias: true } }],
    parameters: await readParameters(folder, 'norm', name, { 'norm.weight': shape, 'norm.bias': shape }),
  };
}

/** Version 6 lets a module work on something else than the pooled vector. */
function checkPlace(path: string, values: JsonObject): void {
  for (const name of ['module_input_name', 'module_output_name']) {
    const value = values[name] ?? 'sentence_embedding';
    if (value !== 'sentence_embedding') {
      throw unsupported(path, `${name} is ${describe(value)}: expected "sentence_embedding"`);
    }
  }
}

async function readParameters(
  folder: string,
  stored: string,
  name: string,
  shapes: Readonly<Record<string, readonly number[]>>,
): Promise<[string, StepParameter][]> {
  const { tensors } = await openCheckpoint(folder);
  const found = Object.entries(shapes).map(([key, shape]): [string, TensorSpan] => {
    const tensor = tensors.get(key);
    if (tensor === undefined) {
      throw new BertNativeError('ERR_WEIGHT_MISSING', `'${folder}' lacks the parameter ${key} of its module`);
    }
    if (!isLoadable(tensor)) {
      throw new BertNativeError('ERR_DTYPE', `${tensor.file.path}: ${key} is stored as ${tensor.unloadable_dtype}`);
    }
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, axis) => size !== shape[axis])) {
      throw new BertNativeError(
        'ERR_WEIGHT_SHAPE',
        `${tensor.file.path}: ${key} has the shape [${tensor.shape.join(', ')}]: config.json says [${shape.join(', ')}]`,
      );
    }
    return [key.replace(stored, name), tensor];
  });
  return Promise.all(
    found.map(async ([parameter, span]): Promise<[string, StepParameter]> => {
      const values = await readParameterSource({ kind: 'span', span });
      return [parameter, { span, values }];
    }),
  );
}
