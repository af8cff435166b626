#!/usr/bin/env node
// Installs what commands of this repository want from Debian (or Ubuntu), beside Node, npm and git.
// Usage: node tools/install-debian-packages.mjs build | arm64 | …      (as root; elsewhere it prints the command)

import { spawnSync } from 'node:child_process';

/** By what they are for. */
const groups = {
  build: ['cmake', 'g++', 'make'],
  /** npm run prebuilds */
  prebuilds: ['cmake', 'g++', 'make', 'binutils', 'xz-utils'],
  /** npm run test:arm64, and the addon for linux-arm64 */
  arm64: ['cmake', 'g++', 'make', 'xz-utils', 'g++-aarch64-linux-gnu', 'qemu-user-static'],
};

function fail(message) {
  console.error(`install-debian-packages: ${message}`);
  process.exit(1);
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((group) => !Object.hasOwn(groups, group));
if (wanted.length === 0 || unknown.length > 0) {
  fail(
    `name one or more of: ${Object.keys(groups).join(', ')}${unknown.length > 0 ? `; not ${unknown.join(', ')}` : ''}`,
  );
}
if (process.platform !== 'linux' || spawnSync('dpkg-query', ['--version']).status !== 0) {
  fail(
    `this system has no dpkg. Install by its own means what goes by these names in Debian: ${[...new Set(wanted.flatMap((group) => groups[group]))].join(' ')}`,
  );
}

const isInstalled = (name) =>
  spawnSync('dpkg-query', ['--show', '--showformat=${db:Status-Status}', name], { encoding: 'utf8' }).stdout ===
  'installed';
const missing = [...new Set(wanted.flatMap((group) => groups[group]))].filter((name) => !isInstalled(name));
if (missing.length === 0) {
  console.log(`nothing is missing for ${wanted.join(', ')}`);
  process.exit(0);
}
const command = ['apt-get', 'install', '--yes', '--no-install-recommends', ...missing];
if (process.getuid() !== 0)
  fail(`only root can install packages. Run: sudo apt-get update && sudo ${command.join(' ')}`);
const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
for (const [program, ...args] of [['apt-get', 'update'], command]) {
  const { status } = spawnSync(program, args, { stdio: 'inherit', env: environment });
  if (status !== 0) fail(`${[program, ...args].join(' ')} ended with status ${status}`);
}
