import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { readFileIfPresent, readJsonObjectIfPresent } from '../files.ts';
import { type ResolveOptions, resolveModelFolder, resolveRules } from '../hub/resolve.ts';
import { describe, pickOptions } from '../options.ts';
import { BertTokenizer, type BertTokenizerOptions } from './bert.ts';
import type { PreTrainedTokenizer } from './tokenizer.ts';

export type AutoTokenizerOptions = BertTokenizerOptions & ResolveOptions;

interface TokenizerClass {
  from_pretrained(id: string, options?: AutoTokenizerOptions | null): Promise<PreTrainedTokenizer>;
}

/** By the `tokenizer_class` of `tokenizer_config.json`, or of `config.json`. */
const tokenizerClasses: ReadonlyMap<unknown, TokenizerClass> = new Map([
  ['BertTokenizer', BertTokenizer],
  ['BertTokenizerFast', BertTokenizer],
]);

/** By the `model_type` of `config.json`, where no class is named. */
const classesOfModelTypes: ReadonlyMap<unknown, TokenizerClass> = new Map([['bert', BertTokenizer]]);

/** Finds the right tokenizer for a model's folder. */
export const AutoTokenizer = {
  /**
   * @param options as the tokenizer that is found takes them
   * @throws BertNativeError `ERR_UNSUPPORTED_TOKENIZER`, naming what was found; and what that tokenizer's from_pretrained
   *   throws
   */
  async from_pretrained(id: string, options?: AutoTokenizerOptions | null): Promise<PreTrainedTokenizer> {
    const folder = await resolveModelFolder(id, pickOptions(options ?? {}, resolveRules));
    const tokenizerClass = await findTokenizerClass(folder);
    return tokenizerClass.from_pretrained(id, options);
  },
} as const;

async function findTokenizerClass(folder: string): Promise<TokenizerClass> {
  const config = await readJsonObjectIfPresent(join(folder, 'config.json'));
  const className =
    (await readJsonObjectIfPresent(join(folder, 'tokenizer_config.json')))?.tokenizer_class ?? config?.tokenizer_class;
  if (className != null) return supported(tokenizerClasses, className, 'tokenizer_class', folder);
  if (config?.model_type != null) return supported(classesOfModelTypes, config.model_type, 'model_type', folder);
  if ((await readFileIfPresent(join(folder, 'vocab.txt'))) !== undefined) return BertTokenizer;
  throw new BertNativeError(
    'ERR_UNSUPPORTED_TOKENIZER',
    `${folder} has no vocab.txt, and neither tokenizer_config.json nor config.json says which tokenizer it needs`,
  );
}

function supported(
  classes: ReadonlyMap<unknown, TokenizerClass>,
  name: unknown,
  key: string,
  folder: string,
): TokenizerClass {
  const found = classes.get(name);
  if (found === undefined) {
    throw new BertNativeError(
      'ERR_UNSUPPORTED_TOKENIZER',
      `the ${key} in ${folder} is ${describe(name)}: expected ${[...classes.keys()].join(' or ')}`,
    );
  }
  return found;
}
