import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { thisPlatform } from '../lib/binding/addon-file.ts';
import { nativeBinding, packageRoot } from '../lib/binding/load.ts';

// Files named *.isa.test.ts run once for every instruction set that this processor has; the others once, with the best.
const { available_isas } = nativeBinding().system_info();
const lower = available_isas.slice(0, -1);
const x86 = ['avx2', 'avx_vnni', 'avx512', 'avx512_vnni', 'avx512_bf16', 'amx'];
const arm = ['neon', 'neon_dot', 'neon_bf16'];
const absent = ['scalar', ...x86, ...arm].filter((isa) => !available_isas.includes(isa));
console.warn(
  `Instruction sets tested: ${available_isas.join(', ')}. Not on this machine, so not tested: ${absent.join(', ')}.`,
);

// What compares with ONNX Runtime, or with transformers.js, which runs on it. The package has none for macOS on x64, and none
// for musl.
const { platform, arch, libc } = thisPlatform();
const libraries = join(packageRoot, 'node_modules', 'onnxruntime-node', 'bin', 'napi-v6', platform, arch);
const hasOnnxRuntime = libc !== 'musl' && existsSync(libraries);
const withOnnxRuntime = [
  'test/onnx/*.test.ts',
  'test/{engines,models}/onnxruntime/**',
  'test/**/transformers-js*.test.ts',
  'test/{bench,cli}/onnxruntime.test.ts',
  'test/cli/export.test.ts',
  'test/examples/**',
  'test/tokenizers/tokenizer-json.test.ts',
];
if (!hasOnnxRuntime) console.warn(`No ONNX Runtime for this platform, so not tested: ${withOnnxRuntime.join(', ')}.`);

const common: TestProjectInlineConfiguration['test'] = {
  // Only what hangs takes so long, on a slow machine with other work, too.
  testTimeout: 10 * 60_000,
  hookTimeout: 10 * 60_000,
  // Each file in a process of its own: BERT_NATIVE_ISA is read once per process.
  pool: 'forks',
  // Two cores: more processes than that only slow each other down.
  maxWorkers: 2,
  // Warnings are part of what is tested; printing each would bury the results.
  execArgv: ['--no-warnings'],
  // What a test wants of a hub, it asks a server of its own.
  env: { HF_HUB_OFFLINE: '1' },
  exclude: [...configDefaults.exclude, ...(hasOnnxRuntime ? [] : withOnnxRuntime)],
};

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'all', include: ['test/**/*.test.ts'] } },
      ...lower.map((isa) => ({
        test: {
          ...common,
          name: isa,
          include: ['test/**/*.isa.test.ts'],
          env: { ...common.env, BERT_NATIVE_ISA: isa },
        },
      })),
    ],
  },
});
