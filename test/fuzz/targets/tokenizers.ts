import { BertNativeError } from '../../../lib/errors.ts';
import { AutoTokenizer } from '../../../lib/tokenizers/auto.ts';
import { BertTokenizer } from '../../../lib/tokenizers/bert.ts';
import { conversionOptions, type FastTokenizerClass, PreTrainedTokenizerFast } from '../../../lib/tokenizers/fast.ts';
import { LoadedTokenizer } from '../../../lib/tokenizers/loading/load.ts';
import { type ParseTask, parseFiles } from '../../../lib/tokenizers/loading/parse-job.ts';
import { compileRegex } from '../../../lib/tokenizers/regex/compile.ts';
import { GPT2Tokenizer, RobertaTokenizer } from '../../../lib/tokenizers/roberta.ts';
import {
  AlbertTokenizer,
  CamembertTokenizer,
  DebertaV2Tokenizer,
  KoBertTokenizer,
  XLMRobertaTokenizer,
} from '../../../lib/tokenizers/sentencepiece.ts';
import type { ParsedTokenizer } from '../../../lib/tokenizers/tokenizer-json/parsed.ts';
import { sentencePieceFile } from '../../tokenizers/sentencepiece-file.ts';
import { type FuzzTarget, fileCodes, fileMark, filesOf, require, withFolder } from './target.ts';

type TokenizerClass = FastTokenizerClass<PreTrainedTokenizerFast>;

/** Runs. A normalizer may make more of a text than its limit allows; no other lack of memory is a refusal. */
async function unlessTextsGrow(run: () => void | Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const isMemory = error instanceof BertNativeError && error.code === 'ERR_MEMORY';
    if (!(isMemory && error.message.includes('the normalizer makes more than'))) throw error;
  }
}

/** The tokenizer's class takes what was parsed, and cuts and joins texts with it. */
function checkTokenizer(parsed: ParsedTokenizer, tokenizerClass: TokenizerClass): void {
  const { bytes, starts } = parsed.vocabulary;
  require(starts.every((start, i) => i === 0 || start >= starts[i - 1]!), 'the vocabulary ascends');
  require(starts.at(-1) === bytes.byteLength, 'the vocabulary ends where its bytes do');
  checkTexts(new tokenizerClass(LoadedTokenizer.of(parsed)));
}

function checkTexts(tokenizer: PreTrainedTokenizerFast): void {
  for (const text of ['a b  Ab.', '가각 \ud800 naïve\u0301 12']) tokenizer.decode(tokenizer.encode(text));
}

async function parseTokenizer(
  task: ParseTask,
  tokenizerClass: TokenizerClass,
  ...files: readonly Uint8Array[]
): Promise<void> {
  const named = files.map((bytes, i) => ({ path: `(memory)/${i}`, bytes }));
  const options = conversionOptions(tokenizerClass.family, {});
  const parsed = await parseFiles({ task, paths: named.map(({ path }) => path), options }, named);
  await unlessTextsGrow(() => checkTokenizer(parsed, tokenizerClass));
}

const tokenizerCodes = [...fileCodes, 'ERR_UNSUPPORTED_TOKENIZER', 'ERR_CONFIG', 'ERR_OPTION'] as const;
const sentencePieceLayouts = [
  ['xlm-roberta', XLMRobertaTokenizer],
  ['camembert', CamembertTokenizer],
  ['albert', AlbertTokenizer],
  ['kobert', KoBertTokenizer],
  ['deberta-v2', DebertaV2Tokenizer],
] as const;

/** For what stands beside such a model. */
const smallSentencePiece = sentencePieceFile({
  pieces: ['<unk>', '<s>', '</s>', '▁', 'a', '▁a', '[MASK]'].map((piece, i) => ({
    piece,
    score: -i,
    type: i < 1 ? 2 : 1,
  })),
});

export const tokenizerTargets: Readonly<Record<string, FuzzTarget>> = {
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
    kind: 'files',
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
  /** The `vocab.txt` that gives the ids of a SentencePiece model in another order. */
  'sentencepiece-vocab': {
    kind: 'text',
    codes: tokenizerCodes,
    words: ['[UNK]', '[PAD]', '[CLS]', '[SEP]', '[MASK]', '▁', '<unk>', '\n', '\r\n', '\ufeff', '\u2028', '\0'],
    run: (bytes) =>
      parseTokenizer({ kind: 'sentencepiece', layout: 'kobert' }, KoBertTokenizer, smallSentencePiece, bytes),
  },
  /** A folder: which tokenizer it is, its settings, special and added tokens. */
  'tokenizer-folder': {
    kind: 'files',
    codes: [...tokenizerCodes, 'ERR_NOT_FOUND', 'ERR_IO'],
    words: [
      ...['"tokenizer_class"', '"model_type"', '"BertTokenizer"', '"AlbertTokenizer"', '"added_tokens_decoder"'],
      ...['"special_tokens_map.json"', '"content"', '"lstrip"', '"model_max_length"', '"[MASK]"', '"__proto__"'],
      ...['"additional_special_tokens"', '"extra_special_tokens"', '"never_split"', fileMark],
    ],
    run: (bytes) =>
      withFolder(filesOf(bytes), (folder) =>
        unlessTextsGrow(async () => {
          checkTexts(await AutoTokenizer.from_pretrained(folder, { local_files_only: true }));
        }),
      ),
  },
};
