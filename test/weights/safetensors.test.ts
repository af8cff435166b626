import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BertNativeError } from '../../lib/errors.ts';
import { memorySource } from '../../lib/weights/byte-source.ts';
import { openSafetensors, readSafetensors, writeSafetensors } from '../../lib/weights/safetensors.ts';
import { encodeStored, type StoredTensor } from '../../lib/weights/stored-tensor.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { failure, safetensorsBytes } from './support.ts';

const read = (bytes: Uint8Array) => readSafetensors(memorySource(bytes, 'model.safetensors'));
const refusal = async (header: unknown, data = 0) =>
  (await failure(read(safetensorsBytes(header, data)), 'ERR_FILE_FORMAT')).message;

const f32 = (shape: unknown, begin: unknown, end: unknown) => ({ dtype: 'F32', shape, data_offsets: [begin, end] });

describe('reading', () => {
  test('spans, strides and metadata', async () => {
    const header = {
      __metadata__: { format: 'pt', note: '한글' },
      b: f32([2, 3], 8, 32),
      a: { dtype: 'F16', shape: [4], data_offsets: [0, 8] },
      scalar: f32([], 32, 36),
      empty: f32([0, 7], 36, 36),
    };
    const bytes = safetensorsBytes(header, 36);
    const { tensors, metadata, file } = await read(bytes);
    const data = bytes.byteLength - 36;
    expect([...metadata]).toEqual([
      ['format', 'pt'],
      ['note', '한글'],
    ]);
    expect([...tensors]).toEqual([
      ['b', { file, byte_offset: data + 8, dtype: 'F32', shape: [2, 3], strides: [3, 1] }],
      ['a', { file, byte_offset: data, dtype: 'F16', shape: [4], strides: [1] }],
      ['scalar', { file, byte_offset: data + 32, dtype: 'F32', shape: [], strides: [] }],
      ['empty', { file, byte_offset: data + 36, dtype: 'F32', shape: [0, 7], strides: [7, 1] }],
    ]);
  });

  test('dtypes that no parameter is loaded from are listed', async () => {
    const header = {
      position_ids: { dtype: 'I64', shape: [1, 2], data_offsets: [0, 16] },
      fp8: { dtype: 'F8_E4M3', shape: [3], data_offsets: [16, 19] },
      fp4: { dtype: 'F4', shape: [2, 1], data_offsets: [19, 20] },
    };
    const { tensors, file } = await read(safetensorsBytes(header, 20));
    expect(tensors.get('position_ids')).toEqual({ file, unloadable_dtype: 'I64', shape: [1, 2] });
    expect(tensors.get('fp8')).toEqual({ file, unloadable_dtype: 'F8_E4M3', shape: [3] });
    expect(tensors.get('fp4')).toEqual({ file, unloadable_dtype: 'F4', shape: [2, 1] });
  });

  test('a file without tensors', async () => {
    expect((await read(safetensorsBytes('{}'))).tensors.size).toBe(0);
  });

  test('names with a meaning in JavaScript are only names', async () => {
    const header = `{"__proto__":${JSON.stringify(f32([1], 0, 4))},"constructor":${JSON.stringify(f32([1], 4, 8))}}`;
    const { tensors } = await read(safetensorsBytes(header, 8));
    expect([...tensors.keys()]).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  test('only the header is read', async () => {
    const bytes = safetensorsBytes({ a: f32([1000], 0, 4000) }, 4000);
    const source = memorySource(bytes);
    let end = 0;
    await readSafetensors({
      file: source.file,
      read: (offset, length) => {
        end = Math.max(end, offset + length);
        return source.read(offset, length);
      },
    });
    expect(end).toBe(bytes.byteLength - 4000);
  });
});

describe('malformed headers', () => {
  test.each([
    [0n, '"{"'],
    [1n, 'JSON'],
    [3n, 'JSON'],
    [2n ** 31n, 'header of 2147483648 bytes'],
    [2n ** 63n, 'header of 9223372036854775808 bytes'],
    [2n ** 64n - 1n, 'header of 18446744073709551615 bytes'],
    [2n ** 24n + 1n, 'header of 16777217 bytes'],
    [2n ** 24n, 'truncated'],
  ])('length %s', async (length, message) => {
    const bytes = safetensorsBytes({ a: f32([1], 0, 4) }, 4);
    bytes.writeBigUInt64LE(length);
    expect((await failure(read(bytes), 'ERR_FILE_FORMAT')).message).toContain(message);
  });

  test('a Git LFS pointer says so', async () => {
    const pointer = Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n');
    expect((await failure(read(pointer), 'ERR_FILE_FORMAT')).message).toContain('git lfs pull');
  });

  test.each([
    ['shorter than the length field', Buffer.alloc(7), 'only 7 bytes'],
    ['empty', Buffer.alloc(0), 'only 0 bytes'],
    ['zeros', Buffer.alloc(100), '"{"'],
  ])('%s', async (_, bytes, message) => {
    expect((await failure(read(bytes), 'ERR_FILE_FORMAT')).message).toContain(message);
  });

  test.each<[string, unknown, number, string]>([
    ['an array', '[1]', 0, 'start with'],
    ['leading space', ' {}', 0, 'start with'],
    ['a tensor that is a number', { a: 1 }, 0, '"a"'],
    ['a tensor that is null', { a: null }, 0, '"a"'],
    ['a tensor that is a list', { a: [1] }, 0, '"a"'],
    ['no fields', { a: {} }, 0, 'dtype'],
    ['an unknown dtype', { a: { dtype: 'F31', shape: [1], data_offsets: [0, 4] } }, 4, 'F31'],
    ['a dtype of the wrong type', { a: { dtype: 7, shape: [1], data_offsets: [0, 4] } }, 4, 'dtype'],
    ['a negative size', { a: f32([-1], 0, 4) }, 4, 'shape'],
    ['a fractional size', { a: f32([1.5], 0, 6) }, 6, 'shape'],
    ['a size past 2^53', '{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', 4, 'shape'],
    ['a size as text', { a: f32(['1'], 0, 4) }, 4, 'shape'],
    ['a shape that is not a list', { a: f32(1, 0, 4) }, 4, 'shape'],
    ['a product past 2^53', { a: f32([2 ** 40, 2 ** 40], 0, 4) }, 4, 'too many elements'],
    ['a product that wraps to the size', { a: f32([2 ** 32, 2 ** 32], 0, 0) }, 0, 'too many elements'],
    ['three offsets', { a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 4] } }, 4, 'data_offsets'],
    ['negative offsets', { a: f32([1], -4, 0) }, 4, 'data_offsets'],
    ['offsets the wrong way round', { a: f32([1], 4, 0) }, 4, 'data_offsets'],
    ['offsets as text', { a: f32([1], '0', '4') }, 4, 'data_offsets'],
    ['a span longer than the shape', { a: f32([1], 0, 8) }, 8, 'takes 4 bytes'],
    ['a span shorter than the shape', { a: f32([3], 0, 8) }, 8, 'takes 12 bytes'],
    ['a span that leaves the file', { a: f32([2], 0, 8) }, 4, 'truncated'],
    ['data behind the last tensor', { a: f32([1], 0, 4) }, 8, 'describes 4 bytes'],
    ['an overlap', { a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12, 'overlaps'],
    ['the same span twice', { a: f32([2], 0, 8), b: f32([2], 0, 8) }, 8, 'overlaps'],
    ['a hole', { a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12, 'hole'],
    ['a hole in front', { a: f32([1], 4, 8) }, 8, 'hole'],
    ['metadata that is not an object', { __metadata__: 'pt' }, 0, '__metadata__'],
    ['metadata that is not text', { __metadata__: { format: 1 } }, 0, '"format"'],
    ['sub-byte elements that end inside a byte', { a: { dtype: 'F4', shape: [3], data_offsets: [0, 2] } }, 2, 'takes'],
  ])('%s', async (_, header, data, message) => {
    const text = await refusal(header, data);
    expect(text).toContain('model.safetensors');
    expect(text).toContain(message);
  });

  test('keys that occur twice', async () => {
    const one = JSON.stringify(f32([1], 0, 4));
    expect(await refusal(`{"a":${one},"a":${one}}`, 4)).toContain('twice');
    expect(await refusal(`{"a":${one},"\\u0061" :${one}}`, 4)).toContain('twice');
    expect(await refusal('{"a":{"dtype":"F32","dtype":"F16","shape":[],"data_offsets":[0,2]}}', 2)).toContain('twice');
    const values = `{"a":${one},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8],"x":"a","y":"a"}}`;
    expect((await read(safetensorsBytes(values, 8))).tensors.size).toBe(2);
  });

  test('nesting', async () => {
    expect(await refusal(`{"a":${'['.repeat(1_000_000)}`)).toContain('nested');
    expect(await refusal(`{"a":${'{"a":'.repeat(100_000)}`)).toContain('nested');
  });

  test('malformed UTF-8', async () => {
    const bytes = safetensorsBytes('{"?":1}');
    bytes[10] = 0xff;
    expect((await failure(read(bytes), 'ERR_FILE_FORMAT')).message).toContain('UTF-8');
  });
});

describe('damage', () => {
  const intact = safetensorsBytes(
    {
      __metadata__: { format: 'pt' },
      'a.weight': f32([2, 3], 0, 24),
      ids: { dtype: 'I64', shape: [1], data_offsets: [24, 32] },
    },
    32,
  );

  test('a file cut at any byte is refused', async () => {
    expect((await read(intact)).tensors.size).toBe(2);
    for (let length = 0; length < intact.byteLength; length++) {
      await failure(read(intact.subarray(0, length)), 'ERR_FILE_FORMAT');
    }
  });

  test('any bit flipped in the header: refused, or spans inside the file', async () => {
    for (let bit = 0; bit < (intact.byteLength - 32) * 8; bit++) {
      const damaged = Buffer.from(intact);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      try {
        for (const tensor of (await read(damaged)).tensors.values()) {
          if (!('byte_offset' in tensor)) continue;
          const size = { F32: 4, F16: 2, BF16: 2, F64: 8 }[tensor.dtype];
          const elements = tensor.shape.reduce((product, length) => product * length, 1);
          expect(tensor.byte_offset + elements * size).toBeLessThanOrEqual(damaged.byteLength);
        }
      } catch (error) {
        expect(error).toBeInstanceOf(BertNativeError);
      }
    }
  });
});

describe('files', () => {
  test('identity is that of the file', async () => {
    const path = join(temporaryFolder(), 'model.safetensors');
    const bytes = safetensorsBytes({ a: f32([1], 0, 4) }, 4);
    writeFileSync(path, bytes);
    const { file } = await openSafetensors(path);
    expect(file.path).toBe(path);
    expect(file.size_bytes).toBe(bytes.byteLength);
    expect(file.modified_ns).toBeGreaterThan(0n);
    expect(file.inode).toBeGreaterThan(0n);
  });

  test('missing, a folder, below a file', async () => {
    const folder = temporaryFolder();
    await failure(openSafetensors(join(folder, 'absent')), 'ERR_NOT_FOUND');
    const error = await failure(openSafetensors(folder), 'ERR_IO');
    expect(error.message).toContain(folder);
    writeFileSync(join(folder, 'file'), '');
    await failure(openSafetensors(join(folder, 'file', 'below')), 'ERR_NOT_FOUND');
    await failure(openSafetensors(join(folder, 'file')), 'ERR_FILE_FORMAT');
  });

  test('what the system says is the cause', async () => {
    const error = await failure(openSafetensors(join(temporaryFolder(), 'absent')), 'ERR_NOT_FOUND');
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ENOENT');
  });
});

describe('writing', () => {
  const tensor = (name: string, values: number[], dtype: StoredTensor['dtype'] = 'F32'): StoredTensor => ({
    name,
    dtype,
    shape: [values.length],
    data: async () => encodeStored(Float32Array.from(values), dtype),
  });

  test('order, padding and metadata', async () => {
    const path = join(temporaryFolder(), 'model.safetensors');
    await writeSafetensors(path, [
      tensor('b', [1]),
      tensor('é', [2]),
      tensor('a', [3], 'F16'),
      tensor('c', [4], 'F64'),
      tensor('B', [5]),
      tensor('d', [6], 'BF16'),
    ]);
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = bytes.toString('utf8', 8, 8 + length);
    expect(
      header.startsWith('{"__metadata__":{"format":"pt"},"c":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}'),
    ).toBe(true);
    expect([...(await openSafetensors(path)).tensors.keys()]).toEqual(['c', 'B', 'b', 'é', 'd', 'a']);
    expect(bytes.readDoubleLE(8 + length)).toBe(4);
    expect(bytes.readFloatLE(8 + length + 8)).toBe(5);
  });

  test('one tensor is produced at a time', async () => {
    const path = join(temporaryFolder(), 'model.safetensors');
    let running = 0;
    const produced: string[] = [];
    const slow = (name: string): StoredTensor => ({
      ...tensor(name, [1]),
      data: async () => {
        expect(++running).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        produced.push(name);
        return new Uint8Array(4);
      },
    });
    await writeSafetensors(path, ['c', 'a', 'b'].map(slow));
    expect(produced).toEqual(['a', 'b', 'c']);
  });

  test('a failure leaves what was there, and nothing else', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'model.safetensors');
    writeFileSync(path, 'before');
    const broken: StoredTensor = { ...tensor('b', [1]), data: () => Promise.reject(new Error('no values')) };
    const error = await failure(writeSafetensors(path, [tensor('a', [1]), broken]), 'ERR_IO');
    expect((error.cause as Error).message).toBe('no values');
    const short: StoredTensor = { ...tensor('b', [1]), data: async () => new Uint8Array(3) };
    expect((await failure(writeSafetensors(path, [short]), 'ERR_SHAPE')).message).toContain('takes 4 bytes, got 3');
    expect(readFileSync(path, 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  test('a target that cannot be', async () => {
    const folder = temporaryFolder();
    await failure(writeSafetensors(join(folder, 'absent', 'x'), [tensor('a', [1])]), 'ERR_NOT_FOUND');
    await mkdir(join(folder, 'x'));
    await failure(writeSafetensors(join(folder, 'x'), [tensor('a', [1])]), 'ERR_IO');
    expect(readdirSync(folder)).toEqual(['x']);
  });

  test('tensors that cannot be written', async () => {
    const path = join(temporaryFolder(), 'x');
    await failure(writeSafetensors(path, [tensor('a', [1]), tensor('a', [1])]), 'ERR_OPTION');
    await failure(writeSafetensors(path, [tensor('__metadata__', [1])]), 'ERR_OPTION');
    await failure(writeSafetensors(path, [tensor('\ud800', [1])]), 'ERR_OPTION');
    await failure(writeSafetensors(path, [{ ...tensor('a', [1]), shape: [-1] }]), 'ERR_SHAPE');
    await failure(writeSafetensors(path, [{ ...tensor('a', [1]), dtype: 'I64' as 'F32' }]), 'ERR_DTYPE');
  });
});
