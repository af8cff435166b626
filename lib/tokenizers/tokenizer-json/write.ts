import type { NativeModelOptions } from '../../binding/native.ts';
import type { JsonObject } from '../../files.ts';
import { stringsOf } from '../flat-strings.ts';
import type { AddedToken } from '../special-tokens.ts';
import type { Vocabulary } from '../vocabulary.ts';

/** What a `tokenizer.json` is made of. */
export interface TokenizerJsonSource {
  /** All members, `model` without its vocabulary. */
  readonly definition: JsonObject;
  readonly added_tokens: readonly (AddedToken & { readonly id: number })[];
  readonly vocabulary: Vocabulary;
  readonly model: NativeModelOptions;
}

/** Characters that are handed over at once. */
const chunkLength = 1 << 16;

/** The text of the file, piece by piece: a large vocabulary would hold up the event loop in one. */
export function* tokenizerJsonText(source: TokenizerJsonSource): Generator<string> {
  let chunk = '';
  for (const text of fileTexts(source)) {
    chunk += text;
    if (chunk.length < chunkLength) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}

function* fileTexts({ definition, added_tokens, vocabulary, model }: TokenizerJsonSource): Generator<string> {
  const { model: modelFields, ...parts } = definition;
  const members = {
    version: '1.0',
    truncation: null,
    padding: null,
    ...parts,
    added_tokens: addedTokens(added_tokens),
  };
  yield* openObject(members, 'model');
  yield* openObject(modelFields as JsonObject, 'vocab');
  yield* model.type === 'Unigram' ? unigramVocabulary(vocabulary, model.scores) : vocabularyIds(vocabulary);
  if (model.type === 'BPE') {
    yield ',\n  "merges": ';
    yield* mergeList(model);
  }
  yield '\n}\n}\n';
}

/** An object without its end, up to the value of one more member. */
function* openObject(object: object, member: string): Generator<string> {
  const isEmpty = Object.keys(object).length === 0;
  yield isEmpty ? '{\n' : `${JSON.stringify(object, null, 2).slice(0, -'\n}'.length)},\n`;
  yield `  "${member}": `;
}

/** In the order of their ids, every flag written out. */
function addedTokens(tokens: TokenizerJsonSource['added_tokens']): object[] {
  return tokens
    .toSorted((a, b) => a.id - b.id)
    .map(({ id, content, single_word, lstrip, rstrip, normalized, special }) => ({
      id,
      content,
      single_word,
      lstrip,
      rstrip,
      normalized,
      special,
    }));
}

/** By hand, token after token: an object would lose `__proto__` and put the tokens that are numbers first. */
function* vocabularyIds(vocabulary: Vocabulary): Generator<string> {
  const members = [...vocabulary.entries()].sort(([, a], [, b]) => a - b);
  let before = '{\n';
  for (const [token, id] of members) {
    yield `${before}${JSON.stringify(token)}: ${id}`;
    before = ',\n';
  }
  yield '\n}';
}

function* unigramVocabulary({ strings }: Vocabulary, scores: Float64Array): Generator<string> {
  let before = '[\n';
  let id = 0;
  for (const piece of stringsOf(strings)) {
    yield `${before}${JSON.stringify([piece, scores[id++]])}`;
    before = ',\n';
  }
  yield '\n]';
}

/** As strings, which every reader takes, unless a piece has a space in it. */
function* mergeList({ merges }: Extract<NativeModelOptions, { type: 'BPE' }>): Generator<string> {
  const space = 0x20;
  const asPairs = merges.bytes.includes(space);
  const pieces = stringsOf(merges);
  let before = '[';
  for (const left of pieces) {
    const right = pieces.next().value as string;
    yield `${before}\n${JSON.stringify(asPairs ? [left, right] : `${left} ${right}`)}`;
    before = ',';
  }
  yield before === '[' ? '[]' : '\n]';
}
