import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, extname, join, normalize as normalizePath } from 'node:path';
import { nativeBinding } from '../binding/load.ts';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import { AutoModel } from '../models/auto.ts';
import type { EncoderModel } from '../models/encoder-model.ts';
import type { EngineOptions } from '../models/modeling.ts';
import { optionError } from '../options.ts';
import { type EmbeddedItem, embedStream } from '../streams/embed-stream.ts';
import { AutoTokenizer } from '../tokenizers/auto.ts';
import { version } from '../version.ts';
import { openCheckpoint } from '../weights/checkpoint.ts';
import { findModelFolder } from './download-progress.ts';
import { chooseInput, type EmbedInput, type InputFormat, type InputRecord, readRecords } from './embed-input.ts';
import { Interruption } from './interruption.ts';
import { Progress, type Reached } from './progress.ts';
import { ResultFile, type ResultFileOptions, type RunRecord, resultFiles, type VectorSink } from './result-file.ts';
import { openStreamSink } from './stream-sink.ts';
import { jsonLinesFormat, npyFormat, type OutputFormat } from './vector-formats.ts';

export interface EmbedArguments {
  model: string;
  input: string;
  inputFormat?: InputFormat;
  field?: string;
  idField?: string;
  output: string;
  outputFormat?: OutputFormat;
  resume: boolean;
  restart: boolean;
  pooling: 'mean' | 'cls' | 'max' | 'pooler';
  normalize: boolean;
  maxLength?: number;
  batchTokens?: number;
  engine: 'native' | 'reference';
  dtype?: string;
  fp32Precision?: string;
  threads?: number;
}

/**
 * `bert-native embed`: texts are read, computed and written as they come, so memory does not grow with the input. What is
 * done when it is interrupted, or fails, is kept.
 */
export async function runEmbed(given: EmbedArguments): Promise<void> {
  // "new/../texts.txt" would be another file before the folder is made than after.
  const options = { ...given, output: given.output === '-' ? '-' : normalizePath(given.output) };
  const input = chooseInput(options.input, options.inputFormat, options.field, options.idField);
  const output = await chooseOutput(options);
  const size_bytes = await inputSize(input.path);
  const folder = await findModelFolder(options.model);
  const modelFiles = await listModelFiles(folder);
  await refuseToOverwrite(output.path, [input.path, ...modelFiles]);

  if (options.threads !== undefined) env.numThreads = options.threads;
  const { engine, pooling, normalize, maxLength: max_length, batchTokens: batch_tokens } = options;
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const model = await AutoModel.from_pretrained(folder, {
    engine,
    // The library's own rules say which there are.
    dtype: options.dtype as EngineOptions['dtype'],
    fp32_precision: options.fp32Precision as EngineOptions['fp32_precision'],
    // Only the pooler's own output needs the pooler: a checkpoint without one serves the other kinds, without a warning.
    add_pooling_layer: pooling === 'pooler',
    strict: true,
  });

  const interruption = new Interruption();
  const sink = output.streamed
    ? openStreamSink(output.path, jsonLinesFormat, interruption.signal)
    : await openResultFile(options, output, {
        format: output.format === 'npy' ? npyFormat(model.hidden_size) : jsonLinesFormat,
        record: await runRecord(options, model, input, output.format, modelFiles),
      });
  const job = new EmbedJob(options, sink, size_bytes);
  await job.run(interruption, (signal) =>
    embedStream(readRecords(input, { skip: sink.rows_before }), {
      ...{ model, tokenizer, pooling, normalize, max_length, batch_tokens, signal },
      text: ({ text }) => text,
    }),
  );
  console.error(
    `${countOf(job.count)}, ${model.hidden_size} values each: ${output.path === '-' ? 'standard output' : output.path}`,
  );
  model.dispose();
}

/** Opens the file and says what becomes of an earlier run's. */
async function openResultFile(
  { resume, restart }: EmbedArguments,
  { path }: Output,
  how: Pick<ResultFileOptions, 'format' | 'record'>,
): Promise<ResultFile> {
  const file = await ResultFile.open({ path, resume, restart, ...how });
  if (file.rows_before > 0) console.error(`going on after ${countOf(file.rows_before)}`);
  else if (resume) console.error('nothing to go on with: from the first text');
  return file;
}

type Embedded = AsyncIterable<EmbeddedItem<InputRecord>>;

/** Moves vectors from a stream into a sink, and keeps what is there when the stream ends too early. */
class EmbedJob {
  readonly #options: EmbedArguments;
  readonly #sink: VectorSink;
  readonly #total_bytes: number | undefined;
  #reached: Reached = { bytes: 0, texts: 0, tokens: 0 };
  #truncated = 0;

  constructor(options: EmbedArguments, sink: VectorSink, total_bytes: number | undefined) {
    this.#options = options;
    this.#sink = sink;
    this.#total_bytes = total_bytes;
  }

  /** Texts in the output, those of an earlier run included. */
  get count(): number {
    return this.#sink.rows_before + this.#reached.texts;
  }

  async run(interruption: Interruption, embed: (signal: AbortSignal) => Embedded): Promise<void> {
    try {
      await this.#write(embed(interruption.signal));
      await this.#sink.finish();
      this.#reportTruncated();
    } catch (error) {
      const interrupted = error instanceof BertNativeError && error.code === 'ERR_ABORTED';
      if (!interrupted) await this.#keepAfter(error);
      await this.#keepAfterInterruption();
      // Neither a batch that still runs nor a pipe that still waits for input should hold the process.
      process.exit(interruption.exit_code);
    } finally {
      interruption.end();
      // A pipe that is open and silent would hold the process.
      if (this.#options.input === '-') process.stdin.destroy();
    }
  }

  async #write(results: Embedded): Promise<void> {
    const progress = new Progress(this.#total_bytes);
    try {
      for await (const { item, vector, tokens, truncated } of results) {
        await this.#sink.write(vector, item.id);
        const { texts, tokens: before } = this.#reached;
        this.#reached = { bytes: item.end_bytes, texts: texts + 1, tokens: before + tokens };
        if (truncated) this.#truncated++;
        progress.update(this.#reached);
      }
    } finally {
      progress.end();
    }
  }

  async #keepAfter(error: unknown): Promise<never> {
    // What went wrong first is what to tell.
    const kept = await this.#sink.stop('failed').catch(() => undefined);
    if (kept !== undefined)
      console.error(`${countOf(kept.count)} kept in ${kept.path}; --resume goes on there if the input stays as it is`);
    throw error;
  }

  async #keepAfterInterruption(): Promise<void> {
    const kept = await this.#sink.stop('interrupted');
    const { bytes } = this.#reached;
    const share = this.#total_bytes && bytes ? ` (${Math.floor((100 * bytes) / this.#total_bytes)}% of the input)` : '';
    const where = kept === undefined ? '' : `, kept in ${kept.path}; go on with --resume`;
    this.#reportTruncated();
    console.error(`interrupted: ${countOf(kept?.count ?? this.count)} embedded${share}${where}`);
  }

  #reportTruncated(): void {
    if (this.#truncated === 0) return;
    const { maxLength } = this.#options;
    const limit = maxLength === undefined ? 'the model takes' : `--max-length ${maxLength}`;
    console.error(`${countOf(this.#truncated)} had more tokens than ${limit} and lost the rest`);
  }
}

function countOf(count: number): string {
  return `${count.toLocaleString('en')} ${count === 1 ? 'text' : 'texts'}`;
}

interface Output {
  readonly path: string;
  readonly format: OutputFormat;
  /** A pipe or a device: nothing that was written can be changed. */
  readonly streamed: boolean;
}

const formatsByEnding: ReadonlyMap<string, OutputFormat> = new Map([
  ['.npy', 'npy'],
  ['.jsonl', 'jsonl'],
]);

/** @throws BertNativeError `ERR_OPTION` for what cannot be written there */
async function chooseOutput({ output: path, outputFormat, resume, restart, idField }: EmbedArguments): Promise<Output> {
  const present = path === '-' ? undefined : await statIfPresent(path);
  if (present?.isDirectory()) throw optionError('--output', path, 'a file: this is a folder');
  const streamed = path === '-' || present?.isFile() === false;
  const format = outputFormat ?? (streamed ? 'jsonl' : formatsByEnding.get(extname(path).toLowerCase()));
  if (format === undefined) {
    throw optionError('--output', path, 'a file that ends in .npy or .jsonl, or --output-format npy or jsonl');
  }
  if (streamed && format === 'npy') {
    const reason = 'an .npy file starts with the number of its rows, which cannot be filled in there afterwards';
    throw optionError('--output', path, `a regular file, or --output-format jsonl: ${reason}`);
  }
  if (streamed && resume) throw optionError('--resume', path, 'a regular file as --output');
  if (resume && restart)
    throw new BertNativeError(
      'ERR_OPTION',
      '--resume goes on and --restart starts again: expected one of --resume and --restart',
    );
  if (format === 'npy' && idField !== undefined) {
    throw optionError('--id-field', idField, 'to be left out, or jsonl as output: an .npy file holds only numbers');
  }
  return { path, format, streamed };
}

/** @returns undefined where the size says nothing, as of a pipe. @throws BertNativeError `ERR_NOT_FOUND`, `ERR_IO` */
async function inputSize(path: string): Promise<number | undefined> {
  if (path === '-') return undefined;
  const entry = await statOf(path);
  if (entry.isDirectory()) throw new BertNativeError('ERR_IO', `${path} is a folder: expected a file of texts`);
  return entry.isFile() ? entry.size : undefined;
}

/** Whatever tokenizers and configurations are read from, in any family. */
const modelFileNames = [
  'config.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'sentencepiece.bpe.model',
  'spiece.model',
];

async function listModelFiles(folder: string): Promise<string[]> {
  const { files } = await openCheckpoint(folder);
  const paths = [...modelFileNames.map((name) => join(folder, name)), ...files.map(({ path }) => path)];
  const entries = await Promise.all(paths.map(statIfPresent));
  return paths.filter((_, i) => entries[i] !== undefined);
}

/** @throws BertNativeError `ERR_OPTION` where the output is one of the files that are read, by whatever name */
async function refuseToOverwrite(output: string, read: readonly string[]): Promise<void> {
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

/** What the vectors depend on. Neither the number of threads nor the size of batches is part of it. */
async function runRecord(
  { pooling, normalize, maxLength }: EmbedArguments,
  { engine, dtype, fp32_precision }: EncoderModel,
  input: EmbedInput,
  output_format: OutputFormat,
  modelFiles: readonly string[],
): Promise<RunRecord> {
  const identities = await Promise.all(
    modelFiles.map(async (path) => [`model file ${basename(path)}`, await fileIdentity(path)]),
  );
  return {
    'bert-native': version,
    engine: engine === 'native' ? `native with ${nativeBinding().system_info().isa}` : engine,
    '--dtype': dtype,
    '--fp32-precision': fp32_precision,
    BERT_NATIVE_FP32_MATRIX_UNITS: engine === 'native' && dtype === 'fp32' ? Number(env.fp32MatrixUnits) : null,
    '--pooling': pooling,
    '--normalize': normalize,
    '--max-length': maxLength ?? null,
    'input format': input.format,
    '--field': input.format === 'jsonl' ? input.field : null,
    '--id-field': input.id_field ?? null,
    'output format': output_format,
    input: input.path === '-' ? 'standard input' : await fileIdentity(input.path),
    ...Object.fromEntries(identities),
  };
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
