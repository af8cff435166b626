import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { packageRoot } from '../../lib/binding/load.ts';
import { temporaryFolder } from '../support/temporary.ts';

// What a process says that cannot load the addon: each in a process of its own, from the built library.

const script = (root: string) => `
  import { nativeBinding } from ${JSON.stringify(pathToFileURL(join(root, 'dist', 'binding', 'load.js')).href)};
  try {
    console.log(JSON.stringify({ threads: nativeBinding().system_info().threads }));
  } catch ({ name, code, message }) {
    console.log(JSON.stringify({ name, code, message }));
  }
`;

function load(root: string, env: NodeJS.ProcessEnv = {}): { threads?: number; code?: string; message?: string } {
  const args = ['--input-type=module', '--eval', script(root)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

/** The package as it is installed, without addons. */
function installedWithout(): string {
  const root = join(temporaryFolder(), 'bert-native');
  mkdirSync(root);
  cpSync(join(packageRoot, 'dist'), join(root, 'dist'), { recursive: true });
  cpSync(join(packageRoot, 'package.json'), join(root, 'package.json'));
  return root;
}

test('BERT_NATIVE_ADDON names the file', () => {
  const addon = join(packageRoot, 'build', 'Release', 'bert_native.node');
  expect(load(installedWithout(), { BERT_NATIVE_ADDON: addon }).threads).toBeGreaterThan(0);
  expect(load(packageRoot, { BERT_NATIVE_ADDON: '/nowhere/a.node' })).toMatchObject({
    code: 'ERR_ADDON',
    message: 'BERT_NATIVE_ADDON names "/nowhere/a.node", which is not there',
  });
  const other = join(packageRoot, 'package.json');
  const { code, message } = load(packageRoot, { BERT_NATIVE_ADDON: other });
  expect(code).toBe('ERR_ADDON');
  expect(message).toContain(`${other}, which BERT_NATIVE_ADDON names, does not load as the native addon on `);
});

test('an older Node', () => {
  const preload = join(temporaryFolder(), 'older.mjs');
  writeFileSync(
    preload,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.16.0' } });",
  );
  expect(load(packageRoot, { NODE_OPTIONS: `--import=${pathToFileURL(preload)}` })).toMatchObject({
    code: 'ERR_ADDON',
    message: 'Node 20.17 or newer is needed: this is 20.16.0',
  });
});

test('without any addon', () => {
  expect(load(installedWithout())).toMatchObject({
    code: 'ERR_ADDON',
    message: expect.stringContaining(', which has no prebuilt ones; build it from source'),
  });
});

test('without an addon for the platform: the platforms there are, and the command that builds one', () => {
  const root = installedWithout();
  mkdirSync(join(root, 'prebuilds', 'aix-ppc64'), { recursive: true });
  writeFileSync(join(root, 'prebuilds', 'aix-ppc64', 'bert-native.node'), '');
  const { code, message } = load(root);
  expect(code).toBe('ERR_ADDON');
  expect(message).toContain(`there is no native addon for ${process.platform}-${process.arch}`);
  expect(message).toContain('which has prebuilt ones for aix-ppc64; ');
  expect(message).toMatch(/with: npx bert-native build$/);
  expect(message).not.toContain('\n');
});

test('an addon that is none', () => {
  const root = installedWithout();
  mkdirSync(join(root, 'build', 'Release'), { recursive: true });
  writeFileSync(join(root, 'build', 'Release', 'bert_native.node'), 'no shared library');
  const { code, message } = load(root);
  expect(code).toBe('ERR_ADDON');
  expect(message).toMatch(/^the native addon does not load on .*bert_native\.node.*npx bert-native build$/);
});
