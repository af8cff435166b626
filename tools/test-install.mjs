#!/usr/bin/env node
// Packs the package, installs it into empty folders as a user would, with no compiler, no cmake and no install scripts, and
// uses it there: by import and require() on several versions of Node, from the command line, in bundles, with TypeScript.
// Then without an addon for this platform: what the error says, and that the command which it names works.
// Usage: node tools/test-install.mjs [--prebuilt] [--no-source-build] [--keep]
//   --prebuilt   with the addons that lie in prebuilds/, as they are

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleApplication } from './install/bundles.mjs';
import * as programs from './install/programs.mjs';
import { npmProgram, Sandbox } from './install/sandbox.mjs';
import { checkTypes } from './install/types.mjs';
import { npmPackage, run } from './prebuilds/npm-package.mjs';
import { printTable } from './prebuilds/table.mjs';
import { fileOf, hostLibc, maxTarballBytes, megabytes, nameOf } from './prebuilds/targets.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({
  options: {
    'no-source-build': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    prebuilt: { type: 'boolean', default: false },
  },
});
const host = { platform: process.platform, arch: process.arch, libc: hostLibc() };
const folder = mkdtempSync(join(tmpdir(), 'bert-native-install-'));
const rows = [];
let failed = 0;

/** One line of the table. @param {() => string | void} body throws where the check fails */
function check(what, body) {
  const start = performance.now();
  let result;
  try {
    result = body() ?? 'ok';
  } catch (error) {
    failed++;
    result = 'FAILED';
    console.error(`\n${what}: ${error.message}\n`);
  }
  rows.push([what, result, `${((performance.now() - start) / 1000).toFixed(1)} s`]);
  console.log(`${what}: ${result}`);
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

console.log(`bert-native: the addon for ${nameOf(host)}, and the package`);
run(process.execPath, [
  join(root, 'tools', 'make-prebuilds.mjs'),
  ...['--target', nameOf(host)],
  ...(options.prebuilt ? ['--check'] : []),
]);
const tarball = join(
  folder,
  run(process.execPath, [npmProgram(), 'pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  }).trim(),
);
const sandbox = new Sandbox(folder);

/** Bun, in the build for processors without AVX2; null where npm has none for this platform. */
function bunHere() {
  if (process.platform !== 'linux' || host.libc !== 'glibc') return null;
  const builds = { x64: 'x64-baseline', arm64: 'aarch64' };
  const build = builds[process.arch];
  return build === undefined ? null : join(npmPackage(`@oven/bun-linux-${build}@1`), 'bin', 'bun');
}

/** A folder with a package.json and the package installed. */
function install(name) {
  const cwd = join(folder, name);
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ name: 'app', private: true }));
  sandbox.npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', tarball], { cwd });
  return cwd;
}

const app = install('app');
const installed = join(app, 'node_modules', 'bert-native');
const model = join(installed, 'examples', 'demo-model');
const write = (name, text) => {
  writeFileSync(join(app, name), text);
  return join(app, name);
};
const runIn = (node, file, ...args) => sandbox.succeed(node, [file, ...args], { cwd: app }).trim();

check('the package: size', () => {
  const bytes = statSync(tarball).size;
  expect(bytes <= maxTarballBytes, `${bytes} bytes; at most ${maxTarballBytes} are allowed`);
  const addons = readdirSync(join(installed, 'prebuilds'), { recursive: true }).filter((name) =>
    name.endsWith('.node'),
  );
  return `${megabytes(bytes)}, with ${addons.length} addon${addons.length === 1 ? '' : 's'}`;
});
check('no compiler and no cmake are there', () => {
  for (const tool of ['cc', 'c++', 'g++', 'clang', 'cmake', 'make', 'python3', 'git']) {
    expect(sandbox.run(tool, ['--version'], { cwd: app }).status === null, `${tool} was found`);
  }
});

const nodes = [process.execPath];
if (process.platform === 'linux' && host.libc === 'glibc') {
  for (const major of [22, 24]) nodes.push(join(npmPackage(`node-linux-${process.arch}@${major}`), 'bin', 'node'));
}
for (const node of nodes) {
  const version = sandbox.succeed(node, ['--version'], { cwd: app }).trim().slice(1);
  check(`Node ${version}: import, embed`, () => runIn(node, write('import.mjs', programs.importing), model));
  check(`Node ${version}: require(), embed`, () => {
    const [major, minor] = version.split('.').map(Number);
    if (major === 20 ? minor < 19 : major === 22 && minor < 12) return 'not on this Node';
    return runIn(node, write('require.cjs', programs.requiring), model);
  });
  check(`Node ${version}: bert-native, the command`, () => {
    const command = join(installed, 'dist', 'cli', 'main.js');
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect(runIn(node, command, '--version') === version, 'another version');
    expect(runIn(node, command, 'tokenize', '--model', model, 'The weather').includes('[CLS]'), 'no tokens');
    expect(runIn(node, command, 'demo').includes('Largest difference'), 'no demo');
  });
}
const bun = bunHere();
if (bun !== null) {
  const version = sandbox.succeed(bun, ['--version'], { cwd: app }).trim();
  check(`Bun ${version}: import, embed`, () => runIn(bun, write('import.mjs', programs.importing), model));
  check(`Bun ${version}: require(), embed`, () => runIn(bun, write('require.cjs', programs.requiring), model));
  check(`Bun ${version}: in a worker`, () => runIn(bun, write('in-worker.mjs', programs.inWorker), model));
}
check('npx bert-native', () => {
  expect(
    sandbox.npm(['exec', '--no', '--', 'bert-native', 'demo'], { cwd: app }).includes('Largest difference'),
    'no demo',
  );
});

checkTypes({ check, root, tarball, app, write, source: programs.typed });
bundleApplication({ check, root, folder, sandbox, app, installed, model });

const other = install('other');
const otherPackage = join(other, 'node_modules', 'bert-native');
const otherModel = join(otherPackage, 'examples', 'demo-model');
writeFileSync(join(other, 'import.mjs'), programs.importing);
writeFileSync(join(other, 'alone.mjs'), programs.importingAlone);
check('no addon for the platform: what the error says', () => {
  const addon = join(otherPackage, 'prebuilds', fileOf(host));
  const elsewhere = join(otherPackage, 'prebuilds', 'aix-ppc64');
  mkdirSync(elsewhere, { recursive: true });
  renameSync(addon, join(elsewhere, 'bert-native.node'));
  expect(sandbox.run(process.execPath, ['alone.mjs'], { cwd: other }).status === 0, 'the import alone fails');
  const { status, stderr } = sandbox.run(process.execPath, ['import.mjs', otherModel], { cwd: other });
  const sentence = stderr.split('\n').find((line) => line.includes('BertNativeError:')) ?? stderr;
  expect(status !== 0 && stderr.includes("code: 'ERR_ADDON'"), `no ERR_ADDON: ${stderr}`);
  for (const part of [`${host.platform}-${host.arch}`, 'aix-ppc64', 'npx bert-native build']) {
    expect(sentence.includes(part), `it does not name ${part}: ${sentence}`);
  }
  console.log(`  ${sentence.trim()}`);
});
const build = [npmProgram(), 'exec', '--no', '--', 'bert-native', 'build'];
/** What the command says on a machine that lacks something that it needs. */
const refuses = (sentence, env) => {
  const { status, stderr } = sandbox.run(process.execPath, build, { cwd: other, env });
  expect(status !== 0 && stderr.includes(`cannot build the addon: ${sentence}`), stderr);
};
check('the command, without cmake', () => refuses('cmake was not found'));
if (process.platform !== 'win32') {
  check('the command, without a compiler', () => refuses('no C++ compiler was found', sandbox.with('cmake')));
  check('the command, without make', () => refuses('neither make nor ninja was found', sandbox.with('cmake', 'c++')));
  check('the command, without the registry', () => {
    const offline = { npm_config_registry: 'http://127.0.0.1:9', npm_config_fetch_retries: '0' };
    refuses('npm could not get cmake-js, node-addon-api', { ...offline, PATH: process.env.PATH });
  });
}
if (!options['no-source-build']) {
  check('no addon: the command that the error names', () => {
    const env = Object.fromEntries(
      ['PATH', 'CC', 'CXX', 'CMAKE_CXX_COMPILER_LAUNCHER', 'CCACHE_CONFIGPATH', 'CMAKE_BUILD_PARALLEL_LEVEL']
        .filter((name) => process.env[name] !== undefined)
        .map((name) => [name, process.env[name]]),
    );
    sandbox.succeed(process.execPath, build, { cwd: other, env });
    expect(existsSync(join(otherPackage, 'build', 'Release', 'bert_native.node')), 'it built nothing');
    return sandbox.succeed(process.execPath, ['import.mjs', otherModel], { cwd: other }).trim();
  });
}

console.log();
printTable(['check', 'result', 'time'], rows);
if (options.keep) console.log(`\nkept: ${folder}`);
else rmSync(folder, { recursive: true, force: true });
console.log(failed === 0 ? `\nall ${rows.length} passed` : `\n${failed} of ${rows.length} failed`);
process.exit(failed === 0 ? 0 : 1);
