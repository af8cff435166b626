import { normalize as normalizePath } from 'node:path';
import { env } from '../env.ts';
import { AutoModel } from '../models/auto.ts';
import { optionError } from '../options.ts';
import { type EmbeddedItem, embedStream } from '../streams/embed-stream.ts';
import { AutoTokenizer } from '../tokenizers/auto.ts';
import { findModelPlace } from './download-progress.ts';
import { chooseInput, type InputFormat, type InputRecord, readRecords } from './embed-input.ts';
import { type EngineArguments, engineOptions } from './engine-arguments.ts';
import { chooseOutput, commonRecord, inputSize, listModelFiles, type Output, refuseToOverwrite } from './job-files.ts';
import { countOf, type JobResult, TextJob } from './text-job.ts';
import { jsonLinesFormat, npyFormat, type OutputFormat } from './vector-formats.ts';

export interface EmbedArguments extends EngineArguments {
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
  threads?: number;
}

const formatsByEnding: ReadonlyMap<string, OutputFormat> = new Map([
  ['.npy', 'npy'],
  ['.jsonl', 'jsonl'],
]);

/**
 * `bert-native embed`: texts are read, computed and written as they come, so memory does not grow with the input. What is
 * done when it is interrupted, or fails, is kept.
 */
export async function runEmbed(given: EmbedArguments): Promise<void> {
  // "new/../texts.txt" would be another file before the folder is made than after.
  const options = { ...given, output: given.output === '-' ? '-' : normalizePath(given.output) };
  const input = chooseInput(options.input, options.inputFormat, options.field, options.idField);
  const output = await chooseEmbedOutput(options);
  const size_bytes = await inputSize(input.path);
  const engine = engineOptions(options);
  const place = await findModelPlace(options.model, engine);
  const modelFiles = await listModelFiles(place, engine);
  await refuseToOverwrite(output.path, [input.path, ...modelFiles]);

  if (options.threads !== undefined) env.numThreads = options.threads;
  const { pooling, normalize, maxLength: max_length, batchTokens: batch_tokens } = options;
  const model_id = place.graph ?? place.folder;
  const tokenizer = await AutoTokenizer.from_pretrained(model_id);
  const model = await AutoModel.from_pretrained(model_id, {
    ...engine,
    // Only the pooler's own output needs the pooler: a checkpoint without one serves the other kinds, without a warning.
    add_pooling_layer: pooling === 'pooler',
    strict: true,
  });

  const job = await TextJob.open<Float32Array>({
    input: input.path,
    size_bytes,
    output,
    format: output.format === 'npy' ? npyFormat(model.hidden_size) : jsonLinesFormat,
    // What the vectors depend on.
    record: async () => ({
      ...(await commonRecord(model, input, output.format, modelFiles)),
      '--pooling': pooling,
      '--normalize': normalize,
      '--max-length': max_length ?? null,
    }),
    resume: options.resume,
    restart: options.restart,
    done: 'embedded',
    counts_tokens: true,
    limit: max_length === undefined ? 'the model takes' : `--max-length ${max_length}`,
  });
  await job.run((skip, signal) =>
    results(
      embedStream(readRecords(input, { skip }), {
        ...{ model, tokenizer, pooling, normalize, max_length, batch_tokens, signal },
        text: ({ text }) => text,
      }),
    ),
  );
  console.error(
    `${countOf(job.count)}, ${model.hidden_size} values each: ${output.path === '-' ? 'standard output' : output.path}`,
  );
  model.dispose();
}

async function* results(embedded: AsyncIterable<EmbeddedItem<InputRecord>>): AsyncGenerator<JobResult<Float32Array>> {
  for await (const { item, vector, tokens, truncated } of embedded) {
    yield { row: vector, id: item.id, end_bytes: item.end_bytes, tokens, truncated };
  }
}

/** @throws BertNativeError `ERR_OPTION` for what cannot be written there */
async function chooseEmbedOutput(options: EmbedArguments): Promise<Output<OutputFormat>> {
  const output = await chooseOutput(
    options as EmbedArguments & { outputFormat: OutputFormat },
    formatsByEnding,
    'jsonl',
  );
  if (output.streamed && output.format === 'npy') {
    const reason = 'an .npy file starts with the number of its rows, which cannot be filled in there afterwards';
    throw optionError('--output', output.path, `a regular file, or --output-format jsonl: ${reason}`);
  }
  if (output.format === 'npy' && options.idField !== undefined) {
    throw optionError(
      '--id-field',
      options.idField,
      'to be left out, or jsonl as output: an .npy file holds only numbers',
    );
  }
  return output;
}
