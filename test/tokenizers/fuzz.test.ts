import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import rust from 'tokenizers';
import { describe, expect, test } from 'vitest';
import * as library from '../../lib/index.ts';
import { difference, ownRows, referenceRows } from '../../tools/fuzz/tokenizer/compare.mjs';
import { bertTokenizerJson, specialTokens } from '../../tools/fuzz/tokenizer/every-code-point.mjs';
import { fuzz } from '../../tools/fuzz/tokenizer/fuzz.mjs';
import { madeUpTokenizer } from '../../tools/fuzz/tokenizer/made-up.mjs';
import { escaped, minimise } from '../../tools/fuzz/tokenizer/minimise.mjs';
import { openBoth } from '../../tools/fuzz/tokenizer/open.mjs';
import { textSource } from '../../tools/fuzz/tokenizer/random-texts.mjs';
import { makeRandom } from '../../tools/random.mjs';
import { demoModelFolder, hasShared, vocabularyFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const lines = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '');

/** What `npm run fuzz:tokenizer` would print. */
async function failures(both: Awaited<ReturnType<typeof openBoth>>, count: number, seed: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { failure } of fuzz(both, { random: makeRandom(seed), lines, count })) {
    if (failure === null) continue;
    const { sample, setting, part, own, reference } = failure;
    const texts = [sample.text, sample.pair].map((text) => (text === null ? 'null' : escaped(text)));
    found.push(`${part}: ${texts} ${JSON.stringify({ setting, own, reference })}`);
    if (found.length === 3) break;
  }
  return found;
}

const beside = hasShared(vocabularyFolder)
  ? readdirSync(vocabularyFolder).map((name) => join(vocabularyFolder, name))
  : [];
const jsonFolders = [demoModelFolder, ...beside.filter((folder) => existsSync(join(folder, 'tokenizer.json')))];
/** Of tokenizers that the Rust library reads, and does not abort the process in. */
const seeds = Array.from({ length: 27 }, (_, i) => i + 1);
const bertFolders = [demoModelFolder, ...beside].filter((folder) => existsSync(join(folder, 'vocab.txt')));

describe('random texts: the same as the Rust library, but for what is known', () => {
  test.each(bertFolders)('%s, read from vocab.txt', async (folder) => {
    expect(await failures(await openBoth(library, folder, 'vocab.txt'), 600, 7)).toEqual([]);
  });

  test.each(jsonFolders)('%s, read from tokenizer.json', async (folder) => {
    expect(await failures(await openBoth(library, folder, 'tokenizer.json'), 600, 8)).toEqual([]);
  });

  test('tokenizers of random parts', async () => {
    const models = new Set<string>();
    for (const seed of seeds) {
      const folder = temporaryFolder();
      const made = madeUpTokenizer(makeRandom(seed));
      models.add(made.model.type);
      writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(made));
      const found = await failures(await openBoth(library, folder, 'tokenizer.json'), 60, seed);
      expect(found, `--made-up 1 --seed ${seed} --texts 60`).toEqual([]);
    }
    expect([...models].sort()).toEqual(['BPE', 'Unigram', 'WordLevel', 'WordPiece']);
  });
});

describe('a small vocabulary of letters', () => {
  const letters = [..."abcdefghijklmnopqrstuvwxyz.,'-[]가각한각中e\u0301"];
  const tokens = [...specialTokens, ...new Set(letters.flatMap((letter) => [letter, `##${letter}`])), 'the', '##ing'];
  const options = { do_lower_case: false, strip_accents: false, tokenize_chinese_chars: true };
  const normalizer = { clean_text: true, handle_chinese_chars: true, strip_accents: false, lowercase: false };

  const both = (own: library.BertTokenizer) => ({
    own,
    reference: rust.Tokenizer.fromString(bertTokenizerJson(tokens, normalizer)),
    from: 'vocab.txt' as const,
    special_tokens: [...specialTokens],
    normalized_ids: [],
    unigram_unknown_id: null,
    special_count: 3,
  });

  test('the same ids, offsets and words', async () => {
    expect(await failures(both(new library.BertTokenizer({ vocab: tokens }, options)), 600, 3)).toEqual([]);
  });

  test('a tokenizer with another setting is found out, by a short text', async () => {
    const other = new library.BertTokenizer({ vocab: tokens }, { ...options, tokenize_chinese_chars: false });
    const found = await failures(both(other), 600, 3);
    expect(found).toHaveLength(3);
    expect(found[0]).toMatch(/^ids: "[^"]{1,30}",/);
  });
});

describe('the parts of the fuzzer', () => {
  test('texts are the same for the same seed, and hardly ever twice the same', () => {
    const make = (seed: number) => {
      const next = textSource(makeRandom(seed), { lines, special_tokens: ['[MASK]'] });
      return Array.from({ length: 300 }, next);
    };
    expect(make(5)).toEqual(make(5));
    expect(new Set(make(5)).size).toBeGreaterThan(280);
    const all = make(5).join('');
    for (const kind of [
      /[\u1100-\u11ff]/u,
      /\p{Mn}/u,
      /\p{Surrogate}/u,
      /\[MASK\]/,
      /\u200d/u,
      /\p{Cc}/u,
      /[\u{20000}-\u{3ffff}]/u,
    ]) {
      expect(all).toMatch(kind);
    }
  });

  test('minimise leaves only what a failure needs', async () => {
    const needsBoth = async (text: string) => text.includes('x') && text.includes('😀');
    expect(await minimise(`${'abc '.repeat(50)}x${'def '.repeat(50)}😀${'ghi '.repeat(9)}`, needsBoth)).toBe('x😀');
  });

  test('rows of the two libraries can be compared in UTF-16 units', async () => {
    const folder = demoModelFolder;
    const { own, reference } = await openBoth(library, folder, 'vocab.txt');
    const setting = { add_special_tokens: true, truncation: null };
    const samples = [{ text: '😀 안녕', pair: '😀a' }];
    const [ours] = ownRows(own, samples, setting);
    const [theirs] = await referenceRows(reference, samples, setting);
    expect(difference(ours!, theirs!)).toBeNull();
    expect(theirs).toMatchObject({ offsets: [0, 0, 0, 2, 3, 5, 0, 0, 0, 3, 0, 0] });
    expect(difference(ours!, { ...theirs!, word_ids: [] } as typeof theirs & object)).toBe('word_ids');
  });
});
