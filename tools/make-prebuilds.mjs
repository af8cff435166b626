#!/usr/bin/env node
// Builds the addons that this machine can build for a release, into prebuilds/, checks each, and says what was made and
// what is left to other machines. prebuildify lays them out; it drives cmake-js (tools/prebuilds/cmake-js.mjs).
// Usage: node tools/make-prebuilds.mjs [--target linux-x64-glibc,…] [--check]
//   --check   build nothing: look at what lies in prebuilds/; every target has to be there

import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { inspectElf, problemsOfElf } from './prebuilds/inspect-elf.mjs';
import { loadCheck } from './prebuilds/load-check.mjs';
import { muslToolchain, problemUnderMusl } from './prebuilds/musl.mjs';
import { run } from './prebuilds/npm-package.mjs';
import { olderGlibc, problemUnderOlderGlibc } from './prebuilds/older-glibc.mjs';
import { packedFiles, problemsOfPackage } from './prebuilds/package-contents.mjs';
import { printTable } from './prebuilds/table.mjs';
import {
  fileOf,
  glibcFloor,
  hostLibc,
  isForeignMusl,
  maxAddonBytes,
  megabytes,
  nameOf,
  oldestMacos,
  targets,
  whyNotHere,
} from './prebuilds/targets.mjs';
import { problemsOfLicences, problemsOfNotices } from './release/licences.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'));

const { values } = parseArgs({ options: { target: { type: 'string' }, check: { type: 'boolean', default: false } } });
const names = values.target?.split(',') ?? targets.map(nameOf);
const unknown = names.filter((name) => !targets.some((target) => nameOf(target) === name));
if (unknown.length > 0) fail(`no such target: ${unknown.join(', ')}; there are ${targets.map(nameOf).join(', ')}`);

function fail(message) {
  console.error(`make-prebuilds: ${message}`);
  process.exit(1);
}

/** prebuildify works in a folder of the target's own: build/ is what `npm run build` made, and stays. */
async function build(target) {
  const folder = join(root, 'build', 'prebuilds', nameOf(target));
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  const isGlibc = target.libc === 'glibc';
  const isForeign = target.arch !== process.arch && target.toolchain !== undefined;
  const cmake = {
    // They are built only where they are asked for: tools/test-arm64.mjs.
    BERT_NATIVE_TESTS: 'ON',
    ...(isForeign ? { CMAKE_TOOLCHAIN_FILE: target.toolchain } : {}),
    ...(isForeignMusl(target) ? { CMAKE_TOOLCHAIN_FILE: join(muslToolchain(), 'toolchain.cmake') } : {}),
    BERT_NATIVE_PORTABLE: 'ON',
    ...(isGlibc ? { BERT_NATIVE_GLIBC_FLOOR: olderGlibc(target.arch).folder } : {}),
  };
  if (target.platform === 'darwin') process.env.MACOSX_DEPLOYMENT_TARGET ??= oldestMacos;
  // Visual C++'s own libraries are not on every Windows.
  if (target.platform === 'win32') cmake.CMAKE_MSVC_RUNTIME_LIBRARY = 'MultiThreaded';
  process.env.BERT_NATIVE_PREBUILD = JSON.stringify({ cmake, target: 'bert_native' });
  const shim = join(root, 'tools', 'prebuilds', 'cmake-js.mjs');
  await prebuildify({
    cwd: folder,
    out: root,
    // Windows runs no script by its first line; prebuildify uses a shell there.
    nodeGyp: process.platform === 'win32' ? `"${process.execPath}" "${shim}"` : shim,
    napi: true,
    targets: [{ runtime: 'node', target: process.versions.node }],
    platform: target.platform,
    arch: target.arch,
    strip: true,
    ...(isForeign ? { stripBin: target.strip } : {}),
    libc: target.libc ?? '',
    tagLibc: target.libc ?? false,
  });
}

/** @returns {Promise<{ row: string[], problems: string[] }>} */
async function examine(target) {
  const file = join(root, 'prebuilds', fileOf(target));
  const size = statSync(file).size;
  const problems = target.platform === 'linux' ? problemsOfElf(file, target, glibcFloor) : [];
  if (size > maxAddonBytes) problems.push(`${megabytes(size)}; at most ${megabytes(maxAddonBytes)} are allowed`);
  const floor = target.libc === 'glibc' ? `glibc ${inspectElf(file).glibc}` : '';
  if (nameOf(target) === 'linux-x64-glibc' && process.arch === 'x64' && hostLibc() === 'glibc') {
    problems.push(problemUnderOlderGlibc(file) ?? []);
  }
  if (isForeignMusl(target)) problems.push(problemUnderMusl(file) ?? []);
  const { verdict, problem } = loadCheck(file, target);
  if (problem !== undefined) problems.push(problem);
  return { row: [nameOf(target), fileOf(target), megabytes(size), floor, verdict], problems: problems.flat() };
}

run(process.execPath, [join(root, 'tools', 'build-lib.mjs')]);
const rows = [];
const left = [];
const problems = [];
for (const target of targets.filter((target) => names.includes(nameOf(target)))) {
  const reason = values.check ? null : whyNotHere(target);
  const isThere = () => existsSync(join(root, 'prebuilds', fileOf(target)));
  if (reason === null && !values.check) {
    console.log(`bert-native: building for ${nameOf(target)}`);
    try {
      await build(target);
    } catch (error) {
      fail(`${nameOf(target)}: ${error.message}`);
    }
  }
  if (reason !== null || !isThere()) {
    left.push([nameOf(target), fileOf(target), reason ?? 'is not there']);
    if (values.check) problems.push(`${nameOf(target)} is not there`);
    continue;
  }
  const examined = await examine(target);
  rows.push(examined.row);
  problems.push(...examined.problems.map((problem) => `${nameOf(target)} ${problem}`));
}

console.log(`\n${values.check ? 'Found' : 'Made here'}, in prebuilds/:`);
printTable(['platform', 'file', 'size', 'needs', 'tested'], rows);
if (left.length > 0) {
  console.log('\nLeft to other machines (.github/workflows/release.yml):');
  printTable(['platform', 'file', 'why'], left);
}
const packed = packedFiles();
problems.push(...problemsOfPackage(packed), ...problemsOfNotices());
problems.push(...problemsOfLicences(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))));
console.log(`\nThe package with these: ${packed.files.length} files, packed ${megabytes(packed.size)}`);
if (problems.length === 0) console.log('Its files, its sizes, licences and notices are what they should be.');
for (const problem of problems) console.error(`make-prebuilds: ${problem}`);
if (problems.length > 0) process.exit(1);
