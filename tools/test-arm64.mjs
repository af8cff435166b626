#!/usr/bin/env node
// Builds the addon for arm64 Linux (by cross compiler where this is another machine) and tests it, under qemu's user-mode
// emulation where needed: the goldens of every family through an arm64 Node, on each of NEON's instruction sets that the
// processor has, and the native tests. Emulation shows results, not speed.
// Usage: node tools/test-arm64.mjs [--filter substring,…] [--minutes 30] [--no-native-tests]
//   --filter    the native tests whose names contain one of these (default: common/,kernels/; '' for all, which takes long
//               under emulation)
//   --minutes   for the native tests together; what is not run by then is a failure

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import { arm64Node, arm64Runner } from './prebuilds/arm64-node.mjs';
import { printTable } from './prebuilds/table.mjs';
import { fileOf, nameOf, targets, whyNotHere } from './prebuilds/targets.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({
  options: {
    filter: { type: 'string', default: 'common/,kernels/' },
    minutes: { type: 'string', default: '30' },
    'no-native-tests': { type: 'boolean', default: false },
  },
});
const target = targets.find((target) => nameOf(target) === 'linux-arm64-glibc');
const addon = join(root, 'prebuilds', fileOf(target));
const buildFolder = join(root, 'build', 'prebuilds', nameOf(target), 'build');

function fail(message) {
  console.error(`test-arm64: ${message}`);
  process.exit(1);
}

if (process.platform !== 'linux') fail('this needs Linux: arm64, or another with a cross compiler and qemu');
const runner = arm64Runner();
const reason = whyNotHere(target);
if ('missing' in runner || reason !== null) {
  fail('the cross compiler or qemu is missing; as root: node tools/install-debian-packages.mjs arm64');
}

function step(title, command, args, more = {}) {
  console.log(`\n== ${title}`);
  const start = performance.now();
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...more });
  const passed = result.status === 0;
  const output = passed ? result.stdout : `${result.stdout}${result.stderr}${result.error?.message ?? ''}`;
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  return { passed, output, time: `${seconds} s` };
}

/** The goldens' script with the library in it: its own files are TypeScript. */
async function bundleGoldens() {
  const folder = join(root, 'build', 'arm64');
  mkdirSync(folder, { recursive: true });
  const dependencies = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies);
  const bundle = await rolldown({
    cwd: root,
    input: { goldens: join(root, 'tools', 'arm64', 'goldens.mjs') },
    platform: 'node',
    transform: { target: 'es2023' }, // Node 20 has no await using
    external: (id) => id.startsWith('node:') || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
    logLevel: 'warn',
  });
  await bundle.write({ dir: folder, format: 'esm' });
  await bundle.close();
  return join(folder, 'goldens.js');
}

const rows = [];
let failed = 0;
function record(what, { passed, output, time }, result) {
  if (!passed) {
    failed++;
    console.log(output);
  }
  rows.push([what, passed ? result(output) : 'FAILED', time]);
  console.log(`${what}: ${rows.at(-1)[1]}`);
}

const build = step('the addon', process.execPath, [
  join(root, 'tools', 'make-prebuilds.mjs'),
  '--target',
  nameOf(target),
]);
if (!build.passed) fail(build.output);
record('built, loaded, embeds', build, (output) => output.match(/glibc [\d.]+ /)?.[0].trim() ?? '');

const goldens = await bundleGoldens();
const node = [...runner.args, arm64Node()];
const env = { ...process.env, BERT_NATIVE_ADDON: addon };
const isas = step(
  'its instruction sets',
  runner.command,
  [
    ...node,
    '--input-type=module',
    '--eval',
    `import { nativeBinding } from '${join(root, 'dist', 'binding', 'load.js')}';
   console.log(nativeBinding().system_info().available_isas.join());`,
  ],
  { env },
);
if (!isas.passed) fail(isas.output);
for (const isa of isas.output.trim().split(',')) {
  const outcome = step(`goldens, ${isa}`, runner.command, [...node, goldens, join(root, 'test', 'fixtures')], {
    env: { ...env, BERT_NATIVE_ISA: isa },
  });
  record(`goldens, ${isa}`, outcome, (output) => {
    const { isa: used, folders, cases, values, largest } = JSON.parse(output.trim().split('\n').at(-1));
    if (used !== isa) fail(`${isa} was asked for, and ${used} was used`);
    return `${cases} cases of ${folders} folders, ${values} values; largest difference ${largest.toExponential(1)}`;
  });
}

if (!options['no-native-tests']) {
  const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  const compiled = step('the native tests, compiled', 'cmake', [
    ...['--build', buildFolder, '--target', 'native_tests', '--parallel', parallel],
  ]);
  if (!compiled.passed) fail(compiled.output);
  const end = performance.now() + Number(options.minutes) * 60_000;
  for (const filter of options.filter.split(',')) {
    const program = join(buildFolder, 'test', 'native', 'native_tests');
    const name = filter === '' ? 'native tests' : `native tests, ${filter}`;
    const outcome = step(name, runner.command, [...runner.args, program, filter], {
      timeout: Math.max(1, Math.round(end - performance.now())),
    });
    record(name, outcome, (output) => output.trim().split('\n').at(-1));
  }
}

console.log();
printTable(['on arm64', 'result', 'time'], rows);
process.exit(failed === 0 ? 0 : 1);
