/**
 * One contender in a process of its own: loads at once, then does what the parent asks for, one request after another.
 * Nothing but Node's own modules is loaded before the contender, so that its start is its own.
 *
 * Usage: fork(child.mjs, [JSON of { module, job, first }])
 */

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** @import { ContenderModule, Feeding, LoopDelay, LoadedContender, Throughput } from './types.ts' */

// A parent that is gone needs no answer, and must not leave a process behind that computes on.
process.on('disconnect', () => process.exit(1));
// A terminal interrupts parent and child at once; the parent decides.
process.on('SIGINT', () => {});

const { module, job, first } = JSON.parse(process.argv[2] ?? '');

/** @type {LoadedContender<any, unknown>} */
let contender;
try {
  contender = await /** @type {ContenderModule} */ (await import(module)).load(job);
  const load_ms = performance.now(); // since the process started
  await contender.run([first]);
  const first_result_ms = performance.now();
  send({ load_ms, first_result_ms, import_ms: contender.import_ms, facts: contender.facts });
} catch (error) {
  send(null, error, () => process.exit(1));
}

/** @type {Record<string, (request: any) => Promise<unknown>>} */
const requests = {
  /** Results of items that go through as one batch. */
  results: ({ items }) => (contender.compared ?? contender.run)(items),

  /** Ids of every text alone. */
  tokenize: async ({ texts }) =>
    texts.map((/** @type {string} */ text) => Int32Array.from(contender.tokenize?.(text) ?? [], Number)),

  /** Milliseconds of every batch. */
  warmUp: ({ batches }) => timeEach(batches),

  latency: ({ items, limit_ms }) => latency(items, limit_ms),

  /** The same while somebody else has batch after batch computed. */
  busyLatency: async ({ items, limit_ms, batches }) => {
    let over = false;
    const others = (async () => {
      while (!over) {
        for (const batch of batches) if (!over) await contender.run(batch);
      }
    })();
    await sleep(50); // a batch has begun
    const times = await latency(items, limit_ms);
    over = true;
    await others;
    return times;
  },

  idle: async ({ ms }) => {
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    await sleep(ms);
    delays.disable();
    return loopDelay(delays);
  },

  growth: ({ batches, samples }) => growth(batches, samples),

  throughput: ({ batches, feeding }) => throughput(batches, feeding),

  peakMemory: async () => peakRssMb(),
};

process.on('message', async ({ request, ...rest }) => {
  try {
    send(await requests[request]?.(rest));
  } catch (error) {
    send(null, error);
  }
});

/** @param {unknown} answer @param {unknown} [error] @param {() => void} [done] */
function send(answer, error, done) {
  const message = error === undefined ? { answer } : { error: error instanceof Error ? error.stack : String(error) };
  process.send?.(message, undefined, undefined, done);
}

/** @param {unknown[][]} batches */
async function timeEach(batches) {
  const times = [];
  for (const items of batches) {
    const start = performance.now();
    await contender.run(items);
    times.push(performance.now() - start);
  }
  return times;
}

/** @param {unknown[]} items @param {number} limit_ms */
async function latency(items, limit_ms) {
  const start = performance.now();
  const times = [];
  for (const item of items) {
    times.push(...(await timeEach([[item]])));
    if (performance.now() - start > limit_ms && times.length >= 3) break;
  }
  return times;
}

/**
 * Megabytes resident after one share after the other of the batches, of as many shares as samples.
 *
 * @param {unknown[][]} batches @param {number} samples
 */
async function growth(batches, samples) {
  const resident = [];
  for (const [i, items] of batches.entries()) {
    await contender.run(items);
    const due = Math.round(((resident.length + 1) * batches.length) / samples);
    if (i + 1 >= due) resident.push(process.memoryUsage.rss() / 2 ** 20);
  }
  return resident;
}

/** @type {Record<Feeding, (batches: unknown[][]) => Promise<number[]>>} */
const feedings = {
  'one-by-one': timeEach,

  'two-in-flight': async (batches) => {
    /** @type {number[]} */
    const times = [];
    /** @type {Promise<void>[]} */
    const running = [];
    for (const items of batches) {
      if (running.length === 2) await running.shift();
      running.push(timeEach([items]).then(([time]) => void times.push(time)));
    }
    await Promise.all(running);
    return times;
  },

  'all-at-once': (batches) => timeEach([batches.flat()]),
};

/** @param {unknown[][]} batches @param {Feeding} feeding @returns {Promise<Throughput>} */
async function throughput(batches, feeding) {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const foreign = foreignCpu();
  const cpu = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  const start = performance.now();
  const batch_ms = await feedings[feeding](batches);
  const wall_ms = performance.now() - start;
  const loop_busy = performance.eventLoopUtilization(loop).utilization;
  const { user, system } = process.cpuUsage(cpu);
  const foreign_cores = foreign(wall_ms);
  await sleep(2); // lets the monitor's timer see a block at the very end
  delays.disable();
  return { wall_ms, batch_ms, cpu_ms: (user + system) / 1000, loop_delay: loopDelay(delays), loop_busy, foreign_cores };
}

/** @param {{ percentile(share: number): number, max: number }} delays @returns {LoopDelay} */
function loopDelay(delays) {
  return { p50_ms: delays.percentile(50) / 1e6, p99_ms: delays.percentile(99) / 1e6, max_ms: delays.max / 1e6 };
}

/** The most memory that the process ever had resident. */
function peakRssMb() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024;
  // A forked process starts with its parent's maxRSS; VmHWM is its own.
  const kb = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kb) / 1024;
}

/**
 * How many processors others kept busy, the hypervisor's other guests included, on average from here to the call of
 * what is returned; null where Linux does not count, or counts processors that this process may not use.
 */
function foreignCpu() {
  const known = process.platform === 'linux' && cpus().length === availableParallelism();
  const own = process.cpuUsage();
  const before = known ? busyMs() : 0;
  return (/** @type {number} */ wall_ms) => {
    if (!known) return null;
    const { user, system } = process.cpuUsage(own);
    return Math.max(0, (busyMs() - before - (user + system) / 1000) / wall_ms);
  };
}

/** Time that the processors were not idle, since the machine started; ticks of 10 ms. */
function busyMs() {
  const [user, nice, system, , , irq, softirq, steal] = (
    /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? ''
  )
    .split(' ')
    .map(Number);
  return 10 * sumOf(user, nice, system, irq, softirq, steal);
}

/** @param {(number | undefined)[]} values */
function sumOf(...values) {
  return values.reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0);
}
