#!/usr/bin/env node
// Calls everything that the library has over and over, in mixed sizes and ways, checks every result, and tells whether
// resident memory stays flat.
// Usage: npm run soak -- [calls, default 1000000] [--minutes n] [--seed n]
//   --minutes   stop after so many, whatever is left of the calls, and say so
// Fails where a result is wrong, a call is not settled, or memory grew by 2% or more after the warm-up.

import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import cliProgress from 'cli-progress';
import { makeRandom } from './random.mjs';
import { mixedCalls } from './reliability/mixed-calls.mjs';
import { makeSmallModels } from './reliability/small-models.mjs';
import { CallsUnderWay } from './reliability/under-way.mjs';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: 'Infinity' }, seed: { type: 'string', default: '20240229' } },
});
const calls = Number(positionals[0] ?? 1_000_000);
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!Number.isInteger(calls) || calls < 1000 || !(minutes > 0) || !Number.isInteger(seed)) {
  console.error('soak: expected a number of calls, at least 1000; --minutes above 0; --seed a whole number');
  process.exit(2);
}
// The heap and the allocator's arenas reach their size in this time; counted calls come after it.
const warmUpCalls = 60_000;
const concurrency = 16;
const samples = 50;
const allowedGrowth = 0.02;

const random = makeRandom(seed);
const parts = await makeSmallModels();
if (parts.graph === null) console.warn(`SKIPPED: calls of engine onnxruntime: ${parts.graph_absent}`);
const { kinds, dispose } = await mixedCalls(parts, random);

// ---------- which kind is next ----------

// A table in which each kind stands as often as its weight says; the rarest stands once.
const least = Math.min(...kinds.map(({ weight }) => weight));
const table = kinds.flatMap((kind) => Array(Math.round(kind.weight / least)).fill(kind));
const tally = new Map(kinds.map(({ name }) => [name, 0]));

// ---------- the run ----------

const total = warmUpCalls + calls;
const step = Math.ceil(calls / samples);
const start = performance.now();
const deadline = start + 60_000 * minutes;
const isTerminal = process.stderr.isTTY === true;
const bar = new cliProgress.SingleBar({
  format: '{bar} {percentage}% | {value} of {total} calls | {rate}/s | {left} left | {resident} resident',
  stream: process.stderr,
  clearOnComplete: true,
});
if (isTerminal) bar.start(total, 0, { rate: 0, left: '?', resident: '?' });

const underWay = new CallsUnderWay('soak');
let started = 0;
let failure;
/** Bytes, one for every step after the warm-up. */
const resident = [];

async function caller() {
  while (started < total && failure === undefined && performance.now() < deadline) {
    started++;
    if (started > warmUpCalls && (started - warmUpCalls) % step === 0) {
      collectGarbage();
      resident.push(process.memoryUsage.rss());
    }
    if (started % 5000 === 0) tell();
    const { name, call } = table[random(table.length)];
    tally.set(name, tally.get(name) + 1);
    await underWay.settle(name, call).catch((error) => {
      failure ??= new Error(`${name}, call ${started}`, { cause: error });
    });
  }
}

function tell() {
  const rate = (1000 * started) / (performance.now() - start);
  const left = `${Math.ceil((total - started) / rate / 60)} min`;
  const state = { rate: rate.toFixed(0), left, resident: megabytes(process.memoryUsage.rss()) };
  if (isTerminal) bar.update(started, state);
  else if (started % (20 * 5000) === 0) {
    console.error(`${started} of ${total} calls, ${state.rate}/s, ${left} left, ${state.resident} resident`);
  }
}

const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

await Promise.all(Array.from({ length: concurrency }, caller));
const seconds = (performance.now() - start) / 1000;
underWay.end();
if (isTerminal) bar.stop();

// ---------- what it came to ----------

const problems = [];
if (failure !== undefined) problems.push(`${failure.message}: ${failure.cause.stack}`);
for (const [name, count] of tally) console.log(`${String(count).padStart(9)}  ${name}`);
const counted = Math.max(0, started - warmUpCalls);
console.log(
  `${warmUpCalls} calls to warm up and ${counted} counted ones in ${seconds.toFixed(0)} s: ${(started / seconds).toFixed(0)} a second, seed ${seed}`,
);
if (started < total && failure === undefined) console.warn(`STOPPED after ${minutes} minutes, of ${calls} calls`);

for (const each of [parts.model, parts.graph, ...Object.values(parts.models)]) {
  if (each === null) continue;
  const { queued_calls, running_calls } = each.stats();
  if (queued_calls + running_calls > 0) problems.push(`${queued_calls} calls still wait and ${running_calls} run`);
}
if (resident.length < 8) problems.push(`memory was looked at ${resident.length} times: too few to judge it`);
else {
  const part = Math.floor(resident.length / 4);
  const [before, after] = [median(resident.slice(0, part)), median(resident.slice(-part))];
  const growth = after / before - 1;
  const percent = `${(100 * growth).toFixed(2)}%`;
  console.log(
    `resident in the first quarter after the warm-up ${megabytes(before)}, in the last ${megabytes(after)}: ${percent}`,
  );
  if (growth >= allowedGrowth) problems.push(`resident memory grew by ${percent}: expected less than 2%`);
}
dispose();
parts.dispose();
for (const problem of problems) console.error(`soak: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
