import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openGraph, openGraphBytes, readGraph } from '../../../lib/onnx/reading/graph-file.ts';
import { memorySource } from '../../../lib/weights/byte-source.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { failure } from '../../weights/support.ts';
import { field, graph, model, node, type TensorOptions, tensor, value } from './messages.ts';

const named = (location: string, options: TensorOptions = {}) =>
  tensor({ external: { location, offset: '16', length: '8' }, ...options });

/** A folder with files, whose content is a text or so many bytes. */
function folderOf(files: Readonly<Record<string, string | number | Uint8Array>>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === 'number' ? Buffer.alloc(content) : content);
  }
  return folder;
}

const read = async (bytes: Uint8Array) => (await readGraph(memorySource(bytes))).external_data;

describe('wherever a tensor may stand, the file that it names is found', () => {
  const attribute = (number: number, content: Uint8Array) =>
    model(graph(field(1, node('Constant', field(number, content)))));
  const sparse = (number: number) => field(number, named('w'));
  const inner = graph(field(5, named('w')));
  test.each<[string, Uint8Array]>([
    ['an initializer', model(graph(field(5, named('w'))))],
    ['the values of a sparse initializer', model(graph(field(15, sparse(1))))],
    ['the indices of a sparse initializer', model(graph(field(15, field(1, tensor()), sparse(2))))],
    ['a tensor of an attribute', attribute(5, named('w'))],
    ['a list of tensors', attribute(10, named('w'))],
    ['a sparse tensor of an attribute', attribute(22, sparse(1))],
    ['a list of sparse tensors', attribute(23, sparse(2))],
    ['a graph of an attribute', attribute(6, inner)],
    ['a list of graphs', attribute(11, inner)],
    ['a graph in a graph in a list', attribute(6, graph(field(1, node('Loop', field(11, inner)))))],
    ['a function', model(graph(), field(25, field(7, node('Constant', field(5, named('w'))))))],
    ["a function's attribute", model(graph(), field(25, field(11, field(1, 'a'), field(5, named('w')))))],
    ['initialization for training', model(graph(), field(20, field(1, inner)))],
    ['an algorithm for training', model(graph(), field(20, field(2, inner)))],
    ['external data without the flag', model(graph(field(5, named('w', { location: 0 }))))],
    ['a graph before all else', Buffer.concat([field(7, inner), model(graph()).subarray(0, 2)])],
  ])('%s', async (_, bytes) => {
    expect(await read(bytes)).toEqual([{ location: 'w', end: 24 }]);
  });

  test('how much of each file is read', async () => {
    const of = (location: string, rest: object) => field(5, tensor({ external: { location, ...rest } }));
    const bytes = model(
      graph(of('a', { offset: '8' }), of('b', {}), of('a', { offset: '0', length: '8' }), of('b', { checksum: 'x' })),
    );
    expect(await read(bytes)).toEqual([
      { location: 'a', end: 16 },
      { location: 'b', end: 8 },
    ]);
  });

  test('packed numbers of four bits take half a byte', async () => {
    const bytes = model(graph(field(5, tensor({ dims: [3, 5], data_type: 22, external: { location: 'w' } }))));
    expect(await read(bytes)).toEqual([{ location: 'w', end: 8 }]);
  });
});

test('an initializer stands for an input', async () => {
  const bytes = model(
    graph(
      field(11, value('weight', 1, [2])),
      field(5, tensor()),
      field(15, field(1, tensor({ name: 's' }))),
      field(11, value('s', 1, [2])),
    ),
  );
  expect((await readGraph(memorySource(bytes))).inputs.map(({ name }) => name)).toEqual(['input_ids']);
});

test('shapes as they may stand there', async () => {
  const bytes = model(
    graph(
      field(11, value('known', 1, [2, 'n', null, -1])),
      field(11, value('scalar', 10, [])),
      field(11, value('any', 9, null)),
      field(11, field(1, 'sequence'), field(2, field(4, field(1)))),
      field(11, field(1, 'untyped')),
    ),
  );
  expect((await readGraph(memorySource(bytes))).inputs.slice(1)).toEqual([
    { name: 'known', dtype: 'float32', shape: [2, 'n', null, null] },
    { name: 'scalar', dtype: 'float16', shape: [] },
    { name: 'any', dtype: 'bool', shape: null },
    { name: 'sequence', dtype: null, shape: null },
    { name: 'untyped', dtype: null, shape: null },
  ]);
});

describe('the files', () => {
  const graphNaming = (location: string) => model(graph(field(5, named(location))));
  const open = (folder: string, name = 'model.onnx') => openGraph(join(folder, name));
  const opened = async (folder: string, name?: string) =>
    (await open(folder, name)).files.map(({ path }) => path.slice(folder.length + 1));

  test.each(['model.onnx_data', './model.onnx_data', 'weights/a.bin'])('%j', async (location) => {
    const name = location.replace('./', '');
    expect(await opened(folderOf({ 'model.onnx': graphNaming(location), [name]: 24 }))).toEqual(['model.onnx', name]);
  });

  test.each([
    '/etc/passwd',
    '../model.onnx_data',
    'a/../../model.onnx_data',
    'a/..',
    '..',
    '.',
    'C:\\weights',
    'c:weights',
    'a\\..\\..\\weights',
    '\\\\host\\share',
    'a//b',
    'a/',
    'model.onnx_data\0.txt',
    './/etc/passwd',
    './../secret',
  ])('%j is not the name of one', async (location) => {
    const folder = folderOf({ 'model/model.onnx': graphNaming(location), 'model.onnx_data': 24, secret: 24 });
    const { message } = await failure(open(join(folder, 'model')), 'ERR_FILE_FORMAT');
    expect(message).toContain('not the name of a file of weights');
  });

  test("an address in memory, which is ONNX Runtime's own mark", async () => {
    const location = '*/_ORT_MEM_ADDR_/*';
    const folder = folderOf({ 'model.onnx': graphNaming(location), [location]: 24 });
    expect((await failure(open(folder), 'ERR_FILE_FORMAT')).message).toContain('memory');
  });

  test('one that is not there', async () => {
    const folder = folderOf({ 'model.onnx': graphNaming('model.onnx_data') });
    const { message } = await failure(open(folder), 'ERR_NOT_FOUND');
    for (const part of [join(folder, 'model.onnx'), 'model.onnx_data', 'published']) expect(message).toContain(part);
  });

  test('one that is too short', async () => {
    const folder = folderOf({ 'model.onnx': graphNaming('w'), w: 23 });
    const { message } = await failure(open(folder), 'ERR_FILE_FORMAT');
    expect(message).toContain('has 23 bytes');
    expect(message).toContain('byte 24');
  });

  test('one that is a folder', async () => {
    await failure(open(folderOf({ 'model.onnx': graphNaming('w'), 'w/x': 1 })), 'ERR_IO');
  });

  test('a link inside the folder', async () => {
    const folder = folderOf({ 'model.onnx': graphNaming('w'), 'parts/w': 24 });
    symlinkSync('parts/w', join(folder, 'w'));
    expect(await opened(folder)).toEqual(['model.onnx', 'parts/w']);
  });

  test('a link out of the folder', async () => {
    const folder = folderOf({ 'model/model.onnx': graphNaming('w'), w: 24 });
    symlinkSync('../w', join(folder, 'model', 'w'));
    expect((await failure(open(join(folder, 'model')), 'ERR_FILE_FORMAT')).message).toContain('outside');
  });

  describe("the hub's cache", () => {
    const snapshot = 'models--o--n/snapshots/01/onnx';
    const cache = (target: string) => {
      const folder = folderOf({
        'models--o--n/blobs/graph': graphNaming('model.onnx_data'),
        'models--o--n/blobs/weights': 24,
        'models--o--other/blobs/weights': 24,
        [`${snapshot}/x`]: 1,
      });
      symlinkSync('../../../blobs/graph', join(folder, snapshot, 'model.onnx'));
      symlinkSync(target, join(folder, snapshot, 'model.onnx_data'));
      return join(folder, snapshot);
    };

    test("links into the model's own files", async () => {
      const { files } = await open(cache('../../../blobs/weights'));
      expect(files[1]!.path).toMatch(/blobs\/weights$/);
    });

    test("links into another model's", async () => {
      const folder = cache('../../../../models--o--other/blobs/weights');
      expect((await failure(open(folder), 'ERR_FILE_FORMAT')).message).toContain('outside');
    });
  });

  test('a graph in memory has none', async () => {
    await failure(openGraphBytes(graphNaming('w')), 'ERR_FILE_FORMAT');
    expect((await openGraphBytes(model())).external_data).toEqual([]);
  });

  test('no graph', async () => {
    await failure(openGraph(join(temporaryFolder(), 'model.onnx')), 'ERR_NOT_FOUND');
    await failure(openGraph(temporaryFolder()), 'ERR_IO');
  });
});
