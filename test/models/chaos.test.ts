import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const tool = join(import.meta.dirname, '..', '..', 'tools', 'chaos.mjs');

function chaos(...args: string[]) {
  return spawnSync(process.execPath, ['--no-warnings', tool, ...args], { encoding: 'utf8', timeout: 5 * 60_000 });
}

test('64 callers, aborts, disposals, detached buffers, terminated workers: every call settles, none is wrong', () => {
  const { status, stdout, stderr } = chaos('8', '20261', '--only', 'threads');
  expect(stderr).toBe('');
  expect(stdout).toContain('\n0 wrong\n');
  for (const event of ['right', 'disposals', 'ERR_ABORTED', 'ERR_SHAPE', 'ERR_DISPOSED', 'ERR_TOKEN_ID']) {
    expect(stdout, event).toMatch(new RegExp(`^ +[1-9]\\d*  ${event}$`, 'm'));
  }
  expect(stdout).toMatch(/right: pipeline: /);
  expect(status).toBe(0);
});

test('processes end in mid-run as they should: exits, exceptions, signals, members of a cluster', () => {
  const { status, stdout, stderr } = chaos('1', '20261', '--only', 'processes');
  expect(stderr).toBe('');
  expect(stdout).toContain('\n0 wrong\n');
  const ends = ['process.exit', 'an uncaught exception', 'an unhandled rejection', 'SIGTERM', 'SIGINT', 'SIGKILL'];
  for (const end of [...ends, 'SIGKILL, in a cluster', 'SIGTERM, in a cluster']) {
    expect(stdout, end).toMatch(new RegExp(`^ +[1-9]\\d*  processes ended by ${end}$`, 'm'));
  }
  expect(status).toBe(0);
});
