import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { bundleOf, root } from './bundle.mjs';

const maxInputBytes = 1 << 16;
/** In the memory that is shared with a worker, behind its counters. */
const inputAt = 12;
/**
 * An input that takes more of the processor than this never ends, or ends too late for whoever waits for it. Other
 * processes do not count; what only waits, without the processor, is found out by the clock.
 */
const maxInputSeconds = 10;
const maxInputClockSeconds = 120;
const maxHeapMb = 512;

/** The names of what test/fuzz/targets.ts fuzzes. */
export async function parserTargets() {
  const { targets } = await import(pathToFileURL(await bundleOf('targets')).href);
  return Object.keys(targets);
}

/**
 * Fuzzes a parser. What it finds is written to build/fuzz/found/<target>.
 *
 * @param {string} name
 * @param {{ seconds: number, seed: number }} options
 * @returns {Promise<{ inputs: number, corpus: number, blocks: number, outcomes: Record<string, number>, findings: string[] }>}
 */
export async function fuzzParser(name, { seconds, seed }) {
  const folders = ['corpus', 'found'].map((kind) => join(root, 'test', 'fuzz', kind, name)).filter(existsSync);
  const total = { inputs: 0, corpus: 0, blocks: 0, outcomes: {}, findings: [] };
  const until = performance.now() + 1000 * seconds;
  // What ends a worker is a finding; another one goes on, with other inputs.
  for (let round = 0; round === 0 || performance.now() < until - 1000; round++) {
    const left = Math.max(0, until - performance.now()) / 1000;
    const result = await runWorker({ name, folders, seconds: left, seed: seed + round });
    total.inputs += result.inputs;
    total.corpus = Math.max(total.corpus, result.corpus ?? 0);
    total.blocks = Math.max(total.blocks, result.blocks ?? 0);
    for (const [outcome, count] of Object.entries(result.outcomes ?? {})) {
      total.outcomes[outcome] = (total.outcomes[outcome] ?? 0) + count;
    }
    for (const { bytes, message } of result.findings) {
      const file = keep(name, bytes);
      total.findings.push(file);
      console.log(`\n${name}: ${file}\n${message.split('\n').slice(0, 12).join('\n')}`);
    }
    if (total.findings.length >= 20) break;
  }
  return total;
}

async function runWorker(data) {
  // How many inputs were begun, the last one's bytes, whether it is done, and the input.
  const shared = new SharedArrayBuffer(inputAt + maxInputBytes);
  const counters = new Int32Array(shared, 0, 3);
  const worker = new Worker(new URL('./parsers/worker.mjs', import.meta.url), {
    workerData: { ...data, bundle: await bundleOf('targets'), shared, inputAt },
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    execArgv: ['--no-warnings'],
  });
  const result = { inputs: 0, findings: [] };
  const lastInput = () => Uint8Array.from(new Uint8Array(shared, inputAt, Math.min(maxInputBytes, counters[1])));
  let seen = { input: -1, clock: 0, processor: 0 };
  const watch = setInterval(() => {
    const now = { input: Atomics.load(counters, 0), clock: performance.now() / 1000, processor: processorSeconds() };
    if (now.input === 0 || now.input !== seen.input || Atomics.load(counters, 2) === 1) seen = now;
    const took = { processor: now.processor - seen.processor, clock: now.clock - seen.clock };
    if (took.processor < maxInputSeconds && took.clock < maxInputClockSeconds) return;
    const message = `no answer after ${took.processor.toFixed(0)} s of the processor, ${took.clock.toFixed(0)} s in all`;
    result.findings.push({ bytes: lastInput(), message });
    clearInterval(watch); // it may take its time to end
    worker.terminate();
  }, 500);
  await new Promise((resolve) => {
    worker.on('message', ({ finding, summary }) => {
      if (finding !== undefined) result.findings.push(finding);
      else Object.assign(result, summary);
    });
    worker.on('error', (error) => result.findings.push({ bytes: lastInput(), message: String(error.stack ?? error) }));
    worker.on('exit', resolve);
  });
  if (result.corpus === undefined && result.findings.length === 0) {
    result.findings.push({ bytes: lastInput(), message: 'the worker ended' });
  }
  clearInterval(watch);
  result.inputs = counters[0];
  return result;
}

/** Of all threads of this process, of which a worker's is the one that is busy. */
function processorSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function keep(name, bytes) {
  const folder = join(root, 'build', 'fuzz', 'found', name);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  writeFileSync(file, bytes);
  return file;
}
