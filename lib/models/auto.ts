import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { readJsonObjectIfPresent } from '../files.ts';
import type { ModelWish } from '../hub/model-files.ts';
import { findModel, type ResolveOptions, resolveRules } from '../hub/resolve.ts';
import { describe, nearest, optionError, optionsObject, pickOptions } from '../options.ts';
import { type ConfigValues, loadConfigValues, PretrainedConfig, readConfigValues } from './configuration.ts';
import type { EncoderModel, EncoderModelOptions } from './encoder-model.ts';
import { type EngineOptions, engineRules, fileWish, readEngineOptions } from './engine-choice.ts';
import { type AnyConfig, type AutoClass, families, type ModelFamily } from './families.ts';
import { graphsIn } from './model-source.ts';
import type { FromPretrainedOptions, InitOptions, PreTrainedModel } from './modeling.ts';
import type {
  MaskedLanguageModel,
  MultipleChoiceModel,
  NextSentencePredictionModel,
  QuestionAnsweringModel,
  SequenceClassificationModel,
  TokenClassificationModel,
} from './tasks/classes.ts';
import type { TaskModel } from './tasks/task-model.ts';

export type { AnyConfig } from './families.ts';

/** Options of `AutoModel.from_pretrained`. */
export type AutoModelOptions = FromPretrainedOptions & EncoderModelOptions;

/** An Auto class: finds a model's class by its configuration. */
export interface AutoModelClass<Model extends PreTrainedModel, Options extends object = FromPretrainedOptions> {
  /**
   * @param pathOrId a folder, or the id of a model
   * @throws (rejects) BertNativeError `ERR_UNSUPPORTED_MODEL`, and what the family's own class throws
   */
  from_pretrained(pathOrId: string, options?: Options | null): Promise<Model>;
  /**
   * A model of the configuration's family with weights initialised at random.
   *
   * @throws BertNativeError `ERR_UNSUPPORTED_MODEL`, and what the family's own class throws
   */
  from_config(config: PretrainedConfig, options?: InitOptions | null): Model;
}

/** The part of a model's class that the Auto classes call. */
interface CalledClass<Model> {
  new (config: never, options?: InitOptions | null): Model;
  from_pretrained(pathOrId: string, options?: object | null): Promise<Model>;
}

/**
 * The family of a configuration; undefined: it is not known here.
 *
 * @param values of the configuration; those of hub code may name their family by their classes alone
 */
function findFamily({ model_type, architectures }: ConfigValues): ModelFamily | undefined {
  const byType = families.find((family) => family.config.model_type === model_type);
  if (byType !== undefined || model_type !== undefined) return byType;
  const named = Array.isArray(architectures) ? architectures : [];
  return families.find(({ classes }) => Object.values(classes).some((modelClass) => named.includes(modelClass.name)));
}

function familyOf(values: ConfigValues, where: string): ModelFamily {
  const family = findFamily(values);
  if (family === undefined) throw unknownFamily(values, where);
  return family;
}

function unknownFamily({ model_type }: ConfigValues, where: string): BertNativeError {
  const known = families.map(({ config }) => config.model_type);
  const suggestion =
    typeof model_type === 'string' && model_type !== ''
      ? (known.find((name) => name.startsWith(model_type)) ??
        nearest(model_type, known, Math.floor(model_type.length / 3)))
      : undefined;
  return new BertNativeError(
    'ERR_UNSUPPORTED_MODEL',
    `${where}: model_type is ${describe(model_type)}: expected one of ${known.join(', ')}` +
      (suggestion ? `; did you mean '${suggestion}'?` : ''),
  );
}

/**
 * What the Auto classes run a model from, for whoever has its files fetched before: weights only where its family is known.
 *
 * @internal
 * @param options among others those about engines
 * @throws BertNativeError `ERR_OPTION`, `ERR_DEVICE` for engine options that do not fit
 */
export function modelWish(options: object): ModelWish {
  const wish = fileWish(readEngineOptions(pickOptions<EngineOptions>(options, engineRules)));
  return { ...wish, runs_weights: (config) => findFamily(config) !== undefined };
}

function classOf<Model>(name: string, kind: AutoClass, values: ConfigValues, where: string): CalledClass<Model> {
  const family = familyOf(values, where);
  const found = family.classes[kind];
  if (found !== undefined) return found as unknown as CalledClass<Model>;
  const others = families.filter(({ classes }) => classes[kind] !== undefined).map(({ config }) => config.model_type);
  throw new BertNativeError(
    'ERR_UNSUPPORTED_MODEL',
    `${where}: ${name} has no class for model_type '${family.config.model_type}': expected one of ${others.join(', ')}`,
  );
}

function autoClass<Model extends PreTrainedModel, Options extends object = FromPretrainedOptions>(
  name: string,
  kind: AutoClass,
): AutoModelClass<Model, Options> {
  return {
    async from_pretrained(pathOrId, options) {
      const given = optionsObject(`${name}.from_pretrained`, options);
      const values = await configValues(pathOrId, given);
      if (findFamily(values) === undefined) return loadGraphOnly<Model>(kind, pathOrId, given, values);
      return classOf<Model>(name, kind, values, `'${pathOrId}'`).from_pretrained(pathOrId, given);
    },
    from_config(config, options) {
      if (!(config instanceof PretrainedConfig)) throw optionError('config', config, 'a configuration');
      return new (classOf<Model>(name, kind, config.to_dict(), 'the configuration'))(config as never, options);
    },
  };
}

// Most models are of a family that is known here.
const importGraphOnly = () => import('./graph-only.ts');

/** A model of a family that is not known here, if there is a graph of it. */
async function loadGraphOnly<Model>(
  kind: AutoClass,
  pathOrId: string,
  options: object,
  values: ConfigValues,
): Promise<Model> {
  const { origins } = readEngineOptions(pickOptions<EngineOptions>(options, engineRules));
  const unknown = unknownFamily(values, `'${pathOrId}'`);
  if (!origins.includes('graph')) throw unknown;
  const { graphOnlyClasses } = await importGraphOnly();
  const modelClass = graphOnlyClasses[kind] as unknown as CalledClass<Model>;
  return modelClass.from_pretrained(pathOrId, options).catch((error) => {
    if (!(error instanceof BertNativeError && error.code === 'ERR_NOT_FOUND')) throw error;
    const message = `${unknown.message}; nor is there a graph to run: ${error.message}`;
    throw new BertNativeError(unknown.code, message, { cause: error });
  });
}

/** What a family is known by: of the configuration that the caller gives, or of the folder's. */
async function configValues(pathOrId: string, options: FromPretrainedOptions): Promise<ConfigValues> {
  const { config } = options;
  if (config instanceof PretrainedConfig) return config.to_dict();
  const { folder, graph } = await findModel(pathOrId, pickOptions(options, resolveRules), 'config');
  const path = join(folder, 'config.json');
  // A graph may come without a configuration.
  const mayLackIt = graph !== null || config != null || (await graphsIn(folder)).length > 0;
  if (mayLackIt && (await readJsonObjectIfPresent(path)) === undefined) return { ...config };
  return readConfigValues(folder, config ?? {});
}

/** Picks the configuration class by `model_type`. */
export const AutoConfig = {
  /** @throws BertNativeError `ERR_UNSUPPORTED_MODEL`, and what the family's own class throws */
  async from_pretrained(pathOrId: string, options?: (ResolveOptions & ConfigValues) | null): Promise<AnyConfig> {
    const values = await loadConfigValues(pathOrId, options);
    return new (familyOf(values, `'${pathOrId}'`).config)(values);
  },
};

/** Picks the bare encoder's class by the configuration's `model_type`. */
export const AutoModel = autoClass<EncoderModel, AutoModelOptions>('AutoModel', 'model');

/** A model of the folder's family with the head of a task: classes of texts. */
export const AutoModelForSequenceClassification = autoClass<SequenceClassificationModel>(
  'AutoModelForSequenceClassification',
  'sequence_classification',
);

/** A model of the folder's family with the head of a task: classes of tokens. */
export const AutoModelForTokenClassification = autoClass<TokenClassificationModel>(
  'AutoModelForTokenClassification',
  'token_classification',
);

/** A model of the folder's family with the head of a task: where an answer begins and ends. */
export const AutoModelForQuestionAnswering = autoClass<QuestionAnsweringModel>(
  'AutoModelForQuestionAnswering',
  'question_answering',
);

/** A model of the folder's family with the head of a task: which token stands at each position. */
export const AutoModelForMaskedLM = autoClass<MaskedLanguageModel>('AutoModelForMaskedLM', 'masked_lm');

/** A model of the folder's family with the head of a task: which of several choices fits best. */
export const AutoModelForMultipleChoice = autoClass<MultipleChoiceModel>(
  'AutoModelForMultipleChoice',
  'multiple_choice',
);

/** A model of the folder's family with the head of a task: whether a text follows another. */
export const AutoModelForNextSentencePrediction = autoClass<NextSentencePredictionModel>(
  'AutoModelForNextSentencePrediction',
  'next_sentence_prediction',
);

/** What a family's encoder was trained with: its own tasks where it has a class for them, else its masked language model. */
export const AutoModelForPreTraining = autoClass<TaskModel>('AutoModelForPreTraining', 'pretraining');
