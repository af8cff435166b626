import { arrayRule, checkOptions, type OptionRules, optionError, stringRule } from '../options.ts';
import { pathFilter } from './file-names.ts';
import { isModelId, type ResolveOptions, remoteModel, resolveRules } from './resolve.ts';

/** Which files of a model are downloaded, and from where. */
export interface DownloadOptions extends ResolveOptions {
  /**
   * Patterns of the files to fetch, such as `onnx/*`, in place of those that this library reads: `*` stands for any
   * characters, `?` for one, a slash at the end for everything in a folder.
   */
  readonly include?: readonly string[] | null;
  /** Patterns of files to leave out of all that there are, or of those that `include` names. */
  readonly exclude?: readonly string[] | null;
}

const patternsRule = arrayRule(stringRule, 'an array of patterns, such as "onnx/*"');

const downloadRules: OptionRules<DownloadOptions> = { ...resolveRules, include: patternsRule, exclude: patternsRule };

/**
 * Fetches a model of the hub into the cache, where Python finds it too: its configuration, tokenizer, one set of weights and
 * the modules of sentence-transformers; or the files that `include` and `exclude` say. What is there already is not fetched
 * again, and a download that was interrupted goes on.
 *
 * @param id such as `beomi/kcbert-base`
 * @returns the folder of the model's snapshot, which `from_pretrained` takes
 * @throws BertNativeError `ERR_NOT_FOUND`, `ERR_OFFLINE`, `ERR_HUB`, `ERR_IO`, `ERR_OPTION`, `ERR_ABORTED`
 */
export async function downloadModel(id: string, options?: DownloadOptions | null): Promise<string> {
  const given = checkOptions('downloadModel', options, downloadRules);
  if (typeof id !== 'string' || !isModelId(id)) {
    throw optionError('the model', id, 'the id of a model, such as "beomi/kcbert-base"');
  }
  const { include, exclude } = given;
  if (include === undefined && exclude === undefined) return remoteModel(id, given, 'everything');
  const passes = pathFilter(include, exclude);
  const inside = given.subfolder ? `${given.subfolder.replace(/\/+$/, '')}/` : '';
  return remoteModel(id, given, (path) => path.startsWith(inside) && passes(path));
}
