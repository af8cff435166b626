#!/usr/bin/env node
// Builds the addon (and the native tests) with cmake-js; says what is missing when the machine lacks a tool. In an
// installed package, which has neither cmake-js nor tests, it gets what it needs into a temporary folder:
// `npx bert-native build`.
// Usage: node tools/build-native.mjs [--debug] [--no-tests] [--onnxruntime] [-- extra cmake-js arguments]
//   --onnxruntime   in an installed package: with the engine that runs ONNX graphs, whose headers are a large download

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

function versionOf(command) {
  const result = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return result.status === 0 ? result.stdout.split('\n')[0] : null;
}

function fail(message) {
  console.error(`bert-native: cannot build the addon: ${message}`);
  process.exit(1);
}

const cmakeVersion = versionOf('cmake')?.match(/(\d+)\.(\d+)/);
if (!cmakeVersion) {
  fail(
    'cmake was not found. Install it (Debian: apt-get install cmake; macOS: brew install cmake; Windows: winget install Kitware.CMake).',
  );
}
if (Number(cmakeVersion[1]) === 3 && Number(cmakeVersion[2]) < 20) {
  fail(`cmake 3.20 or newer is needed, found ${cmakeVersion[0]}.`);
}
if (process.platform !== 'win32' && !process.env.CXX && !['c++', 'g++', 'clang++'].some(versionOf)) {
  fail('no C++ compiler was found. Install one (Debian: apt-get install g++ make; macOS: xcode-select --install).');
}

try {
  accessSync(root, constants.W_OK);
} catch {
  fail(`${root} cannot be written to.`);
}

const [own, passed] = splitAtDashes(process.argv.slice(2));
const isClone = existsSync(join(root, 'lib', 'index.ts'));
const { cmakeJs, variables } = isClone ? buildToolsOfClone() : downloadedBuildTools();
const options = [
  '--log-level',
  'warn',
  '--parallel',
  String(availableParallelism()),
  ...(own.includes('--debug') ? ['--debug'] : []),
  `--CDBERT_NATIVE_TESTS=${isClone && !own.includes('--no-tests') ? 'ON' : 'OFF'}`,
  ...Object.entries(variables).map(([name, value]) => `--CD${name}=${value.replaceAll('\\', '/')}`),
  ...passed,
];
// A build folder that was made elsewhere, or for another generator, would only be refused: what it holds is made anew.
const cache = join(root, 'build', 'CMakeCache.txt');
const ninja = versionOf('ninja') !== null;
if (process.platform !== 'win32' && !ninja && !versionOf('make')) {
  fail('neither make nor ninja was found. Install one (Debian: apt-get install make; macOS: xcode-select --install).');
}
if (existsSync(cache)) {
  const text = readFileSync(cache, 'utf8');
  const entry = (name) => text.match(new RegExp(`^${name}:\\w+=(.*)$`, 'm'))?.[1];
  const moved = entry('CMAKE_HOME_DIRECTORY') !== root.replaceAll('\\', '/');
  const otherGenerator = process.platform !== 'win32' && (entry('CMAKE_GENERATOR') === 'Ninja') !== ninja;
  if (moved || otherGenerator) rmSync(join(root, 'build'), { recursive: true });
}
if (!existsSync(cache)) console.log('bert-native: building the addon; the first time takes a minute or more.');

// Configured every time: cmake-js itself would go on with the options of the first build.
for (const step of ['configure', 'build']) {
  const result = spawnSync(process.execPath, [cmakeJs, step, ...options], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  // Quiet unless it fails: what comes before the tests and the demo should not bury them.
  if (result.status !== 0) {
    process.stderr.write(result.stdout ?? '');
    process.stderr.write(result.stderr ?? '');
    fail(result.error?.message ?? `cmake-js ${step} ended with status ${result.status}; its output stands above.`);
  }
}
if (!isClone) console.log(`bert-native: built ${join(root, 'build', 'Release', 'bert_native.node')}`);

function buildToolsOfClone() {
  return { cmakeJs: require.resolve('cmake-js/bin/cmake-js'), variables: {} };
}

/** In the versions that this package was developed with; npm's install scripts stay off. */
function downloadedBuildTools() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const wanted = ['cmake-js', 'node-addon-api', ...(own.includes('--onnxruntime') ? ['@qvac/onnx'] : [])];
  const folder = mkdtempSync(join(tmpdir(), 'bert-native-build-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const isWindows = process.platform === 'win32';
  const specs = wanted.map((name) =>
    isWindows ? `"${name}@${devDependencies[name]}"` : `${name}@${devDependencies[name]}`,
  );
  console.log(`bert-native: getting ${wanted.join(', ')} from npm's registry`);
  const result = spawnSync(
    isWindows ? 'npm.cmd' : 'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', ...specs],
    { cwd: folder, encoding: 'utf8', shell: isWindows },
  );
  if (result.status !== 0) {
    fail(`npm could not install ${wanted.join(', ')}: ${result.error?.message ?? `${result.stderr}`.trim()}`);
  }
  const modules = join(folder, 'node_modules');
  const headers = join(modules, '@qvac', 'onnx', 'prebuilds', 'include', 'onnxruntime');
  return {
    cmakeJs: join(modules, 'cmake-js', 'bin', 'cmake-js'),
    variables: {
      NODE_ADDON_API_DIR: join(modules, 'node-addon-api'),
      BERT_NATIVE_ONNXRUNTIME_INCLUDE: own.includes('--onnxruntime') ? headers : 'OFF',
    },
  };
}

function splitAtDashes(argv) {
  const at = argv.indexOf('--');
  return at < 0 ? [argv, []] : [argv.slice(0, at), argv.slice(at + 1)];
}
