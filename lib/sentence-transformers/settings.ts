import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { readJsonObjectIfPresent } from '../files.ts';
import { booleanRule, checkConfigValues, describe, integerRule, type OptionRule, stringRule } from '../options.ts';
import { type SimilarityFunctionName, similarityFunctionNames } from './similarity.ts';

/** What `config_sentence_transformers.json` and `sentence_bert_config.json` say. */
export interface SentenceSettings {
  /** Texts to be put in front, by name. */
  readonly prompts: Readonly<Record<string, string>>;
  readonly default_prompt_name: string | null;
  readonly similarity_fn_name: SimilarityFunctionName;
  /** Texts are cut to so many tokens; null: to what the model takes. */
  readonly max_seq_length: number | null;
  readonly do_lower_case: boolean;
}

const maxPrompts = 1 << 12;

export const promptsRule: OptionRule = {
  expected: 'an object of texts by name',
  accepts: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).length <= maxPrompts &&
    Object.values(value).every((prompt) => typeof prompt === 'string'),
};

/** The settings of the encoder, under the name of the class that wrote them. */
const transformerSettings = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map(
  (family) => `sentence_${family}_config.json`,
);

/**
 * Reads the settings of a folder; files that are not there say nothing.
 *
 * @param transformer the folder of the encoder
 * @throws BertNativeError `ERR_CONFIG` for values of the wrong kind, `ERR_FILE_FORMAT`, `ERR_IO`
 */
export async function readSettings(folder: string, transformer: string): Promise<SentenceSettings> {
  const path = join(folder, 'config_sentence_transformers.json');
  const given = checkConfigValues<Pick<SentenceSettings, 'prompts' | 'default_prompt_name' | 'similarity_fn_name'>>(
    path,
    (await readJsonObjectIfPresent(path)) ?? {},
    { prompts: promptsRule, default_prompt_name: stringRule, similarity_fn_name: stringRule },
  );
  const { prompts = {}, default_prompt_name = null, similarity_fn_name = 'cosine' } = given;
  checkPromptName(`${path}: default_prompt_name`, default_prompt_name, prompts, 'ERR_CONFIG');
  if (!similarityFunctionNames.includes(similarity_fn_name)) {
    throw new BertNativeError(
      'ERR_CONFIG',
      `${path}: similarity_fn_name is ${describe(similarity_fn_name)}: expected one of ${similarityFunctionNames.join(', ')}`,
    );
  }
  return { prompts, default_prompt_name, similarity_fn_name, ...(await readTransformerSettings(transformer)) };
}

async function readTransformerSettings(
  folder: string,
): Promise<Pick<SentenceSettings, 'max_seq_length' | 'do_lower_case'>> {
  for (const name of transformerSettings) {
    const path = join(folder, name);
    const values = await readJsonObjectIfPresent(path);
    if (values === undefined) continue;
    const rules = { max_seq_length: integerRule(1), do_lower_case: booleanRule };
    const given = checkConfigValues<{ max_seq_length: number; do_lower_case: boolean }>(path, values, rules);
    return { max_seq_length: given.max_seq_length ?? null, do_lower_case: given.do_lower_case ?? false };
  }
  return { max_seq_length: null, do_lower_case: false };
}

/** @throws BertNativeError of `code` for the name of a prompt that is not there */
export function checkPromptName(
  what: string,
  name: string | null,
  prompts: Readonly<Record<string, string>>,
  code: 'ERR_CONFIG' | 'ERR_OPTION',
): void {
  if (name === null || Object.hasOwn(prompts, name)) return;
  const names = Object.keys(prompts);
  const known =
    names.length > 0
      ? `one of ${names.map((prompt) => JSON.stringify(prompt)).join(', ')}`
      : 'none: there are no prompts';
  throw new BertNativeError(code, `${what} is ${describe(name)}: expected ${known}`);
}
