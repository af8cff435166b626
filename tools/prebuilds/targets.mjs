// The platforms that a release has addons for.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasMuslParts } from './musl.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/** No addon may need a newer one. (Node 20 itself needs 2.28.) */
export const glibcFloor = '2.17';
/** What Node 20 needs. */
export const oldestMacos = '11.0';
export const maxAddonBytes = 4_000_000;
export const maxTarballBytes = 12_000_000;

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

/**
 * @typedef {object} Target
 * @property {string} platform as in `process.platform`
 * @property {string} arch as in `process.arch`
 * @property {'glibc' | 'musl' | null} libc on Linux
 * @property {string} [toolchain] the file that says how it is cross-compiled
 * @property {string} [strip]
 * @property {string} madeOn where its addon is built
 */

/** @type {readonly Target[]} */
export const targets = [
  { platform: 'linux', arch: 'x64', libc: 'glibc', madeOn: 'Linux, x64' },
  {
    platform: 'linux',
    arch: 'arm64',
    libc: 'glibc',
    madeOn: 'Linux, x64 (cross compiler) or arm64',
    toolchain: join(here, 'linux-arm64.cmake'),
    strip: 'aarch64-linux-gnu-strip',
  },
  { platform: 'linux', arch: 'x64', libc: 'musl', madeOn: 'Linux, x64: Alpine, or Debian with its musl' },
  { platform: 'linux', arch: 'arm64', libc: 'musl', madeOn: 'Alpine Linux, arm64' },
  { platform: 'darwin', arch: 'arm64', libc: null, madeOn: 'macOS' },
  { platform: 'darwin', arch: 'x64', libc: null, madeOn: 'macOS' },
  { platform: 'win32', arch: 'x64', libc: null, madeOn: 'Windows' },
  { platform: 'win32', arch: 'arm64', libc: null, madeOn: 'Windows' },
];

export const nameOf = ({ platform, arch, libc }) => `${platform}-${arch}${libc === null ? '' : `-${libc}`}`;

/** Below `prebuilds`, as prebuildify names it and lib/binding/addon-file.ts finds it. */
export const fileOf = ({ platform, arch, libc }) =>
  join(`${platform}-${arch}`, libc === null ? 'bert-native.node' : `bert-native.${libc}.node`);

export function hostLibc() {
  if (process.platform !== 'linux') return null;
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** Whether this machine, of glibc, has what an addon for musl is made and loaded with. */
export const isForeignMusl = ({ platform, arch, libc }) =>
  platform === 'linux' && libc === 'musl' && hostLibc() === 'glibc' && arch === process.arch && hasMuslParts();

/** Why this machine cannot build for `target`; null if it can. */
export function whyNotHere(target) {
  if (target.platform !== process.platform) return `is made on ${target.madeOn}`;
  if (isForeignMusl(target)) return null;
  if (target.libc === 'musl' && target.arch === 'x64' && process.arch === 'x64' && hostLibc() === 'glibc') {
    return 'lacks what it is made of: tools/install-debian-packages.mjs musl';
  }
  if (target.libc !== hostLibc()) return `is made on ${target.madeOn}`;
  // Apple's and Microsoft's compilers build for both of their processors.
  if (target.arch === process.arch || target.platform !== 'linux') return null;
  if (target.toolchain === undefined || !existsSync(target.toolchain)) return `is made on ${target.madeOn}`;
  const hasCompiler = spawnSync('aarch64-linux-gnu-g++', ['--version']).status === 0;
  return hasCompiler ? null : 'lacks its cross compiler: tools/install-debian-packages.mjs arm64';
}
