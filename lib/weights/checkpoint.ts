import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import { withFileSource } from './byte-source.ts';
import { type CheckpointTensor, quoted, type WeightsFile } from './checkpoint-tensor.ts';
import { locateInside } from './inside-folder.ts';
import { openSafetensors } from './safetensors.ts';
import { objectEntries, parseJsonObject } from './strict-json.ts';
import type { CheckpointFile } from './tensor-span.ts';

/** `safetensors`, or what `torch.save` wrote. */
export type CheckpointFormat = 'safetensors' | 'torch';

/** The weights of a model folder. */
export interface Checkpoint {
  readonly folder: string;
  readonly format: CheckpointFormat;
  /** The files that hold tensors, shards in the order of their names. */
  readonly files: readonly CheckpointFile[];
  /** Every tensor under its name in the files. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

export interface OpenCheckpointOptions {
  /** `true`: only safetensors; `false`: only `pytorch_model.bin`; left out: safetensors first, as transformers looks. */
  readonly use_safetensors?: boolean;
}

interface Candidate {
  readonly name: string;
  readonly format: CheckpointFormat;
  readonly sharded: boolean;
}

/** Where transformers looks for weights, in its order. */
const candidates: readonly Candidate[] = [
  { name: 'model.safetensors', format: 'safetensors', sharded: false },
  { name: 'model.safetensors.index.json', format: 'safetensors', sharded: true },
  { name: 'pytorch_model.bin', format: 'torch', sharded: false },
  { name: 'pytorch_model.bin.index.json', format: 'torch', sharded: true },
];

/** The index of a model of a thousand layers takes about 1 MB. */
const maxIndexBytes = 64 * 2 ** 20;

const openers: Readonly<Record<CheckpointFormat, (path: string) => Promise<WeightsFile>>> = {
  safetensors: openSafetensors,
  // Imported when it is needed: a pickle and a zip archive take much code.
  torch: async (path) => (await import('./torch-bin.ts')).openTorchBin(path),
};

/**
 * Finds the weights in a model folder and reads their headers.
 *
 * Shards are named by an index file and have to lie in the folder ({@link locateInside}). The four names above are this
 * library's own choice, so whoever owns the folder may link them to any place.
 *
 * @throws BertNativeError `ERR_NOT_FOUND` when there are no weights or a shard is missing, `ERR_FILE_FORMAT`,
 * `ERR_UNSAFE_PICKLE`, `ERR_IO`
 */
export async function openCheckpoint(folder: string, options: OpenCheckpointOptions = {}): Promise<Checkpoint> {
  const { use_safetensors } = options;
  const wanted = candidates.filter(
    ({ format }) => use_safetensors === undefined || use_safetensors === (format === 'safetensors'),
  );
  for (const { name, format, sharded } of wanted) {
    const path = join(folder, name);
    if (!(await isFile(path))) continue;
    return sharded ? openShards(folder, path, format) : openSingle(folder, path, format);
  }
  throw await noWeights(folder, wanted);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (cause) {
    const error = fileError('looking for weights', path, cause);
    if (error.code === 'ERR_NOT_FOUND') return false;
    throw error;
  }
}

async function openSingle(folder: string, path: string, format: CheckpointFormat): Promise<Checkpoint> {
  const { file, tensors } = await openWeights(path, format);
  return { folder, format, files: [file], tensors };
}

async function openWeights(path: string, format: CheckpointFormat): Promise<WeightsFile> {
  const weights = await openers[format](path);
  const framework = weights.metadata.get('format');
  if (framework === 'tf' || framework === 'flax') {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path}: its metadata says that it was saved from "${framework}", whose parameters have other names and layouts; ` +
        'expected "pt"',
    );
  }
  return weights;
}

// Shards

async function openShards(folder: string, indexPath: string, format: CheckpointFormat): Promise<Checkpoint> {
  const weightMap = await readWeightMap(indexPath);
  const shardNames = [...new Set(weightMap.values())].sort();
  const files: CheckpointFile[] = [];
  const tensors = new Map<string, CheckpointTensor>();
  for (const shardName of shardNames) {
    const shard = await openWeights(
      await locateInside(folder, { named_in: indexPath, name: shardName, kind: 'shard' }),
      format,
    );
    files.push(shard.file);
    addShard(tensors, shard);
    requireListedTensors(weightMap, shardName, shard, indexPath);
  }
  return { folder, format, files, tensors };
}

/** Tensor name → shard name. */
async function readWeightMap(indexPath: string): Promise<Map<string, string>> {
  const bytes = await withFileSource(indexPath, async (source) => {
    const { size_bytes } = source.file;
    if (size_bytes > maxIndexBytes) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${indexPath}: ${size_bytes} bytes; at most ${maxIndexBytes} are read`,
      );
    }
    return source.read(0, size_bytes);
  });
  const index = parseJsonObject(bytes, indexPath);
  const weightMap = objectEntries(index.get('weight_map'), `${indexPath}: weight_map`);
  for (const [tensor, shard] of weightMap) {
    if (typeof shard !== 'string') {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${indexPath}: the file of tensor ${quoted(tensor)} is not a string`,
      );
    }
  }
  return weightMap as Map<string, string>;
}

function addShard(tensors: Map<string, CheckpointTensor>, shard: WeightsFile): void {
  for (const [name, tensor] of shard.tensors) {
    const other = tensors.get(name);
    if (other !== undefined) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `tensor ${quoted(name)} is in two shards, ${other.file.path} and ${shard.file.path}`,
      );
    }
    tensors.set(name, tensor);
  }
}

function requireListedTensors(
  weightMap: ReadonlyMap<string, string>,
  shardName: string,
  shard: WeightsFile,
  indexPath: string,
): void {
  for (const [tensor, listedIn] of weightMap) {
    if (listedIn === shardName && !shard.tensors.has(tensor)) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${shard.file.path}: tensor ${quoted(tensor)} is not in this shard, where ${indexPath} places it`,
      );
    }
  }
}

// No weights

/** Weights of other libraries that people keep in model folders. */
const foreignWeights: readonly { readonly pattern: RegExp; readonly description: string }[] = [
  { pattern: /\.h5$/, description: 'TensorFlow' },
  { pattern: /\.ckpt\.index$/, description: 'TensorFlow 1' },
  { pattern: /\.msgpack$/, description: 'Flax' },
  { pattern: /^onnx$|\.onnx$/, description: 'ONNX' },
  { pattern: /\.gguf$/, description: 'GGUF' },
  { pattern: /\.ot$/, description: 'rust-bert' },
];

async function noWeights(folder: string, wanted: readonly Candidate[]): Promise<BertNativeError> {
  const names = await readdir(folder).catch((cause) => {
    throw fileError('listing the folder', folder, cause);
  });
  const looked_for = wanted.map(({ name }) => (names.includes(name) ? `${name} (present, but not a file)` : name));
  const foreign = names.flatMap((name) => {
    const kind = foreignWeights.find(({ pattern }) => pattern.test(name));
    return kind === undefined ? [] : [`${name} (${kind.description})`];
  });
  const others = foreign.length === 0 ? '' : `. It holds ${foreign.join(', ')}, which cannot be loaded as weights`;
  return new BertNativeError('ERR_NOT_FOUND', `${folder}: no weights; looked for ${looked_for.join(', ')}${others}`);
}
