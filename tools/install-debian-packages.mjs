#!/usr/bin/env node
// Installs what a command needs beyond Node, npm, Python 3, make, g++ and git, on Debian and its like, with apt-get.
// Usage: node tools/install-debian-packages.mjs <purpose>… [--check]      as root, or where sudo is there
//   --check   installs nothing: says what is missing, with status 1

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/** What each purpose needs. Of several packages in one entry the first that the system knows is taken. */
const purposes = {
  build: [['cmake']],
  prebuilds: [['cmake'], ['g++'], ['binutils'], ['python3']],
  arm64: [['cmake'], ['g++-aarch64-linux-gnu'], ['binutils'], ['python3'], ['qemu-user-static', 'qemu-user']],
  musl: [['cmake'], ['g++'], ['binutils'], ['make'], ['xz-utils'], ['musl-tools'], [`gcc-${compilerVersion()}-source`]],
  sanitize: [['cmake'], ['g++'], ['util-linux']],
  fuzz: [['cmake'], ['clang'], ['libclang-rt-dev', 'libclang-rt-14-dev']],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((purpose) => !Object.hasOwn(purposes, purpose));
if (positionals.length === 0 || unknown.length > 0) {
  fail(
    `expected one or more of: ${Object.keys(purposes).join(', ')}${unknown.length > 0 ? `; not ${unknown}` : ''}`,
    2,
  );
}
if (!succeeds('dpkg-query', '--version'))
  fail('this system has no dpkg: install the packages of the same purpose by hand');

const installed = (name) => /^Status: install ok installed$/m.test(output('dpkg-query', '--status', name));
const wanted = positionals.flatMap((purpose) => purposes[purpose]).filter((names) => !names.some(installed));
if (wanted.length === 0) {
  console.log(`Everything is there for: ${positionals.join(', ')}`);
  process.exit(0);
}
if (values.check) fail(`missing: ${wanted.map((names) => names.join(' or ')).join(', ')}`);

const isRoot = process.getuid() === 0;
if (!isRoot && !succeeds('sudo', '--version')) fail('only root can install packages, and there is no sudo');
const asRoot = isRoot ? [] : ['sudo'];
install('update', '-qq');
const known = (name) => succeeds('apt-cache', 'show', name);
const packages = wanted.map((names) => names.find(known) ?? fail(`no package ${names.join(' or ')} on this system`));
install('install', '-y', '--no-install-recommends', ...new Set(packages));

function install(...options) {
  const [command, ...rest] = [...asRoot, 'apt-get', ...options];
  const { status } = spawnSync(command, rest, {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) fail(`apt-get ${options[0]} ended with status ${status}`);
}

/** Of the system's own compiler, whose C++ library is built anew for another C library. */
function compilerVersion() {
  return output('g++', '-dumpversion').split('.')[0].trim() || '12';
}

function output(command, ...options) {
  return spawnSync(command, options, { encoding: 'utf8' }).stdout ?? '';
}

function succeeds(command, ...options) {
  return spawnSync(command, options, { stdio: 'ignore' }).status === 0;
}

/** @returns {never} */
function fail(message, status = 1) {
  console.error(`install-debian-packages: ${message}`);
  process.exit(status);
}
