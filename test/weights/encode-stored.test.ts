import { describe, expect, test } from 'vitest';
import { encodeStored } from '../../lib/weights/stored-tensor.ts';
import { decodeHalf } from './support.ts';

/** float32 values from their bits. */
function floats(...bits: number[]): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer);
}

function words16(values: Float32Array, dtype: 'F16' | 'BF16'): number[] {
  const bytes = encodeStored(values, dtype);
  return [...new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)];
}

/** The float32 bits of a half; a NaN keeps its payload. */
function halfToFloatBits(half: number): number {
  const sign = (half & 0x8000) * 0x10000;
  if ((half & 0x7c00) === 0x7c00) return sign + 0x7f800000 + (half & 0x3ff) * 0x2000;
  const magnitude = new Uint32Array(Float32Array.of(decodeHalf(half & 0x7fff)).buffer)[0]!;
  return sign + magnitude;
}

describe('F16', () => {
  test('every half survives the way through float32, bit for bit', () => {
    const halves = Array.from({ length: 65536 }, (_, half) => half);
    expect(words16(floats(...halves.map(halfToFloatBits)), 'F16')).toEqual(halves);
  });

  test('every midpoint between neighbouring halves goes to the even one, and its neighbours to theirs', () => {
    for (let half = 0; half < 0x7bff; half++) {
      const midpoint = (decodeHalf(half) + decodeHalf(half + 1)) / 2;
      const [bits] = new Uint32Array(Float32Array.of(midpoint).buffer);
      const even = half % 2 === 0 ? half : half + 1;
      expect(words16(floats(bits! - 1, bits!, bits! + 1), 'F16')).toEqual([half, even, half + 1]);
    }
  });

  test('the edge of the range', () => {
    expect(words16(Float32Array.of(65504, 65519.996, 65520, -65520, 3e38, -Infinity), 'F16')).toEqual([
      0x7bff, 0x7bff, 0x7c00, 0xfc00, 0x7c00, 0xfc00,
    ]);
    expect(words16(Float32Array.of(-0, 2 ** -25, -(2 ** -25), 1e-45), 'F16')).toEqual([0x8000, 0, 0x8000, 0]);
  });

  test('a NaN whose payload does not fit stays a NaN', () => {
    expect(words16(floats(0x7f800001, 0xff800001), 'F16')).toEqual([0x7e00, 0xfe00]);
  });
});

describe('BF16', () => {
  test('every bfloat16 survives the way through float32, bit for bit', () => {
    const words = Array.from({ length: 65536 }, (_, word) => word);
    expect(words16(floats(...words.map((word) => word * 65536)), 'BF16')).toEqual(words);
  });

  test('rounds to nearest, ties to even, into infinity at the top', () => {
    const values = floats(0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7fffff, 0x7f7f7fff, 0xbf818000);
    expect(words16(values, 'BF16')).toEqual([0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80, 0x7f7f, 0xbf82]);
  });

  test('a NaN whose payload does not fit stays a NaN', () => {
    expect(words16(floats(0x7f800001, 0xff80ffff), 'BF16')).toEqual([0x7fc0, 0xffc0]);
  });
});

describe('F32 and F64', () => {
  const values = floats(0x3f800001, 0x80000000, 1, 0x7f7fffff, 0xff800000, 0x7fc00001, 0xff812345);

  test('F32 keeps the bits', () => {
    const bytes = encodeStored(values, 'F32');
    expect([...new Uint32Array(bytes.buffer, 0, values.length)]).toEqual([...new Uint32Array(values.buffer)]);
    expect(bytes.buffer).not.toBe(values.buffer);
  });

  test('F64 keeps the values, and the payload of a NaN', () => {
    const bytes = encodeStored(values, 'F64');
    const doubles = new Float64Array(bytes.buffer, 0, values.length);
    expect([...doubles.slice(0, 5)]).toEqual([...values.slice(0, 5)]);
    const words = new BigUint64Array(bytes.buffer);
    expect(words[5]!.toString(16)).toBe(0x7ff8000020000000n.toString(16));
    expect(words[6]!.toString(16)).toBe(0xfff02468a0000000n.toString(16));
  });

  test('a view into a larger buffer encodes only itself', () => {
    const view = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    expect(encodeStored(view, 'F32').byteLength).toBe(8);
    expect(words16(view, 'BF16')).toEqual([0x4000, 0x4040]);
  });
});
