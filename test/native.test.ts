import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const build = join(import.meta.dirname, '..', 'build', 'test', 'native');
const executable = ['native_tests', 'Release/native_tests.exe'].map((name) => join(build, name)).find(existsSync);

// A minute on two quiet cores, and several where other work runs: the limit only stops what hangs.
const limit_ms = 15 * 60_000;

test('the C++ tests', { timeout: limit_ms }, () => {
  expect(executable, 'native_tests was not built: npm run build:native').toBeDefined();
  const { status, stdout, stderr } = spawnSync(executable!, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    timeout: limit_ms,
  });
  const lines = `${stdout}${stderr}`.split('\n');
  console.log(lines.filter((line) => /skip|passed/i.test(line)).join('\n'));
  expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed/m);
  expect(status, lines.filter((line) => /fail/i.test(line)).join('\n')).toBe(0);
});
