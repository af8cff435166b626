import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './bundle.mjs';

/** What test/native/fuzz has, and what of the native core each reaches. */
export const nativeTargets = {
  tokenizer: 'texts through tokenizers of any parts',
  regex: 'programs of regular expressions',
  decoder: 'tokens through decoders',
  forward: 'specifications and requests of the native engine',
  batches: 'how a call is cut into runs of a graph',
};

const folder = join(root, 'build', 'fuzz', 'native');
const flags = 'address,undefined,fuzzer-no-link';

/** @returns {string | null} why the native targets cannot be built here */
export function whyNoNative() {
  if (process.platform === 'win32') return 'they are built on Linux and macOS';
  if (!succeeds('cmake', '--version')) return 'there is no cmake (Debian: node tools/install-debian-packages.mjs fuzz)';
  if (!succeeds('clang++', '--version'))
    return 'there is no clang (Debian: node tools/install-debian-packages.mjs fuzz)';
  const probe = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }';
  const tried = spawnSync('clang++', ['-fsanitize=fuzzer,address', '-x', 'c++', '-', '-o', '/dev/null'], {
    input: probe,
  });
  if (tried.status === 0) return null;
  return 'clang has no libFuzzer (Debian: node tools/install-debian-packages.mjs fuzz; macOS: Homebrew’s llvm)';
}

/** Builds targets, instrumented. @throws Error with the compiler's output */
export function buildNative(names) {
  const ninja = succeeds('ninja', '--version') ? ['-G', 'Ninja'] : [];
  const options = [
    ...['-S', root, '-B', folder, ...ninja, '-DCMAKE_CXX_COMPILER=clang++', '-DCMAKE_BUILD_TYPE=Release'],
    ...['-DCMAKE_CXX_FLAGS_RELEASE=-O1 -g -fno-sanitize-recover=undefined'],
    ...['-DBERT_NATIVE_FUZZ=ON', `-DBERT_NATIVE_SANITIZE=${flags}`],
  ];
  const targets = ['--target', ...names.map((name) => `fuzz_${name}`)];
  for (const step of [options, ['--build', folder, '--parallel', String(availableParallelism()), ...targets]]) {
    const { status, stdout, stderr } = spawnSync('cmake', step, { encoding: 'utf8', maxBuffer: 1 << 28 });
    if (status !== 0) throw new Error(`cmake ended with status ${status}\n${stdout}${stderr}`);
  }
}

/** The inputs of a target that the repository keeps. */
export function keptCorpus(name) {
  return join(root, 'test', 'fuzz', 'corpus', `native-${name}`);
}

/** Those that fuzzing has found to reach something. */
function grownCorpus(name) {
  return join(root, 'build', 'fuzz', 'corpus', name);
}

/** What was found once, and is mended. */
function mendedInputs(name) {
  return join(root, 'test', 'fuzz', 'found', `native-${name}`);
}

function runTarget(name, options) {
  return spawnSync(join(folder, 'test', 'native', 'fuzz', `fuzz_${name}`), options, {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    env: { ...process.env, ASAN_OPTIONS: 'allocator_may_return_null=1' },
  });
}

/** Of one input: seconds on a busy machine, bytes of input, MiB in all. */
const limits = ['-timeout=20', '-max_len=2048', '-rss_limit_mb=2048'];

/**
 * Fuzzes a target by libFuzzer, from where the last run stopped. What it finds is written to build/fuzz/found/native-<target>.
 *
 * @param {string} name
 * @param {{ seconds: number, seed: number }} options
 * @returns {{ inputs: number, corpus: number, blocks: number, findings: string[] }}
 */
export function fuzzNative(name, { seconds, seed }) {
  const corpus = grownCorpus(name);
  const found = join(root, 'build', 'fuzz', 'found', `native-${name}`);
  for (const made of [corpus, found]) mkdirSync(made, { recursive: true });
  const before = new Set(readdirSync(found));
  const { stderr, status } = runTarget(name, [
    ...[corpus, ...[keptCorpus(name), mendedInputs(name)].filter(existsSync)],
    ...[`-max_total_time=${Math.max(1, Math.round(seconds))}`, `-seed=${seed}`, `-artifact_prefix=${found}/`],
    ...[...limits, '-len_control=10', '-print_final_stats=1', '-verbosity=1'],
  ]);
  const findings = readdirSync(found).filter((file) => !before.has(file));
  if (status !== 0 && findings.length === 0) findings.push(`ended with status ${status}`);
  if (findings.length > 0) console.log(`\n${name}:\n${stderr.trim().split('\n').slice(-60).join('\n')}`);
  const number = (pattern) => Number([...stderr.matchAll(pattern)].at(-1)?.[1] ?? 0);
  return {
    inputs: number(/stat::number_of_executed_units:\s*(\d+)/g) || number(/^#(\d+)/gm),
    corpus: number(/corp: (\d+)\//g),
    blocks: number(/cov: (\d+)/g),
    findings: findings.map((file) => join(found, file)),
  };
}

/**
 * What each input of a target reaches, kept and grown ones, as libFuzzer's merge writes it down.
 *
 * @returns {{ path: string, features: number[] }[]}
 */
export function featuresOf(name) {
  const made = mkdtempSync(join(tmpdir(), 'bert-native-merge-'));
  try {
    const control = join(made, 'control');
    const into = join(made, 'merged');
    mkdirSync(into);
    const from = [keptCorpus(name), grownCorpus(name)].filter(existsSync);
    const { status, stderr } = runTarget(name, [
      '-merge=1',
      `-merge_control_file=${control}`,
      ...limits,
      into,
      ...from,
    ]);
    if (status !== 0) throw new Error(`${name}: merging ended with status ${status}\n${stderr.slice(-4000)}`);
    // How many files there are, how many of them are of the first folder, their paths; then a line for each that was run.
    const lines = readFileSync(control, 'utf8').split('\n');
    const count = Number(lines[0]);
    const inputs = lines.slice(2, 2 + count).map((path) => ({ path, features: [] }));
    for (const line of lines.slice(2 + count)) {
      const [kind, index, ...features] = line.split(' ');
      if (kind === 'FT') inputs[Number(index)].features = features.map(Number);
    }
    return inputs;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function succeeds(command, ...options) {
  return spawnSync(command, options, { stdio: 'ignore' }).status === 0;
}
