import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const build = join(import.meta.dirname, '..', 'build', 'test', 'native');
const executable = ['native_tests', 'Release/native_tests.exe'].map((name) => join(build, name)).find(existsSync);

// A fuzz target's input lies there while it is run: what ends the process leaves it behind.
const running = join(import.meta.dirname, '..', 'build', 'fuzz', 'running');

function inputsLeft(): string {
  if (!existsSync(running)) return '';
  const inputs = readdirSync(running).map((name) => `${name}: ${readFileSync(join(running, name)).toString('hex')}`);
  return inputs.length === 0 ? '' : `\nthe input that was run, in ${running}: ${inputs.join('\n')}`;
}

// A minute on two quiet cores, and several where other work runs: the limit only stops what hangs.
const limit_ms = 15 * 60_000;

test('the C++ tests', { timeout: limit_ms }, () => {
  expect(executable, 'native_tests was not built: npm run build:native').toBeDefined();
  rmSync(running, { recursive: true, force: true });
  const { status, signal, stdout, stderr } = spawnSync(executable!, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    timeout: limit_ms,
  });
  const lines = `${stdout}${stderr}`.split('\n');
  console.log(lines.filter((line) => /skip|passed/i.test(line)).join('\n'));
  const problems = lines.filter((line) => /fail|does not hold|the input, /i.test(line)).join('\n') + inputsLeft();
  expect(signal, problems).toBeNull();
  expect(stdout, problems).toMatch(/^[1-9]\d* passed, 0 failed/m);
  expect(status, problems).toBe(0);
});
