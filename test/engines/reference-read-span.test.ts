import { appendFileSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SpanReader } from '../../lib/engines/reference/read-span.ts';
import type { StoredDtype, TensorSpan } from '../../lib/weights/tensor-span.ts';
import { describeFile, temporaryFile } from './reference-helpers.ts';

type Layout = Pick<TensorSpan, 'dtype' | 'shape' | 'strides'> & { readonly byte_offset?: number };

async function readSpan(path: string, layout: Layout): Promise<Float32Array> {
  await using reader = new SpanReader();
  const values = await reader.read({ byte_offset: 0, ...layout, file: describeFile(path) });
  await reader.finish();
  return values;
}

async function readWhole(array: ArrayBufferView, dtype: StoredDtype, length: number): Promise<Float32Array> {
  const path = await temporaryFile(new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength));
  return readSpan(path, { dtype, shape: [length], strides: [1] });
}

function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

describe('element types', () => {
  test('F32 keeps every bit, those of NaN included', async () => {
    const patterns = Uint32Array.of(0, 0x80000000, 1, 0x7f800001, 0xffc12345, 0x7f800000, 0x3f800000);
    expect(bits(await readWhole(patterns, 'F32', patterns.length))).toEqual(patterns);
  });

  test('BF16 is the upper half of F32', async () => {
    const all = Uint16Array.from({ length: 65536 }, (_, half) => half);
    expect(bits(await readWhole(all, 'BF16', all.length))).toEqual(Uint32Array.from(all, (half) => half * 65536));
  });

  test('every F16 has its value', async () => {
    const all = Uint16Array.from({ length: 65536 }, (_, half) => half);
    const values = await readWhole(all, 'F16', all.length);
    all.forEach((half, i) => {
      const sign = half >>> 15 === 1 ? -1 : 1;
      const exponent = (half >>> 10) & 31;
      const fraction = half & 1023;
      const infinite = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
      const finite = sign * (exponent === 0 ? fraction : 1024 + fraction) * 2 ** (Math.max(exponent, 1) - 25);
      if (!Object.is(values[i], exponent === 31 ? infinite : finite)) expect.fail(`half ${half} became ${values[i]}`);
    });
    expect(bits(values)[0x7e01]! & 0x7fffff).toBe(0x201 << 13);
  });

  test('F64 is rounded to nearest even', async () => {
    const doubles = Float64Array.of(1 + 2 ** -24, 1 + 3 * 2 ** -24, 0.1, -1e300, 1e-320, Number.NaN);
    const values = await readWhole(doubles, 'F64', doubles.length);
    expect([...values]).toEqual([1, 1 + 2 ** -22, Math.fround(0.1), Number.NEGATIVE_INFINITY, 0, Number.NaN]);
  });
});

describe('layouts', () => {
  /** 1.5 million numbers: several of the blocks in which a file is read. */
  const stored = Float32Array.from({ length: 1_500_000 }, (_, i) => i);

  test.each<[string, readonly number[], readonly number[], number]>([
    ['contiguous', [1000, 1500], [1500, 1], 0],
    ['behind an offset', [500, 1500], [1500, 1], 1_000],
    ['transposed', [1500, 1000], [1, 1500], 0],
    ['every third column', [1000, 500], [1500, 3], 2],
    ['a few far apart', [3, 2, 2], [600_000, 1, 290_000], 7],
    ['permuted', [20, 1000, 75], [75, 1500, 1], 0],
    ['repeated', [4, 300_000], [0, 2], 0],
    ['overlapping', [300_000, 3], [2, 1], 5],
    ['a single element', [1, 1], [9_999_999, 9_999_999], 42],
    ['no dimensions', [], [], 42],
    ['no elements', [3, 0], [1, 1], 0],
  ])('%s', async (_, shape, strides, first) => {
    const path = await temporaryFile(new Uint8Array(stored.buffer));
    const values = await readSpan(path, { dtype: 'F32', shape, strides, byte_offset: 4 * first });
    expect(values.length).toBe(shape.reduce((product, length) => product * length, 1));
    values.forEach((value, i) => {
      let rest = i;
      let offset = first;
      for (let dim = shape.length - 1; dim >= 0; --dim) {
        offset += (rest % shape[dim]!) * strides[dim]!;
        rest = Math.floor(rest / shape[dim]!);
      }
      if (value !== offset) expect.fail(`element ${i} is ${value}; expected ${offset}`);
    });
  });

  test('an offset need not be a multiple of the element size', async () => {
    const bytes = new Uint8Array(3 + 8);
    bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 3);
    const path = await temporaryFile(bytes);
    const values = await readSpan(path, { dtype: 'F32', shape: [2], strides: [1], byte_offset: 3 });
    expect([...values]).toEqual([1.5, -2]);
  });
});

describe('files', () => {
  const layout = { dtype: 'F32', shape: [4], strides: [1], byte_offset: 0 } as const;

  test('that changed before they were opened are refused', async () => {
    const path = await temporaryFile(new Uint8Array(16));
    const file = describeFile(path);
    appendFileSync(path, 'x');
    await using reader = new SpanReader();
    await expect(reader.read({ ...layout, file })).rejects.toMatchObject({ code: 'ERR_IO' });
  });

  test('that were touched, or are another file, are refused', async () => {
    const path = await temporaryFile(new Uint8Array(16));
    const file = describeFile(path);
    for (const changed of [
      { ...file, modified_ns: file.modified_ns + 1n },
      { ...file, changed_ns: file.changed_ns + 1n },
      { ...file, inode: file.inode + 1n },
      { ...file, device: file.device + 1n },
    ]) {
      await using reader = new SpanReader();
      await expect(reader.read({ ...layout, file: changed })).rejects.toMatchObject({ code: 'ERR_IO' });
    }
  });

  test('that change while they are read are refused at the end', async () => {
    const path = await temporaryFile(new Uint8Array(16));
    await using reader = new SpanReader();
    await reader.read({ ...layout, file: describeFile(path) });
    writeFileSync(path, new Uint8Array(16).fill(1));
    utimesSync(path, 1, 1);
    await expect(reader.finish()).rejects.toMatchObject({ code: 'ERR_IO', message: expect.stringContaining(path) });
  });

  test('that end early are refused', async () => {
    const path = await temporaryFile(new Uint8Array(15));
    await using reader = new SpanReader();
    await expect(reader.read({ ...layout, file: describeFile(path) })).rejects.toMatchObject({ code: 'ERR_IO' });
  });

  test('that are not there are refused', async () => {
    const file = {
      path: '/nonexistent/model.safetensors',
      size_bytes: 16,
      modified_ns: 0n,
      changed_ns: 0n,
      device: 0n,
      inode: 0n,
    };
    await using reader = new SpanReader();
    await expect(reader.read({ ...layout, file })).rejects.toMatchObject({
      code: 'ERR_IO',
      message: expect.stringContaining(file.path),
    });
  });
});
