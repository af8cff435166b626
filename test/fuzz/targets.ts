import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BertNativeError, type ErrorCode } from '../../lib/errors.ts';
import { type AnyConfig, families } from '../../lib/models/families.ts';
import { readGraph } from '../../lib/onnx/reading/graph-file.ts';
import { readModules } from '../../lib/sentence-transformers/modules.ts';
import { BertTokenizer } from '../../lib/tokenizers/bert.ts';
import { conversionOptions, type FastTokenizerClass, PreTrainedTokenizerFast } from '../../lib/tokenizers/fast.ts';
import { LoadedTokenizer } from '../../lib/tokenizers/loading/load.ts';
import { type ParseTask, parseFiles } from '../../lib/tokenizers/loading/parse-job.ts';
import { compileRegex } from '../../lib/tokenizers/regex/compile.ts';
import { GPT2Tokenizer, RobertaTokenizer } from '../../lib/tokenizers/roberta.ts';
import {
  AlbertTokenizer,
  CamembertTokenizer,
  DebertaV2Tokenizer,
  KoBertTokenizer,
  XLMRobertaTokenizer,
} from '../../lib/tokenizers/sentencepiece.ts';
import type { ParsedTokenizer } from '../../lib/tokenizers/tokenizer-json/parsed.ts';
import { memorySource } from '../../lib/weights/byte-source.ts';
import { isLoadable, type WeightsFile } from '../../lib/weights/checkpoint-tensor.ts';
import { unpickle } from '../../lib/weights/pickle.ts';
import { readSafetensors } from '../../lib/weights/safetensors.ts';
import { stateDictGlobals, tensorsOfStateDict } from '../../lib/weights/state-dict.ts';
import { storedDtypeSizeBytes } from '../../lib/weights/tensor-span.ts';
import { readTorchBin } from '../../lib/weights/torch-bin.ts';
import { readStoredEntries } from '../../lib/weights/zip-archive.ts';

/** A parser of what may come from anywhere, and how to tell whether it did what it promises. */
export interface FuzzTarget {
  /** Codes that it may refuse an input with. */
  readonly codes: readonly ErrorCode[];
  /** How inputs are best changed. */
  readonly kind: 'binary' | 'text' | 'json';
  /** Words that inputs are made of. */
  readonly words?: readonly string[];
  /** Throws an Error of another kind where what was read cannot be. */
  run(bytes: Uint8Array): void | Promise<void>;
}

type TokenizerClass = FastTokenizerClass<PreTrainedTokenizerFast>;

function require(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`does not hold: ${what}`);
}

/** Every element of every tensor lies inside the file. */
function checkSpans({ file, tensors }: WeightsFile): void {
  for (const [name, tensor] of tensors) {
    if (!isLoadable(tensor)) continue;
    const size = storedDtypeSizeBytes[tensor.dtype];
    require(tensor.shape.every((length) => Number.isSafeInteger(length) && length >= 0), `${name}: its shape`);
    require(tensor.strides.length === tensor.shape.length, `${name}: a stride for each dimension`);
    require(tensor.strides.every((stride) => Number.isSafeInteger(stride) && stride >= 0), `${name}: its strides`);
    if (tensor.shape.includes(0)) continue;
    const last = tensor.shape.reduce((sum, length, axis) => sum + (length - 1) * tensor.strides[axis]!, 0);
    const end = tensor.byte_offset + (last + 1) * size;
    require(tensor.byte_offset >= 0 && Number.isSafeInteger(end) && end <= file.size_bytes, `${name}: inside the file`);
  }
}

/** The tokenizer's class takes what was parsed, and cuts and joins texts with it. */
function checkTokenizer(parsed: ParsedTokenizer, tokenizerClass: TokenizerClass): void {
  const { bytes, starts } = parsed.vocabulary;
  require(starts.every((start, i) => i === 0 || start >= starts[i - 1]!), 'the vocabulary ascends');
  require(starts.at(-1) === bytes.byteLength, 'the vocabulary ends where its bytes do');
  const tokenizer = new tokenizerClass(LoadedTokenizer.of(parsed));
  for (const text of ['a b  Ab.', '가각 \ud800 naïve\u0301 12']) tokenizer.decode(tokenizer.encode(text));
}

/** Several files in one input: each begins with a line of its own that names it. */
export const fileMark = '\n=== ';

function filesOf(bytes: Uint8Array): Map<string, Uint8Array> {
  const parts = `\n${Buffer.from(bytes).toString('latin1')}`.split(fileMark).slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      const [name, content] = end < 0 ? [part, ''] : [part.slice(0, end), part.slice(end + 1)];
      return [name, Uint8Array.from(Buffer.from(content, 'latin1'))] as const;
    }),
  );
}

async function parseTokenizer(
  task: ParseTask,
  tokenizerClass: TokenizerClass,
  ...files: readonly Uint8Array[]
): Promise<void> {
  const named = files.map((bytes, i) => ({ path: `(memory)/${i}`, bytes }));
  const options = conversionOptions(tokenizerClass.family, {});
  checkTokenizer(await parseFiles({ task, paths: named.map(({ path }) => path), options }, named), tokenizerClass);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return null; // Node's own reader refuses it: nothing of ours sees it
  }
}

const fileCodes = ['ERR_FILE_FORMAT'] as const;
const tokenizerCodes = [...fileCodes, 'ERR_UNSUPPORTED_TOKENIZER', 'ERR_CONFIG', 'ERR_OPTION'] as const;
const sentencePieceLayouts = [
  ['xlm-roberta', XLMRobertaTokenizer],
  ['camembert', CamembertTokenizer],
  ['albert', AlbertTokenizer],
  ['kobert', KoBertTokenizer],
  ['deberta-v2', DebertaV2Tokenizer],
] as const;

export const targets: Readonly<Record<string, FuzzTarget>> = {
  safetensors: {
    kind: 'binary',
    codes: fileCodes,
    words: ['"dtype"', '"F32"', '"BF16"', '"shape"', '"data_offsets"', '"__metadata__"', '[0,4]', '{', '}', '[', ']'],
    run: async (bytes) => checkSpans(await readSafetensors(memorySource(bytes))),
  },
  'safetensors-header': {
    kind: 'json',
    codes: fileCodes,
    words: ['"dtype"', '"F32"', '"shape"', '"data_offsets"', '"__metadata__"', '"__proto__"'],
    run: async (bytes) => {
      const length = new Uint8Array(8);
      new DataView(length.buffer).setBigUint64(0, BigInt(bytes.byteLength), true);
      checkSpans(await readSafetensors(memorySource(Buffer.concat([length, bytes, Buffer.alloc(64)]))));
    },
  },
  'torch-bin': {
    kind: 'binary',
    codes: [...fileCodes, 'ERR_UNSAFE_PICKLE'],
    words: ['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'data.pkl', 'data/0', 'version', 'byteorder', 'little'],
    run: async (bytes) => checkSpans(await readTorchBin(memorySource(bytes))),
  },
  pickle: {
    kind: 'binary',
    codes: [...fileCodes, 'ERR_UNSAFE_PICKLE'],
    words: [
      'ctorch._utils\n_rebuild_tensor_v2\n',
      'ccollections\nOrderedDict\n',
      'ctorch\nFloatStorage\n',
      '\x80\x02',
      '(',
      't',
      'R',
      'Q',
      '}',
      'u',
      '.',
    ],
    run: (bytes) => {
      const { value, end } = unpickle(bytes, '(memory)', stateDictGlobals);
      require(end > 0 && end <= bytes.byteLength, 'the pickle ends inside its bytes');
      tensorsOfStateDict(value, '(memory)');
    },
  },
  zip: {
    kind: 'binary',
    codes: fileCodes,
    words: ['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07', '../', '\x01\x00'],
    run: async (bytes) => {
      for (const [name, { byte_offset, size_bytes }] of await readStoredEntries(memorySource(bytes))) {
        const end = byte_offset + size_bytes;
        require(byte_offset >= 0 && size_bytes >= 0 && end <= bytes.byteLength, `${name} lies in the archive`);
      }
    },
  },
  sentencepiece: {
    kind: 'binary',
    codes: tokenizerCodes,
    words: ['<unk>', '<s>', '</s>', '▁', '<0x41>', '[CLS]', '[SEP]', '[PAD]', '[MASK]', '<pad>'],
    run: async (bytes) => {
      const [layout, itsClass] = sentencePieceLayouts[(bytes.at(-1) ?? 0) % sentencePieceLayouts.length]!;
      await parseTokenizer({ kind: 'sentencepiece', layout }, itsClass, bytes.subarray(0, -1));
    },
  },
  'tokenizer-json': {
    kind: 'json',
    codes: tokenizerCodes,
    words: [
      '"type"',
      '"Sequence"',
      '"Replace"',
      '"Regex"',
      '"String"',
      '"pattern"',
      '"vocab"',
      '"merges"',
      '"__proto__"',
    ],
    run: (bytes) => parseTokenizer({ kind: 'tokenizer.json' }, PreTrainedTokenizerFast, bytes),
  },
  'vocab-txt': {
    kind: 'text',
    codes: tokenizerCodes,
    words: ['[UNK]', '[PAD]', '[CLS]', '[SEP]', '[MASK]', '##', '\n', '\r\n', '\ufeff', '\u2028', '\0'],
    run: (bytes) => parseTokenizer({ kind: 'vocab.txt' }, BertTokenizer, bytes),
  },
  'byte-level-bpe': {
    kind: 'text',
    codes: tokenizerCodes,
    words: ['"', ':', ',', '{', '}', '#version: 0.2\n', 'Ġ', '<s>', '</s>', '<pad>', '<mask>', ' ', '\n', fileMark],
    run: async (bytes) => {
      const files = filesOf(bytes);
      const empty = new Uint8Array();
      const [layout, itsClass] =
        files.size % 2 === 0 ? (['roberta', RobertaTokenizer] as const) : (['gpt2', GPT2Tokenizer] as const);
      const [vocab, merges] = [files.get('vocab.json') ?? empty, files.get('merges.txt') ?? empty];
      await parseTokenizer({ kind: 'byte-level-bpe', layout }, itsClass, vocab, merges);
    },
  },
  regex: {
    kind: 'text',
    codes: tokenizerCodes,
    words: [
      '\\p{L}',
      '\\p{N}',
      '\\s',
      '(?!\\S)',
      '(?i:',
      '(?<=',
      '(?>',
      '[^',
      '&&',
      '{2,}',
      '{,3}',
      '*+',
      '??',
      '\\b',
      '\\G',
      '|',
      '(',
      ')',
      ']',
      '\\x{1F600}',
    ],
    run: (bytes) => {
      const { code, ranges } = compileRegex(Buffer.from(bytes).toString());
      require(code.length <= 6 * (1 << 16) + 5 && ranges.length <= 1 << 20, 'the size of the program');
      const pattern = { Regex: Buffer.from(bytes).toString() };
      const definition = {
        pre_tokenizer: { type: 'Split', pattern, behavior: 'Isolated', invert: false },
        model: { type: 'WordLevel', vocab: { '[UNK]': 0, a: 1 }, unk_token: '[UNK]' },
      };
      new PreTrainedTokenizerFast(definition)('ab  Ab12 12,가각\u0301\n\n aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!');
    },
  },
  onnx: {
    kind: 'binary',
    codes: [...fileCodes, 'ERR_UNSUPPORTED_MODEL'],
    words: ['input_ids', 'attention_mask', 'last_hidden_state', 'location', '../x', 'MatMul', 'If'],
    run: async (bytes) => {
      const summary = await readGraph(memorySource(bytes));
      for (const value of [...summary.inputs, ...summary.outputs]) {
        require(typeof value.name === 'string', 'inputs and outputs have names');
      }
    },
  },
  config: {
    kind: 'json',
    codes: ['ERR_CONFIG', 'ERR_UNSUPPORTED_MODEL'],
    words: ['"hidden_size"', '"model_type"', '"bert"', '"layer_types"', '"rope_scaling"', '"id2label"', '"__proto__"'],
    run: (bytes) => {
      const values = jsonOf(bytes);
      if (typeof values !== 'object' || values === null || Array.isArray(values)) return;
      const given = { ...values } as Record<string, unknown>;
      for (const { config } of families) {
        if (config.model_type !== given['model_type']) continue;
        const made: AnyConfig = new config(given);
        require(JSON.stringify(made.to_dict()).length > 2, 'a configuration can be written');
      }
    },
  },
  modules: {
    kind: 'text',
    codes: [
      ...fileCodes,
      'ERR_UNSUPPORTED_MODEL',
      'ERR_CONFIG',
      'ERR_NOT_FOUND',
      'ERR_WEIGHT_MISSING',
      'ERR_WEIGHT_SHAPE',
      'ERR_UNSAFE_PICKLE',
      'ERR_DTYPE',
      'ERR_IO',
    ],
    words: [
      '"path"',
      '"type"',
      '"idx"',
      'sentence_transformers.models.Pooling',
      '../',
      '"word_embedding_dimension"',
      fileMark,
    ],
    run: async (bytes) => {
      const folder = mkdtempSync(join(tmpdir(), 'bert-native-fuzz-'));
      try {
        for (const [name, content] of filesOf(bytes)) {
          // Only the reader decides what a path in a file leads to: here, files lie where a download puts them.
          if (!/^[\w.-]{1,80}(\/[\w.-]{1,80})?$/.test(name) || /(^|\/)\.\.?(\/|$)/.test(name)) continue;
          mkdirSync(dirname(join(folder, name)), { recursive: true });
          writeFileSync(join(folder, name), content);
        }
        await readModules(folder);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  },
};

/** Runs a target on an input. @throws what is no refusal that it may give */
export async function check(target: FuzzTarget, bytes: Uint8Array): Promise<'accepted' | ErrorCode> {
  try {
    await target.run(bytes);
    return 'accepted';
  } catch (error) {
    if (error instanceof BertNativeError && target.codes.includes(error.code)) return error.code;
    throw error;
  }
}
