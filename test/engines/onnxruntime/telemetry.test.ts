import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/temporary.ts';
import { runChild } from './child.ts';

// From 1.29 on the library keeps an identifier in the user's cache and sends events from threads of its own, unless it is
// told not to before it starts, or finds that it runs in continuous integration.
const anywhere = { CI: '', TF_BUILD: '', GITHUB_ACTIONS: '' };

test.skipIf(process.platform === 'win32')('nothing is kept or sent, unless the program says so', async () => {
  const home = temporaryFolder();
  const environment = { ...anywhere, HOME: home, XDG_CACHE_HOME: join(home, '.cache') };
  const program = 'openOnnxRuntime(); result(process.env.ORT_DISABLE_TELEMETRY);';
  expect(await runChild<string>(program, null, environment)).toBe('1');
  expect(readdirSync(home, { recursive: true })).toEqual([]);
  expect(await runChild<string>(program, null, { ...environment, ORT_DISABLE_TELEMETRY: '0' })).toBe('0');
});
