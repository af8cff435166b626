#!/usr/bin/env node
// Everything that can be checked without running the library: formatters, linters, types, directions of imports.
// Usage: node tools/check.mjs [--fix]

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const fix = process.argv.includes('--fix');
let failed = 0;

function tracked(...patterns) {
  const listing = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...patterns], {
    cwd: root,
    encoding: 'utf8',
  });
  return listing.stdout.split('\n').filter(Boolean);
}

function run(name, command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  const passed = result.status === 0;
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name}`);
  if (!passed) {
    failed++;
    console.log(`${result.error?.message ?? ''}${result.stdout ?? ''}${result.stderr ?? ''}`);
  }
}

const bin = (name) => join(root, 'node_modules', '.bin', name);

run('Biome: format, lint, direction of imports', bin('biome'), [
  'check',
  '--error-on-warnings',
  ...(fix ? ['--write'] : []),
  '.',
]);
run('TypeScript: the library', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']);
run('TypeScript: the tests', bin('tsc'), ['-p', 'test/tsconfig.json']);
run('TypeScript: the benchmark', bin('tsc'), ['-p', 'bench/tsconfig.json']);
run('TypeScript: the examples', bin('tsc'), ['-p', 'examples/tsconfig.json']);

const cpp = tracked('*.cc', '*.h');
const clangFormat = require('clang-format').location;
run('clang-format', clangFormat, ['--style=file', ...(fix ? ['-i'] : ['--dry-run', '--Werror']), ...cpp]);

run('Kernels define no weak symbols', process.execPath, [join(root, 'tools', 'check-weak-symbols.mjs')]);

if (failed > 0) {
  console.log(`${failed} checks failed${fix ? '' : '; npm run format mends what is a matter of form'}`);
  process.exit(1);
}
