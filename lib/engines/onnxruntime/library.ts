import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { nativeBinding, packageRoot } from '../../binding/load.ts';
import type { NativeOnnxRuntime } from '../../binding/native.ts';
import { env } from '../../env.ts';
import { BertNativeError } from '../../errors.ts';
import { optionError } from '../../options.ts';

// ONNX Runtime's shared library is the user's own: that of the package onnxruntime-node, which has it for each platform in
// bin/napi-v<N>/<platform>/<arch>/, or of a release of ONNX Runtime, which has it in lib/.

/** The names that the library has, without those of its providers. */
const libraryNames: Readonly<Record<string, RegExp>> = {
  linux: /^libonnxruntime\.so(\.\d+)*$/,
  darwin: /^libonnxruntime(\.\d+)*\.dylib$/,
  win32: /^onnxruntime\.dll$/i,
};

const packageName = 'onnxruntime-node';
/** Packages through which an application may have it without naming it. */
const dependents = ['@huggingface/transformers', '@xenova/transformers'];

const remedy =
  'Install it with "npm install onnxruntime-node" (where there is no network for the optional files of CUDA, with ' +
  'ONNXRUNTIME_NODE_INSTALL=skip in the environment), or say where it is: env.onnxRuntimePath or BERT_NATIVE_ONNXRUNTIME';

/**
 * ONNX Runtime, opened by the first call that succeeds.
 *
 * @throws BertNativeError `ERR_ENGINE`, with the remedy, where there is no library or it cannot be used; `ERR_OPTION` for an
 *   `env.onnxRuntimePath` that is no path
 */
export function openOnnxRuntime(): NativeOnnxRuntime {
  const binding = nativeBinding();
  const { supported, opened } = binding.onnxruntime_info();
  if (!supported) {
    throw new BertNativeError(
      'ERR_ENGINE',
      'this build of the addon has no ONNX Runtime in it, because its headers (the development dependency @qvac/onnx) ' +
        'were not there: install them and build again',
    );
  }
  return opened ?? binding.open_onnxruntime(findOnnxRuntime());
}

/**
 * Where the library is: as `env.onnxRuntimePath` says; else the copy that is in the process already, because two versions in
 * one process get in each other's way; else the application's, which may load its own later.
 *
 * @throws BertNativeError `ERR_ENGINE`, `ERR_OPTION`
 */
export function findOnnxRuntime(): string {
  const given = env.onnxRuntimePath;
  if (given !== null && given !== undefined) return givenLibrary(given);
  const missing: string[] = [];
  for (const find of [loadedLibrary, () => installedLibrary(missing)]) {
    const path = find();
    if (path !== undefined) return path;
  }
  const platform = `${process.platform}-${process.arch}`;
  const withoutLibrary =
    missing.length > 0
      ? `${missing.join(' and ')} has no library for ${platform}`
      : `the package ${packageName} is neither loaded nor found from ${[...new Set(bases().map(dirname))].join(' or ')}`;
  throw new BertNativeError('ERR_ENGINE', `ONNX Runtime is not there: ${withoutLibrary}. ${remedy}`);
}

function givenLibrary(given: unknown): string {
  if (typeof given !== 'string' || given === '' || given.includes('\0')) {
    throw optionError('env.onnxRuntimePath', given, 'the path of a file or a folder, or null');
  }
  const path = resolve(given);
  const entry = statSync(path, { throwIfNoEntry: false });
  const library = entry?.isDirectory() ? libraryIn(path) : path;
  if (entry !== undefined && library !== undefined) return library;
  const problem = entry === undefined ? 'which is not there' : `in which there is no ${expectedNames()}`;
  throw new BertNativeError(
    'ERR_ENGINE',
    `ONNX Runtime was looked for in ${path} (env.onnxRuntimePath or BERT_NATIVE_ONNXRUNTIME), ${problem}: expected its ` +
      `shared library, or a folder of ${packageName} or of a release of ONNX Runtime for ` +
      `${process.platform}-${process.arch}`,
  );
}

function expectedNames(): string {
  const names: Readonly<Record<string, string>> = { darwin: 'libonnxruntime.dylib', win32: 'onnxruntime.dll' };
  return names[process.platform] ?? 'libonnxruntime.so.1';
}

/** The library in a folder that somebody named: in itself, as in a release, or as in the package. */
function libraryIn(folder: string): string | undefined {
  return libraryBeside(folder) ?? libraryBeside(join(folder, 'lib')) ?? libraryOfPackage(folder);
}

function libraryOfPackage(folder: string): string | undefined {
  const versions = filesOf(join(folder, 'bin')).filter((name) => /^napi-v\d+$/.test(name));
  const newest = versions.sort((a, b) => Number(b.slice(6)) - Number(a.slice(6)));
  for (const version of newest) {
    const library = libraryBeside(join(folder, 'bin', version, process.platform, process.arch));
    if (library !== undefined) return library;
  }
  return undefined;
}

/** Of several names of one library the one that others link to, which has one number: libonnxruntime.so.1. */
function libraryBeside(folder: string): string | undefined {
  const pattern = libraryNames[process.platform];
  const names = pattern === undefined ? [] : filesOf(folder).filter((name) => pattern.test(name));
  const byNumbers = (name: string) => Math.abs((name.match(/\d+/g)?.length ?? 0) - 1);
  const [name] = names.sort((a, b) => byNumbers(a) - byNumbers(b) || (a < b ? -1 : 1));
  return name && join(folder, name);
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

// In the process

/** The copy that this process has loaded, in whichever thread. */
function loadedLibrary(): string | undefined {
  const require = createRequire(import.meta.url);
  const addon = Object.keys(require.cache).find((path) => basename(path) === 'onnxruntime_binding.node');
  const besideAddon = addon && libraryBeside(dirname(addon));
  if (besideAddon) return besideAddon;
  const pattern = libraryNames[process.platform];
  return sharedObjects().find((path) => pattern?.test(basename(path)) && !isOfSystem(path) && existsSync(path));
}

function sharedObjects(): readonly string[] {
  if (process.platform === 'linux') {
    try {
      const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
      return maps.flatMap((line) => line.match(/\s(\/.*)$/)?.[1] ?? []);
    } catch {
      return [];
    }
  }
  const { report } = process as { report?: { excludeNetwork?: boolean; getReport(): unknown } };
  if (report === undefined) return [];
  const before = report.excludeNetwork;
  // Else it asks for the names of all hosts that the process is connected to.
  report.excludeNetwork = true;
  try {
    return (report.getReport() as { sharedObjects?: string[] }).sharedObjects ?? [];
  } finally {
    report.excludeNetwork = before ?? false;
  }
}

/** Windows has a copy of its own, which other programs' parts may have loaded and which is old. */
function isOfSystem(path: string): boolean {
  const root = process.platform === 'win32' ? process.env.SystemRoot : undefined;
  return root !== undefined && path.toLowerCase().startsWith(root.toLowerCase() + sep);
}

// Installed

/** Files from whose places the application's packages are looked for, then those of this one. */
function bases(): string[] {
  const script = process.argv[1];
  const main = script !== undefined && isAbsolute(script) && existsSync(script) ? [realpathSync(script)] : [];
  return [...main, join(process.cwd(), 'package.json'), join(packageRoot, 'package.json')];
}

/** @param missing gets the folders of packages that have no library for this platform */
function installedLibrary(missing: string[]): string | undefined {
  for (const folder of packageFolders()) {
    const library = libraryOfPackage(folder);
    if (library !== undefined) return library;
    missing.push(folder);
  }
  return undefined;
}

function packageFolders(): Set<string> {
  const folders = bases().flatMap((base) => {
    const own = packageFolder(base);
    return own === undefined ? dependents.map((name) => packageFolder(base, name)) : [own];
  });
  return new Set(folders.filter((folder) => folder !== undefined));
}

/** The package as `base`, or what `base` depends on, would load it. */
function packageFolder(base: string, dependent?: string): string | undefined {
  try {
    const from = dependent === undefined ? base : createRequire(base).resolve(dependent);
    let folder = dirname(createRequire(from).resolve(packageName));
    while (basename(folder) !== packageName && dirname(folder) !== folder) folder = dirname(folder);
    return basename(folder) === packageName ? folder : undefined;
  } catch {
    return undefined;
  }
}
