import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { findModel, resolveRules } from '../hub/resolve.ts';
import { modelWish } from '../models/auto.ts';
import { ForwardModel } from '../models/forward-model.ts';
import type { FromPretrainedOptions } from '../models/modeling.ts';
import { optionError, optionsObject, pickOptions, warnOnce } from '../options.ts';
import { SentenceTransformer } from '../sentence-transformers/sentence-transformer.ts';
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
 * @param model a folder, an `.onnx` file, the id of a model on the hub, or a model of the task, which needs `tokenizer` among the options, or
 *   a SentenceTransformer; unless given, a usual one of the hub
 * @throws (rejects) BertNativeError `ERR_OPTION` for an unknown task, naming the nearest; `ERR_UNSUPPORTED_MODEL` for a model
 *   of another task; and what `from_pretrained` of models and tokenizers throws
 */
export async function pipeline<Task extends PipelineTask>(
  task: Task,
  model?: string | ForwardModel | SentenceTransformer | null,
  options?: PipelineOptions | null,
): Promise<PipelineOf<Task>> {
  const definition = findTask(task);
  const { tokenizer = null, ...others } = optionsObject('pipeline()', options) as PipelineOptions;
  pickOptions(others, resolveRules);
  const loads = typeof model === 'string' || model == null;
  if (!loads && !((model as object) instanceof ForwardModel || model instanceof SentenceTransformer)) {
    throw optionError('model', model, 'a folder, the id of a model, or a model; options are the third argument');
  }
  const parts = loads
    ? await load(task, definition, model ?? null, tokenizer, others)
    : await partsOf(model, tokenizer, others);
  try {
    const ready = new definition.pipeline_class({ task: definition.task, ...parts } as never);
    others.progress_callback?.({ status: 'ready', task, model: loads ? (model ?? definition.default_model) : '' });
    return ready as PipelineOf<Task>;
  } catch (error) {
    if (loads) parts.model.dispose();
    throw error;
  }
}

interface LoadedParts {
  readonly model: ForwardModel;
  readonly tokenizer: PreTrainedTokenizer;
  readonly sentence_transformer?: SentenceTransformer;
}

/** What a caller has loaded. @throws BertNativeError `ERR_OPTION` for options that come too late, and without a tokenizer */
async function partsOf(
  model: ForwardModel | SentenceTransformer,
  tokenizer: PreTrainedTokenizer | string | null,
  options: FromPretrainedOptions,
): Promise<LoadedParts> {
  const late = Object.entries(options).find(([name, value]) => value != null && !Object.hasOwn(resolveRules, name));
  if (late !== undefined) throw optionError(late[0], late[1], 'to be left out, as the model that was given is loaded');
  if (!(model instanceof SentenceTransformer)) return { model, tokenizer: await tokenizerFor(tokenizer, options) };
  return { model: model.model, tokenizer: model.tokenizer, sentence_transformer: model };
}

async function load(
  task: string,
  definition: TaskDefinition,
  id: string | null,
  tokenizer: PreTrainedTokenizer | string | null,
  options: FromPretrainedOptions,
): Promise<LoadedParts> {
  if (id !== null) return loadFrom(id, definition, tokenizer, options);
  const name = definition.default_model;
  const message = `pipeline('${task}') was given no model and takes ${name}: name one, so that it stays the same`;
  warnOnce('BERT_NATIVE_DEFAULT_MODEL', task, message);
  return loadFrom(name, definition, tokenizer, options).catch((error) => {
    throw explained(task, name, error);
  });
}

async function loadFrom(
  id: string,
  definition: TaskDefinition,
  tokenizer: PreTrainedTokenizer | string | null,
  options: FromPretrainedOptions,
): Promise<LoadedParts> {
  const { folder, graph } = await findModel(id, pickOptions(options, resolveRules), 'everything', modelWish(options));
  const others = Object.fromEntries(Object.entries(options).filter(([name]) => !Object.hasOwn(resolveRules, name)));
  if (definition.takes_sentences && tokenizer === null && (await exists(join(folder, 'modules.json')))) {
    const sentence_transformer = await SentenceTransformer.from_pretrained(graph ?? folder, others);
    const { model, tokenizer } = sentence_transformer;
    return { model, tokenizer, sentence_transformer };
  }
  const loading = definition.load(graph ?? folder, others);
  loading.catch(() => {}); // heard of below, but perhaps after the tokenizer
  try {
    const found = await (tokenizer === null ? loadTokenizer(graph ?? folder, {}) : tokenizerFor(tokenizer, options));
    return { model: await loading, tokenizer: found };
  } catch (error) {
    // A model that loads all the same is nobody's.
    loading.then((model) => model.dispose()).catch(() => {});
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
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
