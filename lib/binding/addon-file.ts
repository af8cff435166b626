import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What an addon is built for. */
export interface Platform {
  /** As `process.platform`. */
  readonly platform: string;
  /** As `process.arch`. */
  readonly arch: string;
  /** The C library on Linux; null elsewhere. */
  readonly libc: 'glibc' | 'musl' | null;
}

export function thisPlatform(): Platform {
  const { platform, arch } = process;
  return { platform, arch, libc: platform === 'linux' ? thisLibc() : null };
}

/**
 * The C library that this process runs with. A report of the process says it, but takes milliseconds: it is asked only
 * where musl is installed, which need not mean that this Node uses it.
 */
function thisLibc(): 'glibc' | 'musl' {
  if (!['/lib', '/usr/lib'].some((folder) => hasMuslLoader(folder))) return 'glibc';
  const { report } = process as { report?: { getReport(): object; excludeNetwork?: boolean } };
  if (report === undefined) return 'musl';
  const { excludeNetwork } = report;
  report.excludeNetwork = true; // it would look every address up
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  } finally {
    report.excludeNetwork = excludeNetwork;
  }
}

function hasMuslLoader(folder: string): boolean {
  return entries(folder).some((name) => /^ld-musl-.*\.so\.1$/.test(name));
}

/**
 * The addon for a platform below a folder: one built from source (`build/Release`, `build/Debug`) before a prebuilt one
 * (`prebuilds/<platform>-<arch>`, named as prebuildify does with `--tag-libc`).
 */
export function addonFile(folder: string, { platform, arch, libc }: Platform): string | undefined {
  const name = libc === null ? 'bert-native.node' : `bert-native.${libc}.node`;
  return [
    join(folder, 'build', 'Release', 'bert_native.node'),
    join(folder, 'build', 'Debug', 'bert_native.node'),
    join(folder, 'prebuilds', `${platform}-${arch}`, name),
  ].find(existsSync);
}

/** The platforms that a folder has prebuilt addons for, such as `linux-x64 (glibc)`. */
export function prebuiltPlatforms(folder: string): string[] {
  const prebuilds = join(folder, 'prebuilds');
  return entries(prebuilds)
    .flatMap((platform) =>
      entries(join(prebuilds, platform)).flatMap((file) => {
        const match = /^bert-native(?:\.(glibc|musl))?\.node$/.exec(file);
        return match === null ? [] : [match[1] === undefined ? platform : `${platform} (${match[1]})`];
      }),
    )
    .sort();
}

export function platformName({ platform, arch, libc }: Platform): string {
  return libc === null ? `${platform}-${arch}` : `${platform}-${arch} (${libc})`;
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not there, or no folder
  }
}
