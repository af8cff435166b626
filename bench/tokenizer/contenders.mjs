/** Who is measured, and how each is called: as its users would, with nothing taken from the others. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @import { LoadedTokenizer, Packed, TokenizerJob } from './types.ts' */

/** @typedef {{ name: string, label: string, parallel: boolean, environment?: (threads: number) => NodeJS.ProcessEnv }} TokenizerContender */

/** In the order of the tables. `parallel`: it can use several threads. @type {readonly TokenizerContender[]} */
export const contenders = [
  { name: 'bert-native', label: 'bert-native', parallel: true },
  {
    name: 'tokenizers',
    label: 'tokenizers (Rust)',
    parallel: true,
    environment: (threads) => ({ RAYON_NUM_THREADS: String(threads), TOKENIZERS_PARALLELISM: String(threads > 1) }),
  },
  { name: '@huggingface/tokenizers', label: '@huggingface/tokenizers', parallel: false },
  { name: 'transformers.js', label: 'transformers.js', parallel: false },
];

/** @type {Record<string, (job: TokenizerJob) => Promise<LoadedTokenizer>>} */
const loaders = {
  async 'bert-native'({ folder, threads }) {
    const { AutoTokenizer, env } = await import('bert-native');
    env.numThreads = threads;
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    return {
      packed: (texts) => tokenizer.encode_packed(texts, { verbose: false }),
      plain: (texts) => tokenizer(texts, { return_tensor: false, verbose: false }),
      tensors: (texts) => tokenizer(texts, { padding: true, truncation: true }),
    };
  },

  async tokenizers({ folder }) {
    const { default: rust } = await import('tokenizers');
    const tokenizer = rust.Tokenizer.fromFile(join(folder, 'tokenizer.json'));
    const encode = (/** @type {readonly string[]} */ texts) => tokenizer.encodeBatch([...texts]);
    return {
      packed: async (texts) => pack((await encode(texts)).map((encoding) => encoding.getIds())),
      plain: encode,
      tensors: null,
    };
  },

  async '@huggingface/tokenizers'({ folder }) {
    const { Tokenizer } = await import('@huggingface/tokenizers');
    const [tokenizerJson, config] = ['tokenizer.json', 'tokenizer_config.json'].map((name) =>
      JSON.parse(readFileSync(join(folder, name), 'utf8')),
    );
    const tokenizer = new Tokenizer(tokenizerJson, config);
    return {
      packed: (texts) => pack(texts.map((text) => tokenizer.encode(text).ids)),
      plain: (texts) => texts.map((text) => tokenizer.encode(text)),
      tensors: null,
    };
  },

  async 'transformers.js'({ folder }) {
    const { AutoTokenizer, env } = await import('@huggingface/transformers');
    env.allowRemoteModels = false;
    const tokenizer = await AutoTokenizer.from_pretrained(folder, { local_files_only: true });
    // It takes the token from tokenizer_config.json alone, where these folders do not name it.
    const pad_token = ['[PAD]', '<pad>'].find((token) => tokenizer.get_vocab().has(token));
    if (tokenizer.pad_token_id === undefined && pad_token !== undefined) {
      Object.assign(tokenizer, { pad_token, pad_token_id: tokenizer.get_vocab().get(pad_token) });
    }
    return {
      packed: (texts) => pack(/** @type {number[][]} */ (tokenizer([...texts], { return_tensor: false }).input_ids)),
      plain: (texts) => tokenizer([...texts], { return_tensor: false }),
      tensors: (texts) => tokenizer([...texts], { padding: true, truncation: true }),
    };
  },
};

/** @param {TokenizerJob} job */
export function load(job) {
  return loaders[job.contender](job);
}

/** @param {readonly ArrayLike<number>[]} rows @returns {Packed} */
function pack(rows) {
  const row_starts = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    row_starts[i + 1] = row_starts[i] + row.length;
  });
  const ids = new Int32Array(row_starts[rows.length]);
  rows.forEach((row, i) => {
    ids.set(row, row_starts[i]);
  });
  return { ids, row_starts };
}
