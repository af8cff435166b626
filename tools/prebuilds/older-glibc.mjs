// An older glibc to link against. Symbols of glibc carry the version in which they last changed, and a program asks for
// those of the glibc that it was linked with: pthread_create of 2.34, where one of 2.2.5 would do.
//
// What is linked with is glibc 2.17 of the toolchain that the napi-rs project publishes (crosstool-NG). Its compiler is
// too old for C++20: the machine's own compiles, and its libstdc++ is linked statically. native/common/older_glibc.cc has
// the few functions of newer ones that it wants.

import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmPackage, run, toolsFolder } from './npm-package.mjs';

const here = dirname(fileURLToPath(import.meta.url));

const packages = {
  x64: {
    spec: '@napi-rs/cross-toolchain-x64-target-x86_64@1.0.0',
    integrity: 'sha512-lecoghCfoTAX9MLFcIx9/nL9M8xdkZ9n8Pki8qjKUNzjiq1zbECdEbzIZAMMHRtrXxifK9dAyYuh8gSxNbr2og==',
    triple: 'x86_64-unknown-linux-gnu',
    loader: 'ld-linux-x86-64.so.2',
  },
  arm64: {
    spec: '@napi-rs/cross-toolchain-x64-target-aarch64@1.0.3',
    integrity: 'sha512-EMFcy/ahFsmCY3BI1tMC3wRUYZ+cDuILg7nP1micaKXW1tO1+RvUB1CC6QYe+cv2W4Tuz9wr3qcFExWyjgWf2w==',
    triple: 'aarch64-unknown-linux-gnu',
    loader: 'ld-linux-aarch64.so.1',
  },
};

const shared = ['libc.so.6', 'libm.so.6', 'libpthread.so.0', 'libdl.so.2', 'librt.so.1', 'libgcc_s.so.1'];
const archives = ['libc_nonshared.a', 'libpthread_nonshared.a', 'Scrt1.o', 'crti.o', 'crtn.o'];

/**
 * A folder with the shared libraries of glibc 2.17 and what a linker needs of it; a program runs with that glibc as
 * `<folder>/<loader> --library-path <folder> program`.
 *
 * @param {'x64' | 'arm64'} arch
 * @returns {{ folder: string, loader: string }}
 */
export function olderGlibc(arch) {
  const { spec, integrity, triple, loader } = packages[arch];
  const folder = join(toolsFolder, `glibc-2.17-${arch}`);
  if (!existsSync(folder)) {
    const unpacked = `${folder}.unpacked`;
    const made = `${folder}.made`;
    for (const path of [unpacked, made]) {
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path, { recursive: true });
    }
    // By Python: tar would need xz beside it. Newer Pythons refuse links that leave the folder, which a sysroot has; the
    // archive's hash is known.
    const unpack = `import sys, tarfile
options = {'filter': 'fully_trusted'} if hasattr(tarfile, 'fully_trusted_filter') else {}
tarfile.open(sys.argv[1]).extractall(sys.argv[2], **options)`;
    run('python3', ['-c', unpack, join(npmPackage(spec, integrity), `${triple}.tar.xz`), unpacked]);
    const sysroot = join(unpacked, triple, 'sysroot');
    for (const name of [...shared, loader]) copyFileSync(join(sysroot, 'lib', name), join(made, name));
    for (const name of archives) copyFileSync(join(sysroot, 'usr', 'lib', name), join(made, name));
    // Linker scripts, as glibc installs them, but without absolute paths.
    const script = (name, text) => writeFileSync(join(made, name), `${text}\n`);
    script('libc.so', `GROUP ( libc.so.6 libc_nonshared.a AS_NEEDED ( ${loader} ) )`);
    script('libpthread.so', 'GROUP ( libpthread.so.0 libpthread_nonshared.a )');
    // The older libgcc_s lacks what newer compilers call; their own libgcc.a has it.
    script('libgcc_s.so', 'GROUP ( libgcc_s.so.1 -lgcc )');
    for (const name of ['libm.so.6', 'libdl.so.2', 'librt.so.1']) {
      script(name.replace(/\.so\..*/, '.so'), `INPUT ( ${name} )`);
    }
    rmSync(unpacked, { recursive: true });
    renameSync(made, folder);
  }
  return { folder, loader: join(folder, loader) };
}

/**
 * Loads an addon for x64 under that glibc: no Node is old enough to run with it. (Its arm64 port does not start a program
 * under qemu, with or without an addon.)
 *
 * @returns {string | null} what went wrong
 */
export function problemUnderOlderGlibc(addon) {
  const { folder, loader } = olderGlibc('x64');
  const program = join(folder, 'load-addon');
  try {
    run('cc', [join(here, 'load-addon.c'), '-o', program, `-B${folder}`, `-L${folder}`, '-ldl']);
    run(loader, ['--library-path', folder, program, addon]);
    return null;
  } catch (error) {
    return `does not load under glibc 2.17: ${error.message}`;
  }
}
