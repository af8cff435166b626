import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { readJsonObjectIfPresent } from '../files.ts';
import { type ResolveOptions, resolveModelFolder, resolveRules } from '../hub/resolve.ts';
import { describe, pickOptions } from '../options.ts';
import { BertTokenizer, DistilBertTokenizer, ElectraTokenizer, MPNetTokenizer } from './bert.ts';
import { type TokenizerOptions, type TokenizerSource, tokenizerJson } from './family.ts';
import { type FastTokenizerClass, loadPretrained, PreTrainedTokenizerFast } from './fast.ts';
import { GPT2Tokenizer, RobertaTokenizer } from './roberta.ts';
import {
  AlbertTokenizer,
  CamembertTokenizer,
  DebertaV2Tokenizer,
  KoBertTokenizer,
  XLMRobertaTokenizer,
} from './sentencepiece.ts';

/** How a tokenizer is found, and what replaces the folder's settings. */
export type AutoTokenizerOptions = TokenizerOptions & ResolveOptions;

type TokenizerClass = FastTokenizerClass<PreTrainedTokenizerFast>;

/** By the `tokenizer_class` of `tokenizer_config.json`, or of `config.json`, less a `Fast` at its end. */
const tokenizerClasses: ReadonlyMap<string, TokenizerClass> = new Map<string, TokenizerClass>(
  [
    AlbertTokenizer,
    BertTokenizer,
    CamembertTokenizer,
    DebertaV2Tokenizer,
    DistilBertTokenizer,
    ElectraTokenizer,
    GPT2Tokenizer,
    KoBertTokenizer,
    MPNetTokenizer,
    RobertaTokenizer,
    XLMRobertaTokenizer,
  ].map((tokenizerClass) => [tokenizerClass.family.name, tokenizerClass]),
);

/** Names of the same tokenizers elsewhere. */
const otherNames: ReadonlyMap<string, TokenizerClass> = new Map<string, TokenizerClass>([
  ['KoBERTTokenizer', KoBertTokenizer],
  ['ConvBertTokenizer', BertTokenizer],
  ['MobileBertTokenizer', BertTokenizer],
]);

/** By the `model_type` of `config.json`, where no class is named. */
const classesOfModelTypes: ReadonlyMap<string, TokenizerClass> = new Map<string, TokenizerClass>([
  ['albert', AlbertTokenizer],
  ['bert', BertTokenizer],
  ['camembert', CamembertTokenizer],
  ['deberta-v2', DebertaV2Tokenizer],
  ['distilbert', DistilBertTokenizer],
  ['electra', ElectraTokenizer],
  ['gpt2', GPT2Tokenizer],
  ['mpnet', MPNetTokenizer],
  ['nomic_bert', BertTokenizer],
  ['roberta', RobertaTokenizer],
  ['xlm-roberta', XLMRobertaTokenizer],
]);

/** Finds the right tokenizer for a model's folder. */
export const AutoTokenizer = {
  /**
   * By the class or the kind of model that the folder's files name, else by the files that there are. `tokenizer.json` is
   * read where there is one, whatever else there is; a class that is not known needs one.
   *
   * @param options as the tokenizer that is found takes them
   * @throws BertNativeError `ERR_UNSUPPORTED_TOKENIZER`, naming what was found; and what that tokenizer's from_pretrained
   *   throws
   */
  async from_pretrained(id: string, options?: AutoTokenizerOptions | null): Promise<PreTrainedTokenizerFast> {
    const folder = await resolveModelFolder(id, pickOptions(options ?? {}, resolveRules), 'tokenizer');
    const tokenizerClass = await findTokenizerClass(folder);
    return loadPretrained(tokenizerClass, id, options, await sourcesOf(tokenizerClass, folder, options));
  },
} as const;

async function findTokenizerClass(folder: string): Promise<TokenizerClass> {
  const config = await readJsonObjectIfPresent(join(folder, 'config.json'));
  const className =
    (await readJsonObjectIfPresent(join(folder, 'tokenizer_config.json')))?.tokenizer_class ?? config?.tokenizer_class;
  const files = await readdir(folder);
  const isWhole = files.includes('tokenizer.json');
  if (className != null) return byName(className, isWhole, folder);
  if (config?.model_type != null) return byModelType(config.model_type, isWhole, folder);
  if (isWhole) return PreTrainedTokenizerFast;
  if (files.includes('vocab.txt')) return BertTokenizer;
  throw new BertNativeError(
    'ERR_UNSUPPORTED_TOKENIZER',
    `${folder} has neither tokenizer.json nor vocab.txt, and neither tokenizer_config.json nor config.json says which ` +
      'tokenizer it needs',
  );
}

function byName(name: unknown, isWhole: boolean, folder: string): TokenizerClass {
  const base = String(name).replace(/Fast$/, '');
  const found = tokenizerClasses.get(base) ?? otherNames.get(base);
  if (found !== undefined) return found;
  if (isWhole) return PreTrainedTokenizerFast;
  throw unsupported('tokenizer_class', name, tokenizerClasses, folder);
}

function byModelType(model_type: unknown, isWhole: boolean, folder: string): TokenizerClass {
  const found = classesOfModelTypes.get(String(model_type));
  if (found !== undefined) return found;
  if (isWhole) return PreTrainedTokenizerFast;
  throw unsupported('model_type', model_type, classesOfModelTypes, folder);
}

function unsupported(
  key: string,
  name: unknown,
  classes: ReadonlyMap<string, TokenizerClass>,
  folder: string,
): BertNativeError {
  const expected = `${[...classes.keys()].join(' or ')}, or a tokenizer.json`;
  return new BertNativeError(
    'ERR_UNSUPPORTED_TOKENIZER',
    `the ${key} in ${folder} is ${describe(name)}: expected ${expected}`,
  );
}

/** `tokenizer.json` first, unless what is asked for has no place there. */
async function sourcesOf(
  { family }: TokenizerClass,
  folder: string,
  options: AutoTokenizerOptions | null | undefined,
): Promise<readonly TokenizerSource[]> {
  const config = await readJsonObjectIfPresent(join(folder, 'tokenizer_config.json'));
  const never_split = options?.never_split ?? config?.never_split;
  if (Array.isArray(never_split) && never_split.length > 0) return family.sources;
  return [tokenizerJson, ...family.sources.filter((source) => source !== tokenizerJson)];
}
