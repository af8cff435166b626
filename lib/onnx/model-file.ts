import { rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { type AtomicFile, fileError, openAtomicFile, writeFileAtomically } from '../files.ts';
import type { Graph, InitializerGroup } from './graph-builder.ts';
import {
  externalInitializer,
  initializerPrefix,
  type ModelHeader,
  modelPrefix,
  type TensorDescription,
  tensorSizeBytes,
} from './messages.ts';

/** Protobuf's limit for a message. */
const maxMessageBytes = 2 ** 31 - 1;
/** Smaller tensors stay in the model's own file, as in the files that onnx's own tools write. */
const minExternalBytes = 1024;
/** Where a tensor may start in the data file: at a page, so that a reader can map it. */
const dataAlignment = 4096;

export interface WriteModelOptions {
  /** `true`: weights in a file of their own; `false`: never; null: where the model would be too large for one message. */
  readonly external_data: boolean | null;
  /** Called after each parameter. */
  readonly onProgress?: (written_bytes: number, total_bytes: number) => void;
  /** The largest model that is one message; smaller in tests. */
  readonly max_message_bytes?: number;
}

export interface WrittenFile {
  readonly path: string;
  readonly size_bytes: number;
}

/** The file that holds the weights of a model whose own file does not: the name that Optimum and transformers.js give it. */
export function externalDataPath(modelPath: string): string {
  return `${modelPath}_data`;
}

/**
 * Writes a model, one parameter in memory at a time. Its files appear when they are complete; a data file that the model
 * does not have is removed.
 *
 * @throws BertNativeError `ERR_OPTION` for a model too large for one message with `external_data: false`; `ERR_IO`,
 *   `ERR_NOT_FOUND` (no such folder), and what reading a parameter throws: a BertNativeError as it is, anything else as the
 *   cause of an `ERR_IO`
 */
export async function writeModel(
  path: string,
  header: ModelHeader,
  graph: Graph,
  options: WriteModelOptions,
): Promise<WrittenFile[]> {
  const { max_message_bytes = maxMessageBytes, external_data } = options;
  const initializers_bytes = initializersSizeBytes(graph);
  const prefix = modelPrefix(header, graph, initializers_bytes);
  const inline_bytes = prefix.length + initializers_bytes;
  const fits = inline_bytes <= max_message_bytes;
  if (external_data === false && !fits) {
    throw new BertNativeError(
      'ERR_OPTION',
      `external_data is false, but ${path} would take ${inline_bytes} bytes, and a message of protobuf at most ` +
        `${max_message_bytes}: expected true, or nothing`,
    );
  }
  const progress = new ProgressCounter(graph, options.onProgress);
  const dataPath = externalDataPath(path);
  if (external_data ?? !fits) {
    await writeExternal(path, dataPath, header, graph, progress);
    return fileSizes([path, dataPath]);
  }
  await writeInline(path, prefix, graph, progress);
  await rm(dataPath, { force: true }).catch((cause) => {
    throw fileError('removing', dataPath, cause);
  });
  return fileSizes([path]);
}

/** A model as one message in memory. @throws BertNativeError `ERR_OPTION` for one too large for that */
export async function modelBytes(header: ModelHeader, graph: Graph): Promise<Uint8Array> {
  const initializers_bytes = initializersSizeBytes(graph);
  const parts = [modelPrefix(header, graph, initializers_bytes)];
  if (parts[0]!.length + initializers_bytes > maxMessageBytes) {
    const limit = `at most ${maxMessageBytes}, which is what a message of protobuf may have`;
    throw new BertNativeError('ERR_OPTION', `the model would take ${initializers_bytes} bytes: expected ${limit}`);
  }
  for (const group of graph.initializers) {
    const data = await readGroup(group);
    for (const [index, tensor] of group.tensors.entries()) parts.push(initializerPrefix(tensor), data[index]!);
  }
  return Buffer.concat(parts);
}

/** Where in its order each tensor's elements go: into the message, or to an offset of the data file. */
interface PlacedTensor {
  readonly tensor: TensorDescription;
  readonly offset_bytes: number | null;
}

/** What the initializers take as parts of the message. */
function initializersSizeBytes(graph: Graph): number {
  return sum(tensorsOf(graph), (tensor) => initializerPrefix(tensor).length + tensorSizeBytes(tensor));
}

async function writeInline(path: string, prefix: Uint8Array, graph: Graph, progress: ProgressCounter): Promise<void> {
  await writeFileAtomically(path, async (file) => {
    await file.write(prefix);
    for (const group of graph.initializers) {
      const data = await readGroup(group);
      for (const [index, tensor] of group.tensors.entries()) {
        await file.write(initializerPrefix(tensor));
        await file.write(data[index]!);
      }
      progress.add(group);
    }
  });
}

async function writeExternal(
  path: string,
  dataPath: string,
  header: ModelHeader,
  graph: Graph,
  progress: ProgressCounter,
): Promise<void> {
  const data = await openAtomicFile(dataPath);
  try {
    await writeFileAtomically(path, async (model) => {
      const placed = placeTensors(graph);
      const initializers = await writeData(data, basename(dataPath), graph, placed, progress);
      await model.write(
        modelPrefix(
          header,
          graph,
          sum(initializers, ({ length }) => length),
        ),
      );
      await model.write(Buffer.concat(initializers));
      // Nothing but the model's own renaming is left to fail after this.
      await data.commit();
    });
  } catch (cause) {
    await data.abandon();
    throw cause;
  }
}

/** Writes what goes into the data file. @returns the initializers as the message holds them */
async function writeData(
  data: AtomicFile,
  location: string,
  graph: Graph,
  placed: ReadonlyMap<string, PlacedTensor>,
  progress: ProgressCounter,
): Promise<Uint8Array[]> {
  const initializers: Uint8Array[] = [];
  for (const group of graph.initializers) {
    for (const [index, bytes] of (await readGroup(group)).entries()) {
      const { tensor, offset_bytes } = placed.get(group.tensors[index]!.name)!;
      if (offset_bytes === null) initializers.push(initializerPrefix(tensor), bytes);
      else {
        await data.writeAt(offset_bytes, bytes);
        initializers.push(externalInitializer(tensor, { location, offset_bytes }));
      }
    }
    progress.add(group);
  }
  return initializers;
}

function placeTensors(graph: Graph): Map<string, PlacedTensor> {
  const placed = new Map<string, PlacedTensor>();
  let end = 0;
  for (const tensor of tensorsOf(graph)) {
    const size_bytes = tensorSizeBytes(tensor);
    const external = size_bytes >= minExternalBytes;
    const start = Math.ceil(end / dataAlignment) * dataAlignment;
    placed.set(tensor.name, { tensor, offset_bytes: external ? start : null });
    if (external) end = start + size_bytes;
  }
  return placed;
}

/** The elements of a group's tensors, each as long as its shape says. */
async function readGroup({ tensors, read }: InitializerGroup): Promise<readonly Uint8Array[]> {
  const data = await read();
  tensors.forEach((tensor, index) => {
    const expected = tensorSizeBytes(tensor);
    if (data[index]?.byteLength !== expected) {
      throw new BertNativeError(
        'ERR_WEIGHT_SHAPE',
        `${tensor.name}: ${tensor.dtype} [${tensor.shape}] takes ${expected} bytes, got ${data[index]?.byteLength}`,
      );
    }
  });
  return data;
}

class ProgressCounter {
  readonly #total_bytes: number;
  readonly #report: WriteModelOptions['onProgress'];
  #written_bytes = 0;

  constructor(graph: Graph, report: WriteModelOptions['onProgress']) {
    this.#total_bytes = sum(tensorsOf(graph), tensorSizeBytes);
    this.#report = report;
  }

  add({ tensors }: InitializerGroup): void {
    this.#written_bytes += sum(tensors, tensorSizeBytes);
    this.#report?.(this.#written_bytes, this.#total_bytes);
  }
}

function tensorsOf({ initializers }: Graph): TensorDescription[] {
  return initializers.flatMap(({ tensors }) => tensors);
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0);
}

async function fileSizes(paths: readonly string[]): Promise<WrittenFile[]> {
  return Promise.all(paths.map(async (path) => ({ path, size_bytes: (await stat(path)).size })));
}
