import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../lib/binding/load.ts';
import { compareVersions, inspectElf, problemsOfElf } from '../../tools/prebuilds/inspect-elf.mjs';
import { packedFiles, problemsOfPackage } from '../../tools/prebuilds/package-contents.mjs';
import { fileOf, glibcFloor, hostLibc, maxAddonBytes, targets } from '../../tools/prebuilds/targets.mjs';
import { temporaryFolder } from '../support/temporary.ts';

const addon = join(packageRoot, 'build', 'Release', 'bert_native.node');
const hasReadelf = spawnSync('readelf', ['--version']).status === 0;

test('the package holds what it should, and nothing else', () => {
  const packed = packedFiles();
  expect(problemsOfPackage(packed)).toEqual([]);
});

test('what does not belong into the package, or lacks, or is too large, is told', () => {
  const packed = packedFiles();
  const files = packed.files.filter(({ path }) => path !== 'dist/index.d.ts');
  files.push({ path: 'build/CMakeCache.txt', size: 1 });
  files.push({ path: 'prebuilds/linux-x64/bert-native.node', size: 1 });
  files.push({ path: 'prebuilds/linux-x64/bert-native.musl.node', size: maxAddonBytes + 1 });
  expect(problemsOfPackage({ size: 12_000_001, files })).toEqual([
    expect.stringContaining('the package is 12000001 bytes'),
    expect.stringContaining(
      'do not belong into the package: build/CMakeCache.txt, prebuilds/linux-x64/bert-native.node',
    ),
    expect.stringContaining('the package lacks: dist/index.d.ts'),
    expect.stringContaining('prebuilds/linux-x64/bert-native.musl.node is 4000001 bytes'),
  ]);
});

test.skipIf(process.platform === 'win32')('the addon, stripped, is within its size', () => {
  const stripped = join(temporaryFolder(), 'stripped.node');
  const options = process.platform === 'darwin' ? ['-Sx'] : ['--strip-all'];
  execFileSync('strip', [...options, '-o', stripped, addon]);
  expect(statSync(stripped).size).toBeLessThanOrEqual(maxAddonBytes);
});

describe.skipIf(!hasReadelf || process.platform !== 'linux')('what an addon for Linux asks of the system', () => {
  test('it exports what Node-API looks for, and nothing else', () => {
    const { exported, arch } = inspectElf(addon);
    expect(exported.sort()).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
    expect(arch).toBe(process.arch);
  });

  test('one that was built for this system alone is not fit for a release', () => {
    const here = { platform: 'linux', arch: process.arch, libc: hostLibc() } as const;
    expect(problemsOfElf(addon, here, glibcFloor)).toContainEqual(expect.stringMatching(/^needs .*libstdc\+\+\.so\.6/));
    const arch = process.arch === 'x64' ? 'arm64' : 'x64';
    expect(problemsOfElf(addon, { ...here, arch }, glibcFloor)).toContain(`is for ${process.arch}`);
    if (here.libc === 'glibc') {
      expect(problemsOfElf(addon, here, '2.2')).toContainEqual(
        expect.stringMatching(/^needs glibc .*, newer than 2\.2$/),
      );
      expect(problemsOfElf(addon, { ...here, libc: 'musl' }, glibcFloor)).toContain('is for glibc');
    }
  });

  const made = targets
    .filter(({ platform }) => platform === 'linux')
    .filter((target) => existsSync(join(packageRoot, 'prebuilds', fileOf(target))));
  test.each(made.map((target) => [fileOf(target), target] as const))(
    '%s, in prebuilds/, is fit for one',
    (file, target) => {
      expect(problemsOfElf(join(packageRoot, 'prebuilds', file), target, glibcFloor)).toEqual([]);
      expect(statSync(join(packageRoot, 'prebuilds', file)).size).toBeLessThanOrEqual(maxAddonBytes);
    },
  );
});

test('versions are compared as numbers', () => {
  expect(['2.28', '2.4', '2.2.5', '2.17', '2.30'].sort(compareVersions)).toEqual([
    '2.2.5',
    '2.4',
    '2.17',
    '2.28',
    '2.30',
  ]);
});
