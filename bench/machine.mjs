/** The machine and the versions that a table is valid for. */

import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** @import { Peak, Run } from './types.ts' */

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @returns {Run['machine']} */
export function describeMachine() {
  return {
    processor: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    memory_gb: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    load_average: loadavg()[0] ?? 0,
  };
}

/** The processor as part of a file's name. @param {Run['machine']} machine */
export function processorName({ processor }) {
  const words = processor.toLowerCase().match(/[a-z0-9]+/g) ?? [process.arch];
  return words.filter((word) => !['r', 'tm', 'cpu', 'processor'].includes(word)).join('-');
}

/** @param {readonly string[]} packages further ones @returns {Record<string, string>} */
export function describeVersions(packages = []) {
  const transformers = packageFolder(import.meta.url, '@huggingface/transformers');
  const onnxruntime = transformers && packageFolder(join(transformers, 'package.json'), 'onnxruntime-node');
  return {
    node: process.version,
    'bert-native': `${versionIn(root)} (${commit()})`,
    '@huggingface/transformers': transformers ? versionIn(transformers) : 'not installed',
    'onnxruntime-node': onnxruntime ? versionIn(onnxruntime) : 'not installed',
    ...Object.fromEntries(
      packages.map((name) => {
        const folder = packageFolder(import.meta.url, name);
        return [name, folder ? versionIn(folder) : 'not installed'];
      }),
    ),
  };
}

/** @param {string} folder @returns {string} */
function versionIn(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

/** The folder of a package as a file would find it. @param {string} from @param {string} name @returns {string | null} */
function packageFolder(from, name) {
  const paths = createRequire(from).resolve.paths(name) ?? [];
  return paths.map((path) => join(path, name)).find((folder) => existsSync(join(folder, 'package.json'))) ?? null;
}

/** The commit that is checked out, and whether there are changes beyond it. */
function commit() {
  const git = (/** @type {string[]} */ ...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  const head = git('rev-parse', '--short', 'HEAD');
  if (head.status !== 0) return 'no commit';
  const changed = git('status', '--porcelain', '--', 'lib', 'native', 'CMakeLists.txt').stdout.trim() !== '';
  return head.stdout.trim() + (changed ? ' with changes' : '');
}

/** Peak memory of a Node that does nothing, which every contender has too. */
export function idleNodeRssMb() {
  const program = `
    const { readFileSync } = require('node:fs');
    const kb = process.platform === 'linux'
      ? /^VmHWM:\\s+(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]
      : process.resourceUsage().maxRSS;
    console.log(kb / 1024);`;
  return Number(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }));
}

/**
 * Builds a program of bench/native where it is not up to date. Null where it cannot be built.
 *
 * @param {'machine_peak' | 'gemm_share'} target
 * @param {string} cacheFolder
 * @returns {string | null} the program
 */
export function buildProgram(target, cacheFolder) {
  const folder = join(cacheFolder, 'native');
  for (const args of [
    ['-S', root, '-B', folder, '-DBERT_NATIVE_BENCH=ON', '-DCMAKE_BUILD_TYPE=Release'],
    ['--build', folder, '--target', target, '--config', 'Release'],
  ]) {
    const { status, error, stdout, stderr } = spawnSync('cmake', args, { encoding: 'utf8' });
    if (status === 0) continue;
    const reason = error?.message ?? `${stdout}${stderr}`.trim().split('\n').at(-1);
    console.error(`${target} was not built, so there are no shares of the machine's peak: ${reason}`);
    return null;
  }
  const name = process.platform === 'win32' ? `${target}.exe` : target;
  const built = ['', 'Release'].map((configuration) => join(folder, 'bench', 'native', configuration, name));
  return built.find((path) => existsSync(path)) ?? null;
}

/** @param {string | null} program @param {number} threads @returns {Promise<Peak | null>} */
export async function measurePeak(program, threads) {
  if (program === null) return null;
  const { stdout } = await promisify(execFile)(program, [String(threads)]);
  return JSON.parse(stdout);
}
