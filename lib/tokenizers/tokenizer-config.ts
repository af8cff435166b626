import { join } from 'node:path';
import { BertNativeError } from '../errors.ts';
import { type JsonObject, readJsonObjectIfPresent } from '../files.ts';
import { checkConfigValue, checkConfigValues, type GivenOptions, integerRule, type OptionRules } from '../options.ts';
import type { TokenizerSettings } from './settings.ts';
import { type AddedTokenInput, type SpecialTokenOptions, specialTokenRules } from './special-tokens.ts';

/** What the files beside a vocabulary say. */
export interface TokenizerConfig<Options> {
  readonly options: GivenOptions<Options>;
  /** How many tokens the model has positions for, where a `config.json` says so. */
  readonly max_position_embeddings: number | undefined;
}

/**
 * Reads `tokenizer_config.json`, `special_tokens_map.json` (which wins over it, as in transformers), `added_tokens.json`
 * and, of `config.json`, `max_position_embeddings`; any of them may be missing. Keys that `rules` do not name are left
 * alone: these files say much that is about other tokenizers.
 *
 * @throws BertNativeError `ERR_FILE_FORMAT` for what is no JSON object, `ERR_CONFIG` for values of the wrong kind, `ERR_IO`
 */
export async function readTokenizerConfig<Options extends TokenizerSettings & SpecialTokenOptions>(
  folder: string,
  rules: OptionRules<Options>,
): Promise<TokenizerConfig<Options>> {
  const path = (name: string) => join(folder, name);
  const [config, specialTokens, addedTokens, model] = await Promise.all(
    ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'config.json'].map((name) =>
      readJsonObjectIfPresent(path(name)),
    ),
  );
  const options = checkConfigValues(path('tokenizer_config.json'), renamed(config ?? {}), rules);
  const special = checkConfigValues(path('special_tokens_map.json'), specialTokens ?? {}, specialTokenRules);
  const added = readAddedTokens(path('added_tokens.json'), addedTokens ?? {});
  return {
    options: {
      ...options,
      ...special,
      added_tokens_decoder: { ...added, ...options.added_tokens_decoder },
    },
    max_position_embeddings: model === undefined ? undefined : readPositions(path('config.json'), model),
  };
}

/** Models that count positions from behind the padding token's id, as fairseq does: so many of them no token can have. */
const countFromPadding = new Set(['camembert', 'mpnet', 'roberta', 'xlm-roberta', 'xlm-roberta-xl']);

/** How many tokens a model has positions for. */
function readPositions(path: string, config: JsonObject): number | undefined {
  const name = config.model_type === 'nomic_bert' ? 'n_positions' : 'max_position_embeddings';
  const { [name]: positions, pad_token_id: pad = 1, model_type } = config;
  if (positions === undefined || positions === null) return undefined;
  checkConfigValue(path, name, positions, integerRule(1));
  if (!countFromPadding.has(String(model_type))) return positions as number;
  checkConfigValue(path, 'pad_token_id', pad, integerRule(0));
  return Math.max(1, (positions as number) - (pad as number) - 1);
}

/**
 * `max_len` is what `model_max_length` was called until transformers 3; `extra_special_tokens` is what
 * `additional_special_tokens` are called from 5 on, where they may have names.
 */
function renamed({ max_len, extra_special_tokens: extra, ...config }: JsonObject): JsonObject {
  return {
    ...(max_len === undefined ? {} : { model_max_length: max_len }),
    ...(typeof extra === 'object' && extra !== null ? { additional_special_tokens: Object.values(extra) } : {}),
    ...config,
  };
}

/** `added_tokens.json` holds ids by token. */
function readAddedTokens(path: string, ids: JsonObject): Record<string, AddedTokenInput> {
  const tokens: Record<string, AddedTokenInput> = {};
  for (const [content, id] of Object.entries(ids)) {
    checkConfigValue(path, JSON.stringify(content), id, integerRule(0));
    const before = tokens[String(id)];
    if (before !== undefined) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${path} gives the id ${id} to both ${JSON.stringify(before)} and ${JSON.stringify(content)}`,
      );
    }
    tokens[String(id)] = content;
  }
  return tokens;
}
