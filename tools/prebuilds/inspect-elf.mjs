// What a shared library for Linux asks of the system that loads it, as readelf (binutils) shows it.

import { run } from './npm-package.mjs';

const machines = { 'Advanced Micro Devices X86-64': 'x64', AArch64: 'arm64' };

/**
 * @returns {{ arch: string, needed: string[], glibc: string | null, undefinedSymbols: string[], exported: string[] }}
 *   `glibc`: the newest version of which it takes a symbol; `undefinedSymbols`: of no versioned library, and not weak
 */
export function inspectElf(file) {
  const header = run('readelf', ['--file-header', '--wide', file]);
  const dynamic = run('readelf', ['--dynamic', '--wide', file]);
  const rows = run('readelf', ['--dyn-syms', '--wide', file])
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => /^\d+:$/.test(columns[0]) && columns.length >= 8);
  const symbols = rows.map(([, , , type, bind, , section, name]) => ({ type, bind, section, name }));
  const wanted = symbols.filter(({ section }) => section === 'UND');
  const versions = wanted.flatMap(({ name }) => name.match(/@GLIBC_([\d.]+)$/)?.[1] ?? []);
  return {
    arch: machines[header.match(/Machine:\s+(.*)/)?.[1]?.trim()] ?? 'unknown',
    needed: [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]),
    glibc: versions.sort(compareVersions).at(-1) ?? null,
    undefinedSymbols: wanted
      .filter(({ bind, name }) => bind === 'GLOBAL' && !name.includes('@'))
      .map(({ name }) => name),
    exported: symbols.filter(({ section, type }) => section !== 'UND' && type !== 'NOTYPE').map(({ name }) => name),
  };
}

export function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Libraries that every system with Node has; libstdc++ is not among them: which version of it, nobody knows. */
const allowedLibraries = /^(libc|libm|libpthread|libdl|librt|libgcc_s|ld-linux-x86-64|ld-linux-aarch64)\.so\.\d+$/;
const allowedMuslLibraries = /^(libc\.musl-\w+|libgcc_s)\.so\.\d+$/; // Alpine's compiler links the latter

/** @returns {string[]} what is wrong with an addon for `target`; nothing, if it is fit for a release */
export function problemsOfElf(file, target, glibcFloor) {
  const { arch, needed, glibc, undefinedSymbols } = inspectElf(file);
  const allowed = target.libc === 'musl' ? allowedMuslLibraries : allowedLibraries;
  const strangers = needed.filter((name) => !allowed.test(name));
  const isMusl = needed.some((name) => name.startsWith('libc.musl'));
  // Those of Node-API come from the program that loads it; musl knows no versions.
  const homeless = isMusl ? [] : undefinedSymbols.filter((name) => !/^(napi|node_api)_/.test(name));
  return [
    arch === target.arch ? [] : `is for ${arch}`,
    isMusl === (target.libc === 'musl') ? [] : `is for ${isMusl ? 'musl' : 'glibc'}`,
    strangers.length === 0 ? [] : `needs ${strangers.join(', ')}`,
    homeless.length === 0 ? [] : `asks for symbols that no library is named for: ${homeless.join(', ')}`,
    glibc !== null && target.libc === 'musl' ? `asks for symbols of glibc ${glibc}` : [],
    glibc !== null && compareVersions(glibc, glibcFloor) > 0 ? `needs glibc ${glibc}, newer than ${glibcFloor}` : [],
  ].flat();
}
