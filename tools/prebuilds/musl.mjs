// A C++ toolchain for musl on a Debian system whose C library is glibc. Debian has musl and its headers (musl-tools) and
// no C++ library for it: that is built here, of the sources of the system's own compiler (gcc-<version>-source), which
// takes some minutes, once. Its libgcc serves both C libraries, but for what musl-unwind.c has.

import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspectElf } from './inspect-elf.mjs';
import { npmPackage, run, toolsFolder } from './npm-package.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const triple = 'x86_64-linux-musl';
const headers = join('/usr/include', triple);
const libraries = join('/usr/lib', triple);
/** The name that Alpine has for musl. Its loader takes every `libc.…` to be itself. */
const libcName = 'libc.musl-x86_64.so.1';

const compilerPath = (name) => run('g++', [`-print-file-name=${name}`]).trim();

/** @returns {string | null} the archive of the sources that the system's compiler was built of */
function compilerSources() {
  const { status, stdout } = spawnSync('g++', ['-dumpversion'], { encoding: 'utf8' });
  const folder = status === 0 ? `/usr/src/gcc-${stdout.split('.')[0].trim()}` : '';
  if (!existsSync(folder)) return null;
  const name = readdirSync(folder).find((name) => /^gcc-[\d.]+.*\.tar\.xz$/.test(name));
  return name === undefined ? null : join(folder, name);
}

/** Whether the packages are there that the toolchain is made of. */
export function hasMuslParts() {
  return (
    process.arch === 'x64' &&
    existsSync(join(libraries, 'libc.so')) &&
    existsSync(join(headers, 'stdlib.h')) &&
    compilerSources() !== null
  );
}

/**
 * What the compiler does differently from its defaults. The headers of C come behind those of C++, which include them as
 * the next of their name.
 */
const specs = (folder) => `%rename cpp_options default_cpp_options

*cpp_options:
-nostdinc -idirafter ${headers} -idirafter ${compilerPath('include')} %(default_cpp_options)

*cc1:
%(cc1_cpu) -nostdinc -idirafter ${headers} -idirafter ${compilerPath('include')}

*cc1plus:
-nostdinc++ -isystem ${folder}/include/c++ -isystem ${folder}/include/c++/${triple} -isystem ${folder}/include/c++/backward

*link_libgcc:
-L${folder}/lib -L${libraries}

*libgcc:
${compilerPath('libgcc.a')} ${folder}/lib/libgcc_eh.a

*startfile:
%{!shared: ${libraries}/Scrt1.o} ${libraries}/crti.o crtbeginS.o%s

*endfile:
crtendS.o%s ${libraries}/crtn.o

*link:
-m elf_x86_64 --build-id --eh-frame-hdr --hash-style=gnu --as-needed -nostdlib -dynamic-linker /lib/ld-musl-x86_64.so.1 %{shared:-shared} %{!shared:-pie} %{rdynamic:-export-dynamic}
`;

const cmakeToolchain = (folder) => `set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER ${folder}/bin/${triple}-gcc)
set(CMAKE_CXX_COMPILER ${folder}/bin/${triple}-g++)
`;

// The system's compiler under another name. As flags of CMake's the specifications would be lost: cmake-js sets its own.
function writeCompilers(folder) {
  mkdirSync(join(folder, 'bin'));
  for (const name of ['gcc', 'g++']) {
    const script = `#!/bin/sh\nexec ${name} '-specs=${folder}/musl.specs' "$@"\n`;
    writeFileSync(join(folder, 'bin', `${triple}-${name}`), script, { mode: 0o755 });
  }
}

/** What of the compiler's sources its C++ library is built of; the rest is most of it. */
const sourcesWanted = ['libstdc++-v3', 'libgcc', 'libiberty', 'include', 'config', 'gcc/BASE-VER', 'gcc/DATESTAMP']
  .concat(['config.sub', 'config.guess', 'config-ml.in', 'install-sh', 'ltmain.sh', 'missing', 'mkinstalldirs'])
  .concat(['move-if-change', 'symlink-tree', 'depcomp', 'libtool.m4', 'gcc/DEV-PHASE']);

function buildLibstdcxx(folder, work) {
  const archive = compilerSources();
  const sources = join(work, 'sources');
  const objects = join(work, 'objects');
  for (const path of [sources, objects]) mkdirSync(path, { recursive: true });
  const top = run('sh', ['-c', `tar tJf '${archive}' 2>/dev/null | head -n 1`]).split('/')[0];
  run('tar', [
    ...['xJf', archive, '-C', sources, '--strip-components=1'],
    ...['--exclude=*/testsuite/*/*', '--exclude=*/doc/html/*', '--exclude=*/doc/xml/*'],
    ...sourcesWanted.map((name) => `${top}/${name}`),
  ]);
  // What libgcc's own configuration would leave there.
  copyFileSync(join(sources, 'libgcc', 'gthr-posix.h'), join(sources, 'libgcc', 'gthr-default.h'));
  const flags = '-O2 -fPIC -ffunction-sections -fdata-sections';
  const launcher = process.env.CMAKE_CXX_COMPILER_LAUNCHER ?? '';
  // The configuration links its questions about libc with the C++ library, too.
  run('ar', ['rc', join(folder, 'lib', 'libstdc++.a')]);
  const log = { cwd: objects, maxBuffer: 1 << 30 };
  run(
    join(sources, 'libstdc++-v3', 'configure'),
    [
      ...['--build=x86_64-linux-gnu', `--host=${triple}`, `--prefix=${folder}`],
      ...[`--with-gxx-include-dir=${folder}/include/c++`, '--disable-multilib', '--disable-shared', '--disable-nls'],
      ...['--disable-libstdcxx-pch', '--disable-werror', '--enable-clocale=generic'],
      ...[
        `CC=gcc -specs=${folder}/musl.specs`,
        `CXX=${launcher} g++ -specs=${folder}/musl.specs`,
        'AR=ar',
        'RANLIB=ranlib',
      ],
      ...[`CFLAGS=${flags}`, `CXXFLAGS=${flags}`],
    ],
    log,
  );
  const parts = ['include', 'libsupc++', 'src'];
  const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  for (const part of parts) run('make', ['-C', part, `-j${parallel}`], log);
  // Not each after it is built: the next would find the headers twice.
  for (const part of parts) run('make', ['-C', part, 'install'], log);
}

/**
 * The folder of the toolchain, with `toolchain.cmake` and `musl.specs`, which make the system's g++ one for musl: what it
 * links needs musl's libc and nothing else.
 *
 * @returns {string}
 */
export function muslToolchain() {
  const folder = join(toolsFolder, `${triple}-gcc-${run('g++', ['-dumpfullversion']).trim()}`);
  const made = join(folder, 'made');
  // The specifications name the folder: it cannot be made elsewhere and moved here.
  if (existsSync(made)) return folder;
  console.log('bert-native: building libstdc++ for musl, which is done once');
  rmSync(folder, { recursive: true, force: true });
  const lib = join(folder, 'lib');
  mkdirSync(lib, { recursive: true });
  symlinkSync(join(libraries, 'libc.so'), join(lib, libcName));
  writeFileSync(join(lib, 'libc.so'), `INPUT ( -l:${libcName} )\n`);
  writeFileSync(join(folder, 'musl.specs'), specs(folder));
  writeFileSync(join(folder, 'toolchain.cmake'), cmakeToolchain(folder));
  writeCompilers(folder);
  const work = join(folder, 'work');
  mkdirSync(work);
  copyFileSync(compilerPath('libgcc_eh.a'), join(lib, 'libgcc_eh.a'));
  const unwind = join(work, 'musl-unwind.o');
  const specsOption = `-specs=${folder}/musl.specs`;
  run('gcc', [specsOption, '-O2', '-fPIC', '-c', join(here, 'musl-unwind.c'), '-o', unwind]);
  run('ar', ['rs', join(lib, 'libgcc_eh.a'), unwind]);
  buildLibstdcxx(folder, work);
  rmSync(work, { recursive: true });
  writeFileSync(made, '');
  return folder;
}

const bun = {
  spec: '@oven/bun-linux-x64-musl@1.4.5',
  integrity: 'sha512-10QoW/YfTgnURaGEaHpJCiXjLI2e5iTtfVDaA5JKcyUzaa1cq6cVUY9/Uq5XkYzvtRjHLRe9Oj/lTDIQcxy8HQ==',
};

/**
 * A JavaScript runtime with Node-API that is linked with musl. Of Node there is no such build in npm's registry; there is
 * one of Bun, which wants libstdc++ as a shared library.
 *
 * @returns {{ command: string, args: string[] }} what to put in front of a script
 */
export function muslRuntime() {
  const folder = muslToolchain();
  const shared = join(folder, 'shared');
  const library = join(shared, 'libstdc++.so.6');
  if (!existsSync(library)) {
    mkdirSync(shared, { recursive: true });
    run('g++', [
      ...[`-specs=${folder}/musl.specs`, '-shared', '-nodefaultlibs', '-Wl,-soname,libstdc++.so.6', `-L${folder}/lib`],
      ...['-Wl,--whole-archive', '-lstdc++', '-Wl,--no-whole-archive', compilerPath('libgcc.a')],
      ...[join(folder, 'lib', 'libgcc_eh.a'), '-lc', '-o', `${library}.made`],
    ]);
    renameSync(`${library}.made`, library);
  }
  const program = join(npmPackage(bun.spec, bun.integrity), 'bin', 'bun');
  return { command: '/usr/bin/env', args: [`LD_LIBRARY_PATH=${shared}`, program] };
}

/**
 * Loads an addon with musl's loader, in a program that has functions with the names of Node-API and nothing in them;
 * every symbol that it wants has to be there at once.
 *
 * @returns {string | null} what went wrong
 */
export function problemUnderMusl(addon) {
  const folder = muslToolchain();
  const stubs = join(folder, 'node-api.c');
  const program = join(folder, 'load-addon');
  const names = inspectElf(addon).undefinedSymbols.filter((name) => /^(napi|node_api)_/.test(name));
  try {
    writeFileSync(stubs, names.map((name) => `int ${name}(void) { return 9; }\n`).join(''));
    const source = join(here, 'load-addon.c');
    run('gcc', [`-specs=${folder}/musl.specs`, '-rdynamic', '-DHAS_NODE_API', source, stubs, '-o', program]);
    run(program, [addon]);
    return null;
  } catch (error) {
    return `does not load under musl: ${error.message}`;
  }
}
