import { BertNativeError } from '../errors.ts';
import { type ResolveOptions, resolveModelFolder, resolveRules } from '../hub/resolve.ts';
import { describe, nearest, optionError, optionsObject, pickOptions } from '../options.ts';
import { BertConfig, BertModel, type BertModelOptions } from './bert.ts';
import { type ConfigValues, loadConfigValues, PretrainedConfig, readConfigValues } from './configuration.ts';
import type { EncoderModel } from './encoder-model.ts';
import type { FromPretrainedOptions, InitOptions } from './modeling.ts';

/** What {@link AutoConfig} gives: a configuration of one of the families. */
export type AnyConfig = BertConfig;

/** A model family as the Auto classes see it. A new family adds its line to {@link families}. */
interface Family {
  readonly config: new (values?: ConfigValues) => AnyConfig;
  readonly model: EncoderModelClass;
}

/** The part of a bare encoder's class that {@link AutoModel} calls. */
interface EncoderModelClass {
  new (config: never, options?: InitOptions | null): EncoderModel;
  from_pretrained(pathOrId: string, options?: AutoModelOptions | null): Promise<EncoderModel>;
}

export type AutoModelOptions = FromPretrainedOptions & BertModelOptions;

const families: ReadonlyMap<string, Family> = new Map([
  [BertConfig.model_type, { config: BertConfig, model: BertModel }],
]);

function familyOf(model_type: unknown, where: string): Family {
  const family = families.get(model_type as string);
  if (family !== undefined) return family;
  const known = [...families.keys()];
  const suggestion = typeof model_type === 'string' ? nearest(model_type, known) : undefined;
  throw new BertNativeError(
    'ERR_UNSUPPORTED_MODEL',
    `${where}: model_type is ${describe(model_type)}: expected one of ${known.join(', ')}` +
      (suggestion ? `; did you mean '${suggestion}'?` : ''),
  );
}

/** Picks the configuration class by `model_type`. */
export const AutoConfig = {
  /** @throws BertNativeError `ERR_UNSUPPORTED_MODEL`, and what the family's own class throws */
  async from_pretrained(pathOrId: string, options?: (ResolveOptions & ConfigValues) | null): Promise<AnyConfig> {
    const values = await loadConfigValues(pathOrId, options);
    return new (familyOf(values.model_type, `'${pathOrId}'`).config)(values);
  },
};

/** Picks the bare encoder's class by the configuration's `model_type`. */
export const AutoModel = {
  /** @throws BertNativeError `ERR_UNSUPPORTED_MODEL`, and what the family's own class throws */
  async from_pretrained(pathOrId: string, options?: AutoModelOptions | null): Promise<EncoderModel> {
    const given = optionsObject('AutoModel.from_pretrained', options) as AutoModelOptions;
    return familyOf(await modelType(pathOrId, given), `'${pathOrId}'`).model.from_pretrained(pathOrId, given);
  },

  /** A model of the configuration's family with weights initialised at random. */
  from_config(config: PretrainedConfig, options?: InitOptions | null): EncoderModel {
    if (!(config instanceof PretrainedConfig)) throw optionError('config', config, 'a configuration');
    return new (familyOf(config.model_type, 'the configuration').model)(config as never, options);
  },
};

async function modelType(pathOrId: string, options: AutoModelOptions): Promise<unknown> {
  const { config } = options;
  if (config instanceof PretrainedConfig) return config.model_type;
  const folder = await resolveModelFolder(pathOrId, pickOptions(options, resolveRules));
  return config?.model_type ?? (await readConfigValues(folder)).model_type;
}
