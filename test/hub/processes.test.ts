import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { DownloadProgress } from '../../lib/cli/download-progress.ts';
import { withLock } from '../../lib/hub/lock.ts';
import { program, type Running, until } from '../support/command-line.ts';
import { oidOf } from '../support/hub-server.ts';
import { filesBelow, fixture, id, noise, useHub } from './support.ts';

const hub = useHub();
const content = noise(3_000_000);
const oid = oidOf(content);
const files = { 'config.json': '{}', 'model.safetensors': content };
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** `bert-native download`, with the test's hub and cache. */
function download(args: readonly string[] = [id], environment: Record<string, string> = {}): Running {
  return command(['download', ...args], environment);
}

function command(args: readonly string[], environment: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [program, ...args], {
    env: {
      PATH: process.env.PATH,
      HF_ENDPOINT: hub.server.endpoint,
      HF_HOME: join(hub.cache, 'home'),
      HF_HUB_CACHE: hub.cache,
      // A server that a test keeps silent is silent for as long as other processes take to start.
      HF_HUB_ETAG_TIMEOUT: '100',
      HF_HUB_DOWNLOAD_TIMEOUT: '100',
      ...environment,
    },
  });
  children.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const ended = new Promise<Awaited<Running['ended']>>((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal, ...output }));
  });
  return { child, ended };
}

const partial = () => join(hub.cache, 'models--owner--name', 'blobs', `${oid}.incomplete`);
const lock = () => join(hub.cache, '.locks', 'models--owner--name', `${oid}.lock.d`);
const ranges = () => hub.server.asked.filter(({ origin }) => origin === 'store').map(({ range }) => range);
const hasHalf = () => existsSync(partial()) && statSync(partial()).size === 1_000_000;

/** The first transfer comes to a stop after a third. */
function stall(): void {
  let stalled = false;
  hub.server.fault = ({ origin }) => {
    if (origin !== 'store' || stalled) return undefined;
    stalled = true;
    return { silent_after: 1_000_000 };
  };
}

describe('bert-native download', () => {
  test('prints the folder, and what came on standard error', async () => {
    const commit = hub.server.commit(id, files);
    const { status, stdout, stderr } = await download().ended;
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${join(hub.cache, 'models--owner--name', 'snapshots', commit)}\n`,
    });
    expect(stderr.split('\n').sort()).toEqual(['', '    3.0 MB  model.safetensors', '       2 B  config.json'].sort());
    expect(await download([id, '--quiet', '--local-files-only']).ended).toMatchObject({
      status: 0,
      stdout,
      stderr: '',
    });
  });

  test('--revision, --include, --exclude, --cache-dir', async () => {
    hub.server.commit(id, { 'config.json': '1', 'onnx/a.onnx': '2', 'onnx/b.onnx': '3' }, 'v1');
    const cache = join(hub.cache, 'elsewhere');
    const args = [id, '--revision', 'v1', '--include', 'onnx/*', '--exclude', '*b.onnx', '--cache-dir', cache];
    const { status, stdout } = await download(args).ended;
    expect(status).toBe(0);
    expect(stdout).toContain(cache);
    expect(filesBelow(stdout.trim())).toEqual(['onnx/a.onnx']);
  });

  test('HF_TOKEN, HF_HOME and HF_HUB_OFFLINE; a failure is one line', async () => {
    hub.server.commit(id, files);
    hub.server.repositories.get(id)!.private_token = 'hf_secret';
    const refused = await download([id]).ended;
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^bert-native: ERR_NOT_FOUND: there is no model 'owner\/name'.*\n$/);
    const environment = { HF_TOKEN: 'hf_secret', HF_HUB_CACHE: '' };
    expect((await download([id], environment).ended).stdout).toContain(join(hub.cache, 'home', 'hub', 'models--owner'));
    hub.server.asked.length = 0;
    expect((await download([id], { ...environment, HF_HUB_OFFLINE: '1' }).ended).status).toBe(0);
    expect((await download([id], { HF_HUB_OFFLINE: 'ON' }).ended).stderr).toMatch(/ERR_OFFLINE.*HF_HUB_OFFLINE/);
    expect(hub.server.asked).toEqual([]);
  });

  test('other commands show what they download, and nothing when it is there', async () => {
    hub.server.commit(id, fixture('bert-text-embedding'));
    const first = await command(['info', id]).ended;
    expect(first.status).toBe(0);
    expect(first.stdout).toMatch(/^folder +.*models--owner--name/);
    expect(first.stderr).toMatch(/ kB {2}model\.safetensors\n/);
    expect((await command(['info', id]).ended).stderr).toBe('');
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s leaves what came, and the next run goes on', async (signal) => {
    hub.server.commit(id, files);
    stall();
    const { child, ended } = download();
    await until(hasHalf, 'a third of the file');
    child.kill(signal);
    const { status, stdout, stderr } = await ended;
    expect({ status, stdout }).toEqual({ status: signal === 'SIGINT' ? 130 : 143, stdout: '' });
    expect(stderr).toContain('interrupted: the same command goes on');
    expect(hasHalf()).toBe(true);
    expect(existsSync(lock())).toBe(false);
    const { stdout: folder } = await download().ended;
    expect(readFileSync(join(folder.trim(), 'model.safetensors')).equals(content)).toBe(true);
    expect(ranges()).toEqual([undefined, 'bytes=1000000-']);
  });
});

describe('two processes', () => {
  test('that start together fetch each file once', async () => {
    hub.server.commit(id, files);
    hub.server.fault = async ({ origin }) => {
      // Long enough for the other process to come to the lock.
      if (origin === 'store')
        await until(() => hub.server.asked.filter(({ path }) => path.includes('/revision/')).length === 2, 'both');
      return undefined;
    };
    const [one, two] = await Promise.all([download().ended, download().ended]);
    expect([one.status, two.status]).toEqual([0, 0]);
    expect(one.stdout).toBe(two.stdout);
    expect(ranges()).toEqual([undefined]);
    expect(readFileSync(join(one.stdout.trim(), 'model.safetensors')).equals(content)).toBe(true);
  });

  test('one waits while the other downloads, and takes over when that is killed', async () => {
    hub.server.commit(id, files);
    stall();
    const first = download();
    await until(hasHalf, 'a third of the file');
    const second = download();
    await until(
      () => hub.server.asked.filter(({ path }) => path.includes('/revision/')).length === 2,
      'the second process',
    );
    first.child.kill('SIGKILL');
    expect((await first.ended).signal).toBe('SIGKILL');
    expect(existsSync(lock())).toBe(true);
    const { status, stdout } = await second.ended;
    expect(status).toBe(0);
    expect(readFileSync(join(stdout.trim(), 'model.safetensors')).equals(content)).toBe(true);
    expect(ranges()).toEqual([undefined, 'bytes=1000000-']);
    expect(existsSync(lock())).toBe(false);
  });

  test('a lock that a dead process left long ago is no hindrance', async () => {
    hub.server.commit(id, files);
    mkdirSync(lock(), { recursive: true });
    utimesSync(lock(), new Date(0), new Date(0));
    expect((await download().ended).status).toBe(0);
    expect(existsSync(lock())).toBe(false);
  });
});

describe('a lock', () => {
  test('that is lost while the process stands still: what it guards begins again', async () => {
    const path = join(hub.cache, 'lock.d');
    let runs = 0;
    const result = await withLock(path, undefined, async (signal) => {
      if (++runs === 2) return 'done';
      // Somebody took this process for dead.
      rmdirSync(path);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    });
    expect({ result, runs }).toEqual({ result: 'done', runs: 2 });
    expect(existsSync(path)).toBe(false);
  });

  test('goes with what fails under it; who waits can leave', async () => {
    const path = join(hub.cache, 'lock.d');
    const failing = withLock(path, undefined, async () => {
      throw new RangeError('inside');
    });
    await expect(failing).rejects.toThrow(new RangeError('inside'));
    const controller = new AbortController();
    await withLock(path, undefined, async () => {
      const waiting = withLock(path, controller.signal, async () => 'never');
      setTimeout(() => controller.abort(), 50);
      await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    });
  });
});

describe('the display', () => {
  const draw = (isTTY: boolean): string => {
    const written: string[] = [];
    const stream = Object.assign(Object.create(process.stderr), {
      isTTY,
      columns: 120,
      write: (text: string) => written.push(text) > 0,
    });
    const progress = new DownloadProgress(stream);
    const name = id;
    const file = 'model.safetensors';
    const report = (loaded: number, total: number) => {
      const share = (100 * loaded) / total;
      progress.update({ status: 'progress', name, file, progress: share, loaded, total });
      progress.update({
        status: 'progress_total',
        name,
        progress: share,
        loaded,
        total,
        files: { [file]: { loaded, total } },
      });
    };
    report(1_000_000, 4_000_000);
    report(2_000_000, 4_000_000);
    report(4_000_000, 4_000_000);
    progress.update({ status: 'done', name, file });
    progress.end();
    return written.join('');
  };

  test('a bar on a terminal', () => {
    expect(draw(true)).toMatch(/25% \| 1\.0 MB of 4\.0 MB \| .*\/s \| .* left \| model\.safetensors/);
  });

  test('a line for each file elsewhere', () => {
    expect(draw(false)).toBe('    4.0 MB  model.safetensors\n');
  });
});
