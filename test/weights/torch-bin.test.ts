import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BertNativeError } from '../../lib/errors.ts';
import { type ByteSource, memorySource } from '../../lib/weights/byte-source.ts';
import { isLoadable, type WeightsFile } from '../../lib/weights/checkpoint-tensor.ts';
import { encodeStored, type StoredTensor } from '../../lib/weights/stored-tensor.ts';
import type { TensorSpan } from '../../lib/weights/tensor-span.ts';
import { openTorchBin, readTorchBin, writeTorchBin } from '../../lib/weights/torch-bin.ts';
import { temporaryFolder } from '../support/temporary.ts';
import {
  countingFloats,
  failure,
  op,
  pickled,
  readValues,
  type TensorPickle,
  tensorPickle,
  torchLegacy,
  torchZip,
  type ZipEntry,
  zipBytes,
} from './support.ts';

const read = (bytes: Uint8Array) => readTorchBin(memorySource(bytes, 'pytorch_model.bin'));
const dictOf = (...items: (string | Buffer)[]) =>
  pickled(op.dict(...items.map((item) => (typeof item === 'string' ? op.text(item) : item))));
const oneTensor = (options: TensorPickle = {}) => dictOf('a', tensorPickle(options));

function span(weights: WeightsFile, name: string): TensorSpan {
  const tensor = weights.tensors.get(name);
  if (tensor === undefined || !isLoadable(tensor)) return expect.fail(`no tensor ${name}`);
  return tensor;
}

describe.each([
  ['zip', (pickle: Uint8Array) => torchZip(pickle)],
  ['legacy', (pickle: Uint8Array) => torchLegacy(pickle)],
])('%s: tensors', (_, container) => {
  const valuesOf = async (pickle: Buffer, name = 'a') => {
    const bytes = container(pickle);
    return readValues(span(await read(bytes), name), bytes);
  };

  test.each<[string, TensorPickle, number[]]>([
    ['contiguous', {}, [0, 1, 2, 3, 4, 5]],
    ['transposed', { shape: [3, 2], strides: [1, 3] }, [0, 3, 1, 4, 2, 5]],
    ['a part', { shape: [2], strides: [1], offset: 3 }, [3, 4]],
    ['every other', { shape: [2, 2], strides: [3, 2], offset: 0 }, [0, 2, 3, 5]],
    ['expanded', { shape: [2, 2], strides: [0, 1], offset: 4 }, [4, 5, 4, 5]],
    ['a scalar', { shape: [], strides: [], offset: 5 }, [5]],
    ['empty', { shape: [0, 9], strides: [9, 1], offset: 6 }, []],
    ['a stride that does not count', { shape: [1, 2], strides: [2 ** 50, 1] }, [0, 1]],
  ])('%s', async (_name, options, expected) => {
    expect(await valuesOf(oneTensor(options))).toEqual(expected);
  });

  test('one storage behind two names', async () => {
    const weights = await read(container(dictOf('a', tensorPickle(), 'b', tensorPickle({ shape: [6], strides: [1] }))));
    expect(span(weights, 'a').byte_offset).toBe(span(weights, 'b').byte_offset);
  });

  test.each(['_rebuild_parameter', '_rebuild_parameter_with_state'])('%s', async (name) => {
    const call = [op.global('torch._utils', name), op.tuple(tensorPickle(), op.true, op.orderedDict(), op.emptyDict)];
    expect(await valuesOf(dictOf('a', Buffer.concat([...call, op.reduce])))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('values that are not tensors are passed over', async () => {
    const weights = await read(
      container(dictOf('epoch', op.int(3), 'a', tensorPickle(), 'names', op.list(op.text('x')), '__proto__', op.none)),
    );
    expect([...weights.tensors.keys()]).toEqual(['a']);
  });

  test('an OrderedDict with _metadata', async () => {
    const metadata = op.dict(op.text('_metadata'), op.orderedDict());
    const items = [op.mark, op.text('a'), tensorPickle(), Buffer.from('u')];
    const { tensors } = await read(container(pickled(op.orderedDict(), ...items, metadata, op.build)));
    expect([...tensors.keys()]).toEqual(['a']);
  });

  test('__proto__ as a name', async () => {
    const { tensors } = await read(container(dictOf('__proto__', tensorPickle())));
    expect([...tensors.keys()]).toEqual(['__proto__']);
  });

  test.each<[string, TensorPickle, string]>([
    ['one element too many', { shape: [7], strides: [1] }, 'leaves its storage'],
    ['an offset too far', { offset: 1 }, 'leaves its storage'],
    ['an offset past the end', { offset: 7, shape: [0], strides: [1] }, 'offset'],
    ['a negative offset', { offset: -1 }, 'offset'],
    ['a huge offset', { offset: 2n ** 62n }, 'offset'],
    ['a negative size', { shape: [-2, 3] }, 'size'],
    ['a negative stride', { strides: [-3, 1] }, 'stride'],
    ['a huge size', { shape: [2n ** 62n, 3] }, 'size'],
    ['a product past 2^53', { shape: [2 ** 40, 2 ** 40], strides: [0, 0] }, 'too many elements'],
    ['strides past 2^53', { strides: [2 ** 52, 2 ** 52], shape: [2 ** 20, 2 ** 20] }, 'leaves its storage'],
    ['strides of another length', { strides: [1] }, 'strides'],
    ['a storage that is absent', { key: '1' }, 'storage'],
    ['a storage with another length', { elements: 7 }, ''],
    ['a storage of another type', { type: 'DoubleStorage' }, ''],
    ['a negative storage', { elements: -1 }, 'persistent id'],
    ['a key that climbs', { key: '../data.pkl' }, ''],
    ['a part of a storage', { view: op.tuple(op.text('0'), op.int(0), op.int(1)) }, 'parts of other storages'],
    ['an item too many', { view: Buffer.concat([op.none, op.none]) }, 'persistent id'],
  ])('%s', async (_name, options, message) => {
    const error = await failure(read(container(oneTensor(options))), 'ERR_FILE_FORMAT');
    expect(error.message).toContain('pytorch_model.bin');
    expect(error.message).toContain(message);
  });

  const rebuild = op.global('torch._utils', '_rebuild_tensor_v2');
  test.each<[string, Buffer]>([
    ['a list', pickled(op.list(tensorPickle()))],
    ['nothing', pickled(op.none)],
    ['a tensor', pickled(tensorPickle())],
    ['a number as a tensor name', pickled(op.dict(op.int(1), tensorPickle()))],
    ['no arguments', dictOf('a', Buffer.concat([rebuild, op.emptyTuple, op.reduce]))],
    ['eight arguments', dictOf('a', Buffer.concat([rebuild, op.tuple(...Array(8).fill(op.none)), op.reduce]))],
    ['six Nones', dictOf('a', Buffer.concat([rebuild, op.tuple(...Array(6).fill(op.none)), op.reduce]))],
    [
      'a persistent id that is a string',
      dictOf('a', Buffer.concat([rebuild, op.tuple(op.text('0'), ...Array(5).fill(op.none)), op.reduce])),
    ],
    [
      'a parameter in a parameter',
      dictOf(
        'a',
        Buffer.concat([
          op.global('torch._utils', '_rebuild_parameter'),
          op.tuple(
            Buffer.concat([op.global('torch._utils', '_rebuild_parameter'), op.tuple(tensorPickle()), op.reduce]),
          ),
          op.reduce,
        ]),
      ),
    ],
    ['one storage as two types', dictOf('a', tensorPickle(), 'b', tensorPickle({ type: 'IntStorage' }))],
    ['weights under a key', dictOf('state_dict', op.dict(op.text('a'), tensorPickle()), 'epoch', op.int(1))],
  ])('%s', async (_name, pickle) => {
    expect((await failure(read(container(pickle)), 'ERR_FILE_FORMAT')).message).toContain('pytorch_model.bin');
  });

  test('code is not run', async () => {
    const call = Buffer.concat([op.global('os', 'system'), op.tuple(op.text('echo')), op.reduce]);
    const error = await failure(read(container(dictOf('a', call))), 'ERR_UNSAFE_PICKLE');
    expect(error.message).toContain('os.system');
  });

  test('a file cut at any byte is refused', async () => {
    const intact = container(oneTensor());
    expect((await read(intact)).tensors.size).toBe(1);
    for (let length = 0; length < intact.byteLength; length++) {
      await failure(read(intact.subarray(0, length)), 'ERR_FILE_FORMAT');
    }
  });

  test('any bit flipped: refused, or spans inside the file; no read leaves it', async () => {
    const intact = container(dictOf('a', tensorPickle(), 'b', tensorPickle({ offset: 3, shape: [3], strides: [1] })));
    for (let bit = 0; bit < intact.byteLength * 8; bit++) {
      const damaged = Buffer.from(intact);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      try {
        requireSpansInside(await readTorchBin(memorySource(damaged)), damaged.byteLength);
      } catch (error) {
        expect(error).toBeInstanceOf(BertNativeError);
      }
    }
  });
});

function requireSpansInside({ tensors }: WeightsFile, size_bytes: number): void {
  for (const tensor of tensors.values()) {
    if (!isLoadable(tensor) || tensor.shape.includes(0)) continue;
    const last = tensor.shape.reduce((sum, length, axis) => sum + (length - 1) * tensor.strides[axis]!, 0);
    const size = { F32: 4, F16: 2, BF16: 2, F64: 8 }[tensor.dtype];
    expect(tensor.byte_offset + (last + 1) * size).toBeLessThanOrEqual(size_bytes);
  }
}

test.each([
  ['HalfStorage', 2, 'F16'],
  ['BFloat16Storage', 2, 'BF16'],
  ['DoubleStorage', 8, 'F64'],
  ['FloatStorage', 4, 'F32'],
])('%s', async (type, size, dtype) => {
  const weights = await read(torchZip(oneTensor({ type }), { 0: Buffer.alloc(6 * size) }));
  expect(span(weights, 'a').dtype).toBe(dtype);
});

test.each([
  ['LongStorage', 8, 'I64'],
  ['IntStorage', 4, 'I32'],
  ['ShortStorage', 2, 'I16'],
  ['CharStorage', 1, 'I8'],
  ['ByteStorage', 1, 'U8'],
  ['BoolStorage', 1, 'BOOL'],
  ['ComplexFloatStorage', 8, 'C64'],
  ['ComplexDoubleStorage', 16, 'C128'],
])('%s is listed, not loadable', async (type, size, unloadable_dtype) => {
  const { tensors, file } = await read(torchZip(oneTensor({ type }), { 0: Buffer.alloc(6 * size) }));
  expect(tensors.get('a')).toEqual({ file, unloadable_dtype, shape: [2, 3] });
});

describe('zip archives', () => {
  const pickle = oneTensor();
  const storage: ZipEntry = { name: 'archive/data/0', data: countingFloats(6) };
  const entries: ZipEntry[] = [{ name: 'archive/data.pkl', data: pickle }, storage];
  const refused = async (list: readonly ZipEntry[]) => (await failure(read(zipBytes(list)), 'ERR_FILE_FORMAT')).message;

  test('any folder name', async () => {
    const renamed = entries.map((entry) => ({ ...entry, name: entry.name.replace('archive', '한글 model') }));
    expect((await read(zipBytes(renamed))).tensors.size).toBe(1);
  });

  test('byteorder', async () => {
    const order = (text: string) => [...entries, { name: 'archive/byteorder', data: Buffer.from(text) }];
    expect((await read(zipBytes(order('little')))).tensors.size).toBe(1);
    expect(await refused(order('big'))).toContain('"big"');
    expect(await refused(order('x'.repeat(17)))).toContain('17 bytes');
  });

  test.each<[string, ZipEntry[], string]>([
    ['no data.pkl', [storage], 'found 0'],
    ['data.pkl at the top', [{ name: 'data.pkl', data: pickle }], 'found 0'],
    ['two of them', [...entries, { name: 'other/data.pkl', data: pickle }], 'found 2'],
    ['TorchScript', [...entries, { name: 'archive/constants.pkl', data: pickle }], 'TorchScript'],
    ['a name twice', [...entries, storage], 'twice'],
    ['a name that climbs', [...entries, { name: '../x', data: pickle }], '../x'],
    ['an absolute name', [...entries, { name: '/x', data: pickle }], '/x'],
    ['a backslash', [...entries, { name: 'archive\\x', data: pickle }], 'x'],
    ['an encrypted entry', [entries[0]!, { ...storage, flags: 1, directory: { compressed: 36 } }], 'encrypted'],
    ['a deflated entry', [entries[0]!, { ...storage, method: 8, data: deflateRawSync(storage.data) }], 'compressed'],
    [
      'a deflated pickle that grows',
      [
        {
          name: 'archive/data.pkl',
          method: 8,
          data: deflateRawSync(Buffer.alloc(10_000_000)),
          directory: { size: 1e7 },
        },
      ],
      'compressed',
    ],
    ['stored here, deflated there', [entries[0]!, { ...storage, method: 8, directory: { method: 0 } }], 'contradicts'],
    ['another name there', [entries[0]!, { ...storage, directory: { name: 'archive/data/1' } }], 'contradicts'],
    ['two lengths', [entries[0]!, { ...storage, directory: { size: 100 } }], 'mismatch'],
    ['longer than the file', [entries[0]!, { ...storage, directory: { size: 1e6, compressed: 1e6 } }], 'bounds'],
    ['at no header', [entries[0]!, { ...storage, directory: { offset: 3 } }], 'signature'],
    ['past the end', [entries[0]!, { ...storage, directory: { offset: 0xfffffff0 } }], 'offset'],
    [
      'over each other',
      [{ ...entries[0]!, directory: { size: pickle.byteLength + 9, compressed: pickle.byteLength + 9 } }, storage],
      'overlaps',
    ],
    ['of another length', [entries[0]!, { ...storage, data: countingFloats(5) }], '24 bytes, but has 20'],
  ])('%s', async (_, list, message) => {
    expect(await refused(list)).toContain(message);
  });

  test('the same bytes under two names', async () => {
    const [first, second] = [entries[0]!, { ...storage, name: 'archive/data/1', directory: { offset: 0 } }];
    await refused([first, storage, second]);
  });

  test('a zip64 directory out of reach', async () => {
    const archive = zipBytes(entries);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50);
    for (const offset of [2n ** 60n, 2n ** 64n - 1n, 0n]) {
      locator.writeBigUInt64LE(offset, 8);
      await failure(read(Buffer.concat([archive.subarray(0, -22), locator, archive.subarray(-22)])), 'ERR_FILE_FORMAT');
    }
  });

  test('a zip64 directory of 2^60 entries', async () => {
    const archive = zipBytes(entries);
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50);
    record.writeBigUInt64LE(2n ** 60n, 32);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50);
    locator.writeBigUInt64LE(BigInt(archive.byteLength - 22), 8);
    const parts = [archive.subarray(0, -22), record, locator, archive.subarray(-22)];
    expect((await failure(read(Buffer.concat(parts)), 'ERR_FILE_FORMAT')).message).toContain('at most 200000');
  });

  test('many entries', async () => {
    const many = Array.from({ length: 2000 }, (_, index) => ({ name: `archive/x/${index}`, data: Buffer.alloc(0) }));
    expect((await read(zipBytes([...entries, ...many]))).tensors.size).toBe(1);
  });

  test('a pickle that is too large is not read', async () => {
    const archive = zipBytes([{ name: 'archive/data.pkl', data: Buffer.alloc(2 ** 26 + 1) }]);
    expect((await failure(read(archive), 'ERR_FILE_FORMAT')).message).toContain('at most 67108864');
  });

  test('an error while reading keeps its code', async () => {
    const source = memorySource(zipBytes(entries));
    let reads = 0;
    const failing: ByteSource = {
      file: source.file,
      read: (offset, length) =>
        ++reads < 4 ? source.read(offset, length) : Promise.reject(new BertNativeError('ERR_IO', 'the disk is gone')),
    };
    expect((await failure(readTorchBin(failing), 'ERR_IO')).message).toBe('the disk is gone');
  });
});

describe('legacy files', () => {
  test('saved on a big-endian machine', async () => {
    const bytes = torchLegacy(oneTensor(), undefined, false);
    expect((await failure(read(bytes), 'ERR_FILE_FORMAT')).message).toContain('little-endian');
  });

  test('storages in another order than the tensors', async () => {
    const pickle = dictOf('a', tensorPickle(), 'b', tensorPickle({ key: '1', type: 'HalfStorage' }));
    const bytes = torchLegacy(pickle, [
      { key: '1', elements: 6, data: Buffer.alloc(12) },
      { key: '0', elements: 6, data: countingFloats(6) },
    ]);
    expect(await readValues(span(await read(bytes), 'a'), bytes)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await readValues(span(await read(bytes), 'b'), bytes)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  const data = countingFloats(6);
  test.each([
    ['no storages', []],
    ['an unknown key', [{ key: '1', elements: 6, data }]],
    [
      'a key twice',
      [
        { key: '0', elements: 6, data },
        { key: '0', elements: 6, data },
      ],
    ],
    ['a shorter storage', [{ key: '0', elements: 5, data }]],
    ['a negative count', [{ key: '0', elements: -6, data }]],
    ['a huge count', [{ key: '0', elements: 2n ** 62n, data }]],
    ['data that ends early', [{ key: '0', elements: 6, data: data.subarray(1) }]],
  ])('%s', async (_, storages) => {
    await failure(read(torchLegacy(oneTensor(), storages)), 'ERR_FILE_FORMAT');
  });

  test('another object than the state dict', async () => {
    for (const bytes of [pickled(op.none), pickled(op.int(5)), torchLegacy(oneTensor()).subarray(15)]) {
      expect((await failure(read(bytes), 'ERR_FILE_FORMAT')).message).toContain('not one that torch.save wrote');
    }
  });

  test('a pickle larger than the first read', async () => {
    const names = Array.from({ length: 2000 }, (_, index) => `layer.${index}.${'x'.repeat(100)}`);
    const pickle = dictOf(...names.flatMap((name) => [name, tensorPickle()]));
    expect(pickle.byteLength).toBeGreaterThan(2 ** 18);
    expect((await read(torchLegacy(pickle))).tensors.size).toBe(2000);
  });
});

test.each([
  ['empty', Buffer.alloc(0)],
  ['zeros', Buffer.alloc(100)],
  ['text', Buffer.from('<!DOCTYPE html>')],
  ['the end of an empty zip archive', zipBytes([])],
  ['the start of a zip archive', Buffer.from('PK\x03\x04')],
])('%s', async (_, bytes) => {
  await failure(read(bytes), 'ERR_FILE_FORMAT');
});

test('a Git LFS pointer says so', async () => {
  const pointer = Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\n');
  expect((await failure(read(pointer), 'ERR_FILE_FORMAT')).message).toContain('git lfs pull');
});

describe('writing', () => {
  const values = Float32Array.from({ length: 6 }, (_, index) => index - 2.5);
  const data = async () => encodeStored(values, 'F32');
  const tensor = (name: string, shape: number[] = [2, 3]): StoredTensor => ({ name, dtype: 'F32', shape, data });

  test('what is written is read', async () => {
    const path = join(temporaryFolder(), 'pytorch_model.bin');
    const large = Float32Array.from({ length: 700_000 }, (_, index) => index % 1021);
    await writeTorchBin(path, [
      tensor('한글 __proto__'),
      { name: 'scalar', dtype: 'BF16', shape: [], data: async () => encodeStored(Float32Array.of(1.5), 'BF16') },
      { name: 'empty', dtype: 'F16', shape: [0, 5], data: async () => new Uint8Array(0) },
      { name: 'large', dtype: 'F64', shape: [7, 100_000], data: async () => encodeStored(large, 'F64') },
    ]);
    const weights = await openTorchBin(path);
    expect([...weights.tensors.keys()]).toEqual(['한글 __proto__', 'scalar', 'empty', 'large']);
    expect(await readValues(span(weights, '한글 __proto__'))).toEqual([...values]);
    expect(await readValues(span(weights, 'scalar'))).toEqual([1.5]);
    expect(span(weights, 'empty')).toMatchObject({ dtype: 'F16', shape: [0, 5] });
    expect(Float32Array.from(await readValues(span(weights, 'large')))).toEqual(large);
  });

  test('the layout that torch.load expects', async () => {
    const path = join(temporaryFolder(), 'pytorch_model.bin');
    await writeTorchBin(path, [tensor('a'), tensor('b')]);
    const content = readFileSync(path).toString('latin1');
    const records = content.split('PK\x01\x02').slice(1);
    const names = records.map((record) => record.slice(42, 42 + record.charCodeAt(24)));
    expect(names).toEqual(['archive/data.pkl', 'archive/byteorder', 'archive/data/0', 'archive/version']);
    const start = content.indexOf('\x80\x02');
    expect(content.slice(start, start + 29)).toBe('\x80\x02ccollections\nOrderedDict\nr\0');
    for (const part of ['ctorch._utils\n_rebuild_tensor_v2\n', 'ctorch\nFloatStorage\n', 'little', '3\n']) {
      expect(content).toContain(part);
    }
  });

  test('the same weights give the same bytes', async () => {
    const folder = temporaryFolder();
    await writeTorchBin(join(folder, 'a'), [tensor('x')]);
    await writeTorchBin(join(folder, 'b'), [tensor('x')]);
    expect(readFileSync(join(folder, 'a')).equals(readFileSync(join(folder, 'b')))).toBe(true);
  });

  test('tied tensors share one storage, and are produced once', async () => {
    const path = join(temporaryFolder(), 'pytorch_model.bin');
    let calls = 0;
    const counted = () => {
      calls++;
      return data();
    };
    await writeTorchBin(path, [
      { ...tensor('a'), data: counted },
      tensor('other'),
      { ...tensor('b', [3, 2]), data: counted },
    ]);
    expect(calls).toBe(1);
    const weights = await openTorchBin(path);
    expect(span(weights, 'b').byte_offset).toBe(span(weights, 'a').byte_offset);
    expect(span(weights, 'b').shape).toEqual([3, 2]);
    expect(span(weights, 'other').byte_offset).not.toBe(span(weights, 'a').byte_offset);
  });

  test('one tensor is produced at a time', async () => {
    const path = join(temporaryFolder(), 'pytorch_model.bin');
    let running = 0;
    let most = 0;
    const slow = (name: string): StoredTensor => ({
      ...tensor(name),
      data: async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        return data();
      },
    });
    await writeTorchBin(path, ['a', 'b', 'c'].map(slow));
    expect(most).toBe(1);
    expect((await openTorchBin(path)).tensors.size).toBe(3);
  });

  test('a failure leaves what was there, and nothing else', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'pytorch_model.bin');
    writeFileSync(path, 'before');
    const broken = { ...tensor('b'), data: () => Promise.reject(new Error('no values')) };
    const error = await failure(writeTorchBin(path, [tensor('a'), broken]), 'ERR_IO');
    expect((error.cause as Error).message).toBe('no values');
    const short = { ...tensor('b'), data: async () => new Uint8Array(23) };
    await failure(writeTorchBin(path, [short]), 'ERR_SHAPE');
    await failure(writeTorchBin(path, [tensor('a'), tensor('a')]), 'ERR_OPTION');
    expect(readFileSync(path, 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['pytorch_model.bin']);
  });
});
