import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { addonFile, platformName, prebuiltPlatforms, thisPlatform } from '../../lib/binding/addon-file.ts';
import { temporaryFolder } from '../support/temporary.ts';

function folderWith(...files: string[]): string {
  const folder = temporaryFolder();
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), '');
  }
  return folder;
}

const prebuilt = [
  'prebuilds/README.md',
  'prebuilds/linux-x64/bert-native.glibc.node',
  'prebuilds/linux-x64/bert-native.musl.node',
  'prebuilds/linux-arm64/bert-native.glibc.node',
  'prebuilds/darwin-arm64/bert-native.node',
];

test.each([
  ['linux', 'x64', 'glibc', 'prebuilds/linux-x64/bert-native.glibc.node'],
  ['linux', 'x64', 'musl', 'prebuilds/linux-x64/bert-native.musl.node'],
  ['linux', 'arm64', 'glibc', 'prebuilds/linux-arm64/bert-native.glibc.node'],
  ['darwin', 'arm64', null, 'prebuilds/darwin-arm64/bert-native.node'],
] as const)('the prebuilt addon for %s-%s, %s', (platform, arch, libc, expected) => {
  const folder = folderWith(...prebuilt);
  expect(addonFile(folder, { platform, arch, libc })).toBe(join(folder, expected));
});

test.each([
  ['linux', 'arm64', 'musl'],
  ['linux', 'riscv64', 'glibc'],
  ['darwin', 'x64', null],
  ['freebsd', 'x64', null],
] as const)('none for %s-%s, %s: another platform’s is not taken', (platform, arch, libc) => {
  expect(addonFile(folderWith(...prebuilt), { platform, arch, libc })).toBeUndefined();
});

test('one that was built from source comes first', () => {
  const folder = folderWith(...prebuilt, 'build/Debug/bert_native.node', 'build/Release/bert_native.node');
  const platform = { platform: 'linux', arch: 'x64', libc: 'glibc' } as const;
  expect(addonFile(folder, platform)).toBe(join(folder, 'build', 'Release', 'bert_native.node'));
});

test('the platforms that there are addons for', () => {
  const folder = folderWith(...prebuilt, 'prebuilds/win32-x64/other.node');
  expect(prebuiltPlatforms(folder)).toEqual([
    'darwin-arm64',
    'linux-arm64 (glibc)',
    'linux-x64 (glibc)',
    'linux-x64 (musl)',
  ]);
  expect(prebuiltPlatforms(temporaryFolder())).toEqual([]);
});

test('the platform of this process', () => {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const libc = process.platform !== 'linux' ? null : header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  expect(thisPlatform()).toEqual({ platform: process.platform, arch: process.arch, libc });
  expect(platformName({ platform: 'linux', arch: 'x64', libc: 'musl' })).toBe('linux-x64 (musl)');
  expect(platformName({ platform: 'win32', arch: 'arm64', libc: null })).toBe('win32-arm64');
});
