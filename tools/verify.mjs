#!/usr/bin/env node
// What the library promises, checked: goldens of the Python reference on every instruction set, tokenizers against the Rust
// library on random texts, accuracy at BERT-base size for each dtype, memory that stays flat, memory that runs out, chaos,
// and an installation from the packed tarball. Prints one table at the end; everything else goes to build/verify/*.log.
// Usage: npm run verify -- [--short] [--only text]
//   --short   minutes instead of half an hour: smaller sizes, and nothing that npm test runs as well

import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nativeBinding } from '../dist/binding/load.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const logs = join(root, 'build', 'verify');
const { values } = parseArgs({ options: { short: { type: 'boolean' }, only: { type: 'string', default: '' } } });
const isShort = values.short === true;
const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts;
const { available_isas, isa } = nativeBinding().system_info();

/** @typedef {{ name: string, command: string[], env?: Record<string, string>, skip?: string }} Step */

const tool = (name, ...args) => [process.execPath, join(root, 'tools', name), ...args];
/** No step takes so long. */
const hangs_ms = (isShort ? 20 : 90) * 60_000;
const inTests = isShort ? 'npm test runs it' : undefined;

/** Test files, in the project of one instruction set; the best one's is called all. */
function vitest(project, ...files) {
  const program = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  return [process.execPath, program, 'run', '--config', 'test/vitest.config.ts', '--project', project, ...files];
}
const project = (set) => (set === available_isas.at(-1) ? 'all' : set);

/** @returns {Step[]} */
function goldens() {
  const files = ['test/models/goldens.isa.test.ts', 'test/models/families-same-bits.isa.test.ts'];
  const sets = available_isas.map((set) => ({
    name: `goldens of the reference: ${set}`,
    command: vitest(project(set), ...files),
    skip: inTests,
  }));
  const graphs = ['test/models/onnxruntime', 'test/engines/onnxruntime/goldens.test.ts', 'test/onnx/goldens.test.ts'];
  return [
    ...sets,
    {
      name: 'goldens: plain TypeScript',
      command: vitest('all', 'test/models/goldens-reference.test.ts'),
      skip: inTests,
    },
    { name: 'goldens: ONNX Runtime', command: vitest('all', ...graphs), skip: inTests },
    {
      name: 'goldens: tokenizers',
      command: vitest('all', 'test/tokenizers/goldens', 'test/tokenizers/fast'),
      skip: inTests,
    },
  ];
}

/** @returns {Step[]} */
function tokenizerFuzz() {
  const shared = join(root, '..', 'shared', 'vocab');
  const names = existsSync(shared)
    ? readdirSync(shared).filter((name) => existsSync(join(shared, name, 'tokenizer.json')))
    : [];
  const texts = ['--texts', isShort ? '2000' : '100000'];
  const own = { name: 'tokenizers and the Rust library: made-up parts' };
  const made = { ...own, command: tool('fuzz-tokenizer.mjs', '--made-up', isShort ? '20' : '500') };
  if (names.length === 0) {
    const skip = 'there are no vocabularies in ../shared/vocab';
    const demo = {
      name: "tokenizers and the Rust library: the demo model's",
      command: tool('fuzz-tokenizer.mjs', ...texts),
    };
    return [made, demo, { name: 'tokenizers and the Rust library: published vocabularies', command: [], skip }];
  }
  const published = names.map((name) => ({
    name: `tokenizers and the Rust library: ${name}`,
    command: tool('fuzz-tokenizer.mjs', '--vocabulary', name, ...texts),
  }));
  return [made, ...published];
}

/** @returns {Step[]} */
function accuracy() {
  return available_isas.map((set) => ({
    name: `accuracy at BERT-base size, each dtype: ${set}`,
    command: vitest(project(set), 'test/models/precision.isa.test.ts'),
    skip: inTests,
  }));
}

/** @type {Step[]} */
const steps = [
  ...goldens(),
  ...tokenizerFuzz(),
  ...accuracy(),
  { name: 'memory stays flat', command: tool('soak.mjs', isShort ? '40000' : '200000') },
  {
    name: 'memory runs out: an error',
    command: tool('memory-limits.mjs', ...(isShort ? ['--only', 'a checkpoint'] : [])),
  },
  { name: 'chaos in one process', command: tool('chaos.mjs', '60', '--only', 'threads'), skip: inTests },
  { name: 'processes ended in mid-run', command: tool('chaos.mjs', '60', '--only', 'processes'), skip: inTests },
  {
    name: 'installed from the tarball',
    command: ['npm', 'run', '--silent', 'test:install', ...(isShort ? ['--', '--no-source-build'] : [])],
    skip: scripts['test:install'] === undefined ? 'there is no script test:install' : undefined,
  },
].filter(({ name }) => name.includes(values.only));
if (steps.length === 0) {
  console.error(`verify: no step has '${values.only}' in its name`);
  process.exit(2);
}

/** Ends the step that runs, with all processes that it started. */
let endStep = () => {};
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    endStep();
    process.kill(process.pid, signal);
  });
}

/** @returns {Promise<{ status: number | null, output: string }>} */
function run({ command, env }, log) {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    const isWindows = process.platform === 'win32';
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      shell: isWindows,
      detached: !isWindows, // a group of processes of its own
    });
    const end = () => {
      if (isWindows) child.kill();
      else if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    endStep = end;
    const hang = setTimeout(() => {
      output += `\nnot done after ${hangs_ms / 60_000} minutes`;
      end();
    }, hangs_ms);
    const file = createWriteStream(log);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += data;
        file.write(data);
      });
    }
    child.on('error', (error) => {
      clearTimeout(hang);
      resolve({ status: null, output: error.message });
    });
    child.on('close', (status) => {
      clearTimeout(hang);
      endStep = () => {};
      file.end();
      resolve({ status, output });
    });
  });
}

const escapeCharacter = String.fromCharCode(27);
/** Lines without colours and blank ends. */
const linesOf = (output) =>
  output
    .replaceAll(new RegExp(`${escapeCharacter}\\[[0-9;]*m`, 'g'), '')
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');

/** What a tool says of itself at its end; of tests, how many there were. */
function summaryOf(output) {
  const lines = linesOf(output);
  const tests = lines.find((line) => /^ +Tests /.test(line));
  return (tests ?? lines.findLast((line) => !line.startsWith('npm ')) ?? '').trim().slice(0, 100);
}

mkdirSync(logs, { recursive: true });
const rows = [];
for (const step of steps) {
  const { name, skip } = step;
  if (skip !== undefined) {
    rows.push({ name, result: 'SKIPPED', seconds: 0, summary: skip });
    continue;
  }
  const log = join(logs, `${name.replaceAll(/[^A-Za-z0-9]+/g, '-')}.log`);
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${name} …`);
  const start = performance.now();
  const { status, output } = await run(step, log);
  const seconds = (performance.now() - start) / 1000;
  const summary = summaryOf(output);
  const passed = summary.startsWith('SKIPPED') ? 'SKIPPED' : 'pass';
  rows.push({ name, result: status === 0 ? passed : 'FAIL', seconds, summary });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  if (status !== 0) {
    console.error(`${name} failed with status ${status}; the end of ${relative(root, log)}:`);
    console.error(linesOf(output).slice(-40).join('\n'));
  }
  for (const line of linesOf(output).filter((each) => each.startsWith('SKIPPED'))) console.error(`${name}: ${line}`);
}

const day = new Date().toISOString().slice(0, 10);
const machine = `${cpus()[0]?.model ?? process.arch}, ${availableParallelism()} processors`;
console.log(`\nnpm run verify${isShort ? ' -- --short' : ''}, ${day}: ${machine}, ${isa}, Node ${process.version}\n`);
const width = Math.max(...rows.map(({ name }) => name.length));
for (const { name, result, seconds, summary } of rows) {
  const time = result === 'SKIPPED' ? '' : `${seconds.toFixed(0)} s`;
  console.log(`${name.padEnd(width)}  ${result.padEnd(7)}  ${time.padStart(7)}  ${summary}`);
}
const count = (result) => rows.filter((row) => row.result === result).length;
console.log(`\n${count('pass')} passed, ${count('FAIL')} failed, ${count('SKIPPED')} skipped`);
process.exitCode = count('FAIL') > 0 ? 1 : 0;
