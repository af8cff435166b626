#!/usr/bin/env node
// Compares our tokenizers with the Rust library tokenizers (npm) on random and mutated texts: ids, type ids, word ids,
// offsets, decoded texts, pairs, truncation. Prints every difference, as small as it can be made. Needs the library built.
// Usage: npm run fuzz:tokenizer -- --vocabulary kcbert-base [--texts 100000] [--seed 1] [--from tokenizer.json]
//   --vocabulary   a folder, or the name of one in ../shared/vocab; default: examples/demo-model
//   --from         tokenizer.json, or vocab.txt: read by BertTokenizer, whose semantics differ in known ways
//   --failures     stop after so many (default 10)

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as library from '../dist/index.js';
import { fuzz } from './fuzz/fuzz.mjs';
import { escaped } from './fuzz/minimise.mjs';
import { openBoth } from './fuzz/open.mjs';
import { makeRandom } from './random.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    vocabulary: { type: 'string', default: join(root, 'examples', 'demo-model') },
    from: { type: 'string', default: 'tokenizer.json' },
    texts: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    failures: { type: 'string', default: '10' },
  },
});

const [count, seed, most] = [values.texts, values.seed, values.failures].map(Number);
if (![count, seed, most].every((value) => Number.isInteger(value) && value > 0)) {
  fail('--texts, --seed and --failures are whole numbers from 1 up');
}
if (values.from !== 'tokenizer.json' && values.from !== 'vocab.txt') fail('--from is tokenizer.json or vocab.txt');
const folder = [values.vocabulary, join(root, '..', 'shared', 'vocab', values.vocabulary)].find(existsSync);
if (folder === undefined) fail(`no folder ${values.vocabulary}, here or in ../shared/vocab`);

const lines = ['README.md', 'ARCHITECTURE.md', 'tools/make-demo-model.mjs', 'test/fixtures/README.md']
  .map((name) => join(root, name))
  .filter(existsSync)
  .flatMap((path) => readFileSync(path, 'utf8').split('\n'))
  .filter((line) => line !== '');

const both = await openBoth(library, folder, values.from);
let compared = 0;
let failures = 0;
const start = performance.now();
for await (const found of fuzz(both, { random: makeRandom(seed), lines, count })) {
  compared = found.compared;
  if (found.failure === null) {
    if (process.stderr.isTTY) process.stderr.write(`\r${compared} of ${count} texts `);
    continue;
  }
  failures++;
  const { sample, setting, part, own, reference } = found.failure;
  console.log(
    `DIFFERENT ${part}: text ${escaped(sample.text)}${sample.pair === null ? '' : `, pair ${escaped(sample.pair)}`}`,
  );
  console.log(`  ${JSON.stringify(setting)}`);
  console.log(`  ours ${JSON.stringify(own)}\n  Rust ${JSON.stringify(reference)}`);
  if (failures >= most) break;
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
const seconds = ((performance.now() - start) / 1000).toFixed(0);
console.log(`${folder}, ${values.from}, seed ${seed}: ${compared} texts in ${seconds} s, ${failures} differ`);
process.exit(failures > 0 ? 1 : 0);

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`fuzz-tokenizer: ${message}`);
  process.exit(2);
}
