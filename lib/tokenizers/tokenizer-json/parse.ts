import { BertNativeError } from '../../errors.ts';
import type { JsonObject } from '../../files.ts';
import { readAddedTokens } from './added-tokens.ts';
import { JsonPart } from './json-part.ts';
import { modelTypeOf, parseModel } from './models.ts';
import { parseTokenizersJson } from './parse-json.ts';
import type { ParsedTokenizer } from './parsed.ts';

// `tokenizer.json`, the file of the Rust tokenizers (https://github.com/huggingface/tokenizers).

/** Parts within parts; more is nothing that a tokenizer would need. */
const maxDepth = 64;
/** All but vocabulary and added tokens, as JSON. The largest parts there are are character maps, of half a megabyte. */
const maxDefinitionLength = 8 << 20;

/** @throws BertNativeError `ERR_FILE_FORMAT`, `ERR_UNSUPPORTED_TOKENIZER` (a kind of model) */
export function parseTokenizerJson(bytes: Uint8Array, path: string): ParsedTokenizer {
  return flattenTokenizerJson(parseTokenizersJson(bytes, path), path);
}

/** The same of a file that was parsed already. */
export function flattenTokenizerJson(value: unknown, path: string): ParsedTokenizer {
  const file = new JsonPart(value, path);
  const version = file.member('version');
  if (!version.isAbsent && version.value !== '1.0') {
    throw version.error('ERR_UNSUPPORTED_TOKENIZER', `is ${JSON.stringify(version.value)}: expected "1.0"`);
  }
  const part = file.member('model');
  const { vocab: _vocab, merges: _merges, ...model } = part.object();
  const definition: JsonObject = { ...file.object(), model: { ...model, type: modelTypeOf(part) } };
  checkSize(definition, path);
  const addedIds = new Set(readAddedTokens(file.member('added_tokens')).map(({ id }) => id));
  return { ...parseModel(part, addedIds), source: 'tokenizer.json', path, definition, files: {} };
}

/** What is not the model goes through recursive functions and from thread to thread. */
function checkSize(definition: JsonObject, path: string): void {
  let level: unknown[] = [definition];
  for (let depth = 0; level.length > 0; ++depth) {
    if (depth > maxDepth) {
      throw new BertNativeError('ERR_FILE_FORMAT', `${path} is nested more than ${maxDepth} levels deep`);
    }
    level = level.flatMap((value) => Object.values(value as object)).filter(isObject);
  }
  const { length } = JSON.stringify({ ...definition, added_tokens: [] });
  if (length > maxDefinitionLength) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path} has ${length} characters beside its tokens: expected at most ${maxDefinitionLength}`,
    );
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
