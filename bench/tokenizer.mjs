#!/usr/bin/env node
/**
 * Measures tokenizers beside each other: bert-native, tokenizers (the Rust library), @huggingface/tokenizers and
 * transformers.js, each in a fresh process, over the same distinct texts. Their ids are compared first.
 * Prints Markdown tables and writes them, and the figures, beside the other results.
 *
 * Usage: npm run bench:tokenizer [-- options]
 *   --vocabularies <a,b>   folders, or names in ../shared/vocab; default: all of those
 *   --texts <en,ko,mixed>  --megabytes <n, 8>  --rounds <n, 3>  --threads <1,n>  --contenders <a,b>
 *   --only <speed,memory,hostile>  --out <file.json>
 */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, describeVersions, processorName } from './machine.mjs';
import { PassageMaker } from './text/passages.mjs';
import { contenders as allContenders } from './tokenizer/contenders.mjs';
import { hostileTexts } from './tokenizer/hostile-texts.mjs';
import { ask, NotRead } from './tokenizer/process.mjs';
import { renderTokenizers } from './tokenizer/render.mjs';

/** @import { PassageLanguage } from './text/passages.mjs' */
/** @import { TokenizerContender } from './tokenizer/contenders.mjs' */
/** @import { HostileResult, MemoryResult, Packed, SpeedCase, TokenizerResult } from './tokenizer/types.ts' */

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, 'build', 'bench', 'tokenizer');
const machine = describeMachine();

const { values } = parseArgs({
  options: {
    vocabularies: { type: 'string' },
    texts: { type: 'string', default: 'en,ko,mixed' },
    megabytes: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: machine.cores > 1 ? `1,${machine.cores}` : '1' },
    contenders: { type: 'string', default: allContenders.map(({ name }) => name).join(',') },
    only: { type: 'string', default: 'speed,memory,hostile' },
    out: { type: 'string' },
  },
});

const only = list(values.only, '--only', ['speed', 'memory', 'hostile']);
const languages = /** @type {PassageLanguage[]} */ (list(values.texts, '--texts', ['en', 'ko', 'mixed']));
const names = list(
  values.contenders,
  '--contenders',
  allContenders.map(({ name }) => name),
);
const contenders = allContenders.filter(({ name }) => names.includes(name));
const rounds = whole(values.rounds, '--rounds');
const bytes = whole(values.megabytes, '--megabytes') * 1e6;
const threadCounts = values.threads.split(',').map((count) => whole(count, '--threads'));

/** Per way and process; a contender that is fast is done with the texts before. */
const limit_ms = 1000;
/** A contender that needs longer for one request is given up. */
const giveUp_ms = 60_000;
const hostileSizes = [250_000, 1_000_000];
const hostileLimit_ms = 30_000;

if (machine.load_average > 0.5) {
  console.error(`WARNING: the load average is ${machine.load_average.toFixed(1)}: other work disturbs the measurement`);
}
mkdirSync(cache, { recursive: true });

/** @type {Map<string, { file: string, count: number, bytes: number }>} */
const textFiles = new Map();
/** @type {SpeedCase[]} */
const speed = [];
/** @type {MemoryResult[]} */
const memory = [];
/** @type {HostileResult[]} */
const hostile = [];
/** Vocabularies that bert-native does not read. @type {string[]} */
const notRead = [];
let failed = false;

for (const folder of await vocabularyFolders()) {
  const vocabulary = basename(folder);
  if (!(await isRead(folder))) {
    notRead.push(vocabulary);
    continue;
  }
  if (only.includes('speed')) for (const language of languages) speed.push(await measureSpeed(folder, language));
  if (only.includes('memory')) {
    for (const contender of contenders) memory.push(await measureMemory(folder, contender));
  }
  if (only.includes('hostile')) {
    for (const text of hostileTexts) {
      for (const contender of contenders) hostile.push(await measureHostile(folder, text, contender));
    }
  }
}
progress('');
report();
process.exit(failed ? 1 : 0);

// ---------- what is measured ----------

/** @param {string} folder @param {PassageLanguage} language @returns {Promise<SpeedCase>} */
async function measureSpeed(folder, language) {
  const texts = textsFile(language, bytes);
  const vocabulary = basename(folder);
  const entries = contenders.flatMap((contender) =>
    (contender.parallel ? threadCounts : [1]).map((threads) => ({
      contender,
      threads,
      result: /** @type {TokenizerResult} */ ({
        contender: contender.name,
        threads,
        different: null,
        rounds: [],
        failure: null,
      }),
    })),
  );
  await compareIds(folder, language, entries);
  for (let round = 0; round < rounds; round++) {
    for (const { contender, threads, result } of round % 2 === 0 ? entries : [...entries].reverse()) {
      if (result.failure !== null) continue;
      progress(`${vocabulary} ${language}: round ${round + 1}, ${contender.name}, threads ${threads}`);
      const request = { name: 'speed', file: texts.file, limit_ms };
      await ask(contender, { folder, threads, limit_ms: giveUp_ms }, request).then(
        (answer) => result.rounds.push(answer),
        (error) => {
          result.failure = error.message;
        },
      );
    }
  }
  const results = entries.map(({ result }) => result);
  return { vocabulary, language, texts: texts.count, bytes: texts.bytes, results };
}

/**
 * Everybody's ids beside those of the Rust library. Ours must be the same.
 *
 * @param {string} folder
 * @param {PassageLanguage} language
 * @param {readonly { contender: TokenizerContender, threads: number, result: TokenizerResult }[]} entries
 */
async function compareIds(folder, language, entries) {
  const { file } = textsFile(language, Math.min(bytes, 2e6));
  const request = { name: 'ids', file };
  const options = { folder, limit_ms: giveUp_ms };
  const rust = allContenders.find(({ name }) => name === 'tokenizers');
  progress(`${basename(folder)} ${language}: ids`);
  /** @type {Packed} */
  const expected = await ask(/** @type {TokenizerContender} */ (rust), { ...options, threads: machine.cores }, request);
  for (const { contender, threads, result } of entries) {
    try {
      result.different = differentRows(await ask(contender, { ...options, threads }, request), expected);
    } catch (error) {
      result.failure = /** @type {Error} */ (error).message;
    }
    if (contender.name !== 'bert-native' || (result.different === 0 && result.failure === null)) continue;
    console.error(
      `FAILED: ${basename(folder)} ${language}: ${result.failure ?? `${result.different} texts have other ids`}`,
    );
    failed = true;
  }
}

/** @param {Packed} a @param {Packed} b */
function differentRows(a, b) {
  let different = 0;
  for (let row = 0; row + 1 < b.row_starts.length; row++) {
    const of = (/** @type {Packed} */ { ids, row_starts }) =>
      Buffer.from(ids.buffer, ids.byteOffset + 4 * row_starts[row], 4 * (row_starts[row + 1] - row_starts[row]));
    if (!of(a).equals(of(b))) different++;
  }
  return different;
}

/** @param {string} folder @param {TokenizerContender} contender @returns {Promise<MemoryResult>} */
async function measureMemory(folder, contender) {
  const vocabulary = basename(folder);
  progress(`${vocabulary}: memory, ${contender.name}`);
  const { file } = textsFile('mixed', 10e6);
  const options = { folder, threads: machine.cores, limit_ms: 2 * giveUp_ms };
  try {
    const { peak_mb } = await ask(contender, options, { name: 'memory', file });
    return { vocabulary, contender: contender.name, peak_mb, failure: null };
  } catch (error) {
    return { vocabulary, contender: contender.name, peak_mb: null, failure: /** @type {Error} */ (error).message };
  }
}

/** @param {string} folder @param {string} text @param {TokenizerContender} contender @returns {Promise<HostileResult>} */
async function measureHostile(folder, text, contender) {
  const vocabulary = basename(folder);
  progress(`${vocabulary}: ${text}, ${contender.name}`);
  /** @type {(number | null)[]} */
  const seconds = [];
  for (const size of hostileSizes) {
    const options = { folder, threads: 1, limit_ms: hostileLimit_ms };
    // Who cannot do the small one need not try the large one.
    const answer = seconds.includes(null)
      ? null
      : await ask(contender, options, { name: 'hostile', text, bytes: size }).catch(() => null);
    seconds.push(answer);
  }
  return { vocabulary, text, contender: contender.name, seconds };
}

/** Whether our AutoTokenizer reads the folder. @param {string} folder */
async function isRead(folder) {
  const { file } = textsFile('en', 1000);
  const own = allContenders[0];
  try {
    await ask(own, { folder, threads: 1, limit_ms: giveUp_ms }, { name: 'ids', file });
    return true;
  } catch (error) {
    if (error instanceof NotRead) {
      console.error(`NOT READ by bert-native, so not measured: ${folder}: ${error.message}`);
      return false;
    }
    throw error;
  }
}

// ---------- what it is measured with ----------

/** @returns {Promise<string[]>} */
async function vocabularyFolders() {
  const shared = join(root, '..', 'shared', 'vocab');
  const given = values.vocabularies?.split(',');
  if (given === undefined && !existsSync(shared)) {
    console.error(`WARNING: ${shared} is not there: only the demo model's small vocabulary is measured`);
    return [await demoFolder()];
  }
  const wanted = given ?? readdirSync(shared).filter((name) => existsSync(join(shared, name, 'tokenizer.json')));
  return wanted.map((name) => {
    const folder = [name, join(shared, name)].find((path) => existsSync(join(path, 'tokenizer.json')));
    if (folder === undefined) fail(`no tokenizer.json in ${name}, here or in ${shared}`);
    return folder;
  });
}

/** The demo model's tokenizer with a tokenizer.json, which the others need. */
async function demoFolder() {
  const { BertTokenizer } = await import('bert-native');
  const folder = join(cache, 'demo-model');
  await (await BertTokenizer.from_pretrained(join(root, 'examples', 'demo-model'))).save_pretrained(folder);
  return folder;
}

/**
 * Texts as a file that every process reads.
 *
 * @param {PassageLanguage} language
 * @param {number} size in bytes of UTF-8, at least
 */
function textsFile(language, size) {
  const file = join(cache, `${language}-${size}.json`);
  let found = textFiles.get(file);
  if (found === undefined) {
    progress(`texts: ${language}, ${size / 1e6} MB`);
    const texts = new PassageMaker(language).make(size);
    writeFileSync(file, JSON.stringify(texts));
    found = { file, count: texts.length, bytes: Buffer.byteLength(texts.join('')) };
    textFiles.set(file, found);
  }
  return found;
}

function report() {
  const measured = new Date().toISOString().slice(0, 10);
  const versions = describeVersions(['tokenizers', '@huggingface/tokenizers']);
  const results = { measured, machine, versions, rounds, notRead, hostileSizes, speed, memory, hostile };
  const out = values.out ?? join(root, 'bench', 'results', 'tokenizer', `${processorName(machine)}.json`);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${JSON.stringify(results, null, 2)}\n`);
  const tables = renderTokenizers(results);
  writeFileSync(out.replace(/\.json$/, '.md'), tables);
  console.log(`${tables}\n${out} and the .md beside it hold these.`);
}

// ---------- the command line ----------

/** @param {string} value @param {string} option @param {readonly string[]} known @returns {string[]} */
function list(value, option, known) {
  const given = value.split(',');
  const unknown = given.find((name) => !known.includes(name));
  if (unknown !== undefined) fail(`${option} is ${value}: expected some of ${known.join(',')}`);
  return given;
}

/** @param {string} value @param {string} option */
function whole(value, option) {
  if (!/^[1-9]\d{0,3}$/.test(value)) fail(`${option} is ${value}: expected a whole number, at least 1`);
  return Number(value);
}

/** @param {string} line */
function progress(line) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`bench:tokenizer: ${message}`);
  process.exit(2);
}
