#!/usr/bin/env node
// Builds the addon for musl on a Linux whose C library is glibc (x64; Debian and its like), loads it with musl's loader,
// embeds with it in Bun, and runs the native tests, linked with musl. There is no Node for musl here: that is tested in
// Alpine Linux, by .github/workflows/release.yml.
// Usage: node tools/test-musl.mjs [--filter substring,…]
//   --filter   the native tests whose names contain one of these (default: all)

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { printTable } from './prebuilds/table.mjs';
import { hostLibc, nameOf, targets, whyNotHere } from './prebuilds/targets.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({ options: { filter: { type: 'string', default: '' } } });
const target = targets.find((target) => nameOf(target) === 'linux-x64-musl');
const buildFolder = join(root, 'build', 'prebuilds', nameOf(target), 'build');

function fail(message) {
  console.error(`test-musl: ${message}`);
  process.exit(1);
}

if (hostLibc() !== 'glibc') fail('this is for a Linux with glibc; where musl is at home, npm test does it');
const reason = whyNotHere(target);
if (reason !== null) fail(`this machine ${reason}`);

const rows = [];
let failed = 0;

function step(what, command, args, result) {
  console.log(`== ${what}`);
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  if (status !== 0) {
    failed++;
    console.log(`${stdout}${stderr}${error?.message ?? ''}`);
  }
  rows.push([what, status === 0 ? result(stdout) : 'FAILED', `${seconds} s`]);
  return status === 0;
}

const lastLine = (output) => output.trim().split('\n').at(-1);
const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
const compile = ['--build', buildFolder, '--target', 'native_tests', '--parallel', parallel];
const prebuild = [join(root, 'tools', 'make-prebuilds.mjs'), '--target', nameOf(target)];
if (
  step('the addon', process.execPath, prebuild, (output) => output.match(/loads and embeds.*/)?.[0].trim() ?? '') &&
  step('the native tests, compiled', 'cmake', compile, () => 'with libstdc++, linked with musl')
) {
  const program = join(buildFolder, 'test', 'native', 'native_tests');
  for (const filter of options.filter.split(',')) {
    step(filter === '' ? 'native tests' : `native tests, ${filter}`, program, [filter], lastLine);
  }
}

console.log();
printTable(['with musl', 'result', 'time'], rows);
process.exit(failed === 0 ? 0 : 1);
