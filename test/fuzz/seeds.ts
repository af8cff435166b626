import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npyFormat } from '../../lib/cli/vector-formats.ts';
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

// ---------- the hub, the command line ----------

const sha = '0123456789abcdef0123456789abcdef01234567';
const entries = [
  { type: 'file', path: 'config.json', size: 10, oid: sha },
  { type: 'directory', path: 'onnx', size: 0, oid: sha },
  { type: 'file', path: 'onnx/model.onnx', size: 20, oid: sha, lfs: { oid: sha.slice(0, 32).repeat(2), size: 9 } },
  { type: 'file', path: 'a.bin', size: 20, oid: sha, xetHash: sha.slice(0, 32).repeat(2) },
];
const next = '<https://hub.invalid/api/models/a/b/tree/x?cursor=2>; rel="next"';
const tree = {
  format_version: 1,
  files: {
    'config.json': { size: 10, blob_id: sha },
    'onnx/model.onnx': { size: 9, blob_id: sha, lfs_sha256: sha.slice(0, 32).repeat(2), lfs_size: 9, xet_hash: null },
  },
};

function npy(rows: number): Uint8Array {
  const header = npyFormat(4).header(rows);
  return Buffer.concat([header, Buffer.alloc(16 * rows + 5, 1)]);
}

const binaryFiles = (contents: Readonly<Record<string, unknown>>) => Buffer.from(files(contents), 'latin1');
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const shard = (name: string) => latin1(safetensors({ [name]: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4));

export const seeds = async (): Promise<Seeds> => ({
  safetensors: [safetensors(header, 30), safetensors({}, 0)],
  'safetensors-header': [json({ a: { dtype: 'F32', shape: [4, 4], data_offsets: [0, 64] } }), json(halves)],
  'torch-bin': [await torchBin()],
  pickle: [stateDict, protocol4],
  zip: [await torchBin()],
  checkpoint: [
    binaryFiles({
      'model-1.safetensors': shard('a'),
      'inside/model-2.safetensors': shard('b'),
      'model.safetensors.index.json': {
        metadata: { total_size: 8 },
        weight_map: { a: 'model-1.safetensors', b: 'inside/model-2.safetensors' },
      },
    }),
    binaryFiles({
      'x.bin': latin1(await torchBin()),
      'pytorch_model.bin.index.json': { weight_map: { 'a.weight': 'x.bin' } },
    }),
  ],
  sentencepiece: [
    sentencePiece({}, 0),
    sentencePiece({ model_type: 2, add_dummy_prefix: false }, 1),
    sentencePiece({ charsmap: Uint8Array.from([4, 0, 0, 0, 0, 4, 0, 0, 97, 0]), unk_id: 0, pad_id: 1 }, 2),
    sentencePiece({}, 3),
    sentencePiece({}, 4),
  ],
  'sentencepiece-vocab': [
    '<unk>\n<s>\n</s>\n[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n▁\na\n▁a\n',
    '\ufeff▁a\r\na\r\n▁\r\n[MASK]\r\n<unk>\r\n</s>\r\n<s>\r\n',
  ],
  'tokenizer-json': tokenizers.map(json),
  'tokenizer-folder': [
    files({
      'vocab.txt': '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n',
      'tokenizer_config.json': {
        tokenizer_class: 'BertTokenizer',
        do_lower_case: true,
        model_max_length: 512,
        padding_side: 'left',
        model_input_names: ['input_ids', 'attention_mask'],
        never_split: ['x'],
        additional_special_tokens: ['<e1>'],
        added_tokens_decoder: { 7: added(7, '<e1>'), 0: added(0, '[PAD]') },
        extra_special_tokens: { image_token: '<i>' },
      },
      'special_tokens_map.json': { mask_token: { content: '[MASK]', lstrip: true }, cls_token: '[CLS]' },
      'added_tokens.json': { '<x>': 9, '<e1>': 7 },
      'config.json': { model_type: 'roberta', max_position_embeddings: 514, pad_token_id: 1 },
    }),
    files({
      'tokenizer.json': tokenizers[0],
      'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast', max_len: 128, unk_token: '[UNK]' },
    }),
    files({ 'tokenizer.json': tokenizers[3], 'config.json': { model_type: 'nomic_bert', n_positions: 8192 } }),
  ],
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
  'onnx-folder': [
    model(
      graph(
        ...inputs,
        output,
        field(5, tensor({ external: { location: 'x.onnx_data', offset: '0', length: '8' } })),
        field(5, tensor({ name: 'b', external: { location: './inside/y', offset: '0', length: '8', checksum: 'x' } })),
      ),
    ),
  ],
  config: families.map(({ config }) => json(new config().to_dict())),
  modules: [
    Buffer.from(
      files({
        'modules.json': modules,
        '1_Pooling/config.json': pooling,
        '2_Dense/config.json': dense,
        '2_Dense/model.safetensors': denseWeights,
        'config.json': { model_type: 'bert' },
        'config_sentence_transformers.json': {
          prompts: { query: 'q: ' },
          default_prompt_name: 'query',
          similarity_fn_name: 'dot',
        },
        'sentence_bert_config.json': { max_seq_length: 128, do_lower_case: true },
      }),
      'latin1',
    ),
    files({
      'modules.json': modules.slice(0, 2),
      '1_Pooling/config.json': { ...pooling, pooling_mode_max_tokens: true, include_prompt: false },
    }),
  ],
  'hub-answers': [
    files({ revision: { sha }, tree: entries }),
    files({ revision: { sha }, tree: entries.slice(0, 2), tree2: entries.slice(2), link: next }),
    files({ location: 'https://elsewhere.invalid/tree/x', revision: { sha }, tree: entries }),
  ],
  'hub-selection': [
    binaryFiles({
      'config.json': { model_type: 'bert', 'transformers.js_config': { dtype: 'q8' } },
      'model.safetensors.index.json': { weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } },
      'model-1.safetensors': '',
      'modules.json': modules,
      '1_Pooling/config.json': pooling,
      '2_Dense/config.json': dense,
      '2_Dense/model.safetensors': '',
      'tokenizer.json': '',
    }),
    binaryFiles({
      'config.json': { model_type: 'bert' },
      'onnx/model.onnx': latin1(graphs[1]!),
      'onnx/x.onnx_data': '',
    }),
  ],
  'hub-tree': [json(tree)],
  jsonl: [
    '{"text":"a b","a":{"b":["c"]},"id":1}\n{"text":"가\\ud800","a":{"b":[""]},"id":"x","a.b.0":"d"}\r\n',
    '\ufeff{"id":0.5,"a":{"b":{"0":"z"}},"text":""}',
  ],
  'partial-results': [npy(0), npy(3)],
});
