#!/usr/bin/env node
// Compares our tokenizers with the Rust library tokenizers (npm) on random and mutated texts: ids, type ids, word ids,
// offsets, decoded texts, pairs, truncation. Prints every difference, as small as it can be made. Needs the library built.
// Usage: npm run fuzz:tokenizer -- --vocabulary kcbert-base [--texts 100000] [--seed 1] [--from tokenizer.json]
//   --vocabulary   a folder, or the name of one in ../shared/vocab; default: examples/demo-model
//   --from         tokenizer.json, or vocab.txt: read by BertTokenizer, whose semantics differ in known ways
//   --failures     stop after so many (default 10)
//   --made-up <n>  instead: so many tokenizers of random parts, each in a process of its own, since some of them abort the
//                  Rust library; --seed is that of the first, --texts are for each (default 200)

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as library from '../dist/index.js';
import { fuzz } from './fuzz/tokenizer/fuzz.mjs';
import { madeUpTokenizer } from './fuzz/tokenizer/made-up.mjs';
import { escaped } from './fuzz/tokenizer/minimise.mjs';
import { openBoth } from './fuzz/tokenizer/open.mjs';
import { makeRandom } from './random.mjs';

/** Exit status where the Rust library does not read the file. */
const refused = 3;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    vocabulary: { type: 'string', default: join(root, 'examples', 'demo-model') },
    from: { type: 'string', default: 'tokenizer.json' },
    texts: { type: 'string' },
    seed: { type: 'string', default: '1' },
    failures: { type: 'string', default: '10' },
    'made-up': { type: 'string' },
  },
});

const madeUp = values['made-up'];
const defaultTexts = madeUp === undefined ? '100000' : '200';
const [count, seed, most] = [values.texts ?? defaultTexts, values.seed, values.failures].map(Number);
if (![count, seed, most].every((value) => Number.isInteger(value) && value > 0)) {
  fail('--texts, --seed and --failures are whole numbers from 1 up');
}
if (madeUp !== undefined) process.exit(fuzzMadeUp(Number(madeUp)) > 0 ? 1 : 0);
if (values.from !== 'tokenizer.json' && values.from !== 'vocab.txt') fail('--from is tokenizer.json or vocab.txt');
const folder = [values.vocabulary, join(root, '..', 'shared', 'vocab', values.vocabulary)].find(existsSync);
if (folder === undefined) fail(`no folder ${values.vocabulary}, here or in ../shared/vocab`);

const lines = ['README.md', 'ARCHITECTURE.md', 'tools/make-demo-model.mjs', 'test/fixtures/README.md']
  .map((name) => join(root, name))
  .filter(existsSync)
  .flatMap((path) => readFileSync(path, 'utf8').split('\n'))
  .filter((line) => line !== '');

const both = await openBoth(library, folder, values.from).catch((error) => {
  if (error.code !== 'GenericFailure') throw error;
  console.error(`the Rust library does not read ${folder}: ${error.message}`);
  process.exit(refused);
});
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

/** @param {number} tokenizers @returns {number} how many of them differ */
function fuzzMadeUp(tokenizers) {
  const tally = { same: 0, different: 0, refused: 0, aborted: 0 };
  for (let i = seed; i < seed + tokenizers; i++) {
    const made = join(root, 'build', 'fuzz', String(i));
    mkdirSync(made, { recursive: true });
    writeFileSync(join(made, 'tokenizer.json'), JSON.stringify(madeUpTokenizer(makeRandom(i))));
    const options = ['--vocabulary', made, '--texts', String(count), '--seed', String(i), '--failures', '1'];
    const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...options], {
      encoding: 'utf8',
    });
    const result =
      status === 0 ? 'same' : status === refused ? 'refused' : stderr.includes('.rs:') ? 'aborted' : 'different';
    tally[result]++;
    if (result === 'different') console.log(`${stdout}${stderr}`);
  }
  console.log(`${tokenizers} made-up tokenizers from seed ${seed}: ${tally.same} the same, ${tally.different} differ`);
  console.log(`The Rust library refused ${tally.refused} and aborted in ${tally.aborted}.`);
  return tally.different;
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`fuzz-tokenizer: ${message}`);
  process.exit(2);
}
