import type { NativeModelOptions } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import { flatten, stringsOf } from '../flat-strings.ts';
import type { AddedToken, SpecialTokenName } from '../special-tokens.ts';
import { specialTokenNames } from '../special-tokens.ts';
import type { ParsedTokenizer } from '../tokenizer-json/parsed.ts';
import { VocabTxt } from '../vocab-txt.ts';
import { addedTokensOf, type ConversionOptions, type JsonAddedToken, templateProcessing } from './conversion.ts';
import type { FileBytes } from './file-bytes.ts';
import {
  ModelType,
  type Piece,
  PieceType,
  readSentencePieceModel,
  type SentencePieceModel,
} from './sentencepiece-model.ts';

/** How a family puts a SentencePiece model to use. */
export type SentencePieceLayout = 'xlm-roberta' | 'camembert' | 'albert' | 'kobert' | 'deberta-v2';

type Entry = Pick<Piece, 'piece' | 'score'>;

interface Layout {
  /** The vocabulary, in the order of its ids. */
  vocabulary(model: SentencePieceModel, path: string): Entry[];
  unk_id(model: SentencePieceModel): number;
  normalizers(model: SentencePieceModel, options: ConversionOptions): object[];
  preTokenizers(options: ConversionOptions): object[];
  /** Whether there are two separators between two texts, and no type ids. */
  readonly two_separators: boolean;
}

/**
 * A SentencePiece model (Kudo and Richardson 2018) in the layout of `tokenizer.json`, as convert_slow_tokenizer.py of
 * transformers makes it.
 *
 * @param vocabTxt the order of the ids, where the model's own does not count
 * @throws BertNativeError `ERR_FILE_FORMAT`, `ERR_UNSUPPORTED_TOKENIZER`
 */
export function convertSentencePiece(
  file: FileBytes,
  name: string,
  vocabTxt: FileBytes | null,
  layout: SentencePieceLayout,
  options: ConversionOptions,
): ParsedTokenizer {
  const { path } = file;
  const proto = readSentencePieceModel(file.bytes, path);
  checkSupported(proto, path);
  const rules = layouts[layout];
  const own = rules.vocabulary(proto, path);
  const order = vocabTxt === null ? null : new VocabTxt(vocabTxt.bytes, vocabTxt.path);
  const entries = order === null ? own : reorder(own, [...stringsOf(order.tokens)], vocabTxt!.path);
  const ids = new Map(entries.map(({ piece }, id) => [piece, id]));
  const unk = own[rules.unk_id(proto)]!.piece;
  const special_tokens = specialTokensOf(proto, ids, unk, options);
  const added_tokens = addedTokensOf(
    ids,
    entries.length,
    [...addedPieces(proto.pieces), ...Object.values(special_tokens)],
    options.added_ids,
  );
  const vocabulary = flatten(entries.map(({ piece }) => piece));
  const model = modelOptions(proto, entries, ids, ids.get(unk)!, path);
  const definition = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens,
    normalizer: sequence('normalizers', rules.normalizers(proto, options)),
    pre_tokenizer: sequence('pretokenizers', [...rules.preTokenizers(options), metaspace(proto, options)]),
    post_processor: postProcessor(rules, added_tokens, special_tokens),
    decoder: proto.byte_fallback
      ? sequence('decoders', [{ type: 'ByteFallback' }, metaspace(proto, options)])
      : metaspace(proto, options),
    model: modelJson(model, unk),
  };
  return {
    source: 'sentencepiece',
    path,
    vocabulary,
    model,
    size: ids.size,
    holes: [],
    definition,
    files: { [name]: file.bytes, ...(order === null ? {} : { 'vocab.txt': order.bytes }) },
    special_tokens,
  };
}

function checkSupported(model: SentencePieceModel, path: string): void {
  const unsupported = (problem: string): BertNativeError =>
    new BertNativeError('ERR_UNSUPPORTED_TOKENIZER', `${path} is a SentencePiece model ${problem}`);
  if (model.model_type !== ModelType.unigram && model.model_type !== ModelType.bpe) {
    throw unsupported(`of type ${model.model_type}: expected ${ModelType.unigram} (unigram) or ${ModelType.bpe} (BPE)`);
  }
  if (model.treat_whitespace_as_suffix)
    throw unsupported('that marks the ends of words: expected marks at their starts');
  if (!model.escape_whitespaces) throw unsupported('that leaves spaces as they are: expected ▁ in their place');
}

const replacement = '▁';

const fairseqStart: readonly Entry[] = ['<s>', '<pad>', '</s>', '<unk>'].map((piece) => ({ piece, score: 0 }));

const precompiled = ({ precompiled_charsmap: map }: SentencePieceModel): object[] =>
  map.length === 0
    ? []
    : [
        {
          type: 'Precompiled',
          precompiled_charsmap: Buffer.from(map.buffer, map.byteOffset, map.length).toString('base64'),
        },
      ];

const replace = (pattern: object, content: string): object => ({ type: 'Replace', pattern, content });

const plainNormalizers = (model: SentencePieceModel): object[] => [
  ...precompiled(model),
  { type: 'Strip', strip_left: false, strip_right: true },
  replace({ Regex: ' {2,}' }, replacement),
];

/** The pieces of a model that has `<unk>`, `<s>` and `</s>` first, without the first `count`. */
function piecesBehind(count: number, { pieces }: SentencePieceModel, path: string): Entry[] {
  const start = ['<unk>', '<s>', '</s>'];
  if (start.some((piece, i) => pieces[i]?.piece !== piece)) {
    const found = pieces.slice(0, start.length).map(({ piece }) => JSON.stringify(piece));
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path} starts with the pieces ${found.join(', ')}: expected ${start.join(', ')}`,
    );
  }
  return pieces.slice(count);
}

function albertLike({ lower_cases, composes }: { lower_cases: boolean; composes: boolean }): Layout {
  return {
    // A number and the comma behind it are to be two tokens.
    vocabulary: ({ pieces }) =>
      pieces.map(({ piece, score }) => ({ piece, score: /\p{Nd},$/u.test(piece) ? score - 100 : score })),
    unk_id: ({ unk_id }) => unk_id,
    normalizers: (model, { keep_accents = false, do_lower_case = lower_cases }) => [
      replace({ String: '``' }, '"'),
      replace({ String: "''" }, '"'),
      ...(keep_accents ? [] : [{ type: 'NFKD' }, { type: 'StripAccents' }]),
      ...(do_lower_case ? [{ type: 'Lowercase' }] : []),
      ...(composes && !keep_accents ? [{ type: 'NFC' }] : []),
      ...precompiled(model),
      replace({ Regex: ' {2,}' }, ' '),
    ],
    preTokenizers: () => [],
    two_separators: false,
  };
}

const layouts: Readonly<Record<SentencePieceLayout, Layout>> = {
  'xlm-roberta': {
    vocabulary: (model, path) => [...fairseqStart, ...piecesBehind(3, model, path), { piece: '<mask>', score: 0 }],
    unk_id: () => 3,
    normalizers: plainNormalizers,
    preTokenizers: () => [],
    two_separators: true,
  },
  camembert: {
    vocabulary: (model, path) => [
      { piece: '<s>NOTUSED', score: 0 },
      { piece: '<pad>', score: 0 },
      { piece: '</s>NOTUSED', score: 0 },
      { piece: '<unk>', score: 0 },
      { piece: '<unk>NOTUSED', score: -100 },
      ...piecesBehind(1, model, path),
      { piece: '<mask>', score: 0 },
    ],
    unk_id: () => 3,
    normalizers: plainNormalizers,
    preTokenizers: () => [],
    two_separators: true,
  },
  albert: albertLike({ lower_cases: true, composes: false }),
  // SentencePiece's own normalizer composes the Hangul that NFKD took apart; the Rust library's does not.
  kobert: albertLike({ lower_cases: false, composes: true }),
  'deberta-v2': {
    vocabulary: ({ pieces }) => [...pieces],
    unk_id: ({ unk_id }) => unk_id,
    normalizers: (model, { do_lower_case = false }) => [
      ...(do_lower_case ? [{ type: 'Lowercase' }] : []),
      { type: 'Strip', strip_left: true, strip_right: true },
      ...precompiled(model),
      replace({ Regex: ' {2,}' }, ' '),
    ],
    preTokenizers: ({ split_by_punct = false }) =>
      split_by_punct ? [{ type: 'Punctuation', behavior: 'Isolated' }] : [],
    two_separators: false,
  },
};

/** The entries in another order; tokens that the model lacks are less likely than all others. */
function reorder(entries: readonly Entry[], tokens: readonly string[], path: string): Entry[] {
  const scores = new Map(entries.map(({ piece, score }) => [piece, score]));
  const missing = new Set(scores.keys());
  for (const token of tokens) missing.delete(token);
  if (missing.size > 0) {
    const [piece] = missing;
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path} lacks ${missing.size} pieces of the SentencePiece model, ${JSON.stringify(piece)} for one`,
    );
  }
  const leastLikely = entries.reduce((lowest, { score }) => Math.min(lowest, score), 0) - 100;
  return tokens.map((piece) => ({ piece, score: scores.get(piece) ?? leastLikely }));
}

/** Control symbols are special; symbols of the user's own are not. */
function addedPieces(pieces: readonly Piece[]): AddedToken[] {
  return pieces
    .filter(({ piece, type }) => piece !== '' && (type === PieceType.control || type === PieceType.userDefined))
    .map(({ piece, type }) => ({
      content: piece,
      lstrip: false,
      rstrip: false,
      single_word: false,
      special: type === PieceType.control,
      normalized: false,
    }));
}

/** The special tokens; where the model lacks one that nobody asked for, its own of that kind takes the place. */
function specialTokensOf(
  { pieces, pad_id }: SentencePieceModel,
  ids: ReadonlyMap<string, number>,
  unk: string,
  { special_tokens, replaceable }: ConversionOptions,
): Partial<Record<SpecialTokenName, AddedToken>> {
  const alternatives: Partial<Record<SpecialTokenName, readonly (string | undefined)[]>> = {
    unk_token: [unk],
    pad_token: [pieces[pad_id]?.piece, '[PAD]', '<pad>'],
  };
  const chosen: Partial<Record<SpecialTokenName, AddedToken>> = {};
  for (const name of specialTokenNames) {
    const token = special_tokens[name];
    if (token === undefined) continue;
    const own = (alternatives[name] ?? []).find((piece) => piece !== undefined && ids.has(piece));
    const replaced = !ids.has(token.content) && replaceable.includes(name) && own !== undefined;
    chosen[name] = replaced ? { ...token, content: own } : token;
  }
  return chosen;
}

function modelOptions(
  proto: SentencePieceModel,
  entries: readonly Entry[],
  ids: ReadonlyMap<string, number>,
  unk_id: number,
  path: string,
): NativeModelOptions {
  const { byte_fallback } = proto;
  if (proto.model_type === ModelType.unigram) {
    return { type: 'Unigram', scores: Float64Array.from(entries, ({ score }) => score), unk_id, byte_fallback };
  }
  return {
    type: 'BPE',
    merges: flatten(derivedMerges(entries, ids, path)),
    unk_id,
    continuing_subword_prefix: '',
    end_of_word_suffix: '',
    fuse_unk: true,
    byte_fallback,
    ignore_merges: false,
  };
}

function modelJson(model: NativeModelOptions, unk_token: string): object {
  switch (model.type) {
    case 'Unigram':
      return { type: 'Unigram', unk_id: model.unk_id, byte_fallback: model.byte_fallback };
    case 'BPE':
      return { type: 'BPE', dropout: null, unk_token, fuse_unk: true, byte_fallback: model.byte_fallback };
    default:
      throw new TypeError(`no model of SentencePiece: ${model.type}`);
  }
}

/** Longer than any piece that SentencePiece learns; bounds the ways to cut one in two. */
const maxPieceLength = 256;

/**
 * The merges behind a BPE vocabulary, best first: every way to make a piece of two others, by the piece's score, then by the
 * lengths of the two.
 */
function derivedMerges(entries: readonly Entry[], ids: ReadonlyMap<string, number>, path: string): string[] {
  interface Merge {
    readonly left: string;
    readonly right: string;
    readonly score: number;
    readonly lengths: readonly [number, number];
  }
  const merges: Merge[] = [];
  for (const { piece, score } of entries) {
    const points = [...piece];
    if (points.length > maxPieceLength) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${path} has a piece of ${points.length} characters: expected at most ${maxPieceLength}`,
      );
    }
    const local: Merge[] = [];
    for (let cut = 1, unit = points[0]?.length ?? 0; cut < points.length; unit += points[cut]!.length, ++cut) {
      const [left, right] = [piece.slice(0, unit), piece.slice(unit)];
      if (!ids.has(left) || !ids.has(right)) continue;
      local.push({ left, right, score, lengths: [cut, points.length - cut] });
    }
    local.sort((a, b) => ids.get(a.left)! - ids.get(b.left)! || ids.get(a.right)! - ids.get(b.right)!);
    merges.push(...local);
  }
  merges.sort((a, b) => b.score - a.score || b.lengths[0] - a.lengths[0] || b.lengths[1] - a.lengths[1]);
  return merges.flatMap(({ left, right }) => [left, right]);
}

function sequence(member: string, parts: readonly object[]): object {
  return parts.length === 1 ? parts[0]! : { type: 'Sequence', [member]: parts };
}

function metaspace({ add_dummy_prefix }: SentencePieceModel, { add_prefix_space }: ConversionOptions): object {
  const prepend_scheme = (add_prefix_space ?? add_dummy_prefix) ? 'always' : 'never';
  return { type: 'Metaspace', replacement, prepend_scheme, split: true };
}

function postProcessor(
  { two_separators }: Layout,
  added_tokens: readonly JsonAddedToken[],
  special_tokens: Partial<Record<SpecialTokenName, AddedToken>>,
): object {
  const find = (name: SpecialTokenName): JsonAddedToken => {
    const token = added_tokens.find(({ content }) => content === special_tokens[name]?.content);
    if (token === undefined) throw new BertNativeError('ERR_CONFIG', `the tokenizer has no ${name}`);
    return token;
  };
  const [cls, sep] = [find('cls_token'), find('sep_token')];
  return two_separators
    ? templateProcessing(
        [
          [cls, 0],
          ['A', 0],
          [sep, 0],
        ],
        [
          [cls, 0],
          ['A', 0],
          [sep, 0],
          [sep, 0],
          ['B', 0],
          [sep, 0],
        ],
      )
    : templateProcessing(
        [
          [cls, 0],
          ['A', 0],
          [sep, 0],
        ],
        [
          [cls, 0],
          ['A', 0],
          [sep, 0],
          ['B', 1],
          [sep, 1],
        ],
      );
}
