import { describe, expect, test } from 'vitest';
import { inverseNormal, normalValues, parameterSeed, philox4x32 } from '../../lib/engines/random.ts';

function philox(counter: number[], key: number[]): string[] {
  const words = Uint32Array.from(counter);
  philox4x32(words, Uint32Array.from(key));
  return [...words].map((word) => word.toString(16).padStart(8, '0'));
}

function normals(size: number, seed: bigint, first = 0, std = 1): Float32Array {
  const values = new Float32Array(size);
  normalValues(values, seed, first, std);
  return values;
}

test('Philox4x32-10 gives the known answers of its authors', () => {
  const ones = 0xffffffff;
  expect(philox([0, 0, 0, 0], [0, 0])).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']);
  expect(philox([ones, ones, ones, ones], [ones, ones])).toEqual(['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd']);
  expect(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
    'd16cfe09',
    '94fdcceb',
    '5001e420',
    '24126ea1',
  ]);
});

test.each([
  [2 ** -33, -6.337957754553789],
  [1e-6, -4.753424308822899],
  [0.001, -3.090232306167813],
  [0.0749, -1.4402382675279632],
  [0.075, -1.4395314709384557],
  [0.0751, -1.4388253927525398],
  [0.3, -0.5244005127080407],
  [0.5, 0],
  [0.9, 1.2815515655446008],
  [0.925, 1.439531470938456],
  [0.99, 2.3263478740408408],
  [1 - 1e-9, 5.997807019601638],
])('the inverse distribution function at %d', (p, z) => {
  expect(Math.abs(inverseNormal(p) - z)).toBeLessThanOrEqual(4e-15 * Math.max(1, Math.abs(z)));
});

describe('normalValues', () => {
  // By an implementation in another language with another logarithm.
  test('gives known values', () => {
    expect([...normals(6, 0x123456789abcdef0n, 5, 0.02)]).toEqual([
      -0.006246594246476889, -0.04057127237319946, 0.005085770506411791, 0.0009868911001831293, -0.01736125722527504,
      0.007345445454120636,
    ]);
    expect([...normals(3, 7n, 2 ** 35)]).toEqual([-0.458376944065094, -1.65729820728302, 1.3014956712722778]);
  });

  test('gives the same bits everywhere', () => {
    let hash = 0x811c9dc5;
    for (const word of new Uint32Array(normals(100_000, 42n, 3, 0.02).buffer))
      hash = Math.imul(hash ^ word, 0x01000193);
    expect((hash >>> 0).toString(16)).toBe('167d2392');
  });

  test('any part of a stream is what it is in the whole', () => {
    const whole = normals(64, 9n);
    for (const first of [0, 1, 2, 3, 4, 13]) expect(normals(17, 9n, first)).toEqual(whole.slice(first, first + 17));
  });

  test('has the moments and quantiles of a normal distribution', () => {
    const size = 1_000_000;
    const values = Float64Array.from(normals(size, 20240n)).sort();
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / size;
    // Bounds are five standard errors: √(1, 2, 15, 96)/1000.
    expect(Math.abs(moment(1))).toBeLessThan(5e-3);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.SQRT2 * 1e-3);
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15) * 1e-3);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96) * 1e-3);
    for (const [p, z] of [
      [0.001, -3.090232306167813],
      [0.025, -1.959963984540054],
      [0.25, -0.6744897501960817],
      [0.5, 0],
      [0.75, 0.6744897501960817],
      [0.975, 1.959963984540054],
      [0.999, 3.090232306167813],
    ] as const) {
      const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
      const standardError = Math.sqrt((p * (1 - p)) / size) / density;
      expect(Math.abs(values[Math.floor(p * size)]! - z)).toBeLessThan(5 * standardError);
    }
  });

  test('neighbours and streams are not correlated', () => {
    const size = 200_000;
    const values = normals(size + 1, 1n);
    const other = normals(size, 2n);
    const correlation = (x: Float32Array, y: Float32Array) =>
      x.subarray(0, size).reduce((sum, value, i) => sum + value * y[i]!, 0) / size;
    expect(Math.abs(correlation(values, values.subarray(1)))).toBeLessThan(5 / Math.sqrt(size));
    expect(Math.abs(correlation(values, other))).toBeLessThan(5 / Math.sqrt(size));
  });
});

describe('parameterSeed', () => {
  // By an implementation in another language.
  test.each([
    [0, '', 0x5b21f68ffa77f14cn],
    [0, 'embeddings.word', 0x7371759870e8d3can],
    [1, 'embeddings.word', 0x88df70a3987c1f9fn],
    [-1n, 'layers.11.mlp.up.weight', 0x5d8d0b428d4f4a65n],
    [0n, '가', 0x81d1b5b1c612036bn],
  ] as const)('of seed %d and %j', (seed, name, expected) => {
    expect(parameterSeed(seed, name)).toBe(expected);
  });

  test.each([0.5, Number.NaN, 2 ** 53])('refuses %d', (seed) => {
    expect(() => parameterSeed(seed, 'x')).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
  });
});
