import { pathFilter } from '../hub/file-names.ts';
import { isModelId, type ResolveOptions, remoteModel, resolveRules } from '../hub/resolve.ts';
import { arrayRule, checkOptions, type OptionRules, optionError, pickOptions, stringRule } from '../options.ts';
import { modelWish } from './auto.ts';
import { type EngineOptions, engineRules } from './engine-choice.ts';

/** What the choice among weights and graphs depends on. */
const choosing = ['engine', 'dtype', 'device', 'model_file_name'] as const;

/** Which files of a model are downloaded, and from where. */
export interface DownloadOptions extends ResolveOptions, Pick<EngineOptions, (typeof choosing)[number]> {
  /**
   * Patterns of the files to fetch, such as `onnx/*`, in place of those that this library reads: `*` stands for any
   * characters, `?` for one, a slash at the end for everything in a folder.
   */
  readonly include?: readonly string[] | null;
  /** Patterns of files to leave out of all that there are, or of those that `include` names. */
  readonly exclude?: readonly string[] | null;
}

const patternsRule = arrayRule(stringRule, 'an array of patterns, such as "onnx/*"');

const { engine, dtype, device, model_file_name } = engineRules;

const downloadRules: OptionRules<DownloadOptions> = {
  ...resolveRules,
  ...{ engine, dtype, device, model_file_name },
  include: patternsRule,
  exclude: patternsRule,
};

/**
 * Fetches a model of the hub into the cache, where Python finds it too: its configuration, its tokenizer, what `from_pretrained`
 * would run of it with the same options (one set of weights, or one graph) and the modules of sentence-transformers; or the
 * files that `include` and `exclude` say. What is there already is not fetched again, and a download that was interrupted
 * goes on.
 *
 * @param id such as `beomi/kcbert-base`
 * @returns the folder of the model's snapshot, which `from_pretrained` takes
 * @throws BertNativeError `ERR_NOT_FOUND`, also where the options name what the model does not have; `ERR_OFFLINE`, `ERR_HUB`,
 *   `ERR_IO`, `ERR_OPTION`, `ERR_DEVICE`, `ERR_ABORTED`
 */
export async function downloadModel(id: string, options?: DownloadOptions | null): Promise<string> {
  const given = checkOptions('downloadModel', options, downloadRules);
  if (typeof id !== 'string' || !isModelId(id)) {
    throw optionError('the model', id, 'the id of a model, such as "beomi/kcbert-base"');
  }
  const { include, exclude } = given;
  const chosen = choosing.find((name) => given[name] !== undefined);
  if (include === undefined && exclude === undefined) {
    const wish = { ...modelWish(given), required: chosen !== undefined };
    return remoteModel(id, pickOptions(given, resolveRules), 'everything', wish);
  }
  if (chosen !== undefined) throw optionError(chosen, given[chosen], 'to be left out with include or exclude');
  const passes = pathFilter(include, exclude);
  const inside = given.subfolder ? `${given.subfolder.replace(/\/+$/, '')}/` : '';
  return remoteModel(id, given, (path) => path.startsWith(inside) && passes(path));
}
