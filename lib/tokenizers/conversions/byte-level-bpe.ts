import { isUtf8 } from 'node:buffer';
import type { NativeModelOptions } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import { countOf, flatten } from '../flat-strings.ts';
import { JsonPart } from '../tokenizer-json/json-part.ts';
import { checkMerge, maxTokens, parseIds } from '../tokenizer-json/models.ts';
import { parseTokenizersJson } from '../tokenizer-json/parse-json.ts';
import type { ParsedTokenizer } from '../tokenizer-json/parsed.ts';
import { addedTokensOf, type ConversionOptions, type JsonAddedToken, templateProcessing } from './conversion.ts';
import type { FileBytes } from './file-bytes.ts';

/** What is put around the texts. */
export type ByteLevelLayout = 'roberta' | 'gpt2';

/**
 * Byte-level BPE (Radford et al. 2019) from `vocab.json` and `merges.txt`.
 *
 * @throws BertNativeError `ERR_FILE_FORMAT`
 */
export function convertByteLevelBpe(
  vocab: FileBytes,
  merges: FileBytes,
  layout: ByteLevelLayout,
  options: ConversionOptions,
): ParsedTokenizer {
  const part = new JsonPart(parseTokenizersJson(vocab.bytes, vocab.path), vocab.path);
  const { ids, vocabulary, holes } = parseIds(part, new Set(Object.values(options.added_ids)));
  const model: NativeModelOptions = {
    type: 'BPE',
    merges: flatten(readMerges(merges, ids)),
    unk_id: null,
    continuing_subword_prefix: '',
    end_of_word_suffix: '',
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
  };
  const { bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token } = options.special_tokens;
  const special = [bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token];
  const added_tokens = addedTokensOf(
    ids,
    countOf(vocabulary),
    special.filter((token) => token !== undefined),
    options.added_ids,
  );
  const byteLevel = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true };
  const definition = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens,
    normalizer: null,
    pre_tokenizer: { ...byteLevel, add_prefix_space: options.add_prefix_space ?? false },
    post_processor: postProcessor(layout, added_tokens, options),
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
    },
  };
  const files = { 'vocab.json': vocab.bytes, 'merges.txt': merges.bytes };
  return { source: 'byte-level-bpe', path: vocab.path, vocabulary, model, size: ids.size, holes, definition, files };
}

function lineFeeds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count++;
  return count;
}

/** One merge per line, the pieces with a space between them; a first line may say the version. */
function readMerges({ path, bytes }: FileBytes, ids: ReadonlyMap<string, number>): string[] {
  if (!isUtf8(bytes)) throw new BertNativeError('ERR_FILE_FORMAT', `${path} is not UTF-8`);
  const pieces: string[] = [];
  if (lineFeeds(bytes) >= maxTokens) {
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${path} has more than ${maxTokens} lines: expected one merge per line`,
    );
  }
  const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
  lines.forEach((line, i) => {
    if (line === '' || line.startsWith('#version')) return;
    const pair = line.split(' ');
    if (pair.length !== 2) {
      const found = JSON.stringify(line.slice(0, 80));
      throw new BertNativeError('ERR_FILE_FORMAT', `${path}: line ${i + 1} is ${found}: expected two pieces`);
    }
    const [left, right] = pair as [string, string];
    checkMerge([left, right], ids, '', () => `${path}: line ${i + 1}`);
    pieces.push(left, right);
  });
  return pieces;
}

function postProcessor(
  layout: ByteLevelLayout,
  added_tokens: readonly JsonAddedToken[],
  { special_tokens, add_prefix_space = false, trim_offsets = true, add_bos_token = false }: ConversionOptions,
): object {
  const find = (name: 'bos_token' | 'cls_token' | 'sep_token'): JsonAddedToken => {
    const token = added_tokens.find(({ content }) => content === special_tokens[name]?.content);
    if (token === undefined) throw new BertNativeError('ERR_CONFIG', `the tokenizer has no ${name}`);
    return token;
  };
  if (layout === 'gpt2') {
    if (!add_bos_token) return { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true };
    const bos = find('bos_token');
    return templateProcessing(
      [
        [bos, 0],
        ['A', 0],
      ],
      [
        [bos, 0],
        ['A', 0],
        ['B', 1],
      ],
    );
  }
  const [sep, cls] = [find('sep_token'), find('cls_token')];
  return {
    type: 'RobertaProcessing',
    sep: [sep.content, sep.id],
    cls: [cls.content, cls.id],
    trim_offsets,
    add_prefix_space,
  };
}
