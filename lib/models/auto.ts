import { BertNativeError } from '../errors.ts';
import type { ResolveOptions } from '../hub/resolve.ts';
import { resolveModelFolder } from '../hub/resolve.ts';
import { describe, nearest } from '../options.ts';
import { BertConfig, BertModel, type BertModelOptions } from './bert.ts';
import { type ConfigValues, loadConfigValues, PretrainedConfig, readConfigValues } from './configuration.ts';
import type { FromPretrainedOptions } from './modeling.ts';

/** A model family as the Auto classes see it. A new family adds its line to {@link families}. */
interface Family {
  readonly config: new (values?: ConfigValues) => PretrainedConfig;
  readonly model: typeof BertModel;
}

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
  async from_pretrained(pathOrId: string, options: ResolveOptions & ConfigValues = {}): Promise<PretrainedConfig> {
    const values = await loadConfigValues(pathOrId, options);
    return new (familyOf(values.model_type, `'${pathOrId}'`).config)(values);
  },
};

/** Picks the bare encoder's class by the configuration's `model_type`. */
export const AutoModel = {
  /** @throws BertNativeError `ERR_UNSUPPORTED_MODEL`, and what the family's own class throws */
  async from_pretrained(pathOrId: string, options: FromPretrainedOptions & BertModelOptions = {}): Promise<BertModel> {
    const { config } = options;
    const model_type =
      config instanceof PretrainedConfig
        ? config.model_type
        : (await readConfigValues(await resolveModelFolder(pathOrId, options), config)).model_type;
    return familyOf(model_type, `'${pathOrId}'`).model.from_pretrained(pathOrId, options);
  },

  /** A model of the configuration's family with weights initialised at random. */
  from_config(config: PretrainedConfig, options: { seed?: number } = {}): BertModel {
    return new (familyOf(config.model_type, 'the configuration').model)(config as BertConfig, options);
  },
};
