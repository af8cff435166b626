import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { env } from '../../lib/env.ts';
import { patience } from '../../lib/hub/session.ts';
import { downloadModel } from '../../lib/models/download.ts';
import { until } from '../support/command-line.ts';
import type { Asked, Fault } from '../support/hub-server.ts';
import { withWarnings } from '../support/warnings.ts';
import { failureOf, filesBelow, id, noise, useHub } from './support.ts';

const hub = useHub();
const secret = 'hf_abcdefghijklmnopqrstuvwxyz';

const variables = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_ACCESS_TOKEN', 'HF_HUB_DISABLE_IMPLICIT_TOKEN'] as const;
const before = variables.map((name) => [name, process.env[name]] as const);
for (const name of variables) delete process.env[name];
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** Answers the first so many requests of a kind otherwise. */
function faultsFirst(count: number, applies: (asked: Asked) => boolean, fault: Fault): void {
  let left = count;
  hub.server.fault = (asked) => (applies(asked) && left-- > 0 ? fault : undefined);
}

const isStore = ({ origin }: Asked) => origin === 'store';
const isFile = ({ path }: Asked) => path.includes('/resolve/');
const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

describe('tokens', () => {
  test('one is found in the option, in the environment, in the file of hf auth login, in this order', async () => {
    hub.server.commit(id, { 'config.json': '{}' });
    hub.server.repositories.get(id)!.private_token = secret;
    const folder = (options: object) =>
      downloadModel(id, { cache_dir: join(hub.cache, String(Math.random())), ...options });
    env.tokenPath = join(hub.cache, 'token');
    writeFileSync(env.tokenPath, ` ${secret}\n`);
    await folder({});
    process.env.HF_TOKEN = 'hf_of_the_environment';
    expect((await failureOf(folder({}))).message).toContain('with the token of HF_TOKEN');
    await folder({ token: secret });
    process.env.HF_TOKEN = secret;
    await folder({});
    await folder({ token: true });
    expect((await failureOf(folder({ token: false }))).message).toContain('without a token');
    process.env.HF_HUB_DISABLE_IMPLICIT_TOKEN = '1';
    expect((await failureOf(folder({}))).message).toContain('without a token');
  });

  test('token: true without one is an error', async () => {
    expect(await failureOf(downloadModel(id, { token: true }))).toMatchObject({ code: 'ERR_OPTION' });
    env.tokenPath = hub.cache; // no file that could be read
    expect(await failureOf(downloadModel(id, { token: true }))).toMatchObject({ code: 'ERR_IO' });
    hub.server.commit(id, { 'config.json': '{}' });
    await downloadModel(id);
  });

  test('only the hub sees it, not where it redirects to', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': noise(5000) });
    await downloadModel(id, { token: secret });
    const seen = (origin: string) => hub.server.asked.filter((asked) => asked.origin === origin);
    expect(seen('hub').length).toBeGreaterThan(3);
    for (const { authorization } of seen('hub')) expect(authorization).toBe(`Bearer ${secret}`);
    expect(seen('store')).toHaveLength(1);
    expect(seen('store')[0]!.authorization).toBeUndefined();
  });

  test('no message holds it', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': noise(5000) });
    for (const fault of [
      { status: 401, headers: { 'x-error-message': 'Invalid credentials in Authorization header' } },
      { status: 403, body: 'no' },
      { status: 500 },
      { refuse: true },
      { status: 200, body: 'nonsense' },
    ]) {
      hub.server.fault = () => fault;
      const error = await failureOf(downloadModel(id, { token: secret }));
      const shown = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
      expect(shown).not.toContain(secret);
    }
  });
});

describe('what the hub refuses', () => {
  test('a gated repository: which token, and what to do', async () => {
    hub.server.commit(id, { 'config.json': '{}' });
    hub.server.repositories.get(id)!.gated_token = secret;
    expect(await failureOf(downloadModel(id))).toMatchObject({
      code: 'ERR_HUB',
      message: expect.stringMatching(/'owner\/name' is gated.* 401 .*without a token.*restricted.*hf auth login/),
    });
    expect(await failureOf(downloadModel(id, { token: 'hf_other' }))).toMatchObject({
      code: 'ERR_HUB',
      message: expect.stringMatching(/answered 403 to a request with the token of the option token/),
    });
    await downloadModel(id, { token: secret });
  });

  test('a repository, a revision, a file that is not there', async () => {
    hub.server.commit(id, { 'README.md': 'x', 'tf_model.h5': 'x' });
    expect(await failureOf(downloadModel('owner/none'))).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringMatching(/^there is no model 'owner\/none' on http.*, or it is private/),
    });
    expect(await failureOf(downloadModel(id, { revision: 'v9' }))).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringMatching(/'owner\/name' has no revision 'v9'/),
    });
    const { resolveModelFolder } = await import('../../lib/hub/resolve.ts');
    expect(await failureOf(resolveModelFolder(id, {}, 'model'))).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringMatching(/has no model.safetensors \(or other weights\); it has tf_model.h5/),
    });
    expect(await failureOf(resolveModelFolder(id, {}, 'tokenizer'))).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringMatching(/has no tokenizer.json/),
    });
  });

  test('a listing without end', async () => {
    hub.server.commit(id, { 'config.json': '{}' });
    const link = `<${hub.server.endpoint}/api/models/${id}/tree/x?again>; rel="next"`;
    hub.server.fault = ({ path }) =>
      path.includes('/tree/') ? { status: 200, headers: { link }, body: '[]' } : undefined;
    expect((await failureOf(downloadModel(id))).message).toContain('more than 200 pages');
  });

  test('a file that is listed and gone', async () => {
    hub.server.commit(id, { 'config.json': '{}' });
    faultsFirst(1, isFile, { status: 404, headers: { 'x-error-code': 'EntryNotFound' } });
    expect(await failureOf(downloadModel(id))).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: expect.stringContaining("has no file 'config.json'"),
    });
  });

  test('a token that is not taken', async () => {
    hub.server.fault = () => ({
      status: 401,
      headers: { 'x-error-message': 'Invalid credentials in Authorization header' },
    });
    expect(await failureOf(downloadModel(id, { token: secret }))).toMatchObject({
      code: 'ERR_HUB',
      message: expect.stringMatching(/answered 401 .*with the token of the option token: Invalid credentials/),
    });
  });
});

describe('what passes is tried again', () => {
  const files = { 'config.json': '{}', 'model.safetensors': noise(50_000) };

  test.each<[string, (asked: Asked) => boolean, Fault]>([
    ['429', () => true, { status: 429 }],
    ['429 with Retry-After', isFile, { status: 429, headers: { 'retry-after': '0' } }],
    ['500', () => true, { status: 500 }],
    ['503 of the store', isStore, { status: 503 }],
    ['a connection closed without an answer', () => true, { refuse: true }],
    ['a connection cut in the middle of a file', isStore, { cut_after: 20_000 }],
    ['a listing cut in the middle', ({ path }) => path.includes('/tree/'), { status: 200, body: '[{}]', cut_after: 2 }],
  ])('%s', async (_, applies, fault) => {
    hub.server.commit(id, files);
    faultsFirst(3, applies, fault);
    const folder = await downloadModel(id);
    expect(readdirSync(folder).sort()).toEqual(Object.keys(files));
  });

  test('silence', async () => {
    hub.server.commit(id, files);
    const { answer_timeout_ms, silence_timeout_ms } = patience;
    const blobs = join(hub.cache, 'models--owner--name', 'blobs');
    const partialSize = () =>
      Math.max(0, ...filesBelow(blobs).map((name) => (name.endsWith('.incomplete') ? sizeOf(join(blobs, name)) : 0)));
    // Little patience only where there is nothing to wait for: else a slow machine is taken for a silent one.
    const before_last = async () => {
      await until(() => partialSize() === 9_999, 'all but one byte');
      patience.silence_timeout_ms = 100;
    };
    hub.server.fault = (asked) => {
      if (!isStore(asked)) return undefined;
      if (asked.range === undefined) return { silent_after: 10_000, before_last };
      patience.silence_timeout_ms = silence_timeout_ms;
      return undefined;
    };
    await downloadModel(id);
    expect(hub.server.asked.filter(isStore).map(({ range }) => range)).toEqual([undefined, 'bytes=10000-']);

    patience.answer_timeout_ms = 100;
    let left = 2;
    hub.server.fault = () => {
      if (left === 0) return undefined;
      if (--left === 0) patience.answer_timeout_ms = answer_timeout_ms; // of the next request
      return { hang: true };
    };
    await downloadModel(id, {
      cache_dir: join(hub.cache, 'other'),
      revision: [...hub.server.repositories.get(id)!.refs][0]![1],
    });
  });

  test('but not for ever, and what was wrong is said', async () => {
    hub.server.commit(id, files);
    for (const [fault, pattern] of [
      [{ status: 500 }, /answered 500/],
      [{ status: 429 }, /too many requests/],
      [{ refuse: true }, /connection to .* broke/],
    ] as const) {
      hub.server.fault = () => fault;
      hub.server.asked.length = 0;
      expect(await failureOf(downloadModel(id))).toMatchObject({
        code: 'ERR_HUB',
        message: expect.stringMatching(pattern),
      });
      expect(hub.server.asked).toHaveLength(patience.tries);
    }
    hub.server.fault = (asked) => (isStore(asked) ? { cut_after: 0 } : undefined);
    expect(await failureOf(downloadModel(id))).toMatchObject({ code: 'ERR_HUB' });
  });

  test('Retry-After is waited for, unless it is long', async () => {
    hub.server.commit(id, files);
    faultsFirst(1, () => true, { status: 429, headers: { 'retry-after': '60' } });
    const controller = new AbortController();
    const waiting = failureOf(downloadModel(id, { signal: controller.signal }));
    await until(() => hub.server.asked.length > 0, 'the first request');
    await new Promise((resolve) => setTimeout(resolve, 300)); // far above the usual wait here
    expect(hub.server.asked).toHaveLength(1);
    controller.abort();
    expect(await waiting).toMatchObject({ code: 'ERR_ABORTED' });
    hub.server.commit('owner/other', files);
    hub.server.asked.length = 0;
    faultsFirst(1, () => true, { status: 429, headers: { 'retry-after': '86400' } });
    expect(await failureOf(downloadModel('owner/other'))).toMatchObject({
      code: 'ERR_HUB',
      message: expect.stringContaining('asks to wait 86400 s'),
    });
    expect(hub.server.asked).toHaveLength(1);
  });
});

describe('answers that are not to be trusted', () => {
  test.each<[string, Fault]>([
    ['no JSON', { status: 200, body: '<html>' }],
    ['null', { status: 200, body: 'null' }],
    ['no commit', { status: 200, body: '{"id":"owner/name"}' }],
    ['a commit that is a path', { status: 200, body: '{"sha":"../../../../etc"}' }],
    ['a redirect without end', { status: 302, headers: { location: '/x' } }],
    ['a redirect to a file', { status: 302, headers: { location: 'file:///etc/passwd' } }],
    ['a redirect to nowhere', { status: 302 }],
  ])('%s', async (_, fault) => {
    hub.server.commit(id, { 'config.json': '{}' });
    hub.server.fault = () => fault;
    expect(await failureOf(downloadModel(id))).toMatchObject({ code: 'ERR_HUB' });
    expect(filesBelow(hub.cache)).toEqual([]);
  });

  test.each([
    '../escape.json',
    'a/../../escape.json',
    '/escape.json',
    'C:\\escape.json',
    'a\\..\\b.json',
    'a//b',
    'x\0y',
    '.',
  ])('a file named %j', async (name) => {
    const own = `owner/${Buffer.from(name).toString('hex')}`; // a repository is warned of once
    hub.server.commit(own, { 'config.json': '{}', 'bad.json': 'x' });
    hub.server.entry = (entry) => (entry.path === 'bad.json' ? { ...entry, path: name } : entry);
    const { result, warnings } = await withWarnings(() => downloadModel(own, { include: ['*'] }));
    expect(readdirSync(result)).toEqual(['config.json']);
    expect(hub.server.downloads()).toEqual(['config.json']);
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_HUB_FILE']);
  });

  test.each([
    ['modules.json', JSON.stringify([{ path: '../../x' }])],
    ['modules.json', '{}'],
    ['model.safetensors.index.json', JSON.stringify({ weight_map: { a: '../../x' } })],
    ['model.safetensors.index.json', JSON.stringify({ weight_map: { a: 1 } })],
    ['model.safetensors.index.json', '{'],
  ])('%s that holds %s', async (name, content) => {
    hub.server.commit(id, { 'config.json': '{}', [name]: content });
    expect(await failureOf(downloadModel(id))).toMatchObject({ code: 'ERR_FILE_FORMAT' });
  });

  test.each([
    ['a hash that is a path', { oid: '../../../x' }],
    ['no hash', { oid: null }],
    ['a negative size', { size: -1 }],
    ['a size that is no number', { size: '5' }],
  ])('%s', async (_, change) => {
    hub.server.commit(id, { 'config.json': '{}', 'bad.json': 'x' });
    hub.server.entry = (entry) => (entry.path === 'bad.json' ? { ...entry, ...change } : entry);
    expect(readdirSync(await downloadModel(id, { include: ['*'] }))).toEqual(['config.json']);
  });

  test('more bytes than listed, other bytes than listed, another commit than asked for', async () => {
    hub.server.commit(id, { 'config.json': '{"a":1}', 'model.safetensors': noise(5000) });
    const cases: [Fault, RegExp][] = [
      [{ status: 200, body: '{"a":1}more' }, /longer than the 7 bytes/],
      [{ status: 200, body: '{"b":2}' }, /another hash than/],
      [{ status: 200, body: '{"a":1}', headers: { 'x-repo-commit': '0'.repeat(40) } }, /sends another 'config.json'/],
      [{ status: 200, body: '{"a":1}', headers: { etag: `"${'0'.repeat(40)}"` } }, /sends another 'config.json'/],
      [{ status: 206, body: '{"a":1}', headers: { 'content-range': 'bytes 1-7/8' } }, /no answer to what was asked/],
    ];
    for (const [fault, pattern] of cases) {
      hub.server.fault = (asked) => (isFile(asked) && asked.path.endsWith('config.json') ? fault : undefined);
      expect(await failureOf(downloadModel(id, { include: ['config.json'] }))).toMatchObject({
        code: 'ERR_HUB',
        message: expect.stringMatching(pattern),
      });
      expect(filesBelow(hub.cache).filter((path) => !path.includes('/trees/'))).toEqual([]);
    }
    hub.server.fault = (asked) => (isStore(asked) ? { status: 200, body: noise(5000, 2) } : undefined);
    expect((await failureOf(downloadModel(id))).message).toContain('another hash than');
    hub.server.fault = () => undefined;
    await downloadModel(id);
  });
});
