#!/usr/bin/env node
// Builds the native tests and the addon with sanitizers, runs the tests, and a program that uses the addon in every way
// at once through Node. Prints a table; status 1 on any report. Needs Linux and g++ with its sanitizers' libraries
// (node tools/install-debian-packages.mjs sanitize).
// Usage: npm run test:sanitize -- [address] [thread] [--tests <substring>] [--full] [--seconds 30] [--no-smoke]
//   address    memory errors, leaks and undefined behaviour        thread    data races; default: both
//   --tests    only native tests whose names contain it
//   --full     all native tests. Else those of an encoder, of attention and of a search run with the machine's best instruction set
//              alone (kernels with every one), and under ThreadSanitizer those of areas with threads or shared memory
//   --seconds  how long the program runs that goes through Node

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, root, runtimeOf, sanitizers } from './sanitize/build.mjs';
import { reportsIn } from './sanitize/reports.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tests: { type: 'string' },
    full: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '30' },
    'no-smoke': { type: 'boolean', default: false },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(sanitizers);
const unknown = names.filter((name) => !Object.hasOwn(sanitizers, name));
if (unknown.length > 0) fail(`no sanitizer ${unknown.join(', ')}; there are ${Object.keys(sanitizers).join(', ')}`, 2);
if (!(Number(values.seconds) > 0)) fail('--seconds is a number above 0', 2);
if (process.platform !== 'linux') fail('sanitizers are run on Linux alone', 2);

/** What each runs: parts of names. Kernels have no threads, and take many times longer under ThreadSanitizer; so do some areas. */
const areas = {
  address: [''],
  thread: values.full ? [''] : ['common/', 'cpu/', 'fault_injection', 'onnxruntime/', 'search/', 'tokenizer/'],
};

const onOneThread = ['attention', 'attention positions', 'relative positions', 'rotary'].map((area) => `-cpu/${area}`);
const leftOut = { address: [], thread: values.full ? [] : onOneThread };

const maxMinutes = 90;
const own = /bert_native\.node|native_tests|\/native\//;
const rows = [];
let reports = 0;
for (const name of names) {
  console.log(`building with -fsanitize=${sanitizers[name].flags} …`);
  const built = build(name);
  const logs = join(built.folder, 'logs');
  rmSync(logs, { recursive: true, force: true });
  mkdirSync(logs, { recursive: true });
  for (const area of values.tests === undefined ? areas[name] : [values.tests]) {
    const title = area === '' ? 'native tests' : `native tests: ${area}`;
    run(
      name,
      title,
      logs,
      [built.tests, area, ...lowerIsas(name, built.tests), ...leftOut[name]],
      {},
      /^\d+ passed, 0 failed/,
    );
  }
  if (values['no-smoke']) continue;
  const smoke = [process.execPath, join(root, 'tools', 'sanitize', 'smoke.mjs'), values.seconds];
  const environment = {
    LD_PRELOAD: runtimeOf(name).join(':'),
    BERT_NATIVE_ADDON: built.addon,
    UV_THREADPOOL_SIZE: '4',
  };
  run(name, 'through Node', logs, smoke, environment, /^\d+ calls, /);
}

console.log('');
const header = ['sanitizer', 'what', 'result', 'reports', 'of Node', 'seconds'];
const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => String(row[i]).length)));
for (const row of [header, ...rows]) {
  console.log(`  ${row.map((cell, i) => String(cell).padEnd(widths[i])).join('  ')}`.trimEnd());
}
const failed = rows.filter(([, , result, found]) => found > 0 || result.startsWith('FAILED'));
console.log(
  failed.length === 0 ? '\nNo report.' : `\n${reports} reports; ${failed.length} of ${rows.length} runs failed`,
);
process.exit(failed.length === 0 ? 0 : 1);

/** What leaves tests of all instruction sets but the best out, where all tests of a layer are run once for each. */
function lowerIsas(sanitizer, tests) {
  if (values.full) return [];
  const [program, ...options] = withoutRandomAddresses(sanitizer, [tests, '--isas']);
  const { status, stdout, stderr } = spawnSync(program, options, { encoding: 'utf8' });
  if (status !== 0) fail(`${tests} --isas ended with ${status}: ${stderr}`);
  const names = stdout.trim().split('\n');
  return names.slice(0, -1).map((isa) => `-${isa}`);
}

/**
 * Runs a program, and counts what its sanitizer writes, wherever it writes it. A sanitizer that ends the program does not
 * show in its status, which leaks must not change: the last line has to be what the program says at its end.
 */
function run(sanitizer, title, logs, command, environment, lastLine) {
  const log = join(logs, title.replace(/\W+/g, '-'));
  const start = performance.now();
  const [program, ...options] = withoutRandomAddresses(sanitizer, command);
  const output = ['out', 'err'].map((name) => `${log}-${name}.txt`);
  console.log(`${sanitizer}: ${title} … (${output[0]})`);
  const [out, err] = output.map((file) => openSync(file, 'w'));
  const result = spawnSync(program, options, {
    cwd: root,
    stdio: ['ignore', out, err],
    timeout: maxMinutes * 60_000, // what waits for ever is what is looked for, too
    killSignal: 'SIGKILL',
    env: { ...process.env, ...environment, ...settings(sanitizer, log) },
  });
  for (const file of [out, err]) closeSync(file);
  const [stdout, stderr] = output.map((file) => readFileSync(file, 'utf8'));
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const files = readdirSync(logs).filter((file) => join(logs, file).startsWith(`${log}.`));
  const written = files.map((file) => readFileSync(join(logs, file), 'utf8')).join('\n');
  const { own: found, others } = reportsIn(`${written}\n${stderr}`, own);
  for (const report of found.slice(0, 5)) console.log(`\n${report.split('\n').slice(0, 60).join('\n')}`);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  const status = result.signal ?? result.status;
  const passed = status === 0 && lastLine.test(last);
  if (!passed) console.log(`\n${title} ended with ${status}:\n${lastLines(stdout)}\n${lastLines(stderr)}`);
  reports += found.length;
  rows.push([sanitizer, title, passed ? last : `FAILED (${status})`, found.length, others, seconds]);
  console.log(`${sanitizer}: ${title}: ${rows.at(-1)[2]}, ${found.length} reports, ${seconds} s`);
}

function settings(sanitizer, log) {
  if (sanitizer === 'thread') {
    const suppressions = join(root, 'tools', 'sanitize', 'thread.supp');
    return {
      TSAN_OPTIONS: `log_path=${log}:suppressions=${suppressions}:halt_on_error=0:exitcode=0:second_deadlock_stack=1:memory_limit_mb=6000`,
    };
  }
  return {
    // Allocations too large for the machine are to fail as they do without a sanitizer: tests want to see that.
    ASAN_OPTIONS: `log_path=${log}:detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=0:malloc_context_size=24`,
    // Leaks are judged by what they report.
    LSAN_OPTIONS: 'exitcode=0:report_objects=0:max_leaks=0',
    UBSAN_OPTIONS: `log_path=${log}:print_stacktrace=1:halt_on_error=0`,
  };
}

/** ThreadSanitizer's shadow memory lies at fixed addresses, which kernels with much randomisation may have given away. */
function withoutRandomAddresses(sanitizer, command) {
  const has = spawnSync('setarch', ['-R', 'true']).status === 0;
  return sanitizer === 'thread' && has ? ['setarch', '-R', ...command] : command;
}

function lastLines(text) {
  return text.trim().split('\n').slice(-15).join('\n');
}

/** @returns {never} */
function fail(message, status = 1) {
  console.error(`test-sanitize: ${message}`);
  process.exit(status);
}
