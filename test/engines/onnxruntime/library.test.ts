import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packageRoot } from '../../../lib/binding/load.ts';
import { findOnnxRuntime } from '../../../lib/engines/onnxruntime/library.ts';
import { env } from '../../../lib/env.ts';
import { BertNativeError, type ErrorCode } from '../../../lib/errors.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const platform = join(process.platform, process.arch);
const names: Readonly<Record<string, string>> = { darwin: 'libonnxruntime.1.dylib', win32: 'onnxruntime.dll' };
const libraryName = names[process.platform] ?? 'libonnxruntime.so.1';

const before = env.onnxRuntimePath;
beforeEach(() => {
  env.onnxRuntimePath = null;
});
afterEach(() => {
  env.onnxRuntimePath = before;
});

function folderWith(...files: string[]): string {
  const folder = temporaryFolder();
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), 'no library');
  }
  return folder;
}

function thrown(action: () => unknown, code: ErrorCode): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(BertNativeError);
    expect((error as BertNativeError).code).toBe(code);
    return (error as Error).message;
  }
  return expect.fail(`expected ${code}`);
}

describe('env.onnxRuntimePath', () => {
  test.each([
    ['a file', libraryName, libraryName],
    ['a folder with it', '', libraryName],
    ['a release', '', join('lib', libraryName)],
    ['the package', '', join('bin', 'napi-v6', platform, libraryName)],
    ['the package of another version', '', join('bin', 'napi-v3', platform, libraryName)],
  ])('%s', (_, given, library) => {
    const folder = folderWith(library);
    env.onnxRuntimePath = join(folder, given);
    expect(findOnnxRuntime()).toBe(join(folder, library));
  });

  test.runIf(process.platform === 'linux')('of several names, the one that programs are linked to', () => {
    const folder = folderWith('libonnxruntime.so', 'libonnxruntime.so.1', 'libonnxruntime.so.1.23.0');
    writeFileSync(join(folder, 'libonnxruntime_providers_shared.so'), '');
    env.onnxRuntimePath = folder;
    expect(findOnnxRuntime()).toBe(join(folder, 'libonnxruntime.so.1'));
    rmSync(join(folder, 'libonnxruntime.so.1'));
    rmSync(join(folder, 'libonnxruntime.so'));
    expect(findOnnxRuntime()).toBe(join(folder, 'libonnxruntime.so.1.23.0'));
    rmSync(join(folder, 'libonnxruntime.so.1.23.0'));
    expect(thrown(findOnnxRuntime, 'ERR_ENGINE')).toContain('there is no libonnxruntime');
  });

  test('of several generations in a package, the newest', () => {
    const folder = folderWith(...[3, 12, 6].map((n) => join('bin', `napi-v${n}`, platform, libraryName)));
    env.onnxRuntimePath = folder;
    expect(findOnnxRuntime()).toContain('napi-v12');
  });

  test('a folder for other platforms', () => {
    env.onnxRuntimePath = folderWith(join('bin', 'napi-v6', 'plan9', 'x64', libraryName));
    expect(thrown(findOnnxRuntime, 'ERR_ENGINE')).toContain(`${process.platform}-${process.arch}`);
  });

  test('what is not there', () => {
    env.onnxRuntimePath = join(temporaryFolder(), 'missing.so');
    const message = thrown(findOnnxRuntime, 'ERR_ENGINE');
    for (const part of ['missing.so', 'not there', 'BERT_NATIVE_ONNXRUNTIME']) expect(message).toContain(part);
  });

  test.each([0, '', 'a\0b', {}])('%j is no path', (path) => {
    env.onnxRuntimePath = path as never;
    thrown(findOnnxRuntime, 'ERR_OPTION');
  });
});

test("the application's copy", () => {
  expect(findOnnxRuntime()).toBe(
    join(packageRoot, 'node_modules', 'onnxruntime-node', 'bin', 'napi-v6', platform, libraryName),
  );
});

describe('an application that starts elsewhere', () => {
  const script = process.argv[1]!;
  afterEach(() => {
    process.argv[1] = script;
  });

  /** An application whose packages have files of those names. */
  function application(...files: string[]): string {
    const folder = folderWith('main.js', ...files.map((file) => join('node_modules', file)));
    process.argv[1] = join(folder, 'main.js');
    return join(folder, 'node_modules');
  }
  const library = join('onnxruntime-node', 'bin', 'napi-v6', platform, libraryName);

  test('has a copy of its own', () => {
    const packages = application(join('onnxruntime-node', 'index.js'), library);
    expect(findOnnxRuntime()).toBe(join(packages, library));
  });

  test('has one below transformers.js', () => {
    const below = join('@huggingface', 'transformers');
    const nested = join(below, 'node_modules');
    const packages = application(
      join(below, 'index.js'),
      join(nested, 'onnxruntime-node', 'index.js'),
      join(nested, library),
    );
    expect(findOnnxRuntime()).toBe(join(packages, nested, library));
  });

  test('is started through a link', () => {
    const packages = application(join('onnxruntime-node', 'index.js'), library);
    const link = join(temporaryFolder(), 'started');
    symlinkSync(process.argv[1]!, link);
    process.argv[1] = link;
    expect(findOnnxRuntime()).toBe(join(packages, library));
  });

  test('has one for other platforms: the next is taken', () => {
    application(
      join('onnxruntime-node', 'index.js'),
      join('onnxruntime-node', 'bin', 'napi-v6', 'plan9', 'x64', libraryName),
    );
    expect(findOnnxRuntime()).toContain(join(packageRoot, 'node_modules'));
  });
});
