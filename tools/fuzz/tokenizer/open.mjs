// One tokenizer.json, opened by our library and by the Rust library tokenizers.

import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import rust from 'tokenizers';

/**
 * @typedef {object} Both
 * @property {any} own
 * @property {any} reference
 * @property {'tokenizer.json' | 'vocab.txt'} from what ours is read from
 * @property {string[]} special_tokens what is found in raw text
 * @property {number[]} normalized_ids added tokens that are found in the normalised text
 * @property {number | null} unigram_unknown_id of a Unigram model's unknown piece
 * @property {number} special_count tokens that are put around a pair
 */

/**
 * @param {{ AutoTokenizer: any, BertTokenizer: any }} library ours
 * @param {string} folder
 * @param {'tokenizer.json' | 'vocab.txt'} from
 * @returns {Promise<Both>}
 */
export async function openBoth({ AutoTokenizer, BertTokenizer }, folder, from) {
  // The file alone, so that no other one beside it has a say.
  const alone = await mkdtemp(join(tmpdir(), 'bert-native-fuzz-'));
  try {
    const path = join(alone, 'tokenizer.json');
    if (existsSync(join(folder, 'tokenizer.json'))) await copyFile(join(folder, 'tokenizer.json'), path);
    else await writeOwn(await BertTokenizer.from_pretrained(folder), alone);
    const reference = rust.Tokenizer.fromFile(path);
    const own = await (from === 'vocab.txt'
      ? BertTokenizer.from_pretrained(folder)
      : AutoTokenizer.from_pretrained(alone));
    const { added_tokens, model } = JSON.parse(await readFile(path, 'utf8'));
    return {
      own,
      reference,
      from,
      special_tokens: added_tokens.map(({ content }) => content),
      normalized_ids: added_tokens.filter(({ normalized }) => normalized).map(({ id }) => id),
      unigram_unknown_id: model.type === 'Unigram' ? (model.unk_id ?? null) : null,
      special_count: own.num_special_tokens_to_add(true),
    };
  } finally {
    await rm(alone, { recursive: true, force: true });
  }
}

/** The tokenizer.json that we write, where a folder has only a vocab.txt. */
async function writeOwn(tokenizer, folder) {
  for (const path of await tokenizer.save_pretrained(folder)) {
    if (basename(path) !== 'tokenizer.json') await rm(path);
  }
}
