import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import cliProgress from 'cli-progress';
import { InvalidArgumentError } from 'commander';
import { throwIfAborted } from '../abort.ts';
import { BertNativeError } from '../errors.ts';
import { fileError } from '../files.ts';
import {
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForMultipleChoice,
  AutoModelForNextSentencePrediction,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
} from '../models/auto.ts';
import { readConfigValues } from '../models/configuration.ts';
import type { PreTrainedModel } from '../models/modeling.ts';
import { onnxFiles } from '../onnx/export.ts';
import { type OnnxDtype, onnxDtypes } from '../onnx/network.ts';
import { optionError } from '../options.ts';
import { AutoTokenizer } from '../tokenizers/auto.ts';
import { findModelFolder } from './download-progress.ts';
import { Interruption } from './interruption.ts';

const tasks = {
  'feature-extraction': AutoModel,
  'text-classification': AutoModelForSequenceClassification,
  'token-classification': AutoModelForTokenClassification,
  'question-answering': AutoModelForQuestionAnswering,
  'fill-mask': AutoModelForMaskedLM,
  'multiple-choice': AutoModelForMultipleChoice,
  'next-sentence-prediction': AutoModelForNextSentencePrediction,
} as const;

export type ExportTask = keyof typeof tasks;

export const exportTasks = Object.keys(tasks) as ExportTask[];

export interface ExportArguments {
  model: string;
  task?: ExportTask;
  output: string;
  dtype: OnnxDtype[];
  externalData?: boolean;
  fusedOperators?: boolean;
  pooler: boolean;
  tokenizer: boolean;
  force?: boolean;
}

/** `fp32`, `fp16`, `q8` or several of them, `fp32,q8`, as a parser of commander. */
export function parseDtypes(text: string): OnnxDtype[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !onnxDtypes.some((dtype) => dtype === name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`'${unknown}' is no kind of weights: expected fp32, fp16, q8, or several: fp32,q8.`);
  }
  return [...new Set(names as OnnxDtype[])];
}

/** `bert-native export`: a folder that transformers.js and onnxruntime load. */
export async function runExport(options: ExportArguments): Promise<void> {
  const folder = await findModelFolder(options.model, { engine: 'native' });
  await checkOutput(options, folder);
  if (options.task === undefined) await tellOfTask(folder);
  // Before the model: what is missing here is known at once.
  const tokenizer = options.tokenizer ? await loadTokenizer(folder) : null;
  const model = await loadModel(folder, options);
  try {
    const interruption = new Interruption();
    for (const dtype of options.dtype) await exportModel(model, dtype, options, interruption);
    interruption.end();
    const tokenizerFiles = (await tokenizer?.save_pretrained(options.output)) ?? [];
    const models = options.dtype.flatMap((dtype) => onnxFiles(options.output, dtype));
    await summarize([...models, join(options.output, 'config.json'), ...tokenizerFiles]);
  } finally {
    model.dispose();
  }
}

/**
 * The export rewrites `config.json` and the tokenizer's files, and two models in one folder would pass for one.
 *
 * @throws BertNativeError `ERR_OPTION`, `ERR_IO`
 */
async function checkOutput({ output, force = false }: ExportArguments, folder: string): Promise<void> {
  const names = await readdir(output).catch((cause) => {
    const error = fileError('listing', output, cause);
    if (error.code === 'ERR_NOT_FOUND') return null;
    throw error;
  });
  if (names === null) return;
  if ((await realpath(output)) === (await realpath(folder))) {
    throw optionError('--output', output, "another folder than the model's own, whose files would be rewritten");
  }
  if (names.length > 0 && !force) {
    throw optionError('--output', output, 'a folder that is empty or not there yet, or --force to write into this one');
  }
}

async function loadTokenizer(folder: string) {
  return AutoTokenizer.from_pretrained(folder).catch((cause) => {
    throw withHint(cause, '--no-tokenizer exports the model alone');
  });
}

/** How the names of models end whose encoder alone is mostly not what is meant. */
const endings: Partial<Record<ExportTask, string>> = {
  'text-classification': 'ForSequenceClassification',
  'token-classification': 'ForTokenClassification',
  'question-answering': 'ForQuestionAnswering',
  'multiple-choice': 'ForMultipleChoice',
};

async function tellOfTask(folder: string): Promise<void> {
  const { architectures } = await readConfigValues(folder);
  const name = Array.isArray(architectures) ? String(architectures[0]) : '';
  const task = exportTasks.find((each) => endings[each] !== undefined && name.endsWith(endings[each]));
  if (task === undefined) return;
  console.error(`the model is a ${name}, of which this is the encoder alone: --task ${task} exports all of it`);
}

async function loadModel(
  folder: string,
  { task = 'feature-extraction', pooler }: ExportArguments,
): Promise<PreTrainedModel> {
  if (task !== 'feature-extraction') {
    if (!pooler) throw optionError('--task', task, 'feature-extraction with --no-pooler');
    return tasks[task].from_pretrained(folder, { engine: 'native', strict: true });
  }
  return AutoModel.from_pretrained(folder, { engine: 'native', add_pooling_layer: pooler, strict: true }).catch(
    (cause) => {
      const lacksPooler = cause instanceof BertNativeError && cause.code === 'ERR_WEIGHT_MISSING';
      if (!lacksPooler || !cause.message.includes('pooler')) throw cause;
      throw withHint(cause, '--no-pooler exports the model without it');
    },
  );
}

function withHint(cause: unknown, hint: string): unknown {
  if (!(cause instanceof BertNativeError)) return cause;
  return new BertNativeError(cause.code, `${cause.message} (${hint})`, { cause });
}

async function exportModel(
  model: PreTrainedModel,
  dtype: OnnxDtype,
  { output, externalData, fusedOperators }: ExportArguments,
  interruption: Interruption,
): Promise<void> {
  const bar = new cliProgress.SingleBar({
    format: `${dtype} [{bar}] {percentage}% | {megabytes} of {total_megabytes} MB`,
    stream: process.stderr,
    barsize: 24,
    clearOnComplete: true,
    hideCursor: false,
    gracefulExit: false,
  });
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  let begun = false;
  try {
    await model.save_pretrained(output, {
      format: 'onnx',
      dtype,
      external_data: externalData ?? null,
      fused_operators: fusedOperators ?? false,
      progress_callback({ written_bytes, total_bytes }) {
        // Thrown here, it takes the unfinished file away.
        throwIfAborted(interruption.signal);
        const payload = { megabytes: megabytes(written_bytes), total_megabytes: megabytes(total_bytes) };
        if (!begun) bar.start(total_bytes, 0, payload);
        begun = true;
        bar.update(written_bytes, payload);
      },
    });
    throwIfAborted(interruption.signal);
  } catch (error) {
    if (interruption.exit_code === undefined) throw error;
    bar.stop();
    console.error(`interrupted: ${output} is not complete`);
    process.exit(interruption.exit_code);
  } finally {
    bar.stop();
  }
}

/** Those of the files that are there, with their sizes, on standard error. */
async function summarize(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const entry = await stat(path).catch(() => null);
    if (entry !== null) console.error(`${(entry.size / 1e6).toFixed(3).padStart(12)} MB  ${path}`);
  }
}
