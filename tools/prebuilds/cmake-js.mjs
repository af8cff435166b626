#!/usr/bin/env node
// Stands where prebuildify expects node-gyp: builds the addon with cmake-js into the folder that prebuildify runs it in,
// as BERT_NATIVE_PREBUILD (JSON: { cmake: { variable: value }, target }) says.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { cmake, target } = JSON.parse(process.env.BERT_NATIVE_PREBUILD);
const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice('--arch='.length);

const options = [
  '--directory',
  root,
  '--out',
  join(process.cwd(), 'build'),
  '--log-level',
  'warn',
  '--parallel',
  process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism()),
  ...(arch === undefined ? [] : ['--arch', arch]),
  ...Object.entries(cmake).map(([name, value]) => `--CD${name}=${value}`),
];
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
for (const step of [['configure'], ['build', '--target', target]]) {
  const { status } = spawnSync(process.execPath, [cmakeJs, ...step, ...options], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
