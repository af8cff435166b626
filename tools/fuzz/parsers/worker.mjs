// Fuzzes one target until the time is over, in a worker: the thread that started it sees what input is being run, and for
// how long.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turnOfTheEventLoop } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { makeRandom } from '../../random.mjs';
import { Coverage } from './coverage.mjs';
import { maxBytes, mutate } from './mutate.mjs';

const { bundle, name, folders, seconds, seed, shared, inputAt } = workerData;
const counters = new Int32Array(shared, 0, 3); // inputs begun, bytes of the last, whether that is done
const current = new Uint8Array(shared, inputAt);
/** Taking the counts costs more than a small input does. */
const inputsAtOnce = 32;
/** What inputs may leave in buffers, beside what the heap's own limit holds. */
const maxBufferBytes = 512 << 20;
/** By how much the process may grow: what the addon holds is neither in the heap nor in buffers. */
const maxResidentBytes = 2 ** 31;
const residentAtFirst = process.memoryUsage.rss();

const url = pathToFileURL(bundle).href;
const { targets, check } = await import(url);
const target = targets[name];
const random = makeRandom(seed);
const corpus = [];
const outcomes = {};
const found = new Set();

async function run(bytes) {
  current.set(bytes.subarray(0, current.length));
  counters[1] = bytes.length;
  Atomics.store(counters, 2, 0);
  Atomics.add(counters, 0, 1);
  try {
    const outcome = await check(target, bytes);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (outcome === 'accepted') checkBuffers();
  } catch (error) {
    // The same fault is met again and again: its message and place, without numbers, tell it from others.
    const where = String(error?.stack ?? error)
      .split('\n')
      .slice(0, 4)
      .join('\n')
      .replace(/\d+/g, '#');
    if (found.has(where)) return;
    found.add(where);
    parentPort.postMessage({ finding: { bytes: Uint8Array.from(bytes), message: String(error?.stack ?? error) } });
  } finally {
    Atomics.store(counters, 2, 1);
  }
}

function checkBuffers() {
  const { arrayBuffers } = process.memoryUsage();
  if (arrayBuffers > maxBufferBytes) throw new Error(`${arrayBuffers} bytes are held in buffers`);
}

function checkResident() {
  const grown = process.memoryUsage.rss() - residentAtFirst;
  if (grown > maxResidentBytes) throw new Error(`the process has grown by ${grown} bytes`);
}

for (const folder of folders) {
  for (const file of readdirSync(folder).sort()) corpus.push(readFileSync(join(folder, file)));
}
if (corpus.length === 0) corpus.push(Buffer.from('{}'));
const coverage = await Coverage.start(url);
for (const bytes of corpus) await run(bytes.subarray(0, maxBytes));
await coverage.takeNew();

const until = performance.now() + 1000 * seconds;
while (performance.now() < until) {
  const inputs = Array.from({ length: inputsAtOnce }, () => mutate(target, corpus, random));
  for (const bytes of inputs) await run(bytes);
  // What the addon holds for objects that are gone is freed in a turn of its own, to which promises alone never come.
  await turnOfTheEventLoop();
  checkBuffers();
  checkResident();
  const unseen = await coverage.takeNew();
  if (unseen.size === 0) continue;
  // Each by itself again: those that reach what the others do not are kept.
  for (const bytes of inputs) {
    await run(bytes);
    const reached = [...(await coverage.take())].filter((key) => unseen.delete(key));
    if (reached.length > 0) corpus.push(bytes);
    if (unseen.size === 0) break;
  }
}
parentPort.postMessage({ summary: { inputs: counters[0], corpus: corpus.length, blocks: coverage.blocks, outcomes } });
