import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../lib/weights/checkpoint.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { failure, op, pickled, safetensorsBytes, tensorPickle, torchZip } from './support.ts';

/** A safetensors file that holds one float32 under each name. */
function weights(...names: string[]): Buffer {
  const entries = names.map((name, index) => [
    name,
    { dtype: 'F32', shape: [1], data_offsets: [4 * index, 4 * index + 4] },
  ]);
  return safetensorsBytes(Object.fromEntries(entries), 4 * names.length);
}

const torchWeights = torchZip(pickled(op.dict(op.text('torch'), tensorPickle())));

async function folderOf(files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

const index = (weight_map: unknown) => JSON.stringify({ metadata: { total_size: 8 }, weight_map });

describe('where weights are looked for', () => {
  const files = {
    'model.safetensors': weights('safetensors'),
    'model.safetensors.index.json': index({ 'safetensors-shard': 'a.safetensors' }),
    'a.safetensors': weights('safetensors-shard'),
    'pytorch_model.bin': torchWeights,
    'pytorch_model.bin.index.json': index({ torch: 'b.bin' }),
    'b.bin': torchWeights,
  };
  const without = (...names: string[]) =>
    folderOf(Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name))));
  const namesIn = async (folder: string, use_safetensors?: boolean) => [
    ...(await openCheckpoint(folder, { use_safetensors })).tensors.keys(),
  ];

  test('in the order of transformers', async () => {
    expect(await namesIn(await without())).toEqual(['safetensors']);
    expect(await namesIn(await without('model.safetensors'))).toEqual(['safetensors-shard']);
    const onlyTorch = await without('model.safetensors', 'model.safetensors.index.json');
    expect(await namesIn(onlyTorch)).toEqual(['torch']);
    const onlyShards = await without('model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin');
    const { format, files: shards } = await openCheckpoint(onlyShards);
    expect(format).toBe('torch');
    expect(shards.map(({ path }) => path.endsWith('b.bin'))).toEqual([true]);
  });

  test('use_safetensors', async () => {
    const folder = await without();
    expect(await namesIn(folder, false)).toEqual(['torch']);
    expect(await namesIn(folder, true)).toEqual(['safetensors']);
    const onlyTorch = await without('model.safetensors', 'model.safetensors.index.json');
    const error = await failure(openCheckpoint(onlyTorch, { use_safetensors: true }), 'ERR_NOT_FOUND');
    expect(error.message).not.toContain('pytorch_model.bin');
  });

  test('nothing there', async () => {
    const error = await failure(openCheckpoint(await folderOf({ 'config.json': '{}' })), 'ERR_NOT_FOUND');
    for (const name of ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin']) {
      expect(error.message).toContain(name);
    }
    expect(error.message).not.toContain('It holds');
  });

  test('only weights of other libraries', async () => {
    const folder = await folderOf({ 'tf_model.h5': '', 'flax_model.msgpack': '', 'onnx/model.onnx': '' });
    const { message } = await failure(openCheckpoint(folder), 'ERR_NOT_FOUND');
    expect(message).toContain('tf_model.h5 (TensorFlow)');
    expect(message).toContain('flax_model.msgpack (Flax)');
    expect(message).toContain('onnx (ONNX)');
  });

  test('a folder, or a link to nowhere, in the place of a file', async () => {
    const folder = await folderOf({ 'model.safetensors/x': '' });
    symlinkSync('nowhere', join(folder, 'pytorch_model.bin'));
    const { message } = await failure(openCheckpoint(folder), 'ERR_NOT_FOUND');
    expect(message).toContain('model.safetensors (present, but not a file)');
    expect(message).toContain('pytorch_model.bin (present, but not a file)');
  });

  test('no such folder, or a file', async () => {
    const folder = await folderOf({ file: '' });
    await failure(openCheckpoint(join(folder, 'absent')), 'ERR_NOT_FOUND');
    await failure(openCheckpoint(join(folder, 'file')), 'ERR_NOT_FOUND');
  });

  test('an empty file is an error, not a reason to look further', async () => {
    const folder = await folderOf({ 'model.safetensors': '', 'pytorch_model.bin': torchWeights });
    await failure(openCheckpoint(folder), 'ERR_FILE_FORMAT');
  });

  test.each(['tf', 'flax'])('safetensors saved from %s', async (format) => {
    const folder = await folderOf({ 'model.safetensors': safetensorsBytes({ __metadata__: { format } }) });
    expect((await failure(openCheckpoint(folder), 'ERR_FILE_FORMAT')).message).toContain(`"${format}"`);
  });
});

describe('shards', () => {
  const shards = (weight_map: unknown, files: Record<string, string | Uint8Array> = {}) =>
    folderOf({
      'model.safetensors.index.json': typeof weight_map === 'string' ? weight_map : index(weight_map),
      'a.safetensors': weights('x', 'y'),
      'b.safetensors': weights('z'),
      ...files,
    });
  const message = async (folder: string) => (await failure(openCheckpoint(folder), 'ERR_FILE_FORMAT')).message;

  test('tensors of all shards, also those that the index leaves out', async () => {
    const folder = await shards({ z: 'b.safetensors', x: 'a.safetensors' });
    const { tensors, files } = await openCheckpoint(folder);
    expect([...tensors.keys()]).toEqual(['x', 'y', 'z']);
    expect(files).toHaveLength(2);
    expect(tensors.get('z')!.file).toBe(files[1]);
  });

  test('a shard in a folder below', async () => {
    const folder = await shards({ w: 'parts/c.safetensors' }, { 'parts/c.safetensors': weights('w') });
    expect((await openCheckpoint(folder)).tensors.size).toBe(1);
  });

  test('a shard that is missing', async () => {
    const error = await failure(openCheckpoint(await shards({ x: 'c.safetensors' })), 'ERR_NOT_FOUND');
    expect(error.message).toContain('c.safetensors');
  });

  test('a tensor that is not where the index says', async () => {
    const text = await message(await shards({ x: 'b.safetensors' }));
    expect(text).toContain('"x"');
    expect(text).toContain('b.safetensors');
  });

  test('a tensor in two shards', async () => {
    const folder = await shards({ x: 'a.safetensors', z: 'b.safetensors' }, { 'b.safetensors': weights('z', 'x') });
    const text = await message(folder);
    expect(text).toContain('"x" is in two shards');
  });

  test('__proto__ in the index', async () => {
    const folder = await shards('{"weight_map":{"__proto__":"c.safetensors"}}', {
      'c.safetensors': safetensorsBytes('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    });
    expect([...(await openCheckpoint(folder)).tensors.keys()]).toEqual(['__proto__']);
  });

  test.each([
    '../a.safetensors',
    'parts/../../a.safetensors',
    '/etc/passwd',
    'C:\\a.safetensors',
    'c:a.safetensors',
    'parts\\a.safetensors',
    './a.safetensors',
    'parts//a.safetensors',
    'a.safetensors/',
    '..',
    '.',
    '',
    'a.safetensors\0',
  ])('%j is not the name of a shard', async (name) => {
    expect(await message(await shards({ x: name }))).toContain('not the name of a shard');
  });

  test.each<[string, unknown]>([
    ['no JSON', 'x'],
    ['empty', ''],
    ['an array', '[]'],
    ['no weight_map', '{}'],
    ['a weight_map that is a list', index(['a.safetensors'])],
    ['a weight_map that is null', index(null)],
    ['a shard that is a number', { x: 1 }],
    ['a shard that is null', { x: null }],
    ['a tensor listed twice', '{"weight_map":{"x":"a.safetensors","x":"b.safetensors"}}'],
    ['nesting', `{"weight_map":${'['.repeat(100_000)}`],
  ])('an index with %s', async (_, content) => {
    expect(await message(await shards(content))).toContain('model.safetensors.index.json');
  });

  test('an index of more than 64 MiB is not read', async () => {
    const folder = await shards({});
    truncateSync(join(folder, 'model.safetensors.index.json'), 2 ** 26 + 1);
    expect(await message(folder)).toContain('at most 67108864');
  });

  test('a shard that is a folder', async () => {
    await failure(openCheckpoint(await shards({ x: 'c' }, { 'c/x': '' })), 'ERR_IO');
  });

  describe('links', () => {
    test('inside the folder', async () => {
      const folder = await shards({ x: 'link.safetensors' });
      symlinkSync('a.safetensors', join(folder, 'link.safetensors'));
      expect((await openCheckpoint(folder)).tensors.size).toBe(2);
    });

    test('out of the folder', async () => {
      const outside = await folderOf({ 'secret.safetensors': weights('x') });
      const folder = await shards({ x: 'link.safetensors' });
      symlinkSync(join(outside, 'secret.safetensors'), join(folder, 'link.safetensors'));
      expect(await message(folder)).toContain('outside');
    });

    test('through a folder that is a link', async () => {
      const outside = await folderOf({ 'secret.safetensors': weights('x') });
      const folder = await shards({ x: 'parts/secret.safetensors' });
      symlinkSync(outside, join(folder, 'parts'));
      expect(await message(folder)).toContain('outside');
    });

    test('to a neighbour whose name starts alike', async () => {
      const parent = await folderOf({ 'model-other/x.safetensors': weights('x') });
      await mkdir(join(parent, 'model'));
      writeFileSync(join(parent, 'model/model.safetensors.index.json'), index({ x: 'x.safetensors' }));
      symlinkSync('../model-other/x.safetensors', join(parent, 'model/x.safetensors'));
      expect(await message(join(parent, 'model'))).toContain('outside');
    });

    test('the folder itself may be one', async () => {
      const folder = await shards({ x: 'a.safetensors' });
      const link = join(temporaryFolder(), 'link');
      symlinkSync(folder, link);
      expect((await openCheckpoint(link)).tensors.size).toBe(2);
    });
  });

  describe("the hub's cache", () => {
    const model = 'models--owner--name';
    const snapshot = `${model}/snapshots/0123abcd`;
    const cache = async (target: string, folder = snapshot) => {
      const root = await folderOf({
        [`${model}/blobs/1111`]: weights('x'),
        [`${folder}/model.safetensors.index.json`]: index({ x: 'a.safetensors' }),
        'models--owner--other/blobs/2222': weights('x'),
      });
      symlinkSync(target, join(root, folder, 'a.safetensors'));
      return join(root, folder);
    };

    test("links into the model's own blobs", async () => {
      expect((await openCheckpoint(await cache('../../blobs/1111'))).tensors.size).toBe(1);
    });

    test('a folder within a snapshot', async () => {
      const folder = await cache('../../../blobs/1111', `${snapshot}/sub`);
      expect((await openCheckpoint(folder)).tensors.size).toBe(1);
    });

    test("links into another model's blobs", async () => {
      expect(await message(await cache('../../../models--owner--other/blobs/2222'))).toContain('outside');
    });

    test('the names alone do not make a cache', async () => {
      expect(await message(await cache('../../models--owner--name/blobs/1111', 'snapshots/0123abcd'))).toContain(
        'outside',
      );
      expect(await message(await cache('../blobs/1111', `${model}/x`))).toContain('outside');
    });
  });
});
