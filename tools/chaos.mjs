#!/usr/bin/env node
// Everything that can go on at once: 64 callers on the main thread and in workers, calls aborted at any moment, models
// disposed of and loaded again, buffers detached, garbage collected, threads and limits changed, workers terminated in
// mid-run. Every call has to settle, with the right bits or the right error.
// Then processes of their own that end in the middle of all kinds of calls: by process.exit, exceptions, signals, in clusters.
// Usage: npm run chaos -- [seconds of each part, default 30] [seed] [--only threads|processes]

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { AutoModel, BertConfig, BertModel, env } from '../dist/index.js';
import { makeRandom } from './random.mjs';
import { mixedCalls } from './reliability/mixed-calls.mjs';
import { endProcesses } from './reliability/processes.mjs';
import { makeSmallModels } from './reliability/small-models.mjs';
import { CallsUnderWay } from './reliability/under-way.mjs';

const callers = 64;
const folder = fileURLToPath(new URL('../examples/demo-model', import.meta.url));

// ---------- calls whose results are known ----------

/** Rows that are always the same, so that each has a known vector. */
const knownRows = Array.from({ length: 24 }, (_, i) => {
  const random = makeRandom(i + 1);
  return Array.from({ length: 1 + random(60) }, () => 5 + random(200));
});

const pad = (rows) => {
  const width = Math.max(...rows.map((row) => row.length));
  return {
    input_ids: rows.map((row) => [...row, ...Array(width - row.length).fill(0)]),
    attention_mask: rows.map((row) => [...Array(row.length).fill(1), ...Array(width - row.length).fill(0)]),
  };
};

/** The vectors of a call that the queue may refuse: the limit is the process's, and is changed all the time. */
async function untilAccepted(call) {
  for (;;) {
    try {
      return (await call()).data;
    } catch (error) {
      if (error.code !== 'ERR_QUEUE_FULL') throw error;
      await sleep(10);
    }
  }
}

class Callers {
  tally = {};
  wrong = [];
  underWay = new CallsUnderWay('chaos');
  #random;
  #expected = [];
  #models = [];

  constructor(seed) {
    this.#random = makeRandom(seed);
  }

  async prepare() {
    const model = await AutoModel.from_pretrained(folder);
    for (const row of knownRows) this.#expected.push(await untilAccepted(() => model.embed([row])));
    this.#models.push(model, await AutoModel.from_pretrained(folder));
    this.size = model.hidden_size;
  }

  dispose() {
    for (const model of this.#models) {
      const { queued_calls, running_calls, queued_tokens } = model.stats();
      if (queued_calls + running_calls + queued_tokens > 0) this.wrong.push('calls are left in the queue');
      model.dispose();
    }
    this.underWay.end();
  }

  count(what) {
    this.tally[what] = (this.tally[what] ?? 0) + 1;
  }

  check(indices, data) {
    if (data.length !== indices.length * this.size) this.wrong.push('another number of vectors than rows');
    indices.forEach((index, row) => {
      const vector = data.subarray(row * this.size, (row + 1) * this.size);
      const expected = this.#expected[index];
      if (vector.some((value, i) => !Object.is(value, expected[i]))) {
        this.wrong.push(`row ${index} differs from itself alone`);
      }
    });
  }

  /** One call of a random kind, settled one way or the other. */
  async call() {
    const random = this.#random;
    const model = this.#models[random(this.#models.length)];
    const indices = Array.from({ length: random(4) === 0 ? 1 + random(120) : 1 + random(3) }, () =>
      random(knownRows.length),
    );
    const inputs = pad(indices.map((index) => knownRows[index]));
    const size = indices.length * this.size;
    const kind = random(9);
    const controller = new AbortController();
    const options = {};
    const allowed = ['ERR_DISPOSED', 'ERR_QUEUE_FULL'];
    let detached;
    if (kind === 0 || kind === 1) {
      options.signal = controller.signal;
      allowed.push('ERR_ABORTED');
      const abort = () => controller.abort();
      if (kind === 0) setImmediate(abort);
      else setTimeout(abort, random(20));
    }
    if (kind === 2) options.out = new Float32Array(new SharedArrayBuffer(4 * size));
    if (kind === 3) options.out = new Float32Array(size);
    if (kind === 4) {
      options.out = detached = new Float32Array(size);
      allowed.push('ERR_SHAPE');
    }
    if (kind === 5) {
      inputs.input_ids[0][0] = 10 ** 6;
      allowed.push('ERR_TOKEN_ID');
    }
    try {
      const running = model.embed(inputs, options);
      if (detached) structuredClone(detached, { transfer: [detached.buffer] });
      const { data } = await running;
      if (kind === 5 || detached) this.wrong.push('a call that had to fail resolved');
      this.check(indices, data);
      this.count('right');
    } catch (error) {
      if (allowed.includes(error.code)) this.count(error.code);
      else this.wrong.push(error.stack ?? String(error));
    }
  }

  /** Disposes of a model under its callers' hands and puts another in its place. */
  async replaceModel() {
    const index = this.#random(this.#models.length);
    // Sometimes first, so that callers find one that is disposed of; else most of their calls would.
    if (this.#random(4) === 0) this.#models[index].dispose();
    const model = await AutoModel.from_pretrained(folder);
    this.#models[index].dispose();
    this.#models[index] = model;
    this.count('disposals');
  }

  async run(count, until) {
    const loop = async () => {
      while (!until()) {
        await this.underWay.settle('a call of known rows', () => this.call());
        await sleep(this.#random(8)); // else the JavaScript thread has no time for anything but making calls
      }
    };
    await Promise.all(Array.from({ length: count }, loop));
  }
}

// ---------- in a worker ----------

if (!isMainThread) {
  const own = new Callers(workerData.seed);
  await own.prepare();
  const until = Date.now() + workerData.milliseconds;
  await own.run(8, () => Date.now() > until);
  own.dispose();
  parentPort.postMessage({ tally: own.tally, wrong: own.wrong });
} else {
  await main();
}

// ---------- on the main thread ----------

async function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
  const seconds = Number(positionals[0] ?? 30);
  const seed = Number(positionals[1] ?? Math.floor(Math.random() * 2 ** 31));
  const parts = { threads: endThreads, processes: endOthers };
  if (!(seconds > 0) || !Number.isInteger(seed) || (values.only !== undefined && !Object.hasOwn(parts, values.only))) {
    console.error('chaos: expected seconds above 0, a whole number as a seed, --only threads or processes');
    process.exit(2);
  }
  console.log(`seed ${seed}, ${seconds} s`);
  let wrong = 0;
  for (const [name, part] of Object.entries(parts)) {
    if (values.only !== undefined && values.only !== name) continue;
    const { tally, wrong: problems } = await part(seconds, seed);
    for (const [what, count] of Object.entries(tally).sort()) console.log(`${String(count).padStart(9)}  ${what}`);
    for (const problem of problems.slice(0, 10)) console.error(`chaos: ${problem}`);
    wrong += problems.length;
  }
  console.log(`${wrong} wrong`);
  if (wrong > 0) process.exitCode = 1;
}

/** Processes of their own that end in mid-run. */
async function endOthers(seconds, seed) {
  const tally = {};
  const wrong = [];
  const count = (what) => {
    tally[what] = (tally[what] ?? 0) + 1;
  };
  const until = performance.now() + 1000 * seconds;
  await endProcesses(makeRandom(seed + 2), () => performance.now() > until, { count, wrong });
  return { tally, wrong };
}

/** All that may go on in one process at once. */
async function endThreads(seconds, seed) {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  const random = makeRandom(seed);
  const own = new Callers(seed + 1);
  await own.prepare();
  // Pipelines, tokenizers, streams, searches and ONNX Runtime beside them. Its calls are few: all kinds share the engine.
  const parts = await makeSmallModels();
  if (parts.graph === null) console.warn(`SKIPPED: calls of engine onnxruntime: ${parts.graph_absent}`);
  const mixed = await mixedCalls(parts, makeRandom(seed + 3));
  // A second model of another size and with weights of its own, so that blocks of two encoders alternate.
  const other = new BertModel(new BertConfig({ vocab_size: 99, hidden_size: 40, num_attention_heads: 2 }), { seed: 3 });
  const otherExpected = (await other.embed([[1, 2, 3]])).data;

  const until = performance.now() + 1000 * seconds;
  const over = () => performance.now() > until;
  const disturbances = [
    () => own.replaceModel(),
    () => collectGarbage(),
    () => {
      env.numThreads = 1 + random(4);
    },
    () => {
      env.maxQueuedTokens = random(3) === 0 ? 5000 : Number.POSITIVE_INFINITY;
    },
    async () => {
      const data = await untilAccepted(() => other.embed([[1, 2, 3]]));
      if (data.some((value, i) => value !== otherExpected[i])) own.wrong.push('the other model is wrong');
    },
    () => startWorker(random, own),
  ];
  const repeat = async (name, action) => {
    while (!over()) {
      await own.underWay.settle(name, action);
      await sleep(random(30));
    }
  };
  const disturb = () => repeat('a disturbance', () => disturbances[random(disturbances.length)]());
  const callAny = () => repeat('a mixed call', () => callMixed(mixed.kinds[random(mixed.kinds.length)], own));
  const several = (count, action) => Array.from({ length: count }, action);
  await Promise.all([own.run(callers, over), ...several(4, disturb), ...several(16, callAny)]);

  env.maxQueuedTokens = Number.POSITIVE_INFINITY;
  own.dispose();
  other.dispose();
  mixed.dispose();
  parts.dispose();
  if (!own.tally.right) own.wrong.push('no call resolved');
  return own;
}

async function callMixed({ name, call }, own) {
  try {
    await own.underWay.settle(name, call);
    own.count(`right: ${name}`);
  } catch (error) {
    if (error.code === 'ERR_QUEUE_FULL') own.count(error.code);
    else own.wrong.push(`${name}: ${error.stack ?? error}`);
  }
}

/** A worker with callers of its own, which ends by itself or is terminated. */
async function startWorker(random, own) {
  const worker = new Worker(fileURLToPath(import.meta.url), {
    workerData: { seed: random(2 ** 31), milliseconds: 500 },
  });
  let isToldOf = false;
  const outcome = new Promise((resolve) => {
    worker.on('error', (error) => own.wrong.push(`a worker failed: ${error.stack}`));
    worker.on('message', ({ tally, wrong }) => {
      isToldOf = true;
      own.wrong.push(...wrong.map((problem) => `in a worker: ${problem}`));
      for (const [what, count] of Object.entries(tally)) own.tally[what] = (own.tally[what] ?? 0) + count;
      own.count('workers that ended by themselves');
    });
    worker.on('exit', resolve);
  });
  if (random(3) > 0) {
    await sleep(random(600));
    await worker.terminate();
    own.count('workers terminated');
    await outcome;
  } else {
    const status = await outcome;
    if (!isToldOf) own.wrong.push(`a worker ended with status ${status} before its calls were settled`);
  }
}
