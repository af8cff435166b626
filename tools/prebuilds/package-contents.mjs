// What `npm pack` would put into the package, and whether that is what belongs there.

import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './npm-package.mjs';
import { fileOf, maxAddonBytes, maxTarballBytes, targets } from './targets.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Everything else in the package is a mistake. */
const expected = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|THIRD-PARTY-NOTICES\.md|CMakeLists\.txt)$/,
  /^dist\/.+\.(js|js\.map|d\.ts)$/,
  /^native\/.+(\.cc|\.h|\.map|CMakeLists\.txt)$/,
  /^prebuilds\/README\.md$/,
  /^examples\/demo-model\/[^/]+$/,
  /^tools\/build-native\.mjs$/,
];
const addons = targets.map((target) => `prebuilds/${fileOf(target).replaceAll('\\', '/')}`);
/** What an installed package cannot do without. */
const required = [
  'package.json',
  'README.md',
  'LICENSE',
  'THIRD-PARTY-NOTICES.md',
  'CMakeLists.txt',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/cli/main.js',
  'dist/tokenizers/loading/parse-worker.js',
  'native/binding/addon.cc',
  'examples/demo-model/model.safetensors',
  'tools/build-native.mjs',
];

/** @returns {{ size: number, files: { path: string, size: number }[] }} sizes in bytes */
export function packedFiles() {
  const windows = process.platform === 'win32';
  const npm = windows ? 'npm.cmd' : 'npm';
  const output = run(npm, ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, shell: windows });
  const [{ size, files }] = JSON.parse(output);
  return { size, files: files.map(({ path, size }) => ({ path, size })) };
}

/** @returns {string[]} one sentence for each thing that is wrong */
export function problemsOfPackage({ size, files }) {
  const paths = files.map(({ path }) => path);
  const strangers = paths.filter((path) => !addons.includes(path) && !expected.some((pattern) => pattern.test(path)));
  const missing = required.filter((path) => !paths.includes(path));
  const large = files.filter(({ path, size }) => path.endsWith('.node') && size > maxAddonBytes);
  return [
    size > maxTarballBytes ? `the package is ${size} bytes; at most ${maxTarballBytes} are allowed` : [],
    strangers.length > 0 ? `files that do not belong into the package: ${strangers.join(', ')}` : [],
    missing.length > 0 ? `files that the package lacks: ${missing.join(', ')}` : [],
    large.map(({ path, size }) => `${path} is ${size} bytes; at most ${maxAddonBytes} are allowed`),
  ].flat();
}
