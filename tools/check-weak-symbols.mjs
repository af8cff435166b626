#!/usr/bin/env node
// Checks that the kernels compiled for wide instruction sets define no weak symbols. An inline function or template
// instance with external linkage exists once per object file that uses it, and the linker keeps any one of them for the
// whole program: the copy with wide instructions would end the program on a processor without them.
// Usage: node tools/check-weak-symbols.mjs [folder of objects, default build/native]      Needs nm (GNU, LLVM or Apple).

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const buildFolder = process.argv[2] ?? join(root, 'build', 'native');

function fail(message) {
  console.error(`check-weak-symbols: ${message}`);
  process.exit(1);
}

// The objects of each CMake target bert_native_kernels_<instruction set>.
function kernelObjects(folder, insideTarget = false) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return kernelObjects(path, insideTarget || /^bert_native_kernels_\w+\.dir$/.test(entry.name));
    return insideTarget && /\.(o|obj)$/.test(entry.name) ? [path] : [];
  });
}

// Apple's nm tells weak symbols only in its own format (-m); elsewhere they are the classes W, V and u.
function weakSymbols(object) {
  const apple = process.platform === 'darwin';
  const nm = spawnSync('nm', apple ? ['-m', object] : ['--defined-only', '-C', object], { encoding: 'utf8' });
  if (nm.status !== 0) fail(`nm failed on ${object}: ${nm.error?.message ?? nm.stderr.trim()}`);
  const weak = apple ? /\bweak\b/ : /^\S+ [WwVvu] /;
  return nm.stdout.split('\n').filter((line) => weak.test(line) && !/\(undefined\)/.test(line));
}

const objects = kernelObjects(buildFolder);
if (objects.length === 0) fail(`no object of a kernel library under ${buildFolder}; was it built?`);
let weakCount = 0;
for (const object of objects) {
  const weak = weakSymbols(object);
  weakCount += weak.length;
  for (const line of weak) console.error(`${relative(buildFolder, object)}: ${line.trim()}`);
}
if (weakCount > 0)
  fail(`${weakCount} weak symbols in the objects above; put what they come from in an unnamed namespace`);
console.log(
  `no weak symbols in ${objects.length} kernel objects (${objects.map((path) => basename(dirname(path))).join(', ')})`,
);
