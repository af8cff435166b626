import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { families } from '../../lib/models/families.ts';
import { pickleStateDict } from '../../lib/weights/state-dict.ts';
import type { StoredTensor } from '../../lib/weights/stored-tensor.ts';
import { writeTorchBin } from '../../lib/weights/torch-bin.ts';
import { field, graph, integer, model, node, tensor, value } from '../onnx/reading/messages.ts';
import { type ModelToWrite, sentencePieceFile } from '../tokenizers/sentencepiece-file.ts';

/** What fuzzing begins with: small inputs that reach most of each parser. */
export type Seeds = Readonly<Record<string, readonly (string | Uint8Array)[]>>;

const json = (content: unknown) => JSON.stringify(content);
const files = (contents: Readonly<Record<string, unknown>>) =>
  Object.entries(contents)
    .map(([name, content]) => `=== ${name}\n${typeof content === 'string' ? content : json(content)}\n`)
    .join('');

// ---------- weights ----------

const header = {
  __metadata__: { format: 'pt' },
  'a.weight': { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
  b: { dtype: 'BF16', shape: [3], data_offsets: [16, 22] },
  c: { dtype: 'I64', shape: [], data_offsets: [22, 30] },
  d: { dtype: 'F16', shape: [0, 4], data_offsets: [30, 30] },
};

const halves = {
  __metadata__: { format: 'pt' },
  'a.weight': { dtype: 'F16', shape: [2, 8], data_offsets: [0, 32] },
  b: { dtype: 'U8', shape: [32], data_offsets: [32, 64] },
};

function safetensors(content: unknown, dataBytes: number): Uint8Array {
  const text = Buffer.from(json(content));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(dataBytes, 1)]);
}

const tensors: readonly StoredTensor[] = [
  { name: 'a.weight', dtype: 'F32', shape: [2, 3], data: async () => new Uint8Array(24) },
  { name: 'b', dtype: 'F16', shape: [4], data: async () => new Uint8Array(8) },
];

async function torchBin(): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), 'bert-native-seeds-'));
  try {
    await writeTorchBin(join(folder, 'x.bin'), tensors);
    return readFileSync(join(folder, 'x.bin'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const stateDict = pickleStateDict([
  { name: 'a.weight', dtype: 'F32', shape: [2, 3], storage_key: '0' },
  { name: 'b', dtype: 'F16', shape: [4], storage_key: '1' },
]);
/** Protocol 4: frames, short texts, memoised values. */
const protocol4 = Buffer.concat([
  Buffer.from([0x80, 4, 0x95, 30, 0, 0, 0, 0, 0, 0, 0, 0x7d, 0x94, 0x28, 0x8c, 1]),
  Buffer.from('a'),
  Buffer.from([0x94, 0x4b, 7, 0x8c, 1]),
  Buffer.from('b'),
  Buffer.from([0x94, 0x88, 0x75, 0x2e]),
]);

// ---------- tokenizers ----------

const added = (id: number, content: string, special = true) => ({
  ...{ id, content, special, single_word: false, lstrip: false, rstrip: false, normalized: !special },
});
const wordPiece = {
  type: 'WordPiece',
  unk_token: '[UNK]',
  continuing_subword_prefix: '##',
  max_input_chars_per_word: 100,
  vocab: { '[PAD]': 0, '[UNK]': 1, '[CLS]': 2, '[SEP]': 3, a: 4, '##b': 5, 가: 6 },
};
const bpe = {
  type: 'BPE',
  unk_token: '<unk>',
  byte_fallback: true,
  fuse_unk: true,
  vocab: { '<unk>': 0, a: 1, b: 2, ab: 3, '▁': 4, '▁ab': 5, '<0x41>': 6 },
  merges: ['a b', ['▁', 'ab']],
};
const unigram = {
  type: 'Unigram',
  unk_id: 0,
  byte_fallback: false,
  vocab: [
    ['<unk>', 0],
    ['▁', -2],
    ['a', -1.5],
    ['▁a', -1],
    ['b', -3],
  ],
};
const sequence = (name: string, type: string, parts: readonly unknown[]) => ({ type, [name]: parts });
const tokenizers = [
  {
    version: '1.0',
    truncation: { direction: 'Right', max_length: 8, strategy: 'LongestFirst', stride: 0 },
    padding: {
      strategy: 'BatchLongest',
      direction: 'Right',
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: '[PAD]',
    },
    added_tokens: [added(0, '[PAD]'), added(2, '[CLS]'), added(3, '[SEP]'), added(7, 'x y', false)],
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
        { Sequence: { id: 'B', type_id: 1 } },
      ],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: wordPiece,
  },
  {
    normalizer: sequence('normalizers', 'Sequence', [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      { type: 'Replace', pattern: { Regex: '\\s{2,}(?!x)|[\\p{L}&&[^a]]+?' }, content: 'b' },
      { type: 'Strip', strip_left: true, strip_right: false },
      ...['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt'].map((type) => ({ type })),
    ]),
    pre_tokenizer: sequence('pretokenizers', 'Sequence', [
      { type: 'Split', pattern: { Regex: '(?i:ab)|\\d{1,3}' }, behavior: 'MergedWithPrevious', invert: false },
      { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true },
      { type: 'Punctuation', behavior: 'Contiguous' },
      { type: 'Digits', individual_digits: true },
      { type: 'CharDelimiterSplit', delimiter: '-' },
      { type: 'UnicodeScripts' },
    ]),
    decoder: sequence('decoders', 'Sequence', [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      { type: 'Strip', content: ' ', start: 1, stop: 0 },
    ]),
    model: bpe,
  },
  {
    normalizer: {
      type: 'Precompiled',
      precompiled_charsmap: Buffer.from([4, 0, 0, 0, 0, 4, 0, 0, 97, 0]).toString('base64'),
    },
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', add_prefix_space: true },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['b', 4],
      cls: ['a', 2],
      trim_offsets: true,
      add_prefix_space: false,
    },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
    model: unigram,
  },
  {
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false },
    decoder: { type: 'ByteLevel' },
    model: { type: 'WordLevel', unk_token: 'a', vocab: { a: 0, b: 1 } },
  },
];

const pieces = [
  ...['<unk>', '<s>', '</s>'].map((piece, i) => ({ piece, score: 0, type: i === 0 ? 2 : 3 })),
  ...['▁', 'a', '▁a', 'ab', '가'].map((piece, i) => ({ piece, score: -i })),
  { piece: '<0x41>', score: -9, type: 6 },
  { piece: '[MASK]', score: 0, type: 4 },
];
const sentencePiece = (parts: Partial<ModelToWrite>, layout: number) =>
  Buffer.concat([sentencePieceFile({ pieces, ...parts }), Buffer.from([layout])]);

// ---------- graphs, configurations ----------

const inputs = [value('input_ids'), value('attention_mask')].map((content) => field(11, content));
const output = field(12, value('last_hidden_state', 1, ['batch', 'sequence', 4]));
const graphs = [
  model(graph(...inputs, output, field(1, node('MatMul')), field(5, tensor()))),
  model(
    graph(...inputs, output, field(5, tensor({ external: { location: 'x.onnx_data', offset: '0', length: '8' } }))),
  ),
  model(graph(field(1, node('If', field(6, graph(field(5, tensor({ dims: [1, 2] })))))))),
  Buffer.concat([integer(1, 8), field(8, field(1, 'com.microsoft'), integer(2, 1)), field(7, graph())]),
];

const modules = [
  { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
  { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
  { idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense' },
  { idx: 3, name: '3', path: '3_Normalize', type: 'sentence_transformers.models.Normalize' },
];
const pooling = { word_embedding_dimension: 4, pooling_mode_cls_token: false, pooling_mode_mean_tokens: true };
const dense = { in_features: 4, out_features: 2, bias: true, activation_function: 'torch.nn.modules.activation.Tanh' };

const denseWeights = Buffer.from(
  safetensors(
    {
      'linear.weight': { dtype: 'F32', shape: [2, 4], data_offsets: [0, 32] },
      'linear.bias': { dtype: 'F32', shape: [2], data_offsets: [32, 40] },
    },
    40,
  ),
).toString('latin1');

export const seeds = async (): Promise<Seeds> => ({
  safetensors: [safetensors(header, 30), safetensors({}, 0)],
  'safetensors-header': [json({ a: { dtype: 'F32', shape: [4, 4], data_offsets: [0, 64] } }), json(halves)],
  'torch-bin': [await torchBin()],
  pickle: [stateDict, protocol4],
  zip: [await torchBin()],
  sentencepiece: [
    sentencePiece({}, 0),
    sentencePiece({ model_type: 2, add_dummy_prefix: false }, 1),
    sentencePiece({ charsmap: Uint8Array.from([4, 0, 0, 0, 0, 4, 0, 0, 97, 0]), unk_id: 0, pad_id: 1 }, 2),
    sentencePiece({}, 3),
    sentencePiece({}, 4),
  ],
  'tokenizer-json': tokenizers.map(json),
  'vocab-txt': ['[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n가\n', '[UNK]\r\na\r\na\r\n\r\n'],
  'byte-level-bpe': [
    files({
      'vocab.json': { '<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3, '<mask>': 4, a: 5, b: 6, ab: 7, Ġ: 8 },
      'merges.txt': '#version: 0.2\na b',
    }),
    files({ 'vocab.json': { a: 0, b: 1, ab: 2, '<|endoftext|>': 3 }, 'merges.txt': 'a b\n', 'x.txt': '' }),
  ],
  regex: [
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    '(?i:a|b)*+(?<=ab)(?<!c)x{2,3}?|[a-z&&[^aeiou]]{1,}|\\A.\\z|^$',
    '(?>a+)(?=b)|(?:a*)*b|\\h\\R?|\\p{^Han}|[[:alpha:]_\\d]',
  ],
  onnx: graphs,
  config: families.map(({ config }) => json(new config().to_dict())),
  modules: [
    Buffer.from(
      files({
        'modules.json': modules,
        '1_Pooling/config.json': pooling,
        '2_Dense/config.json': dense,
        '2_Dense/model.safetensors': denseWeights,
        'config.json': { model_type: 'bert' },
      }),
      'latin1',
    ),
    files({
      'modules.json': modules.slice(0, 2),
      '1_Pooling/config.json': { ...pooling, pooling_mode_max_tokens: true, include_prompt: false },
    }),
  ],
});
