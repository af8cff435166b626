// What a release ships of others, and under which licences: packages that are installed with it, and what is compiled into
// the addons, which THIRD-PARTY-NOTICES.md lists with the licences' words.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Licences (SPDX) that packages installed with this one may have: they ask for a notice and no more. */
export const allowedLicences = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'Unicode-3.0',
];

/**
 * What is compiled into the addons. `words`: a file with those of the licence, which the notices have to hold whole (of a
 * copy that comes with a package, so that a new version's are noticed); else sentences that the notices have to hold.
 *
 * @typedef {object} CompiledIn
 * @property {string} name its heading in the notices
 * @property {string} licence SPDX
 * @property {string} [npm] the package that it comes from
 * @property {string} [words]
 * @property {string[]} [sentences]
 */

/** @type {readonly CompiledIn[]} */
export const compiledIn = [
  { name: 'node-addon-api', licence: 'MIT', npm: 'node-addon-api', words: 'LICENSE.md' },
  { name: 'node-api-headers', licence: 'MIT', npm: 'node-api-headers', words: 'LICENSE' },
  { name: 'CMake.js', licence: 'MIT', npm: 'cmake-js', words: 'LICENSE' },
  { name: 'ONNX Runtime', licence: 'MIT', sentences: ['Copyright (c) Microsoft Corporation'] },
  { name: 'Unicode data', licence: 'Unicode-3.0', sentences: ['UNICODE LICENSE V3', 'Unicode, Inc.'] },
  {
    name: 'libstdc++ and libgcc',
    licence: 'GPL-3.0-or-later WITH GCC-exception-3.1',
    sentences: ['GCC Runtime Library Exception', 'Hewlett-Packard Company', 'Silicon Graphics'],
  },
  { name: 'glibc', licence: 'LGPL-2.1-or-later', sentences: ['unlimited permission to link'] },
  { name: 'Microsoft Visual C++ runtime', licence: 'LicenseRef-Visual-Studio', sentences: ['Visual Studio'] },
];

/** Headers that sources include as `<…>` and neither C++, the compiler nor the system has: of whom they are. */
const foreignHeaders = new Map([
  ['napi.h', 'node-addon-api'],
  ['onnxruntime_cxx_api.h', 'ONNX Runtime'],
]);
const systemHeaders =
  /^(sys\/\w+|(imm|emm|xmm)intrin|intrin|arm_neon|cpuid|dlfcn|fcntl|math|pthread|sched|signal|unistd|windows)\.h$/;

/**
 * The packages that npm installs with this one, those of its dependencies and theirs: not the optional peer, which is the
 * user's own.
 *
 * @param {object} lock a package-lock.json
 * @returns {{ path: string, name: string, version: string, licence?: string, integrity?: string, needs: string[] }[]}
 *   by name; `path` is the lock's key, `needs` are such keys
 */
export function runtimePackages(lock) {
  const found = new Map();
  const pending = [''];
  while (pending.length > 0) {
    const path = pending.pop();
    if (found.has(path)) continue;
    const entry = lock.packages[path];
    const wanted = Object.keys({ ...entry.dependencies, ...entry.optionalDependencies });
    const needs = wanted.flatMap((name) => resolve(lock, path, name, entry.optionalDependencies?.[name] !== undefined));
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    found.set(path, { path, name, version: entry.version, licence: entry.license, integrity: entry.integrity, needs });
    pending.push(...needs);
  }
  found.delete('');
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Where Node finds `name` from a package: the nearest node_modules above it. */
function resolve(lock, from, name, isOptional) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (lock.packages[path] !== undefined) return [path];
    if (folder !== '') continue;
    if (isOptional) return [];
    throw new Error(`package-lock.json lacks ${name}, which ${from || 'this package'} needs`);
  }
}

/** @returns {string[]} one sentence for each package that is installed with this one under another licence */
export function problemsOfLicences(lock) {
  return runtimePackages(lock).flatMap(({ path, licence }) => {
    const names = licence?.match(/[\w.+-]+/g)?.filter((word) => word !== 'AND' && word !== 'OR') ?? [];
    if (names.length > 0 && names.every((name) => allowedLicences.includes(name))) return [];
    return `${path}: its licence is ${licence ?? 'not stated'}; allowed are ${allowedLicences.join(', ')}`;
  });
}

const readRoot = (...path) => readFileSync(join(root, ...path), 'utf8');
const oneLine = (text) => text.replace(/\s+/g, ' ').trim();

/** @returns {string[]} one sentence for each thing that is shipped and that the notices do not cover */
export function problemsOfNotices(notices = readRoot('THIRD-PARTY-NOTICES.md')) {
  const sections = new Map(
    notices
      .split(/^## /m)
      .slice(1)
      .map((text) => [text.slice(0, text.indexOf('\n')).trim(), oneLine(text)]),
  );
  const problems = compiledIn.flatMap(({ name, npm, words, sentences = [] }) => {
    const section = sections.get(name);
    if (section === undefined) return [`THIRD-PARTY-NOTICES.md lacks ${name}`];
    const wanted = words === undefined ? sentences : [oneLine(readRoot('node_modules', npm, words))];
    const missing = wanted.filter((sentence) => !section.includes(sentence));
    return missing.map((sentence) => `THIRD-PARTY-NOTICES.md, ${name}: lacks ${JSON.stringify(sentence.slice(0, 80))}`);
  });
  return [...problems, ...problemsOfIncludes(), ...problemsOfBundle()];
}

/** A header of a library that the notices do not know is one that they lack. */
function problemsOfIncludes() {
  const sources = readdirSync(join(root, 'native'), { recursive: true }).filter((path) => /\.(cc|h)$/.test(path));
  const headers = new Map(
    sources.flatMap((path) =>
      [...readRoot('native', path).matchAll(/^#include <([^>]+\.[^>]+|[^>]+\/[^>]+)>/gm)].map(([, header]) => [
        header,
        path,
      ]),
    ),
  );
  return [...headers]
    .filter(([header]) => !foreignHeaders.has(header) && !systemHeaders.test(header))
    .map(([header, path]) => `native/${path} includes <${header}>: whose is it? tools/release/licences.mjs`);
}

/** The library's own modules are bundled; what another package has is imported from it. */
function problemsOfBundle() {
  const dist = join(root, 'dist');
  if (!existsSync(dist)) return [];
  const maps = readdirSync(dist, { recursive: true }).filter((path) => path.endsWith('.js.map'));
  const sources = maps.flatMap((path) =>
    JSON.parse(readFileSync(join(dist, path), 'utf8')).sources.map((source) => join(dirname(join(dist, path)), source)),
  );
  const strangers = [...new Set(sources)].filter((source) => !source.startsWith(join(root, 'lib')));
  return strangers.map((source) => `dist/ holds ${source}, which THIRD-PARTY-NOTICES.md lacks`);
}
