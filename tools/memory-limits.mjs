#!/usr/bin/env node
// Lets memory run out while models load, forward passes run and texts are tokenized: the address space of a process of its
// own is limited to a little more than it has (RLIMIT_AS), does the work, and is freed again. Every call has to be settled,
// with its own result or ERR_MEMORY, and the process has to go on.
// Usage: npm run test:limits -- [--only text]        Linux, with prlimit of util-linux

import { fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AutoModel, BertConfig, BertModel } from '../dist/index.js';

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const child = fileURLToPath(new URL('./reliability/limited-child.mjs', import.meta.url));
const megabyte = 2 ** 20;
/**
 * What a process may still allocate. Where V8 itself finds no memory for its heap it ends the process, and nothing can be done
 * about that: no size is just above what a step takes, so that what is left is never less than V8 lives on.
 */
const headrooms = [64, 128, 256, 320].map((size) => size * megabyte);
const all = [
  'load: a checkpoint',
  'load: a checkpoint, as bf16',
  'load: weights at random',
  'load: a graph',
  'forward: 200 MB of states',
  'forward: states of every layer',
  'forward: attention of 1.6 GB',
  'forward: vectors alone',
  'forward: a graph',
  'tokenize: rows',
  'tokenize: padded',
  'tokenize: padded, on this thread',
  'tokenize: a long text',
  'tokenize: a long text, with offsets',
  'index: 200 MB of vectors, copied',
];
/** What may get by with the least of these. */
const frugal = new Set(['forward: vectors alone', 'forward: a graph', 'tokenize: rows']);
let steps = all.filter((name) => name.includes(values.only));
if (steps.length === 0) {
  console.error(`memory-limits: no kind of work has '${values.only}' in its name; there are ${all.join('; ')}`);
  process.exit(2);
}
/** No kind of work takes so long under all limits together. */
const hangs_ms = 15 * 60_000;
// Where an allocation fails, V8 collects garbage, and ends the process where it has no memory for that: it gets by with
// little then. glibc would reserve 64 MB of addresses for a thread's first allocation.
const execArgv = ['--min-semi-space-size=1', '--max-semi-space-size=1'];
const env = { ...process.env, MALLOC_ARENA_MAX: '1' };

if (process.platform !== 'linux' || spawnSync('prlimit', ['--version']).status !== 0) {
  console.log('SKIPPED: limits of memory: they need Linux and prlimit (Debian: util-linux)');
  process.exit(0);
}
console.log('SKIPPED: limits of a cgroup: its processes are killed from outside, no allocation of theirs fails');

const root = mkdtempSync(join(tmpdir(), 'bert-native-limits-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const given = {
  headrooms,
  base: join(root, 'base'),
  graph: join(root, 'graph'),
  small_graph: join(root, 'small-graph'),
};
const model = new BertModel(new BertConfig(), { seed: 1 });
await model.save_pretrained(given.base);
await model.save_pretrained(given.graph, { format: 'onnx' });
model.dispose();
const small = new BertModel(new BertConfig({ num_hidden_layers: 1, vocab_size: 100 }), { seed: 1 });
await small.save_pretrained(given.small_graph, { format: 'onnx' });
if (!(await hasOnnxRuntime())) {
  console.log('SKIPPED: graphs: there is no ONNX Runtime');
  given.small_graph = null;
  steps = steps.filter((name) => !name.includes('graph'));
}
small.dispose();

console.log(
  `${''.padEnd(36)}${headrooms.map((bytes) => `${bytes / megabyte} MB`.padStart(10)).join('')}  without a limit`,
);
const problems = [];
const start = performance.now();
for (const name of steps) {
  const { results, isRight, ending, stderr } = await run(name);
  const cells = headrooms.map((_, i) =>
    results[i] === undefined ? '-' : results[i] === 'memory' ? 'ERR_MEMORY' : 'right',
  );
  console.log(`${name.padEnd(36)}${cells.map((cell) => cell.padStart(11)).join('')}  ${isRight ? 'right' : ending}`);
  if (!isRight) problems.push(`${name}: the process ended with ${ending}: ${stderr.trim().slice(-4000)}`);
  else if (results[0] !== 'memory' && !frugal.has(name)) problems.push(`${name}: the least limit was not felt`);
}
const seconds = ((performance.now() - start) / 1000).toFixed(0);
for (const problem of problems) console.error(`memory-limits: ${problem}`);
console.log(`${steps.length} kinds of work under ${headrooms.length} limits in ${seconds} s, ${problems.length} wrong`);
process.exitCode = problems.length > 0 ? 1 : 0;

async function hasOnnxRuntime() {
  try {
    (await AutoModel.from_pretrained(given.small_graph, { engine: 'onnxruntime' })).dispose();
    return true;
  } catch (error) {
    if (error.code !== 'ERR_ENGINE') throw error;
    return false;
  }
}

/** One kind of work in a process of its own. */
function run(name) {
  return new Promise((resolve) => {
    const process_ = fork(child, [JSON.stringify(given), JSON.stringify([name])], { env, execArgv, silent: true });
    const found = { results: [], isRight: false, ending: '', stderr: '' };
    const hang = setTimeout(() => {
      found.stderr += `\nnot done after ${hangs_ms / 1000} s`;
      process_.kill('SIGKILL');
    }, hangs_ms);
    process_.stderr.on('data', (data) => {
      found.stderr += data;
    });
    process_.on('message', ({ limit, result, done }) => {
      if (limit !== undefined) {
        const { status, stderr } = spawnSync('prlimit', ['--pid', String(process_.pid), `--as=${limit}:unlimited`]);
        if (status === 0) process_.send('limited');
        else {
          found.stderr += `\nprlimit: ${stderr}`;
          process_.kill('SIGKILL');
        }
      } else if (done) found.isRight = true;
      else found.results.push(result);
    });
    process_.on('close', (status, signal) => {
      clearTimeout(hang);
      found.ending = signal ?? `status ${status}`;
      found.isRight &&= status === 0 && found.results.length === headrooms.length;
      resolve(found);
    });
  });
}
