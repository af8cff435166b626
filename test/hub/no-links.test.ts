import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { forgetAnswers } from '../../lib/hub/repository.ts';
import { downloadModel } from '../../lib/models/download.ts';
import { oidOf } from '../support/hub-server.ts';
import { id, noise, useHub } from './support.ts';

// As on Windows without developer mode.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  symlink: async () => {
    throw Object.assign(new Error('links are not allowed'), { code: 'EPERM' });
  },
}));

const hub = useHub();

test('where links are not allowed, snapshots hold hard links or copies', async () => {
  const content = noise(5000);
  const commit = hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': content });
  const folder = await downloadModel(id);
  const file = join(folder, 'model.safetensors');
  expect(lstatSync(file).isSymbolicLink()).toBe(false);
  expect(readFileSync(file).equals(content)).toBe(true);
  expect(lstatSync(join(hub.cache, 'models--owner--name', 'blobs', oidOf(content))).isFile()).toBe(true);

  hub.server.asked.length = 0;
  await downloadModel(id, { revision: commit });
  expect(hub.server.asked).toEqual([]);
  hub.server.commit(id, { 'config.json': '{"a":1}', 'model.safetensors': content });
  forgetAnswers();
  const next = await downloadModel(id);
  expect(next).not.toBe(folder);
  expect(readFileSync(join(next, 'model.safetensors')).equals(content)).toBe(true);
  expect(hub.server.downloads()).toEqual(['config.json']);
});
