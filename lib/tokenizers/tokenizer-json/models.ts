import type { FlatStrings, NativeModelOptions } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import { flatten } from '../flat-strings.ts';
import { isWellFormed } from '../special-tokens.ts';
import { JsonPart } from './json-part.ts';
import type { ParsedModel } from './parsed.ts';

/** Several times the largest vocabulary there is. */
export const maxTokens = 1 << 23;

const modelTypes = ['WordPiece', 'BPE', 'Unigram', 'WordLevel'] as const;
type ModelType = (typeof modelTypes)[number];

/**
 * `model`.
 *
 * @param addedIds ids of the added tokens, which may fill holes of the vocabulary
 * @throws BertNativeError `ERR_FILE_FORMAT`, `ERR_UNSUPPORTED_TOKENIZER`
 */
export function parseModel(part: JsonPart, addedIds: ReadonlySet<number>): ParsedModel {
  switch (modelTypeOf(part)) {
    case 'WordPiece':
      return parseWordPiece(part, addedIds);
    case 'BPE':
      return parseBpe(part, addedIds);
    case 'Unigram':
      return parseUnigram(part);
    case 'WordLevel':
      return parseWordLevel(part, addedIds);
  }
}

/** Files written before models had a `type` tell them apart by what they hold. */
export function modelTypeOf(part: JsonPart): ModelType {
  const type = part.member('type');
  if (type.value === undefined) {
    if (!part.member('merges').isAbsent) return 'BPE';
    if (Array.isArray(part.member('vocab').value)) return 'Unigram';
    return part.member('continuing_subword_prefix').isAbsent ? 'WordLevel' : 'WordPiece';
  }
  const name = type.string();
  if (!(modelTypes as readonly string[]).includes(name)) {
    throw type.error('ERR_UNSUPPORTED_TOKENIZER', `is "${name}": expected ${modelTypes.join(', ')}`);
  }
  return name as ModelType;
}

function parseWordPiece(part: JsonPart, addedIds: ReadonlySet<number>): ParsedModel {
  const { ids, vocabulary, holes } = parseIds(part.member('vocab'), addedIds);
  const prefix = part.member('continuing_subword_prefix');
  const longest = part.member('max_input_chars_per_word');
  const model: NativeModelOptions = {
    type: 'WordPiece',
    unk_id: knownId(part.member('unk_token'), ids),
    continuing_subword_prefix: prefix.isAbsent ? '##' : prefix.string(),
    max_input_chars_per_word: longest.isAbsent ? 100 : longest.integer(1, 2 ** 31 - 1),
  };
  return { vocabulary, model, size: ids.size, holes };
}

function parseWordLevel(part: JsonPart, addedIds: ReadonlySet<number>): ParsedModel {
  const { ids, vocabulary, holes } = parseIds(part.member('vocab'), addedIds);
  const unk_token = part.member('unk_token');
  // A vocabulary without it is one of all the words there are.
  const unk_id = unk_token.isAbsent ? null : (ids.get(unk_token.string()) ?? null);
  return { vocabulary, model: { type: 'WordLevel', unk_id }, size: ids.size, holes };
}

function parseBpe(part: JsonPart, addedIds: ReadonlySet<number>): ParsedModel {
  const dropout = part.member('dropout');
  if (!dropout.isAbsent && dropout.value !== 0) {
    const problem = 'leaves merges out at random, which is for training: expected null';
    throw dropout.error('ERR_UNSUPPORTED_TOKENIZER', problem);
  }
  const { ids, vocabulary, holes } = parseIds(part.member('vocab'), addedIds);
  const optionalString = (name: string): string => (part.member(name).isAbsent ? '' : part.member(name).string());
  const optionalFlag = (name: string): boolean => (part.member(name).isAbsent ? false : part.member(name).boolean());
  const continuing_subword_prefix = optionalString('continuing_subword_prefix');
  const unk_token = part.member('unk_token');
  const model: NativeModelOptions = {
    type: 'BPE',
    merges: parseMerges(part.member('merges'), ids, continuing_subword_prefix),
    unk_id: unk_token.isAbsent ? null : knownId(unk_token, ids),
    continuing_subword_prefix,
    end_of_word_suffix: optionalString('end_of_word_suffix'),
    fuse_unk: optionalFlag('fuse_unk'),
    byte_fallback: optionalFlag('byte_fallback'),
    ignore_merges: optionalFlag('ignore_merges'),
  };
  return { vocabulary, model, size: ids.size, holes };
}

function parseUnigram(part: JsonPart): ParsedModel {
  const vocab = part.member('vocab');
  const entries = vocab.array();
  checkCount(vocab, entries.length);
  const pieces = new Array<string>(entries.length);
  const scores = new Float64Array(entries.length);
  for (let id = 0; id < entries.length; ++id) {
    const entry = entries[id];
    const [piece, score] = Array.isArray(entry) && entry.length === 2 ? entry : [];
    if (typeof piece !== 'string' || !isWellFormed(piece) || typeof score !== 'number' || !Number.isFinite(score)) {
      throw vocab.element(id).refusal('[piece, score]');
    }
    pieces[id] = piece;
    scores[id] = score;
  }
  const unk_id = part.member('unk_id');
  const byte_fallback = part.member('byte_fallback');
  const model: NativeModelOptions = {
    type: 'Unigram',
    scores,
    unk_id: unk_id.isAbsent ? null : unk_id.integer(0, pieces.length - 1),
    byte_fallback: byte_fallback.isAbsent ? false : byte_fallback.boolean(),
  };
  return { vocabulary: flatten(pieces), model, size: new Set(pieces).size, holes: [] };
}

function knownId(part: JsonPart, ids: ReadonlyMap<string, number>): number {
  const id = ids.get(part.string());
  if (id === undefined) {
    throw part.error('ERR_FILE_FORMAT', `is ${JSON.stringify(part.value)}: expected a token of the vocabulary`);
  }
  return id;
}

export interface ParsedIds {
  readonly ids: ReadonlyMap<string, number>;
  readonly vocabulary: FlatStrings;
  readonly holes: readonly number[];
}

/** Ids by token, which run from 0 without holes but those that added tokens fill. */
export function parseIds(part: JsonPart, addedIds: ReadonlySet<number>): ParsedIds {
  const object = part.object();
  const keys = Object.keys(object);
  checkCount(part, keys.length);
  const ids = new Map<string, number>();
  const idOf = new Int32Array(keys.length);
  let length = 0;
  for (let i = 0; i < keys.length; ++i) {
    const token = keys[i]!;
    const id = object[token];
    if (!isWellFormed(token))
      throw part.error(
        'ERR_FILE_FORMAT',
        `has the token ${JSON.stringify(token)}: expected one without lone surrogates`,
      );
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= maxTokens) {
      throw memberOf(part, token, id).refusal(`an id, from 0 to ${maxTokens - 1}`);
    }
    ids.set(token, id);
    idOf[i] = id;
    if (id >= length) length = id + 1;
  }
  const tokens = new Array<string | undefined>(length);
  for (let i = 0; i < keys.length; ++i) {
    const token = keys[i]!;
    const id = idOf[i]!;
    const other = tokens[id];
    if (other !== undefined) {
      const both = `${JSON.stringify(other)} and ${JSON.stringify(token)}`;
      throw part.error('ERR_FILE_FORMAT', `gives the id ${id} to both ${both}`);
    }
    tokens[id] = token;
  }
  const holes: number[] = [];
  for (let id = 0; id < length; ++id) {
    if (tokens[id] !== undefined) continue;
    if (!addedIds.has(id)) {
      throw part.error(
        'ERR_FILE_FORMAT',
        `has ${ids.size} tokens and ids up to ${length - 1}, but none with the id ${id}`,
      );
    }
    holes.push(id);
    tokens[id] = '';
  }
  return { ids, vocabulary: flatten(tokens as string[]), holes };
}

function memberOf(part: JsonPart, name: string, value: unknown): JsonPart {
  return new JsonPart(value, `${part.where}[${JSON.stringify(name)}]`);
}

function checkCount(part: JsonPart, count: number): void {
  if (count === 0) throw part.error('ERR_FILE_FORMAT', 'is empty: expected tokens');
  if (count > maxTokens) {
    throw part.error('ERR_FILE_FORMAT', `has ${count} entries: expected at most ${maxTokens}`);
  }
}

/** What merges of this many pieces are named as: the first line of a merges.txt. */
const versionLine = '#version';

/** Merges in the order of rank, each as two strings; in the file, as one with a space between them in older ones. */
function parseMerges(part: JsonPart, ids: ReadonlyMap<string, number>, prefix: string): FlatStrings {
  const merges = part.array();
  if (merges.length > maxTokens) {
    throw part.error('ERR_FILE_FORMAT', `has ${merges.length} merges: expected at most ${maxTokens}`);
  }
  const pieces: string[] = [];
  for (let rank = 0; rank < merges.length; ++rank) {
    const merge = merges[rank];
    if (typeof merge === 'string' && merge.startsWith(versionLine)) continue;
    const pair: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!isPair(pair)) throw part.element(rank).refusal('two pieces, as an array or with a space between them');
    checkMerge(pair, ids, prefix, () => part.element(rank).where);
    pieces.push(...pair);
  }
  return flatten(pieces);
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'string';
}

/**
 * Both pieces of a merge, and what it makes of them, have to be tokens.
 *
 * @throws BertNativeError `ERR_FILE_FORMAT`
 */
export function checkMerge(
  [left, right]: readonly [string, string],
  ids: ReadonlyMap<string, number>,
  prefix: string,
  where: () => string,
): void {
  if (!right.startsWith(prefix)) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${where()} merges ${JSON.stringify(right)} to the right of something: expected a piece that starts with ${JSON.stringify(prefix)}`,
    );
  }
  const merged = left + right.slice(prefix.length);
  for (const piece of [left, right, merged]) {
    if (ids.has(piece)) continue;
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${where()} is the merge of ${JSON.stringify(left)} and ${JSON.stringify(right)}, but the vocabulary lacks ${JSON.stringify(piece)}`,
    );
  }
}
