/**
 * One contender in a process of its own. Does one request and answers.
 * Usage: fork(child.mjs, [JSON of { job, request }])
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { load } from './contenders.mjs';
import { hostileText } from './hostile-texts.mjs';

/** @import { LoadedTokenizer, Way } from './types.ts' */

process.on('disconnect', () => process.exit(1));
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const { job, request } = JSON.parse(process.argv[2] ?? '');
const batchSize = 1024;
const tensorBatchSize = 32;

/** @type {Record<string, (tokenizer: LoadedTokenizer, request: any) => Promise<unknown>>} */
const requests = {
  /** Ids of every text. */
  ids: async (tokenizer, { file }) => ({ ...(await tokenizer.packed(readTexts(file))) }),
  speed: measureSpeed,
  memory: measureMemory,
  hostile: measureHostile,
};

try {
  const tokenizer = await load(job);
  const load_ms = performance.now(); // since the process started
  const answer = await requests[request.name](tokenizer, { ...request, load_ms });
  process.send?.({ answer }, () => process.exit(0));
} catch (error) {
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
  process.send?.({ error: message, code }, () => process.exit(1));
}

/** @param {string} file @returns {string[]} */
function readTexts(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/**
 * Each way has texts of its own, so that nothing is timed twice; as many of them as the time allows.
 *
 * @param {LoadedTokenizer} tokenizer
 * @param {{ file: string, limit_ms: number, load_ms: number }} request
 */
async function measureSpeed(tokenizer, { file, limit_ms, load_ms }) {
  const texts = readTexts(file);
  const ways = /** @type {const} */ (['packed', 'plain', 'tensors']).filter((way) => tokenizer[way] !== null);
  const share = Math.floor(texts.length / 3.25);
  const warmUp = texts.slice(3 * share);
  /** @type {Partial<Record<Way, number>>} */
  const bytes_per_s = {};
  for (const [i, way] of ways.entries()) {
    const run = /** @type {(texts: readonly string[]) => unknown} */ (tokenizer[way]);
    const size = way === 'tensors' ? tensorBatchSize : batchSize;
    await timeBatches(run, batchesOf(warmUp, size), limit_ms / 4);
    collectGarbage();
    bytes_per_s[way] = await timeBatches(run, batchesOf(texts.slice(i * share, (i + 1) * share), size), limit_ms);
  }
  return { load_ms, bytes_per_s };
}

/** @param {readonly string[]} texts @param {number} size */
function batchesOf(texts, size) {
  return Array.from({ length: Math.ceil(texts.length / size) }, (_, i) => texts.slice(i * size, (i + 1) * size));
}

/**
 * @param {(texts: readonly string[]) => unknown} run
 * @param {readonly (readonly string[])[]} batches
 * @param {number} limit_ms no further batch begins after that
 * @returns bytes of UTF-8 per second
 */
async function timeBatches(run, batches, limit_ms) {
  const start = performance.now();
  let done = 0;
  let elapsed = 0;
  while (done < batches.length && elapsed < limit_ms) {
    await run(batches[done++]);
    elapsed = performance.now() - start;
  }
  const bytes = batches.slice(0, done).reduce((sum, batch) => sum + Buffer.byteLength(batch.join('')), 0);
  return (1000 * bytes) / elapsed;
}

/** Peak memory of one call for packed ids over what was there before. @param {LoadedTokenizer} tokenizer @param {{ file: string }} request */
async function measureMemory(tokenizer, { file }) {
  const texts = readTexts(file);
  await tokenizer.packed(texts.slice(0, 10));
  collectGarbage();
  const before = resetPeak();
  const result = await tokenizer.packed(texts);
  const peak_mb = peakRssMb() - before;
  return { peak_mb, kept: result !== null };
}

/** Resident memory now, from which the peak starts anew where the system can do that. */
function resetPeak() {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    return peakRssMb();
  }
  return process.memoryUsage.rss() / 2 ** 20;
}

function peakRssMb() {
  try {
    const [, kb] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return Number(kb) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}

/** @param {LoadedTokenizer} tokenizer @param {{ text: string, bytes: number }} request */
async function measureHostile(tokenizer, { text, bytes }) {
  await tokenizer.packed(['warm', hostileText(text, 1000)]);
  const made = hostileText(text, bytes);
  const start = performance.now();
  await tokenizer.packed([made]);
  return (performance.now() - start) / 1000;
}
