import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What GCC calls them, and the run-time libraries that a process with an instrumented addon begins with. */
export const sanitizers = {
  address: { flags: 'address,undefined', runtime: ['libasan.so', 'libstdc++.so.6'] },
  thread: { flags: 'thread', runtime: ['libtsan.so'] },
};

/**
 * Builds the native tests and the addon with a sanitizer, by g++, in a folder of its own.
 *
 * @param {keyof typeof sanitizers} name
 * @returns {{ tests: string, addon: string, folder: string }} the program, the addon, and the folder that all of it is in
 */
export function build(name) {
  const folder = join(root, 'build', 'sanitize', name);
  const out = join(folder, 'build');
  const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
  const options = [
    ...['-O', out, '--log-level', 'warn', '--parallel', String(availableParallelism())],
    ...[`--CDBERT_NATIVE_SANITIZE=${sanitizers[name].flags}`, '--CDBERT_NATIVE_TESTS=ON'],
    // Optimised a little: without, the kernels take minutes; with more, reports name the wrong lines.
    ...['--CDCMAKE_CXX_COMPILER=g++', '--CDCMAKE_CXX_FLAGS_RELEASE=-O1 -g1'],
  ];
  for (const step of ['configure', 'build']) {
    const result = spawnSync(process.execPath, [cmakeJs, step, ...options], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    if (result.status !== 0) {
      throw new Error(`cmake-js ${step} ended with status ${result.status}\n${result.stdout}${result.stderr}`);
    }
  }
  return {
    folder,
    tests: join(out, 'test', 'native', 'native_tests'),
    addon: join(out, 'Release', 'bert_native.node'),
  };
}

/** @returns {string[]} paths of the libraries; throws where g++ has none */
export function runtimeOf(name) {
  return sanitizers[name].runtime.map((library) => {
    const path = spawnSync('g++', [`-print-file-name=${library}`], { encoding: 'utf8' }).stdout?.trim() ?? '';
    if (!isAbsolute(path)) {
      throw new Error(
        `g++ has no ${library}; on Debian: node tools/install-debian-packages.mjs sanitize, elsewhere: install GCC's sanitizers`,
      );
    }
    // Fedora's and Debian's development files can be linker scripts that name the library.
    const script = existsSync(path) ? readFileSync(path).subarray(0, 200).toString('latin1') : '';
    return /INPUT \( (\S+) \)/.exec(script)?.[1] ?? path;
  });
}
