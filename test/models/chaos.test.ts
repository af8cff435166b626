import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const tool = join(import.meta.dirname, '..', '..', 'tools', 'chaos.mjs');

test('64 callers, aborts, disposals, detached buffers, terminated workers: every call settles, none is wrong', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', tool, '8', '20261'], {
    encoding: 'utf8',
    timeout: 5 * 60_000,
  });
  expect(stderr).toBe('');
  expect(stdout).toContain('\n0 wrong\n');
  for (const event of ['right', 'disposals', 'ERR_ABORTED', 'ERR_SHAPE', 'ERR_DISPOSED', 'ERR_TOKEN_ID']) {
    expect(stdout, event).toMatch(new RegExp(`^ +[1-9]\\d*  ${event}$`, 'm'));
  }
  expect(status).toBe(0);
});
