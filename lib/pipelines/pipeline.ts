import { BertNativeError } from '../errors.ts';
import { resolveRules } from '../hub/resolve.ts';
import type { ForwardModel } from '../models/forward-model.ts';
import type { FromPretrainedOptions } from '../models/modeling.ts';
import { optionError, optionsObject, pickOptions, warnOnce } from '../options.ts';
import { AutoTokenizer } from '../tokenizers/auto.ts';
import { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';
import { findTask, type PipelineOf, type PipelineTask, type TaskDefinition } from './tasks.ts';

/** Options of {@link pipeline}: those of `from_pretrained`, for the model and where they apply for the tokenizer. */
export interface PipelineOptions extends FromPretrainedOptions {
  /** A tokenizer, or where one is; unless given, where the model is. */
  readonly tokenizer?: PreTrainedTokenizer | string | null;
}

/**
 * Loads what a task needs, ready to be called with texts.
 *
 * @param task such as `text-classification` or `ner`
 * @param model a folder, the id of a model on the hub, or a model of the task, which needs `tokenizer` among the options;
 *   unless given, a usual one of the hub
 * @throws (rejects) BertNativeError `ERR_OPTION` for an unknown task, naming the nearest; `ERR_UNSUPPORTED_MODEL` for a model
 *   of another task; and what `from_pretrained` of models and tokenizers throws
 */
export async function pipeline<Task extends PipelineTask>(
  task: Task,
  model?: string | ForwardModel | null,
  options?: PipelineOptions | null,
): Promise<PipelineOf<Task>> {
  const definition = findTask(task);
  const { tokenizer, ...others } = optionsObject('pipeline()', options) as PipelineOptions;
  const parts =
    typeof model === 'string' || model == null
      ? await load(task, definition, model ?? null, tokenizer ?? null, others)
      : { model, tokenizer: await tokenizerFor(tokenizer, others) };
  try {
    return new definition.pipeline_class({ task: definition.task, ...parts } as never) as PipelineOf<Task>;
  } catch (error) {
    if (parts.model !== model) parts.model.dispose();
    throw error;
  }
}

async function load(
  task: string,
  { load, default_model }: TaskDefinition,
  id: string | null,
  tokenizer: PreTrainedTokenizer | string | null,
  options: FromPretrainedOptions,
): Promise<{ model: ForwardModel; tokenizer: PreTrainedTokenizer }> {
  const name = id ?? default_model;
  if (id === null) {
    const message = `pipeline('${task}') was given no model and takes ${name}: name one, so that it stays the same`;
    warnOnce('BERT_NATIVE_DEFAULT_MODEL', task, message);
  }
  const loading = load(name, options);
  try {
    const found =
      tokenizer instanceof PreTrainedTokenizer ? tokenizer : await loadTokenizer(tokenizer ?? name, options);
    return { model: await loading, tokenizer: found };
  } catch (error) {
    // What failed first is what to tell; a model that has loaded by then is nobody's.
    loading.then((model) => model.dispose()).catch(() => {});
    throw id === null ? explained(task, name, error) : error;
  }
}

async function loadTokenizer(id: string, options: FromPretrainedOptions): Promise<PreTrainedTokenizer> {
  return AutoTokenizer.from_pretrained(id, pickOptions(options, resolveRules));
}

async function tokenizerFor(
  given: PreTrainedTokenizer | string | null | undefined,
  options: FromPretrainedOptions,
): Promise<PreTrainedTokenizer> {
  if (given instanceof PreTrainedTokenizer) return given;
  if (typeof given === 'string') return loadTokenizer(given, options);
  throw optionError('tokenizer', given, 'the tokenizer of the model that was given, or where it is');
}

/** What to do where the usual model cannot be had. */
function explained(task: string, name: string, error: unknown): unknown {
  const away = ['ERR_NOT_FOUND', 'ERR_OFFLINE', 'ERR_HUB'];
  if (!(error instanceof BertNativeError) || !away.includes(error.code)) return error;
  const remedy = `name a model that is there, as in pipeline('${task}', './folder')`;
  const message = `pipeline('${task}') without a model takes '${name}', which cannot be had: ${error.message}; ${remedy}`;
  return new BertNativeError(error.code, message, { cause: error });
}
