import type {
  NativeAddedToken,
  NativeDecoder,
  NativeModelOptions,
  NativeNormalizer,
  NativePostProcessor,
  TemplatePiece,
} from '../binding/native.ts';
import type { TokenTable } from './token-table.ts';

// `tokenizer.json`, the file of the Rust tokenizers (https://github.com/huggingface/tokenizers) and the only one that
// transformers.js reads.

export interface TokenizerJsonSource {
  readonly normalizer: Extract<NativeNormalizer, { type: 'BertNormalizer' }>;
  readonly model: Extract<NativeModelOptions, { type: 'WordPiece' }>;
  readonly post_processor: NativePostProcessor;
  readonly decoder: Extract<NativeDecoder, { type: 'SlowWordPiece' }>;
  readonly table: TokenTable;
  readonly clean_up_tokenization_spaces: boolean;
  /** Words of the caller's own that are left whole, special tokens aside. */
  readonly never_split: readonly string[];
}

/**
 * Why a tokenizer cannot be told in a `tokenizer.json`, or null where it can. Such a file would load and give other ids
 * than ours, which nobody would notice: better none.
 */
export function inexpressible({ table, never_split }: TokenizerJsonSource): string | null {
  if (never_split.length > 0) return `never_split (${never_split.length} words) has no counterpart there`;
  // A reader numbers the tokens beyond the vocabulary itself: in their order, from the vocabulary's size on.
  const { size } = table.vocabulary;
  for (const [index, { content, id }] of beyondVocabulary(table).entries()) {
    if (id === size + index) continue;
    return `the added token ${JSON.stringify(content)} has the id ${id}, where readers of that file would give it ${size + index}`;
  }
  return null;
}

/** The text of the file: what {@link inexpressible} has no objection to. */
export function tokenizerJson(source: TokenizerJsonSource): string {
  const { table, normalizer, model, post_processor, decoder } = source;
  const tokenOf = (id: number): string => table.token(id)!;
  const parts = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(table),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: normalizer.clean_text,
      handle_chinese_chars: normalizer.handle_chinese_chars,
      strip_accents: normalizer.strip_accents,
      lowercase: normalizer.lowercase,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: post_processor.single.map((piece) => templatePiece(piece, tokenOf)),
      pair: post_processor.pair.map((piece) => templatePiece(piece, tokenOf)),
      special_tokens: Object.fromEntries(
        specialIds([...post_processor.single, ...post_processor.pair]).map((id) => [
          tokenOf(id),
          { id: tokenOf(id), ids: [id], tokens: [tokenOf(id)] },
        ]),
      ),
    },
    decoder: { type: 'WordPiece', prefix: decoder.prefix, cleanup: source.clean_up_tokenization_spaces },
  };
  const modelFields = {
    type: 'WordPiece',
    unk_token: tokenOf(model.unk_id),
    continuing_subword_prefix: model.continuing_subword_prefix,
    max_input_chars_per_word: model.max_input_chars_per_word,
  };
  return `${withMember(parts, 'model', withMember(modelFields, 'vocab', vocabularyJson(table)))}\n`;
}

/** An object that is not empty as JSON, with one more member, which is JSON already. */
function withMember(object: object, key: string, json: string): string {
  return `${JSON.stringify(object, null, 2).slice(0, -'\n}'.length)},\n  "${key}": ${json}\n}`;
}

/** By hand, token after token: an object would lose `__proto__` and put the tokens that are numbers first. */
function vocabularyJson({ vocabulary }: TokenTable): string {
  const members = [...vocabulary.entries()]
    .sort(([, a], [, b]) => a - b)
    .map(([token, id]) => `${JSON.stringify(token)}: ${id}`);
  return `{\n${members.join(',\n')}\n}`;
}

/** In the order of their ids. They are all found in the raw text here, which is what `normalized: false` says. */
function addedTokens(table: TokenTable): object[] {
  return [...table.added].sort(byId).map(({ id, content, single_word, lstrip, rstrip, special }) => ({
    id,
    content,
    single_word,
    lstrip,
    rstrip,
    normalized: false,
    special,
  }));
}

function beyondVocabulary(table: TokenTable): NativeAddedToken[] {
  return [...table.added].filter(({ id }) => !table.isInVocabulary(id)).sort(byId);
}

function byId(a: NativeAddedToken, b: NativeAddedToken): number {
  return a.id - b.id;
}

function templatePiece(piece: TemplatePiece, tokenOf: (id: number) => string): object {
  return 'special_id' in piece
    ? { SpecialToken: { id: tokenOf(piece.special_id), type_id: piece.type_id } }
    : { Sequence: { id: piece.sequence, type_id: piece.type_id } };
}

function specialIds(pieces: readonly TemplatePiece[]): number[] {
  return [...new Set(pieces.flatMap((piece) => ('special_id' in piece ? [piece.special_id] : [])))];
}
