#!/usr/bin/env node
// Builds the addon (and the native tests) with cmake-js; says what is missing when the machine lacks a tool. In an
// installed package, which has neither cmake-js nor tests, it takes what it needs from the application or gets it into a
// temporary folder: `npx bert-native build`.
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
const [cmakeMajor, cmakeMinor] = cmakeVersion.slice(1).map(Number);
if (cmakeMajor < 3 || (cmakeMajor === 3 && cmakeMinor < 20)) {
  fail(`cmake 3.20 or newer is needed, found ${cmakeVersion[0]}.`);
}
const ninja = versionOf('ninja') !== null;
if (process.platform !== 'win32') {
  const { CXX } = process.env;
  if (CXX && ![CXX, CXX.split(' ')[0]].some(versionOf)) fail(`the C++ compiler that CXX names does not run: ${CXX}`);
  if (!CXX && !['c++', 'g++', 'clang++'].some(versionOf)) {
    fail('no C++ compiler was found. Install one (Debian: apt-get install g++ make; macOS: xcode-select --install).');
  }
  if (!ninja && !versionOf('make')) {
    fail(
      'neither make nor ninja was found. Install one (Debian: apt-get install make; macOS: xcode-select --install).',
    );
  }
}

try {
  accessSync(root, constants.W_OK);
} catch {
  fail(`${root} cannot be written to.`);
}

const [own, passed] = splitAtDashes(process.argv.slice(2));
const isClone = existsSync(join(root, 'lib', 'index.ts'));
const { cmakeJs, variables } = isClone ? buildToolsOfClone() : buildToolsOfPackage();
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

/**
 * Those that the application has installed, where it has them all; else from npm's registry, in the versions that this
 * package was developed with and without install scripts.
 */
function buildToolsOfPackage() {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const wanted = ['cmake-js', 'node-addon-api', ...(own.includes('--onnxruntime') ? ['@qvac/onnx'] : [])];
  const installed = wanted.map((name) => installedFolder(name, devDependencies[name]));
  const [cmakeJs, addonApi, onnx] = installed.includes(undefined) ? downloaded(wanted, devDependencies) : installed;
  return {
    cmakeJs: join(cmakeJs, 'bin', 'cmake-js'),
    variables: {
      NODE_ADDON_API_DIR: addonApi,
      BERT_NATIVE_ONNXRUNTIME_INCLUDE: onnx === undefined ? 'OFF' : join(onnx, 'prebuilds', 'include', 'onnxruntime'),
    },
  };
}

/** A package of the same major version as `range`, from the application's node_modules. */
function installedFolder(name, range) {
  const majorOf = (version) => version.match(/\d+/)[0];
  return require.resolve
    .paths(name)
    .map((folder) => join(folder, name))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .find((folder) => majorOf(require(join(folder, 'package.json')).version) === majorOf(range));
}

/** @returns {string[]} the folders of `wanted`, which end with this process */
function downloaded(wanted, devDependencies) {
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
    process.stderr.write(result.stderr ?? '');
    const problem = result.error === undefined ? 'its output stands above' : result.error.message;
    fail(
      `npm could not get ${wanted.join(', ')} (${problem}). Where the registry cannot be reached, install them beside ` +
        `bert-native from elsewhere: ${specs.join(' ')}`,
    );
  }
  return wanted.map((name) => join(folder, 'node_modules', name));
}

function splitAtDashes(argv) {
  const at = argv.indexOf('--');
  return at < 0 ? [argv, []] : [argv.slice(0, at), argv.slice(at + 1)];
}
