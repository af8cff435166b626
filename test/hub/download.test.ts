import { chmodSync, lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ProgressInfo } from '../../lib/hub/progress.ts';
import { forgetAnswers } from '../../lib/hub/repository.ts';
import { resolveModelFolder } from '../../lib/hub/resolve.ts';
import { patience } from '../../lib/hub/session.ts';
import { AutoConfig, AutoModel, AutoTokenizer, BertModel, env, SentenceTransformer } from '../../lib/index.ts';
import { downloadModel } from '../../lib/models/download.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { oidOf } from '../support/hub-server.ts';
import { withWarnings } from '../support/warnings.ts';
import { failureOf, filesBelow, fixture, id, noise, useHub } from './support.ts';

const hub = useHub();

const repositoryFolder = () => join(hub.cache, 'models--owner--name');
const cached = () => filesBelow(repositoryFolder());

describe('a model from the hub', () => {
  test('is loaded as from a folder, and then without the hub', async () => {
    hub.server.commit(id, fixture('bert-text-embedding'));
    const tokenizer = await AutoTokenizer.from_pretrained(id);
    const model = await AutoModel.from_pretrained(id);
    const outputs = await model(tokenizer(['하나', 'two words'], { padding: true }));
    model.dispose();

    await hub.server.stop();
    forgetAnswers();
    env.allowRemoteModels = false;
    const again = await AutoModel.from_pretrained(id, { strict: true });
    const offline = await again((await AutoTokenizer.from_pretrained(id))(['하나', 'two words'], { padding: true }));
    again.dispose();
    expect(offline.last_hidden_state.data).toEqual(outputs.last_hidden_state.data);
  });

  test('a sentence transformer, with its modules', async () => {
    const name = 'sentence-transformers-cls-max-dense';
    hub.server.commit(id, fixture(name));
    const fromHub = await SentenceTransformer.from_pretrained(id);
    const fromFolder = await SentenceTransformer.from_pretrained(join(fixturesFolder, name));
    const texts = ['one text', 'another'];
    expect((await fromHub.encode(texts)).data).toEqual((await fromFolder.encode(texts)).data);
    expect(hub.server.downloads()).not.toContain('cases.json');
  });

  test('is kept exactly as Python keeps it', async () => {
    const files = { 'config.json': '{"model_type":"bert"}', 'vocab.txt': 'a\nb\n', 'model.safetensors': noise(5000) };
    const commit = hub.server.commit(id, files);
    const folder = await downloadModel(id);
    expect(folder).toBe(join(repositoryFolder(), 'snapshots', commit));
    const blobs = Object.values(files).map((content) => oidOf(Buffer.from(content)));
    expect(cached()).toEqual(
      [
        ...blobs.map((oid) => `blobs/${oid}`),
        'refs/main',
        ...Object.keys(files).map((path) => `snapshots/${commit}/${path}`),
        `trees/${commit}.json`,
      ].sort(),
    );
    expect(readFileSync(join(repositoryFolder(), 'refs', 'main'), 'utf8')).toBe(commit);
    for (const [path, content] of Object.entries(files)) {
      const oid = oidOf(Buffer.from(content));
      expect(readlinkSync(join(folder, path))).toBe(`../../blobs/${oid}`);
      expect(lstatSync(join(repositoryFolder(), 'blobs', oid)).isFile()).toBe(true);
      expect(readFileSync(join(folder, path)).equals(Buffer.from(content))).toBe(true);
    }
    const { format_version, files: tree } = JSON.parse(
      readFileSync(join(repositoryFolder(), 'trees', `${commit}.json`), 'utf8'),
    );
    expect(format_version).toBe(1);
    expect(tree).toEqual({
      'config.json': { size: 21, blob_id: blobs[0] },
      'model.safetensors': { size: 5000, blob_id: 'f'.repeat(40), lfs_sha256: blobs[2], lfs_size: 5000 },
      'vocab.txt': { size: 4, blob_id: blobs[1] },
    });
    expect(filesBelow(join(hub.cache, '.locks'))).toEqual([]);
  });

  test('links from a folder lead up one more level', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'onnx/deep/model.onnx': noise(3000) });
    const folder = await downloadModel(id, { include: ['onnx/*'] });
    expect(readlinkSync(join(folder, 'onnx/deep/model.onnx'))).toBe(`../../../../blobs/${oidOf(noise(3000))}`);
  });

  test('needs no organisation in its name', async () => {
    const commit = hub.server.commit('plain-name', { 'config.json': '{}' });
    expect(await downloadModel('plain-name')).toBe(join(hub.cache, 'models--plain-name', 'snapshots', commit));
  });

  test('only what is needed is fetched', async () => {
    const others = { 'README.md': 'text', 'tf_model.h5': noise(4000), 'onnx/model.onnx': noise(4000), 'a.py': 'x' };
    hub.server.commit(id, { ...fixture('bert-text-embedding'), ...others, 'pytorch_model.bin': noise(9000) });
    await AutoConfig.from_pretrained(id);
    expect(hub.server.downloads()).toEqual(['config.json']);
    await AutoTokenizer.from_pretrained(id);
    const withTokenizer = hub.server.downloads();
    expect(withTokenizer).toContain('vocab.txt');
    expect(withTokenizer).not.toContain('model.safetensors');
    const model = await BertModel.from_pretrained(id);
    model.dispose();
    expect(hub.server.downloads()).toEqual([...withTokenizer, 'model.safetensors'].sort());
    await downloadModel(id);
    const all = hub.server.downloads();
    for (const path of [...Object.keys(others), 'pytorch_model.bin', 'cases.json']) expect(all).not.toContain(path);
    expect(new Set(all).size).toBe(all.length);
  });

  test.each([
    ['shards before pytorch_model.bin', ['model.safetensors.index.json', 'a-1.safetensors', 'a-2.safetensors']],
    ['one file before shards', ['model.safetensors', 'model.safetensors.index.json', 'a-1.safetensors']],
    ['pytorch_model.bin', []],
  ])('one set of weights: %s', async (_, safetensors) => {
    const index = JSON.stringify({ weight_map: { x: 'a-1.safetensors', y: 'a-2.safetensors', z: 'a-1.safetensors' } });
    const content = (path: string) => (path.endsWith('.json') ? index : noise(100, Number(path.match(/\d/)?.[0] ?? 9)));
    const files = Object.fromEntries([...safetensors, 'pytorch_model.bin'].map((path) => [path, content(path)]));
    hub.server.commit(id, { 'config.json': '{}', ...files });
    await resolveModelFolder(id, {}, 'model');
    const weights = hub.server.downloads().filter((path) => path !== 'config.json');
    expect(weights).toEqual(
      safetensors.length === 0
        ? ['pytorch_model.bin']
        : safetensors[0] === 'model.safetensors'
          ? ['model.safetensors']
          : [...safetensors].sort(),
    );
  });

  test('the modules of sentence-transformers', async () => {
    const modules = [
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
      { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
      { idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense' },
      { idx: 3, name: '3', path: '3_Normalize', type: 'sentence_transformers.models.Normalize' },
    ];
    const wanted = {
      'config.json': '{"model_type":"bert"}',
      'modules.json': JSON.stringify(modules),
      'config_sentence_transformers.json': '{"a":3}',
      'sentence_bert_config.json': '{"a":4}',
      'tokenizer.json': '{"a":5}',
      'model.safetensors': noise(10),
      '1_Pooling/config.json': '{"a":1}',
      '2_Dense/config.json': '{"a":2}',
      '2_Dense/model.safetensors': noise(11),
    };
    hub.server.commit(id, { ...wanted, '2_Dense/pytorch_model.bin': noise(12), 'onnx/model.onnx': noise(13) });
    await downloadModel(id);
    expect(hub.server.downloads()).toEqual(Object.keys(wanted).sort());
  });

  test('a subfolder', async () => {
    const commit = hub.server.commit(id, {
      'config.json': '{}',
      'inner/config.json': '{"a":1}',
      'inner/vocab.txt': 'a',
    });
    const folder = await resolveModelFolder(id, { subfolder: 'inner' });
    expect(folder).toBe(join(repositoryFolder(), 'snapshots', commit, 'inner'));
    expect(hub.server.downloads()).toEqual(['inner/config.json', 'inner/vocab.txt']);
    expect(await resolveModelFolder(id, { subfolder: 'inner', revision: commit })).toBe(folder);
    expect((await failureOf(resolveModelFolder(id, { subfolder: '../x' }))).code).toBe('ERR_OPTION');
  });

  test('include and exclude', async () => {
    const names = ['a.json', 'b.json', 'onnx/model.onnx', 'onnx/model_q8.onnx', 'odd #1?.txt'];
    hub.server.commit(id, Object.fromEntries(names.map((name) => [name, name])));
    await downloadModel(id, { include: ['onnx/', '?.json'], exclude: ['*_q8*', '[b-z].json'] });
    expect(hub.server.downloads()).toEqual(['a.json', 'onnx/model.onnx']);
    const folder = await downloadModel(id, { include: ['odd*'] });
    expect(readFileSync(join(folder, 'odd #1?.txt'), 'utf8')).toBe('odd #1?.txt');
    const error = await failureOf(downloadModel(id, { include: ['nothing'] }));
    expect(error).toMatchObject({ code: 'ERR_NOT_FOUND', message: expect.stringContaining('a.json, b.json') });
  });

  test('a tree of several pages', async () => {
    hub.server.page_size = 3;
    const names = Array.from({ length: 10 }, (_, i) => `f${i}.bin`);
    hub.server.commit(id, Object.fromEntries(names.map((name) => [name, name])));
    await downloadModel(id, { include: ['*'] });
    expect(hub.server.downloads()).toEqual(names);
  });

  test('an empty file', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'added_tokens.json': '' });
    expect(readFileSync(join(await downloadModel(id), 'added_tokens.json'), 'utf8')).toBe('');
  });
});

describe('revisions', () => {
  test('a branch follows the hub; what stayed the same is not fetched again', async () => {
    const first = hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': noise(3000) });
    await downloadModel(id);
    const second = hub.server.commit(id, { 'config.json': '{"a":1}', 'model.safetensors': noise(3000) });
    forgetAnswers();
    expect(await downloadModel(id)).toContain(second);
    expect(hub.server.downloads()).toEqual(['config.json', 'config.json', 'model.safetensors']);
    expect(filesBelow(join(repositoryFolder(), 'snapshots', first))).toEqual(['config.json', 'model.safetensors']);
    expect(readFileSync(join(repositoryFolder(), 'refs/main'), 'utf8')).toBe(second);
  });

  test('a branch that stands where it stood costs one request, a commit none', async () => {
    const commit = hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': noise(3000) });
    await downloadModel(id);
    forgetAnswers();
    hub.server.asked.length = 0;
    await downloadModel(id, { revision: commit });
    expect(hub.server.asked).toEqual([]);
    await downloadModel(id);
    expect(hub.server.asked.map(({ path }) => path.replace(/\?.*/, ''))).toEqual([`/api/models/${id}/revision/main`]);
  });

  test('a tag, a pull request', async () => {
    const commit = hub.server.commit(id, { 'config.json': '{}' }, 'refs/pr/1');
    expect(await downloadModel(id, { revision: 'refs/pr/1' })).toContain(commit);
    expect(readFileSync(join(repositoryFolder(), 'refs/refs/pr/1'), 'utf8')).toBe(commit);
    await hub.server.stop();
    expect(await downloadModel(id, { revision: 'refs/pr/1', local_files_only: true })).toContain(commit);
  });

  test('the cache names the new commit only once its files are there', async () => {
    const first = hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': noise(3000) });
    await downloadModel(id);
    hub.server.commit(id, { 'config.json': '{"a":1}', 'model.safetensors': noise(4000) });
    forgetAnswers();
    hub.server.fault = ({ origin }) => (origin === 'store' ? { status: 500 } : undefined);
    const { result, warnings } = await withWarnings(() => downloadModel(id));
    expect(result).toContain(first);
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_HUB_CACHED']);
    expect(await downloadModel(id, { local_files_only: true })).toContain(first);
  });
});

describe('without the hub', () => {
  test('what is cached does not wait for long', async () => {
    const commit = hub.server.commit(id, { 'config.json': '{}' });
    await downloadModel(id);
    forgetAnswers();
    hub.server.asked.length = 0;
    hub.server.fault = () => ({ status: 503 });
    expect(await downloadModel(id)).toContain(commit);
    expect(hub.server.asked).toHaveLength(patience.tries_with_cache);
  });

  test('what is cached is used, with a warning once', async () => {
    const other = 'owner/other';
    const commit = hub.server.commit(other, { 'config.json': '{}', 'model.safetensors': noise(3000) });
    await downloadModel(other);
    await hub.server.stop();
    forgetAnswers();
    const { result, warnings } = await withWarnings(async () => [
      await downloadModel(other),
      await downloadModel(other),
    ]);
    expect(result[0]).toContain(commit);
    expect(result[1]).toBe(result[0]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.message).toMatch(/'owner\/other' is taken from the cache.*cannot be reached \(ECONNREFUSED/);
  });

  test('what is not cached is ERR_OFFLINE, and so is half a model', async () => {
    const index = JSON.stringify({ weight_map: { x: 'a-1.safetensors', y: 'a-2.safetensors' } });
    hub.server.commit(id, { 'config.json': '{}', 'model.safetensors.index.json': index, 'a-1.safetensors': 'x' });
    await downloadModel(id, { include: ['*'] });
    const offline = { local_files_only: true };
    await resolveModelFolder(id, offline, 'config');
    expect(await failureOf(resolveModelFolder(id, offline, 'model'))).toMatchObject({
      code: 'ERR_OFFLINE',
      message: expect.stringMatching(/without a-2\.safetensors, and nothing is downloaded: local_files_only is true/),
    });
    expect(await failureOf(resolveModelFolder(id, offline, 'tokenizer'))).toMatchObject({ code: 'ERR_OFFLINE' });
    expect(await failureOf(resolveModelFolder('owner/none', offline))).toMatchObject({ code: 'ERR_OFFLINE' });
    await hub.server.stop();
    forgetAnswers();
    expect(await failureOf(resolveModelFolder('owner/none'))).toMatchObject({
      code: 'ERR_OFFLINE',
      message: expect.stringMatching(/cannot be reached .*; looked at/),
    });
  });

  test('a cache that Python wrote does, also an older Python', async () => {
    const commit = hub.server.commit(id, fixture('bert-text-embedding'));
    const folder = await downloadModel(id, { include: ['*.json', '*.txt', '*.safetensors'] });
    rmSync(join(repositoryFolder(), 'trees'), { recursive: true });
    env.allowRemoteModels = false;
    expect(await resolveModelFolder(id)).toBe(folder);
    expect(await resolveModelFolder(id, { revision: commit })).toBe(folder);
    expect(await downloadModel(id, { include: ['*.txt'] })).toBe(folder);
    expect(await failureOf(downloadModel(id, { include: ['*.onnx'] }))).toMatchObject({ code: 'ERR_OFFLINE' });
    (await BertModel.from_pretrained(id, { strict: true })).dispose();
  });

  test('what Python notes as absent is not asked for', async () => {
    const commit = hub.server.commit(id, { 'pytorch_model.bin': 'x', 'config.json': '{}' });
    await downloadModel(id, { include: ['*'] });
    rmSync(join(repositoryFolder(), 'trees'), { recursive: true });
    for (const name of ['model.safetensors', 'model.safetensors.index.json']) {
      mkdirSync(join(repositoryFolder(), '.no_exist', commit), { recursive: true });
      writeFileSync(join(repositoryFolder(), '.no_exist', commit, name), '');
    }
    hub.server.asked.length = 0;
    await resolveModelFolder(id, { revision: commit }, 'model');
    expect(hub.server.asked).toEqual([]);
  });

  test('a tokenizer that is known to have more files is not half a one', async () => {
    const commit = hub.server.commit(id, { 'tokenizer.json': '{}', 'tokenizer_config.json': '{"a":1}' });
    await downloadModel(id, { include: ['tokenizer.json'] });
    const offline = { local_files_only: true, revision: commit };
    expect((await failureOf(resolveModelFolder(id, offline, 'tokenizer'))).message).toMatch(
      /without tokenizer_config\.json/,
    );
  });

  test('any weights do, if they are whole', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': 'x', 'pytorch_model.bin': 'y' });
    const folder = await downloadModel(id, { include: ['config.json', '*.bin'] });
    expect(await resolveModelFolder(id, { local_files_only: true }, 'model')).toBe(folder);
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '{"format_version":2,"files":{}}',
    '{"format_version":1}',
    '{"format_version":1,"files":{"a":null}}',
  ])('a listing that is none is made anew: %s', async (text) => {
    const commit = hub.server.commit(id, { 'config.json': '{}' });
    mkdirSync(join(repositoryFolder(), 'trees'), { recursive: true });
    writeFileSync(join(repositoryFolder(), 'trees', `${commit}.json`), text);
    expect(readFileSync(join(await downloadModel(id), 'config.json'), 'utf8')).toBe('{}');
  });

  test.skipIf(process.getuid?.() === 0)('a cache that cannot be written is read', async () => {
    const commit = hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': noise(3000) });
    await downloadModel(id, { include: ['*'] });
    hub.server.repositories.get(id)!.refs.set('v1', commit);
    for (const folder of [repositoryFolder(), join(repositoryFolder(), 'refs')]) chmodSync(folder, 0o555);
    expect(await downloadModel(id, { revision: 'v1' })).toContain(commit);
    expect(cached()).not.toContain('refs/v1');
    for (const folder of [repositoryFolder(), join(repositoryFolder(), 'refs')]) chmodSync(folder, 0o755);
  });

  test('env.fetch makes the requests', async () => {
    const own = env.fetch;
    const commit = hub.server.commit(id, { 'config.json': '{}' });
    const asked: string[] = [];
    env.fetch = (input, init) => {
      asked.push(String(input));
      return own(String(input).replace('http://hub.invalid', hub.server.endpoint), init);
    };
    env.remoteHost = 'http://hub.invalid/';
    try {
      expect(await downloadModel(id)).toContain(commit);
    } finally {
      env.fetch = own;
    }
    expect(asked).toHaveLength(3);
    for (const url of asked) expect(url).toMatch(/^http:\/\/hub\.invalid\/(api|owner)/);
  });

  test('env.allowLocalModels false: a name is an id', async () => {
    env.localModelPath = join(hub.cache, 'local');
    const commit = hub.server.commit('test', { 'config.json': '{}' });
    expect(await resolveModelFolder('test')).toBe(join(process.cwd(), 'test'));
    env.allowLocalModels = false;
    expect(await resolveModelFolder('test')).toContain(commit);
    expect((await failureOf(resolveModelFolder('./test'))).message).toContain('allowLocalModels');
  });
});

describe('progress', () => {
  test('in the form of transformers.js', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': noise(300_000) });
    const seen: ProgressInfo[] = [];
    await resolveModelFolder(id, { progress_callback: (info) => seen.push(info) }, 'model');
    const of = (file: string) => seen.filter((info) => 'file' in info && info.file === file);
    for (const [file, size] of [
      ['config.json', 2],
      ['model.safetensors', 300_000],
    ] as const) {
      const statuses = of(file).map(({ status }) => status);
      expect([statuses[0], statuses[1], statuses.at(-1)]).toEqual(['initiate', 'download', 'done']);
      expect(of(file).at(-2)).toEqual({ status: 'progress', name: id, file, progress: 100, loaded: size, total: size });
    }
    const totals = seen.flatMap((info) => (info.status === 'progress_total' ? [info] : []));
    expect(totals.at(-1)).toMatchObject({ progress: 100, loaded: 300_002, total: 300_002 });
    expect(totals.map(({ loaded }) => loaded)).toEqual(totals.map(({ loaded }) => loaded).sort((a, b) => a - b));
    // What is there is told too, so that a display comes to its end.
    const again: ProgressInfo[] = [];
    await resolveModelFolder(id, { progress_callback: (info) => again.push(info) }, 'model');
    expect(again.filter(({ status }) => status === 'done')).toHaveLength(2);
    expect(again.some(({ status }) => status === 'download')).toBe(false);
  });

  test('what a callback throws ends the download', async () => {
    hub.server.commit(id, { 'config.json': '{}', 'model.safetensors': noise(300_000) });
    const progress_callback = ({ status }: ProgressInfo) => {
      if (status === 'progress') throw new RangeError('from the callback');
    };
    expect(await failureOf(downloadModel(id, { progress_callback }))).toEqual(new RangeError('from the callback'));
  });
});

test('options that are none', async () => {
  const refused = async (given: string, options: object) => {
    expect(await failureOf(downloadModel(given, options as never))).toMatchObject({ code: 'ERR_OPTION' });
  };
  await refused('./folder', {});
  await refused('a/b/c', {});
  await refused('a--b/c', {});
  await refused(id, { include: 'a' });
  await refused(id, { include: ['[z-a]'] });
  await refused(id, { revison: 'x' });
  await refused(id, { revision: '../x' });
  await refused(id, { revision: 'a\\b' });
  await refused(id, { signal: 1 });
  for (const host of ['nonsense', 'ftp://x', 'https://user:password@host']) {
    env.remoteHost = host;
    const error = await failureOf(downloadModel(id));
    expect(error).toMatchObject({ code: 'ERR_OPTION', message: expect.not.stringContaining('password@') });
  }
  writeFileSync(join(hub.cache, 'token'), 'hf_abc def\x01');
  env.tokenPath = join(hub.cache, 'token');
  env.remoteHost = hub.server.endpoint;
  const error = await failureOf(downloadModel(id));
  expect(error).toMatchObject({ code: 'ERR_OPTION', message: expect.not.stringContaining('hf_abc') });
});
