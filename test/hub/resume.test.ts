import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveModelFolder } from '../../lib/hub/resolve.ts';
import { downloadModel } from '../../lib/models/download.ts';
import { until } from '../support/command-line.ts';
import { oidOf } from '../support/hub-server.ts';
import { failureOf, filesBelow, id, noise, useHub } from './support.ts';

const hub = useHub();
const content = noise(3_000_000);
const oid = oidOf(content);

const blobs = () => join(hub.cache, 'models--owner--name', 'blobs');
const partial = () => join(blobs(), `${oid}.incomplete`);
const ranges = () => hub.server.asked.filter(({ origin }) => origin === 'store').map(({ range }) => range);

function leavePartial(bytes: Uint8Array): void {
  mkdirSync(blobs(), { recursive: true });
  writeFileSync(partial(), bytes);
}

async function fetchModel(): Promise<void> {
  const folder = await downloadModel(id);
  expect(readFileSync(join(folder, 'model.safetensors')).equals(content)).toBe(true);
  expect(existsSync(partial())).toBe(false);
}

describe('a download that was interrupted', () => {
  test('goes on where the connection was cut', async () => {
    hub.server.commit(id, { 'model.safetensors': content });
    const begins = () => ranges().map((range = 'bytes=0-') => Number(/^bytes=(\d+)-$/.exec(range)![1]));
    hub.server.fault = ({ origin }) => {
      const begin = begins().at(-1)!;
      if (origin !== 'store' || begins().length > 2) return undefined;
      // What is on its way when the connection is cut may be lost: all but one byte has arrived by then.
      const before_last = () =>
        until(() => existsSync(partial()) && statSync(partial()).size === begin + 999_999, 'all but one byte');
      return { cut_after: 1_000_000, before_last };
    };
    await fetchModel();
    expect(begins()).toHaveLength(3);
    expect(begins()[0]).toBe(0);
    for (const i of [1, 2]) expect([999_999, 1_000_000]).toContain(begins()[i]! - begins()[i - 1]!);
  });

  test('goes on where an earlier process, or Python, stopped', async () => {
    hub.server.commit(id, { 'model.safetensors': content });
    leavePartial(content.subarray(0, 1_234_567));
    await fetchModel();
    expect(ranges()).toEqual(['bytes=1234567-']);
  });

  test('is only checked when it is all there', async () => {
    hub.server.commit(id, { 'model.safetensors': content });
    leavePartial(content);
    await fetchModel();
    expect(ranges()).toEqual([]);
  });

  test('begins again where what is there is wrong', async () => {
    hub.server.commit(id, { 'model.safetensors': content });
    leavePartial(noise(1_000_000, 7));
    await fetchModel();
    expect(ranges()).toEqual(['bytes=1000000-', undefined]);
  });

  test('begins again where too much is there', async () => {
    hub.server.commit(id, { 'model.safetensors': content });
    leavePartial(noise(3_000_001, 7));
    await fetchModel();
    expect(ranges()).toEqual([undefined]);
  });

  test('begins again where the server knows no ranges', async () => {
    hub.server.commit(id, { 'model.safetensors': content });
    leavePartial(content.subarray(0, 1_000_000));
    hub.server.fault = () => ({ no_ranges: true });
    await fetchModel();
  });

  test('a small file too', async () => {
    const text = JSON.stringify({ vocab_size: 123456789 });
    hub.server.commit(id, { 'config.json': text });
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(join(blobs(), `${oidOf(Buffer.from(text))}.incomplete`), text.slice(0, 10));
    expect(readFileSync(join(await downloadModel(id), 'config.json'), 'utf8')).toBe(text);
  });

  test('an aborted one rejects at once, keeps what came, and goes on later', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': content });
    hub.server.fault = ({ origin }) => (origin === 'store' ? { silent_after: 500_000 } : undefined);
    const controller = new AbortController();
    const failure = failureOf(downloadModel(id, { signal: controller.signal }));
    await until(() => existsSync(partial()) && statSync(partial()).size === 500_000, 'half a megabyte');
    controller.abort(new Error('enough'));
    expect(await failure).toMatchObject({ code: 'ERR_ABORTED', cause: new Error('enough') });
    expect(statSync(partial()).size).toBe(500_000);
    expect(filesBelow(join(hub.cache, '.locks'))).toEqual([]);
    hub.server.fault = () => undefined;
    await fetchModel();
    expect(ranges()).toEqual([undefined, 'bytes=500000-']);
    expect(await failureOf(downloadModel('a/b', { signal: controller.signal }))).toMatchObject({ code: 'ERR_ABORTED' });
  });
});

describe('nothing half-written is used', () => {
  test('a link to a blob that is gone is not a file', async () => {
    const commit = hub.server.commit(id, { 'config.json': '{}' });
    const snapshot = join(hub.cache, 'models--owner--name', 'snapshots', commit);
    mkdirSync(snapshot, { recursive: true });
    symlinkSync('../../blobs/none', join(snapshot, 'config.json'));
    expect(await failureOf(resolveModelFolder(id, { revision: commit, local_files_only: true }))).toMatchObject({
      code: 'ERR_OFFLINE',
    });
    await downloadModel(id);
    expect(readFileSync(join(snapshot, 'config.json'), 'utf8')).toBe('{}');
  });

  test('a blob of another size than listed is fetched again', async () => {
    hub.server.commit(id, { 'model.safetensors': content });
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(join(blobs(), oid), content.subarray(0, 10));
    await fetchModel();
  });

  test('a full disk: what is there stays', async () => {
    // /dev/full answers every write with ENOSPC.
    if (!existsSync('/dev/full')) return;
    hub.server.commit(id, { 'model.safetensors': content });
    mkdirSync(blobs(), { recursive: true });
    symlinkSync('/dev/full', partial());
    expect(await failureOf(downloadModel(id))).toMatchObject({
      code: 'ERR_IO',
      message: expect.stringMatching(/the disk is full: 3000000 bytes of 'model.safetensors' are missing/),
    });
  });

  test('two calls of one process fetch a file once', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': content });
    const [one, two] = await Promise.all([downloadModel(id), downloadModel(id)]);
    expect(one).toBe(two);
    expect(ranges()).toEqual([undefined]);
  });
});
