import { existsSync, readFileSync } from 'node:fs';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as RustTokenizer } from 'tokenizers';
import { beforeEach, describe, expect, test } from 'vitest';
import * as library from '../../lib/index.ts';
import {
  AlbertTokenizer,
  AutoTokenizer,
  BertTokenizer,
  CamembertTokenizer,
  DebertaV2Tokenizer,
  DistilBertTokenizer,
  ElectraTokenizer,
  GPT2Tokenizer,
  KoBertTokenizer,
  MPNetTokenizer,
  PreTrainedTokenizerFast,
  RobertaTokenizer,
  XLMRobertaTokenizer,
} from '../../lib/index.ts';
import { hasShared, tokenizerGoldensFolder, vocabularyFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { withWarnings } from '../support/warnings.ts';
import { type PieceToWrite, pieceTypes, sentencePieceFile } from './sentencepiece-file.ts';

const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
});

async function write(files: Readonly<Record<string, unknown>>, into = folder): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const isText = typeof content === 'string' || content instanceof Uint8Array;
    await writeFile(join(into, name), isText ? content : JSON.stringify(content));
  }
}

const texts = [
  'Hello, world!  This is a <mask> test.',
  '안녕하세요, 반갑습니다. 값이 12,345원',
  "don't ``quote'' Ünïcödé CAFÉ ﬁ ½ １２",
  ' leading  and trailing ',
  '[CLS] [MASK] </s> <pad>',
  '',
];

/** What is saved gives the same ids: to us, by class and by AutoTokenizer, and to the Rust library. */
async function expectSaved(tokenizer: PreTrainedTokenizerFast): Promise<string> {
  const saved = join(folder, 'saved');
  await tokenizer.save_pretrained(saved);
  const rust = RustTokenizer.fromFile(join(saved, 'tokenizer.json'));
  const readers = [
    await AutoTokenizer.from_pretrained(saved),
    await (tokenizer.constructor as typeof PreTrainedTokenizerFast).from_pretrained(saved),
  ];
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    expect((await rust.encode(text)).getIds(), `Rust: ${text}`).toEqual(ids);
    const pair = tokenizer(text, { text_pair: 'Hello', return_tensor: false });
    expect((await rust.encode(text, 'Hello')).getIds()).toEqual(pair.input_ids);
    for (const reader of readers) {
      expect(reader.encode(text), `again: ${text}`).toEqual(ids);
      expect(reader.decode(ids)).toBe(tokenizer.decode(ids));
    }
  }
  for (const reader of readers) {
    expect(reader.constructor).toBe(tokenizer.constructor);
    expect(reader.special_tokens_map).toEqual(tokenizer.special_tokens_map);
    // As text: comparing large objects member by member takes seconds.
    expect(JSON.stringify([...reader.get_vocab()]) === JSON.stringify([...tokenizer.get_vocab()])).toBe(true);
    expect(reader.get_added_vocab()).toEqual(tokenizer.get_added_vocab());
  }
  const again = join(folder, 'again');
  await readers[0]!.save_pretrained(again);
  for (const name of await readdir(again)) {
    // What vocab.txt leaves to the configuration stands in tokenizer.json.
    if (name === 'tokenizer_config.json' && existsSync(join(saved, 'vocab.txt'))) continue;
    expect(await readFile(join(again, name)), name).toEqual(await readFile(join(saved, name)));
  }
  return saved;
}

const bertTokens = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  '[MASK]',
  'hello',
  ',',
  'world',
  '!',
  'this',
  'is',
  'a',
  'test',
  '안',
  '##녕',
];

describe('from vocab.txt alone', () => {
  beforeEach(async () => {
    await write({ 'vocab.txt': bertTokens.join('\n') });
  });

  test.each([
    ['BertTokenizer', BertTokenizer, true],
    ['DistilBertTokenizer', DistilBertTokenizer, false],
    ['ElectraTokenizer', ElectraTokenizer, true],
  ] as const)('%s', async (name, tokenizerClass, hasTypes) => {
    const tokenizer = await tokenizerClass.from_pretrained(folder);
    expect(tokenizer).toBeInstanceOf(tokenizerClass);
    const found = tokenizer('Hello', { text_pair: 'world', return_tensor: false });
    expect(found.input_ids).toEqual([2, 5, 3, 7, 3]);
    expect(found.token_type_ids).toEqual(hasTypes ? [0, 0, 0, 1, 1] : undefined);
    const saved = await expectSaved(tokenizer);
    expect(JSON.parse(await readFile(join(saved, 'tokenizer_config.json'), 'utf8')).tokenizer_class).toBe(name);
  });

  test('MPNetTokenizer: two separators between two texts', async () => {
    await write({ 'vocab.txt': ['<s>', '<pad>', '</s>', '[UNK]', ...bertTokens.slice(5), '<mask>'].join('\n') });
    const tokenizer = await MPNetTokenizer.from_pretrained(folder);
    expect(tokenizer.encode('hello world')).toEqual([0, 4, 6, 2]);
    expect(tokenizer.encode('hello', { text_pair: 'world' })).toEqual([0, 4, 2, 2, 6, 2]);
    expect(
      tokenizer('hello   <mask> a', { return_tensor: false, return_offsets_mapping: true }).offset_mapping,
    ).toEqual([
      [0, 0],
      [0, 5],
      [5, 14],
      [15, 16],
      [0, 0],
    ]);
    await expectSaved(tokenizer);
  });
});

const byteVocab = Object.fromEntries(
  ['<s>', '<pad>', '</s>', '<unk>', 'H', 'e', 'l', 'o', 'Ġ', 'w', 'r', 'd', 'll', 'He', 'Hell', 'Ġw', '<mask>'].map(
    (token, id) => [token, id],
  ),
);
const merges = '#version: 0.2\nl l\nH e\nHe ll\nĠ w\n';

describe('from vocab.json and merges.txt', () => {
  test('RobertaTokenizer', async () => {
    await write({ 'vocab.json': byteVocab, 'merges.txt': merges });
    const tokenizer = await RobertaTokenizer.from_pretrained(folder);
    expect(tokenizer.tokenize('Hello world')).toEqual(['Hell', 'o', 'Ġw', 'o', 'r', 'l', 'd']);
    expect(tokenizer.encode('Hell', { text_pair: 'o' })).toEqual([0, 14, 2, 2, 7, 2]);
    const found = tokenizer('Hello  <mask> o', { return_tensor: false, return_offsets_mapping: true });
    expect(found.input_ids).toEqual([0, 14, 7, 16, 8, 7, 2]);
    expect(found.offset_mapping!.slice(3, 6)).toEqual([
      [7, 13],
      [14, 14],
      [14, 15],
    ]);
    expect(tokenizer.decode(found.input_ids, { skip_special_tokens: true })).toBe('Hello o');
    const saved = await expectSaved(tokenizer);
    expect(await readFile(join(saved, 'merges.txt'), 'utf8')).toBe(merges);
    // Without tokenizer.json the other files say the same.
    await rm(join(saved, 'tokenizer.json'));
    expect((await RobertaTokenizer.from_pretrained(saved)).encode('Hello <mask>')).toEqual(
      tokenizer.encode('Hello <mask>'),
    );
  });

  test('add_prefix_space, of the configuration and of the caller', async () => {
    await write({ 'vocab.json': byteVocab, 'merges.txt': merges, 'tokenizer_config.json': { add_prefix_space: true } });
    const tokenizer = await RobertaTokenizer.from_pretrained(folder);
    expect(tokenizer.tokenize('world')).toEqual(['Ġw', 'o', 'r', 'l', 'd']);
    const saved = await expectSaved(tokenizer);
    expect((await RobertaTokenizer.from_pretrained(saved)).tokenize('w')).toEqual(['Ġw']);
    expect((await RobertaTokenizer.from_pretrained(saved, { add_prefix_space: false })).tokenize('w')).toEqual(['w']);
  });

  test('GPT2Tokenizer: nothing around the texts, or the beginning', async () => {
    const vocab = { ...byteVocab, '<|endoftext|>': 17 };
    await write({ 'vocab.json': vocab, 'merges.txt': merges });
    const tokenizer = await GPT2Tokenizer.from_pretrained(folder);
    expect(tokenizer.encode('Hello')).toEqual([14, 7]);
    expect(tokenizer.pad_token).toBeNull();
    expect(() => tokenizer(['Hello', 'H'], { padding: true })).toThrow(failure('ERR_OPTION', /no pad_token/));
    const saved = await expectSaved(tokenizer);
    const config = JSON.parse(await readFile(join(saved, 'tokenizer_config.json'), 'utf8'));
    expect([config.tokenizer_class, config.unk_token]).toEqual(['GPT2Tokenizer', '<|endoftext|>']);
    const begun = await GPT2Tokenizer.from_pretrained(folder, { add_bos_token: true });
    expect(begun.encode('Hello', { text_pair: 'o' })).toEqual([17, 14, 7, 7]);
    await expect(GPT2Tokenizer.from_pretrained(saved, { add_bos_token: true })).rejects.toThrow(
      failure('ERR_OPTION', /tokenizer.json has no place for the option add_bos_token/),
    );
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['no JSON', { 'vocab.json': '{' }, /vocab.json is not JSON/],
    ['an array', { 'vocab.json': [] }, /vocab.json is an array of 0: expected an object/],
    ['a hole', { 'vocab.json': { a: 0, b: 2 } }, /vocab.json has 2 tokens and ids up to 2, but none with the id 1/],
    ['three pieces', { 'merges.txt': 'l l\nl l l\n' }, /merges.txt: line 2 is "l l l": expected two pieces/],
    [
      'an unknown piece',
      { 'merges.txt': 'l l\nl x\n' },
      /merges.txt: line 2 is the merge of "l" and "x", but .* lacks "x"/,
    ],
    ['no UTF-8', { 'merges.txt': Buffer.from([0xff]) }, /merges.txt is not UTF-8/],
  ])('%s', async (_, files, message) => {
    await write({ 'vocab.json': byteVocab, 'merges.txt': merges, ...files });
    await expect(RobertaTokenizer.from_pretrained(folder)).rejects.toThrow(failure('ERR_FILE_FORMAT', message));
  });
});

const words = [
  '▁',
  '▁Hello',
  ',',
  '▁world',
  '!',
  '▁This',
  '▁is',
  '▁a',
  '▁test',
  '.',
  'lo',
  '▁안녕',
  '하세요',
  '"',
  'cafe',
  'é',
];
const letters = [...'abcdefghilmnoprstuvwxyzHCTAFÉ12345,하세요안녕반갑습니다값이원'];
const pieces: PieceToWrite[] = [
  ...words.map((piece, i) => ({ piece, score: -2 - i / 16 })),
  ...[...new Set(letters)]
    .filter((letter) => !words.includes(letter))
    .map((piece, i) => ({ piece, score: -8 - i / 64 })),
  { piece: '2,', score: -3 },
];
const { unknown, control, userDefined } = pieceTypes;
const fairseq: PieceToWrite[] = [
  { piece: '<unk>', score: 0, type: unknown },
  { piece: '<s>', score: 0, type: control },
  { piece: '</s>', score: 0, type: control },
  ...pieces,
];
const bertLike = (unk: string, pad: string): PieceToWrite[] => [
  { piece: pad, score: 0, type: control },
  { piece: unk, score: 0, type: unknown },
  { piece: '[CLS]', score: 0, type: control },
  { piece: '[SEP]', score: 0, type: control },
  { piece: '[MASK]', score: 0, type: userDefined },
  ...pieces,
];
const charsmap = hasShared(vocabularyFolder)
  ? Buffer.from(
      JSON.parse(readFileSync(join(vocabularyFolder, 'xlm-roberta-trunc', 'tokenizer.json'), 'utf8')).normalizer
        .precompiled_charsmap,
      'base64',
    )
  : undefined;

describe('from a SentencePiece model alone', () => {
  test('XLMRobertaTokenizer: fairseq’s order of ids', async () => {
    await write({ 'sentencepiece.bpe.model': sentencePieceFile({ pieces: fairseq, charsmap }) });
    const tokenizer = await XLMRobertaTokenizer.from_pretrained(folder);
    expect(tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 4, 5])).toEqual([
      '<s>',
      '<pad>',
      '</s>',
      '<unk>',
      '▁',
      '▁Hello',
    ]);
    expect(tokenizer.mask_token_id).toBe(fairseq.length - 3 + 4);
    expect(tokenizer.encode('Hello world!', { text_pair: 'Hello' })).toEqual([0, 5, 7, 8, 2, 2, 5, 2]);
    expect(tokenizer.decode(tokenizer.encode('Hello, world!'), { skip_special_tokens: true })).toBe('Hello, world!');
    const saved = await expectSaved(tokenizer);
    expect(await readdir(saved)).toContain('sentencepiece.bpe.model');
  });

  test('CamembertTokenizer', async () => {
    await write({ 'sentencepiece.bpe.model': sentencePieceFile({ pieces: fairseq, charsmap }) });
    const tokenizer = await CamembertTokenizer.from_pretrained(folder);
    expect(tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 4, 5, 6, 7])).toEqual([
      '<s>NOTUSED',
      '<pad>',
      '</s>NOTUSED',
      '<unk>',
      '<unk>NOTUSED',
      '<s>',
      '</s>',
      '▁',
    ]);
    expect(tokenizer.encode('Hello')).toEqual([5, 8, 6]);
    await expectSaved(tokenizer);
  });

  test('AlbertTokenizer: lower case, accents, quotes, numbers before commas', async () => {
    await write({
      'spiece.model': sentencePieceFile({ pieces: bertLike('<unk>', '<pad>'), unk_id: 1, pad_id: 0, charsmap }),
    });
    const tokenizer = await AlbertTokenizer.from_pretrained(folder);
    expect(tokenizer.tokenize("CAFÉ ``a'' 12,3").join('|')).toBe('▁|cafe|▁|"|a|"|▁|1|2|,|3');
    const found = tokenizer('a', { text_pair: 'a', return_tensor: false });
    expect(found.input_ids).toEqual([2, 12, 3, 12, 3]);
    expect(found.token_type_ids).toEqual([0, 0, 0, 1, 1]);
    const cased = await AlbertTokenizer.from_pretrained(folder, { do_lower_case: false, keep_accents: true });
    expect(cased.tokenize('CAFÉ').join('|')).toBe('▁|C|A|F|É');
    await expectSaved(tokenizer);
  });

  test('a model that names its unknown and padding tokens otherwise', async () => {
    await write({ 'spiece.model': sentencePieceFile({ pieces: bertLike('[UNK]', '[PAD]'), unk_id: 1, pad_id: 0 }) });
    const { result: tokenizer, warnings } = await withWarnings(() => AlbertTokenizer.from_pretrained(folder));
    expect(warnings).toEqual([]);
    expect([tokenizer.unk_token, tokenizer.pad_token]).toEqual(['[UNK]', '[PAD]']);
    expect(tokenizer.convert_tokens_to_ids('nothing')).toBe(1);
  });

  test('KoBertTokenizer: vocab.txt gives the order of the ids', async () => {
    const model = sentencePieceFile({ pieces: bertLike('[UNK]', '[PAD]'), unk_id: 1, pad_id: 0, charsmap });
    await write({
      'tokenizer_78b3253a26.model': model,
      'vocab.txt': `[EXTRA]\n${bertLike('[UNK]', '[PAD]')
        .map(({ piece }) => piece)
        .join('\n')}\n`,
      'tokenizer_config.json': { tokenizer_class: 'KoBertTokenizer' },
    });
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    expect(tokenizer).toBeInstanceOf(KoBertTokenizer);
    expect(tokenizer.tokenize('안녕하세요 Hello')).toEqual(['▁안녕', '하세요', '▁Hello']);
    expect(tokenizer.encode('Hello')).toEqual([3, 7, 4]);
    await expectSaved(tokenizer);

    const other = join(temporaryFolder());
    await write({ 'spiece.model': model, 'tokenizer_config.json': { tokenizer_class: 'KoBERTTokenizer' } }, other);
    expect((await AutoTokenizer.from_pretrained(other)).encode('Hello')).toEqual([2, 6, 3]);
  });

  test('DebertaV2Tokenizer: the mask stands behind the vocabulary', async () => {
    const model = bertLike('[UNK]', '[PAD]').filter(({ piece }) => piece !== '[MASK]');
    await write({ 'spm.model': sentencePieceFile({ pieces: model, unk_id: 1, pad_id: 0, charsmap }) });
    const { result: tokenizer, warnings } = await withWarnings(() => DebertaV2Tokenizer.from_pretrained(folder));
    expect(warnings).toEqual([]);
    expect(tokenizer.mask_token_id).toBe(model.length);
    expect(tokenizer.tokenize('Hello, [MASK]!')).toEqual(['▁Hello', ',', '[MASK]', '▁', '!']);
    await expectSaved(tokenizer);
    const apart = await DebertaV2Tokenizer.from_pretrained(folder, { split_by_punct: true, do_lower_case: true });
    expect(apart.tokenize('A.')).toEqual(['▁a', '▁', '.']);
  });

  test('a BPE model: its merges follow from its pieces', async () => {
    const model = [
      ...bertLike('[UNK]', '[PAD]').slice(0, 5),
      ...['he', 'll', '▁he', 'llo', '▁hello', '▁', 'h', 'e', 'l', 'o'].map((piece, i) => ({ piece, score: -i })),
    ];
    await write({ 'spiece.model': sentencePieceFile({ pieces: model, model_type: 2, unk_id: 1, pad_id: 0 }) });
    const tokenizer = await AlbertTokenizer.from_pretrained(folder);
    expect(tokenizer.tokenize('hello hell')).toEqual(['▁hello', '▁he', 'll']);
    await expectSaved(tokenizer);
  });

  test.each<[string, Uint8Array, string, RegExp]>([
    ['no protobuf', Buffer.from('no model at all'), 'ERR_FILE_FORMAT', /spiece.model is not a SentencePiece model/],
    [
      'cut short',
      sentencePieceFile({ pieces: fairseq }).subarray(0, 100),
      'ERR_FILE_FORMAT',
      /is not a SentencePiece model/,
    ],
    ['empty', new Uint8Array(), 'ERR_FILE_FORMAT', /is a SentencePiece model without pieces/],
    [
      'no score',
      sentencePieceFile({ pieces: [{ piece: 'a', score: Number.NaN }] }),
      'ERR_FILE_FORMAT',
      /the score of piece 0 is NaN/,
    ],
    [
      'an unknown piece',
      sentencePieceFile({ pieces, unk_id: 999 }),
      'ERR_FILE_FORMAT',
      /names piece 999 as the unknown one/,
    ],
    [
      'words',
      sentencePieceFile({ pieces, model_type: 3 }),
      'ERR_UNSUPPORTED_TOKENIZER',
      /of type 3: expected 1 \(unigram\)/,
    ],
    [
      'suffixes',
      sentencePieceFile({ pieces, treat_whitespace_as_suffix: true }),
      'ERR_UNSUPPORTED_TOKENIZER',
      /marks the ends of words/,
    ],
    [
      'a long piece',
      sentencePieceFile({ pieces: [{ piece: 'a'.repeat(300), score: 0 }], model_type: 2 }),
      'ERR_FILE_FORMAT',
      /a piece of 300 characters/,
    ],
  ])('%s', async (_, bytes, code, message) => {
    await write({ 'spiece.model': bytes });
    await expect(AlbertTokenizer.from_pretrained(folder)).rejects.toThrow(failure(code, message));
  });

  test('pieces in another order than the family’s', async () => {
    await write({ 'spiece.model': sentencePieceFile({ pieces }) });
    await expect(XLMRobertaTokenizer.from_pretrained(folder)).rejects.toThrow(
      failure('ERR_FILE_FORMAT', /starts with the pieces "▁", .*: expected <unk>, <s>, <\/s>/),
    );
  });
});

describe('classes', () => {
  test('each also under its name with Fast', () => {
    const classes = Object.entries(library).filter(
      ([name, value]) =>
        /Tokenizer$/.test(name) && typeof value === 'function' && value.prototype instanceof PreTrainedTokenizerFast,
    );
    expect(classes.length).toBeGreaterThanOrEqual(11);
    for (const [name, value] of classes) {
      if (name === 'KoBertTokenizer') continue;
      expect((library as Record<string, unknown>)[`${name}Fast`], name).toBe(value);
    }
  });

  test('AutoTokenizer: any class, and none, with tokenizer.json', async () => {
    const json = {
      version: '1.0',
      model: { type: 'WordLevel', unk_token: '[UNK]', vocab: { '[UNK]': 0, a: 1 } },
      pre_tokenizer: { type: 'WhitespaceSplit' },
    };
    await write({ 'tokenizer.json': json });
    expect((await AutoTokenizer.from_pretrained(folder)).constructor).toBe(PreTrainedTokenizerFast);
    await write({ 'tokenizer_config.json': { tokenizer_class: 'SomeTokenizerFast', pad_token: '<p>' } });
    const { result: tokenizer, warnings } = await withWarnings(() => AutoTokenizer.from_pretrained(folder));
    expect(tokenizer.constructor).toBe(PreTrainedTokenizerFast);
    expect(tokenizer.encode('a <p> b')).toEqual([1, 2, 0]);
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_SPECIAL_TOKENS_ADDED']);
    await expectSaved(tokenizer);
  });

  test('what a configuration says for some other class has no effect', async () => {
    const tokenizer = new BertTokenizer({ vocab: [...bertTokens, 'Hello'] }, { do_lower_case: false });
    await tokenizer.save_pretrained(folder);
    await write({ 'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast', do_lower_case: true } });
    const own = await AutoTokenizer.from_pretrained(folder);
    expect([own.constructor, own.tokenize('Hello')]).toEqual([PreTrainedTokenizerFast, ['Hello']]);
    expect((await AutoTokenizer.from_pretrained(folder, { do_lower_case: true })).tokenize('Hello')).toEqual(['hello']);
  });

  test('added tokens of a configuration, and special tokens behind them', async () => {
    const { '<mask>': _, ...vocab } = byteVocab;
    await write({ 'vocab.json': vocab, 'merges.txt': merges, 'added_tokens.json': { x: 16 } });
    const tokenizer = await RobertaTokenizer.from_pretrained(folder);
    expect([tokenizer.convert_tokens_to_ids('x'), tokenizer.mask_token_id]).toEqual([16, 17]);
    await expectSaved(tokenizer);
  });

  test('positions of models that count theirs from behind the padding', async () => {
    await write({
      'vocab.json': byteVocab,
      'merges.txt': merges,
      'config.json': { model_type: 'roberta', max_position_embeddings: 514, pad_token_id: 1 },
    });
    expect((await AutoTokenizer.from_pretrained(folder)).model_max_length).toBe(512);
  });

  test('options of BERT’s that a tokenizer.json has a place for', async () => {
    const tokenizer = new BertTokenizer({ vocab: [...bertTokens, 'Hello'] });
    const saved = join(folder, 'bert');
    await tokenizer.save_pretrained(saved);
    await rm(join(saved, 'vocab.txt'));
    expect((await BertTokenizer.from_pretrained(saved)).tokenize('Hello')).toEqual(['hello']);
    expect((await BertTokenizer.from_pretrained(saved, { do_lower_case: false })).tokenize('Hello')).toEqual(['Hello']);
    await expect(BertTokenizer.from_pretrained(saved, { never_split: ['x'] })).rejects.toThrow(
      failure('ERR_OPTION', /has no place for the option never_split: it holds only for tokenizers/),
    );
  });

  test('added tokens of a tokenizer.json keep their flags unless a configuration has others', async () => {
    await write({ 'vocab.json': byteVocab, 'merges.txt': merges });
    const tokenizer = await RobertaTokenizer.from_pretrained(folder);
    tokenizer.add_tokens(['new', { content: 'Word', single_word: true }]);
    tokenizer.add_special_tokens({ additional_special_tokens: ['<e1>', { content: '<e2>', rstrip: true }] });
    expect(tokenizer.encode('H<mask>new Words Word<e2> H', { add_special_tokens: false })).toEqual(
      [4, 16, 17, 8, 3, 7, 10, 11, 3, 8, 18, 20, 4].filter((id) => id !== 3),
    );
    expect([...tokenizer.get_added_vocab()].slice(-4)).toEqual([
      ['new', 17],
      ['Word', 18],
      ['<e1>', 19],
      ['<e2>', 20],
    ]);
    const saved = await expectSaved(tokenizer);
    expect(existsSync(join(saved, 'added_tokens.json'))).toBe(true);
  });
});

describe.skipIf(!hasShared(vocabularyFolder) || !hasShared(tokenizerGoldensFolder))('published vocabularies', () => {
  test('roberta-base from vocab.json and merges.txt, as from tokenizer.json', async () => {
    const source = join(vocabularyFolder, 'roberta-base');
    for (const name of ['vocab.json', 'merges.txt']) await cp(join(source, name), join(folder, name));
    const tokenizer = await RobertaTokenizer.from_pretrained(folder);
    const golden = JSON.parse(readFileSync(join(tokenizerGoldensFolder, 'fast-roberta-base.json'), 'utf8'));
    for (const { text, ids } of golden.cases) expect(tokenizer.encode(text, { verbose: false })).toEqual(ids);
    await expectSaved(tokenizer);
  });

  test.each(['roberta-base', 'xlm-roberta-trunc', 'bert-base-cased'])('%s comes back as it was', async (name) => {
    const source = join(vocabularyFolder, name);
    const tokenizer = await AutoTokenizer.from_pretrained(source);
    const saved = await expectSaved(tokenizer);
    const read = (path: string) => JSON.parse(readFileSync(join(path, 'tokenizer.json'), 'utf8'));
    const [before, after] = [read(source), read(saved)];
    const isSame = (name: string) => JSON.stringify(after.model[name]) === JSON.stringify(before.model[name]);
    expect([isSame('vocab'), isSame('merges')]).toEqual([true, true]);
    expect([after.normalizer, after.pre_tokenizer, after.post_processor, after.decoder]).toEqual([
      before.normalizer,
      before.pre_tokenizer,
      before.post_processor,
      before.decoder,
    ]);
  });
});
