#!/usr/bin/env node
// Makes dist/ of lib/: types file by file, code in few files. Node reads and links every file of a package by itself, and
// some 200 of them took longer than loading a small model does.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lib = join(root, 'lib');
const dist = join(root, 'dist');

/** What is run or imported by its path. */
const entries = ['index', 'cli/main', 'cli/interruption', 'binding/load', 'tokenizers/loading/parse-worker'];

const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const dependencies = Object.keys(packageJson.dependencies);

const typescript = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'tsc.cmd' : 'tsc');
const types = spawnSync(typescript, ['-p', join(root, 'tsconfig.json'), '--emitDeclarationOnly'], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (types.status !== 0) process.exit(types.status ?? 1);

const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries(entries.map((name) => [name, join(lib, `${name}.ts`)])),
  platform: 'node',
  external: (id) => id.startsWith('node:') || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
  transform: { target: 'es2023', define: { BERT_NATIVE_VERSION: JSON.stringify(packageJson.version) } },
  treeshake: false, // modules do nothing when they are loaded; what is not exported is little
  logLevel: 'warn',
});
const { output } = await bundle.write({
  dir: dist,
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: ({ moduleIds }) => (moduleIds.length > 100 ? 'chunks/library.js' : 'chunks/[name].js'),
});
await bundle.close();
// npm makes the command executable when it installs the package; a clone that is linked may be built again after that.
chmodSync(join(dist, 'cli', 'main.js'), 0o755);

// What earlier builds left.
const made = new Set(output.map(({ fileName }) => fileName));
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = relative(dist, join(entry.parentPath, entry.name));
  const isStale = path.endsWith('.d.ts')
    ? !existsSync(join(lib, path.replace(/\.d\.ts$/, '.ts')))
    : !made.has(path.replaceAll('\\', '/'));
  if (isStale) rmSync(join(dist, path));
}
