import { normalize as normalizePath } from 'node:path';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { findModel } from '../hub/resolve.ts';
import { modelWish } from '../models/auto.ts';
import { optionError } from '../options.ts';
import { pipeline } from '../pipelines/pipeline.ts';
import type { PipelineOf, PipelineTask } from '../pipelines/tasks.ts';
import { chooseInput, type EmbedInput, type InputFormat, type InputRecord, readRecords } from './embed-input.ts';
import { type EngineArguments, engineOptions } from './engine-arguments.ts';
import { chooseOutput, commonRecord, inputSize, listModelFiles, refuseToOverwrite } from './job-files.ts';
import type { RunRecord } from './result-file.ts';
import { linesFormat, type RowFormat } from './row-formats.ts';
import { countOf, type JobResult, TextJob } from './text-job.ts';

export type TaskOutputFormat = 'jsonl' | 'txt';

/** What the commands that run a pipeline over texts have in common. */
export interface TaskArguments extends EngineArguments {
  model: string;
  input: string;
  inputFormat?: InputFormat;
  field?: string;
  idField?: string;
  output: string;
  outputFormat?: TaskOutputFormat;
  resume: boolean;
  restart: boolean;
  maxLength?: number;
  batchTokens?: number;
  threads?: number;
}

/** Options of a pipeline's call that every command passes on. */
export interface StreamCallOptions {
  readonly batch_tokens: number | null;
  readonly signal: AbortSignal;
}

/** A text of the input with what was made of it. */
export interface TaskResult<Row> {
  readonly record: InputRecord;
  readonly row: Row;
}

/** A command: how its pipeline is called, and how results are written. */
export interface TaskCommand<Task extends PipelineTask, Row> {
  readonly task: Task;
  /** What happens to texts: `classified`. */
  readonly done: string;
  /** jsonl: where a second text stands. */
  readonly second_field?: string | undefined;
  /** Options that the results depend on, for `--resume`. */
  readonly record: RunRecord;
  /** Whether a result is written for every text; else the output cannot be gone on with. */
  readonly resumable: boolean;
  run(
    pipe: PipelineOf<Task>,
    records: AsyncIterable<InputRecord>,
    options: StreamCallOptions,
  ): AsyncIterable<TaskResult<Row>>;
  /** What an array is called that stands beside `id` in a line of JSON. */
  readonly key: string;
  /** A line of JSON: an array, or an object, which `id` goes into. */
  json(row: Row): object;
  /** One line for people. */
  text(row: Row): string;
}

const formatsByEnding: ReadonlyMap<string, TaskOutputFormat> = new Map([
  ['.jsonl', 'jsonl'],
  ['.ndjson', 'jsonl'],
  ['.txt', 'txt'],
  ['.tsv', 'txt'],
]);

/**
 * Runs a pipeline over the lines of a file, of standard input, or over texts of the command line; memory does not grow with
 * their number, and what is done when it is interrupted, or fails, is kept.
 */
export async function runTask<Task extends PipelineTask, Row>(
  texts: readonly string[],
  given: TaskArguments,
  command: TaskCommand<Task, Row>,
): Promise<void> {
  const options = { ...given, output: given.output === '-' ? '-' : normalizePath(given.output) };
  if (texts.length > 0 && options.input !== '-') {
    throw optionError('--input', options.input, 'to be left out, as texts were given');
  }
  const input = chooseInput(options.input, inputFormat(options, command), options.field, options.idField);
  const whole: EmbedInput = { ...input, second_field: command.second_field };
  const output = await chooseOutput(options as Required<TaskArguments>, formatsByEnding, 'jsonl');
  if (options.resume && !command.resumable) {
    throw new BertNativeError('ERR_OPTION', '--resume: this output is known only when all texts have been read');
  }
  const size_bytes = texts.length > 0 ? undefined : await inputSize(input.path);
  const engine = engineOptions(options);
  const place = await findModel(options.model, {}, 'everything', modelWish(engine));
  const modelFiles = await listModelFiles(place, engine);
  await refuseToOverwrite(output.path, [input.path, ...modelFiles]);

  if (options.threads !== undefined) env.numThreads = options.threads;
  const pipe = await pipeline(command.task, place.graph ?? place.folder, {
    ...engine,
    strict: true,
  });
  const job = await TextJob.open<Row>({
    input: input.path,
    size_bytes,
    output,
    format: formatOf(command, output.format),
    record: async () => ({
      ...(await commonRecord(pipe.model, whole, output.format, modelFiles)),
      '--max-length': options.maxLength ?? null,
      ...command.record,
    }),
    resume: options.resume,
    restart: options.restart,
    done: command.done,
    counts_tokens: false,
    limit: 'the model takes',
  });
  await job.run((skip, signal) => {
    const records = texts.length > 0 ? recordsOf(texts.slice(skip)) : readRecords(whole, { skip });
    return rows(command.run(pipe, records, { batch_tokens: options.batchTokens ?? null, signal }));
  });
  if (output.path !== '-') console.error(`${countOf(job.count)} ${command.done}: ${output.path}`);
  await pipe.dispose();
}

/** A second field can only be one of jsonl. */
function inputFormat(
  { inputFormat }: TaskArguments,
  { second_field }: { readonly second_field?: string | undefined },
): InputFormat | undefined {
  return second_field === undefined ? inputFormat : (inputFormat ?? 'jsonl');
}

async function* recordsOf(texts: readonly string[]): AsyncGenerator<InputRecord> {
  for (const text of texts) yield { text, id: undefined, end_bytes: 0 };
}

async function* rows<Row>(results: AsyncIterable<TaskResult<Row>>): AsyncGenerator<JobResult<Row>> {
  for await (const { record, row } of results) yield { row, id: record.id, end_bytes: record.end_bytes };
}

function formatOf<Row>(
  { key, json, text }: Pick<TaskCommand<PipelineTask, Row>, 'key' | 'json' | 'text'>,
  format: TaskOutputFormat,
): RowFormat<Row> {
  if (format === 'txt') {
    return linesFormat((row, id) => (id === undefined ? text(row) : `${oneLine(String(id))}\t${text(row)}`));
  }
  return linesFormat((row, id) => {
    const value = json(row);
    if (id === undefined) return JSON.stringify(value);
    return JSON.stringify({ id, ...(Array.isArray(value) ? { [key]: value } : value) });
  });
}

/**
 * Runs a stream over items made of records and puts each result beside its record: streams read ahead, and give results in
 * order.
 */
export async function* withRecords<Item, Row>(
  records: AsyncIterable<InputRecord>,
  itemOf: (record: InputRecord) => Item,
  call: (items: AsyncIterable<Item>) => AsyncIterable<Row>,
): AsyncGenerator<TaskResult<Row>> {
  const waiting: InputRecord[] = [];
  async function* items(): AsyncGenerator<Item> {
    for await (const record of records) {
      waiting.push(record);
      yield itemOf(record);
    }
  }
  for await (const row of call(items())) yield { record: waiting.shift()!, row };
}

/** A piece of text as part of a line whose parts are set apart by tabs. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** A score as people read it. */
export function shown(score: number): string {
  return score.toFixed(4);
}
