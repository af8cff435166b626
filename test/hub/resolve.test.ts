import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { resolveModelFolder } from '../../lib/hub/resolve.ts';
import { BertModel, env } from '../../lib/index.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const before = { localModelPath: env.localModelPath, cacheDir: env.cacheDir };
afterEach(() => Object.assign(env, before));

const commit = '0123456789abcdef0123456789abcdef01234567';

/** A hub cache as Python's huggingface_hub lays it out: blobs, snapshots of links, and refs. */
function hubCache(): string {
  const cache = temporaryFolder();
  const repository = join(cache, 'models--owner--name');
  const snapshot = join(repository, 'snapshots', commit);
  mkdirSync(join(repository, 'blobs'), { recursive: true });
  mkdirSync(join(repository, 'refs', 'pr'), { recursive: true });
  mkdirSync(snapshot, { recursive: true });
  writeFileSync(join(repository, 'refs', 'main'), commit);
  writeFileSync(join(repository, 'refs', 'pr', '1'), `${commit}\n`);
  const source = join(fixturesFolder, 'bert-sharded-safetensors');
  for (const name of [
    'config.json',
    'model.safetensors.index.json',
    ...[1, 2, 3].map((n) => `model-0000${n}-of-00003.safetensors`),
  ]) {
    cpSync(join(source, name), join(repository, 'blobs', `blob-${name}`));
    symlinkSync(join('..', '..', 'blobs', `blob-${name}`), join(snapshot, name));
  }
  return cache;
}

describe('where a model comes from', () => {
  test('a folder, absolute or relative', async () => {
    const folder = join(fixturesFolder, 'bert-base');
    expect(await resolveModelFolder(folder)).toBe(folder);
    expect(await resolveModelFolder(relative(process.cwd(), folder))).toBe(folder);
  });

  test('env.localModelPath', async () => {
    env.localModelPath = fixturesFolder;
    expect(await resolveModelFolder('bert-base')).toBe(join(fixturesFolder, 'bert-base'));
  });

  test('the hub cache: a branch, another ref, a commit; shards behind links', async () => {
    env.cacheDir = hubCache();
    const snapshot = join(env.cacheDir, 'models--owner--name', 'snapshots', commit);
    expect(await resolveModelFolder('owner/name')).toBe(snapshot);
    expect(await resolveModelFolder('owner/name', { revision: 'pr/1' })).toBe(snapshot);
    expect(await resolveModelFolder('owner/name', { revision: commit })).toBe(snapshot);
    expect(await resolveModelFolder('owner/name', { cache_dir: env.cacheDir })).toBe(snapshot);
    const model = await BertModel.from_pretrained('owner/name', { strict: true });
    expect((await model([[1, 2]])).last_hidden_state.dims).toEqual([1, 2, 24]);
    model.dispose();
  });

  test('what is not there, or would lead elsewhere', async () => {
    env.cacheDir = hubCache();
    const failure = (id: string, options = {}) => resolveModelFolder(id, options).catch((error) => error);
    expect(await failure('owner/name', { revision: 'v2' })).toMatchObject({ code: 'ERR_OFFLINE' });
    expect(await failure('owner/other')).toMatchObject({
      code: 'ERR_OFFLINE',
      message: expect.stringMatching(
        /'owner\/other' .* not in the hub cache .*HF_HUB_OFFLINE.*; looked at '.*', '.*' before/,
      ),
    });
    expect(await failure('owner/name', { revision: '../../x' })).toMatchObject({ code: 'ERR_OPTION' });
    expect(await failure('owner/name', { subfolder: '../..' })).toMatchObject({ code: 'ERR_OPTION' });
    expect(await failure('../models--owner--name/nothing')).toMatchObject({ code: 'ERR_NOT_FOUND' });
    expect(await failure('https://hub.example/owner/name/tree/main')).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining("did you mean the id 'owner/name'?"),
    });
    expect(await failure('~/models/bert')).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining(`did you mean the path '${join(homedir(), 'models', 'bert')}'?`),
    });
    const url = pathToFileURL(join(homedir(), 'models'));
    expect(await failure(url.href)).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining(`did you mean the path '${join(homedir(), 'models')}'?`),
    });
    expect(await failure(url as never)).toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('fileURLToPath(url)'),
    });
    expect(await failure('')).toMatchObject({ code: 'ERR_OPTION' });
  });
});
