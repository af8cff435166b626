import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { bundleOf, root } from './bundle.mjs';

const maxInputBytes = 1 << 16;
/** An input that takes longer than this never ends, or ends too late for whoever waits for it. */
const maxInputSeconds = 10;
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
  const shared = new SharedArrayBuffer(8 + maxInputBytes);
  const counters = new Int32Array(shared, 0, 2);
  const worker = new Worker(new URL('./parsers/worker.mjs', import.meta.url), {
    workerData: { ...data, bundle: await bundleOf('targets'), shared },
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    execArgv: ['--no-warnings'],
  });
  const result = { inputs: 0, findings: [] };
  const lastInput = () => Uint8Array.from(new Uint8Array(shared, 8, Math.min(maxInputBytes, counters[1])));
  let [seen, since] = [-1, performance.now()];
  const watch = setInterval(() => {
    if (counters[0] !== seen) [seen, since] = [counters[0], performance.now()];
    if (seen === 0 || performance.now() - since < 1000 * maxInputSeconds) return;
    result.findings.push({ bytes: lastInput(), message: `no answer after ${maxInputSeconds} s` });
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

function keep(name, bytes) {
  const folder = join(root, 'build', 'fuzz', 'found', name);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  writeFileSync(file, bytes);
  return file;
}
