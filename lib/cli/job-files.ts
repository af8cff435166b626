import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { nativeBinding } from '../binding/load.ts';
import type { EngineName } from '../engines/engine.ts';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import type { ModelPlace } from '../hub/resolve.ts';
import { tokenizerFiles } from '../hub/selection.ts';
import { modelWish } from '../models/auto.ts';
import { findGraphFile } from '../models/model-source.ts';
import type { EngineOptions, PreTrainedModel } from '../models/modeling.ts';
import { openGraph } from '../onnx/reading/graph-file.ts';
import { optionError } from '../options.ts';
import { version } from '../version.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import type { CheckpointFile } from '../weights/tensor-span.ts';
import type { EmbedInput } from './embed-input.ts';
import { type RunRecord, resultFiles } from './result-file.ts';

/** Where results go. */
export interface Output<Format extends string> {
  readonly path: string;
  readonly format: Format;
  /** A pipe or a device: nothing that was written can be changed. */
  readonly streamed: boolean;
}

export interface OutputArguments<Format extends string> {
  readonly output: string;
  readonly outputFormat?: Format;
  readonly resume: boolean;
  readonly restart: boolean;
}

/**
 * @param formats by the endings of files
 * @throws BertNativeError `ERR_OPTION` for an ending that says nothing, for a folder, and for options that contradict others
 */
export async function chooseOutput<Format extends string>(
  { output: path, outputFormat, resume, restart }: OutputArguments<Format>,
  formats: ReadonlyMap<string, Format>,
  streamedFormat: Format,
): Promise<Output<Format>> {
  const present = path === '-' ? undefined : await statIfPresent(path);
  if (present?.isDirectory()) throw optionError('--output', path, 'a file: this is a folder');
  const streamed = path === '-' || present?.isFile() === false;
  const format = outputFormat ?? (streamed ? streamedFormat : formats.get(extname(path).toLowerCase()));
  if (format === undefined) {
    const [endings, names] = [[...formats.keys()], [...new Set(formats.values())]].map((list) => list.join(' or '));
    throw optionError('--output', path, `a file that ends in ${endings}, or --output-format ${names}`);
  }
  if (streamed && resume) throw optionError('--resume', path, 'a regular file as --output');
  if (resume && restart)
    throw new BertNativeError(
      'ERR_OPTION',
      '--resume goes on and --restart starts again: expected one of --resume and --restart',
    );
  return { path, format, streamed };
}

/** @returns undefined where the size says nothing, as of a pipe. @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO` */
export async function inputSize(path: string): Promise<number | undefined> {
  if (path === '-') return undefined;
  const entry = await statOf(path);
  if (entry.isDirectory()) throw new BertNativeError('ERR_IO', `${path} is a folder: expected a file of texts`);
  return entry.isFile() ? entry.size : undefined;
}

/** Whatever tokenizers and configurations are read from, in any family. */
const modelFileNames = [
  'config.json',
  ...tokenizerFiles,
  'modules.json',
  'config_sentence_transformers.json',
  'sentence_bert_config.json',
];

export async function listModelFiles(place: ModelPlace, engine: EngineOptions): Promise<string[]> {
  const { folder } = place;
  const graph = await findGraphFile(place, modelWish(engine));
  const files = graph === null ? await weightsFilesOf(folder) : (await openGraph(graph)).files;
  const paths = [...modelFileNames.map((name) => join(folder, name)), ...files.map(({ path }) => path)];
  const entries = await Promise.all(paths.map(statIfPresent));
  return paths.filter((_, i) => entries[i] !== undefined);
}

async function weightsFilesOf(folder: string): Promise<readonly CheckpointFile[]> {
  // sentence-transformers may keep the weights in a folder of their own; who loads the model says what is missing.
  return openCheckpoint(folder).then(
    (checkpoint) => checkpoint.files,
    (error) => {
      if (error.code !== 'ERR_NOT_FOUND') throw error;
      return [];
    },
  );
}

/** @throws BertNativeError `ERR_OPTION` where the output is one of the files that are read, by whatever name */
export async function refuseToOverwrite(output: string, read: readonly string[]): Promise<void> {
  if (output === '-') return;
  for (const written of resultFiles(output)) {
    const entry = await statIfPresent(written);
    if (!entry?.isFile()) continue;
    for (const path of read) {
      const other = await statIfPresent(path);
      if (other?.dev === entry.dev && other.ino === entry.ino) {
        throw optionError('--output', output, `another file: ${written} is read (${path})`);
      }
    }
  }
}

/** What results depend on, whatever is made of them. Neither the number of threads nor the size of batches is part of it. */
export async function commonRecord(
  { engine, dtype, fp32_precision, execution_providers }: PreTrainedModel,
  input: EmbedInput,
  output_format: string,
  modelFiles: readonly string[],
): Promise<RunRecord> {
  const identities = await Promise.all(
    modelFiles.map(async (path) => [`model file ${basename(path)}`, await fileIdentity(path)]),
  );
  return {
    'bert-native': version,
    engine: describeEngine(engine, execution_providers),
    '--dtype': dtype,
    '--fp32-precision': fp32_precision,
    BERT_NATIVE_FP32_MATRIX_UNITS: engine === 'native' && dtype === 'fp32' ? Number(env.fp32MatrixUnits) : null,
    'input format': input.format,
    '--field': input.format === 'jsonl' ? input.field : null,
    '--id-field': input.id_field ?? null,
    'output format': output_format,
    input: input.path === '-' ? 'standard input' : await fileIdentity(input.path),
    ...Object.fromEntries(identities),
  };
}

function describeEngine(engine: EngineName, execution_providers: readonly string[]): string {
  if (engine === 'native') return `native with ${nativeBinding().system_info().isa}`;
  if (engine === 'reference') return engine;
  return `onnxruntime ${nativeBinding().onnxruntime_info().opened?.version} on ${execution_providers.join(', ')}`;
}

async function fileIdentity(path: string): Promise<string> {
  const entry = await statOf(path);
  return entry.isFile() ? `${entry.size} bytes of ${entry.mtime.toISOString()}` : 'a pipe';
}

async function statOf(path: string): Promise<Stats> {
  return stat(path).catch((cause) => {
    throw fileError('reading', path, cause);
  });
}

async function statIfPresent(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}
