import { describe, expect, expectTypeOf, test } from 'vitest';
import { BertNativeError, type ErrorCode } from '../../lib/errors.ts';
import {
  cat,
  cos_sim,
  dot,
  full,
  layer_norm,
  log_softmax,
  magnitude,
  matmul,
  mean_pooling,
  ones,
  quantize_embeddings,
  slice,
  softmax,
  stack,
  std_mean,
  Tensor,
  topk,
  zeros,
} from '../../lib/index.ts';
import { withWarnings } from '../support/warnings.ts';

async function errorOf(action: () => unknown): Promise<{ code: ErrorCode; message: string }> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(BertNativeError);
    return error as BertNativeError;
  }
  throw new Error('nothing was thrown');
}

const floats = (value: number[] | number[][] | number[][][]): Tensor<'float32'> => Tensor.from(value, 'float32');

describe('two tensors', () => {
  test('are stretched to fit', () => {
    const column = floats([[1], [2]]);
    const row = floats([10, 20, 30]);
    expect(column.add(row).tolist()).toEqual([
      [11, 21, 31],
      [12, 22, 32],
    ]);
    expect(row.sub(column).tolist()).toEqual([
      [9, 19, 29],
      [8, 18, 28],
    ]);
    expect(
      floats([[1, 2, 3]])
        .mul_(row)
        .tolist(),
    ).toEqual([[10, 40, 90]]);
    expect(row.div(row).tolist()).toEqual([1, 1, 1]);
    expect(row.add_(row).tolist()).toEqual([20, 40, 60]);
  });

  test.each<[string, ErrorCode, string, () => unknown]>([
    ['dims', 'ERR_SHAPE', 'add: [2] and [3]', () => floats([1, 2]).add(floats([1, 2, 3]))],
    ['dims in place', 'ERR_SHAPE', '[1, 2] does not fit into one of [2]', () => floats([1, 2]).add_(floats([[1, 2]]))],
    ['types', 'ERR_DTYPE', 'float32 and int32', () => floats([1]).mul(new Tensor('int32', [1]) as never)],
    ['bools', 'ERR_DTYPE', 'bool', () => new Tensor('bool', [1]).add(1)],
    ['a fraction for bigints', 'ERR_DTYPE', '0.5', () => new Tensor('int64', [1]).add(0.5)],
    ['a string', 'ERR_DTYPE', 'take 1', () => floats([1]).add('1' as never)],
    ['bigints by zero', 'ERR_OPTION', 'zero', () => new Tensor('int64', [1]).div(0)],
    ['integers by zero', 'ERR_OPTION', 'zero', () => new Tensor('int32', [1]).remainder(0)],
    ['sigmoid of integers', 'ERR_DTYPE', 'int32', () => new Tensor('int32', [1]).sigmoid()],
  ])('refuses %s', async (_, code, message, action) => {
    const error = await errorOf(action);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

test('element types', () => {
  expect(new Tensor('uint64', [2n ** 64n - 1n]).item()).toBe(2n ** 64n - 1n);
  expect(new Tensor('int8', [-128, 127]).data).toEqual(Int8Array.of(-128, 127));
  expect(new Tensor('uint16', [65535]).to('float64').data).toEqual(Float64Array.of(65535));
  for (const bad of [
    () => new Tensor('int8', [128]),
    () => new Tensor('uint8', [-1]),
    () => new Tensor('uint64', [-1]),
    () => new Tensor('uint32', [2 ** 32]),
    () => new Tensor('int16', [0.5]),
    () => floats([300]).to('uint8'),
  ]) {
    expect(bad).toThrow(expect.objectContaining({ code: 'ERR_DTYPE' }));
  }
  expectTypeOf(new Tensor('uint64', [1]).item()).toEqualTypeOf<bigint>();
  expectTypeOf(new Tensor('int8', [1]).add(1)).toEqualTypeOf<Tensor<'int8'>>();
});

describe('along a dimension', () => {
  test('sums of bools are counts; sums that do not fit are refused', async () => {
    expect(
      floats([[1, -1, 2]])
        .gt(0)
        .sum()
        .item(),
    ).toBe(2n);
    expectTypeOf(floats([1]).gt(0).sum()).toEqualTypeOf<Tensor<'int64'>>();
    expect((await errorOf(() => new Tensor('int8', [100, 100]).sum())).code).toBe('ERR_DTYPE');
    expect(
      floats([[1, -2]])
        .sum()
        .item(),
    ).toBe(-1);
    expect(
      floats([[1, -2]])
        .norm(1)
        .item(),
    ).toBe(3);
  });

  test('largest and smallest', async () => {
    const tensor = floats([
      [1, 5, 5],
      [-2, Number.NaN, 7],
    ]);
    expect(tensor.argmax(1).tolist()).toEqual([1n, 1n]);
    expect(tensor.argmin(0, true).tolist()).toEqual([[1n, 1n, 0n]]);
    expect(tensor.max(1).tolist()).toEqual([5, Number.NaN]);
    expect(new Tensor('int64', [3n, -4n]).min().item()).toBe(-4n);
    expect((await errorOf(() => new Tensor('float32', [], [0, 3]).max())).message).toContain('[0, 3]');
  });

  test('softmax, log_softmax and std_mean of tensors', async () => {
    const tensor = floats([[0, Math.log(3)]]);
    expect(softmax(tensor).data[1]).toBeCloseTo(0.75, 6);
    expect(log_softmax(tensor).data[0]).toBeCloseTo(Math.log(0.25), 6);
    expect(log_softmax(floats([1000, 0])).tolist()).toEqual([0, -1000]);
    const [std, mean] = std_mean(floats([5]));
    expect([std.item(), mean.item()]).toEqual([Number.NaN, 5]);
    expect((await errorOf(() => std_mean(new Tensor('int64', [1])))).code).toBe('ERR_DTYPE');
    expect(
      layer_norm(
        floats([
          [
            [1, 2],
            [3, 4],
          ],
        ]),
        [2, 2],
      )
        .sum()
        .item(),
    ).toBeCloseTo(0, 6);
    expect((await errorOf(() => layer_norm(floats([[1, 2]]), [3]))).message).toContain('[1, 2] do not end in');
  });
});

describe('joining', () => {
  test.each<[string, ErrorCode, string, () => unknown]>([
    ['nothing', 'ERR_SHAPE', 'one tensor', () => cat([])],
    ['nothing to stack', 'ERR_SHAPE', 'one tensor', () => stack([])],
    ['other dims', 'ERR_SHAPE', 'tensor 1 of dims [1, 3]', () => cat([floats([[1, 2]]), floats([[1, 2, 3]])])],
    ['other dims to stack', 'ERR_SHAPE', 'tensor 1 has dims [2]', () => stack([floats([1]), floats([1, 2])])],
    ['other types', 'ERR_DTYPE', 'int64', () => cat([floats([1]), ones([1]) as never])],
    ['an axis twice', 'ERR_SHAPE', 'twice', () => slice(floats([[1]]), [0, 0], [1, 1], [0, -2])],
    ['a step of 0', 'ERR_SHAPE', 'step of 0', () => slice(floats([[1]]), [0], [1], [0], [0])],
    ['fewer ends than starts', 'ERR_SHAPE', 'one start', () => slice(floats([[1]]), [0, 0], [1], [0, 1])],
    ['too few repeats', 'ERR_SHAPE', '[1, 1]', () => floats([[1]]).repeat(2)],
    ['too many repeats', 'ERR_MEMORY', 'float32', () => floats([1]).repeat(2 ** 50)],
    ['a negative size', 'ERR_SHAPE', '-1', () => zeros([-1])],
    ['too many elements', 'ERR_MEMORY', 'elements', () => full([2 ** 20, 2 ** 20], 1)],
  ])('refuses %s', async (_, code, message, action) => {
    const error = await errorOf(action);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  test('empty parts', () => {
    expect(cat([zeros([0, 2]), ones([1, 2])]).tolist()).toEqual([[1n, 1n]]);
    expect(cat([zeros([2, 0]), zeros([2, 0])], 1).dims).toEqual([2, 0]);
    expect(zeros([0, 2]).permute(1, 0).dims).toEqual([2, 0]);
  });
});

describe('products', () => {
  const a = floats([
    [1, 0],
    [3, 4],
    [0, 0],
  ]);

  test('of rows with rows', () => {
    const scores = cos_sim(
      a,
      floats([
        [0, 2],
        [5, 0],
      ]),
    );
    expect(scores.dims).toEqual([3, 2]);
    expect((scores.tolist() as number[][]).flat().map((value) => Math.round(value * 1e6) / 1e6)).toEqual([
      0, 1, 0.8, 0.6, 0, 0,
    ]);
    expect(dot(a, floats([1, 1])).tolist()).toEqual([[1], [7], [0]]);
    expect(magnitude([3, 4])).toBe(5);
  });

  test.each<[string, ErrorCode, string, () => unknown]>([
    ['rows of other lengths', 'ERR_SHAPE', '[3, 2] and [3]', () => dot(a, floats([1, 2, 3]))],
    ['vectors of other lengths', 'ERR_SHAPE', '2 and 3', () => cos_sim([1, 2], [1, 2, 3])],
    ['three dimensions', 'ERR_SHAPE', '[1, 1, 1]', () => dot(floats([[[1]]]), a)],
    ['texts', 'ERR_DTYPE', 'takes vectors, not "a"', () => cos_sim('a' as never, 'b' as never)],
    ['nothing', 'ERR_DTYPE', 'takes vectors, not undefined', () => dot([1], undefined as never)],
    ['a tensor and an array', 'ERR_DTYPE', 'two tensors', () => dot(a as never, [1, 2])],
    ['integers', 'ERR_DTYPE', 'int64', () => cos_sim(ones([1, 2]) as never, ones([1, 2]) as never)],
    ['matrices that do not fit', 'ERR_SHAPE', '[3, 2] and [3, 2]', () => matmul(a, a)],
    [
      'stacks that do not fit',
      'ERR_SHAPE',
      '[2] and [3]',
      () => matmul(a.repeat(2, 1, 1), floats([[1], [2]]).repeat(3, 1, 1)),
    ],
    ['a negative k', 'ERR_OPTION', '-1', () => topk(a, -1)],
  ])('refuses %s', async (_, code, message, action) => {
    const error = await errorOf(action);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  test('topk puts the first of equals first and NaN before all', async () => {
    const [values, indices] = await topk(floats([[2, 3, Number.NaN, 3]]), 3);
    expect(values.tolist()).toEqual([[Number.NaN, 3, 3]]);
    expect(indices.tolist()).toEqual([[2n, 1n, 3n]]);
    expect((await topk(zeros([2, 0])))[1].dims).toEqual([2, 0]);
  });
});

test('mean_pooling of a row without tokens gives zeros', async () => {
  const hidden = floats([
    [
      [1, 2],
      [3, 4],
    ],
    [
      [5, 6],
      [7, 8],
    ],
  ]);
  expect(
    mean_pooling(
      hidden,
      Tensor.from(
        [
          [1, 1],
          [0, 0],
        ],
        'int64',
      ),
    ).tolist(),
  ).toEqual([
    [2, 3],
    [0, 0],
  ]);
  expect((await errorOf(() => mean_pooling(hidden, ones([2, 3])))).message).toContain('[2, 2, 2] and [2, 3]');
});

describe('quantized embeddings', () => {
  test('in steps of given ranges', () => {
    const ranges = floats([
      [-1, 0],
      [1, 255],
    ]);
    const embeddings = floats([
      [-1, 0],
      [1, 3.7],
      [-9, 300],
      [0, 127.5],
    ]);
    const unsigned = quantize_embeddings(embeddings, 'uint8', { ranges });
    expectTypeOf(unsigned).toEqualTypeOf<Tensor<'uint8'>>();
    // What numpy makes of them in float32: 2 / (2 / 255) is a little less than 255 there.
    expect(unsigned.tolist()).toEqual([
      [0, 0],
      [254, 3],
      [0, 255],
      [127, 127],
    ]);
    // Cut towards zero after 128 is taken away, as numpy's astype does.
    expect(quantize_embeddings(embeddings, 'int8', { ranges }).tolist()).toEqual([
      [-128, -128],
      [126, -124],
      [-128, 127],
      [0, 0],
    ]);
  });

  test('in steps of ranges found', async () => {
    const { warnings } = await withWarnings(async () => {
      const embeddings = floats([
        [0, 1],
        [10, 1],
      ]);
      expect(quantize_embeddings(embeddings, 'uint8').tolist()).toEqual([
        [0, 0],
        [254, 0],
      ]);
      const calibration_embeddings = floats([
        [0, 0],
        [20, 2],
      ]);
      expect(quantize_embeddings(embeddings, 'uint8', { calibration_embeddings }).tolist()).toEqual([
        [0, 127],
        [127, 127],
      ]);
    });
    expect(warnings.length).toBe(1);
  });

  test.each<[string, ErrorCode, () => unknown]>([
    ['a size that is not packed', 'ERR_SHAPE', () => quantize_embeddings(floats([[1, 2, 3]]), 'binary')],
    ['one dimension', 'ERR_SHAPE', () => quantize_embeddings(floats([1, 2]), 'int8')],
    [
      'ranges of another size',
      'ERR_SHAPE',
      () => quantize_embeddings(floats([[1, 2]]), 'int8', { ranges: floats([[1], [2]]) }),
    ],
    ['integers', 'ERR_DTYPE', () => quantize_embeddings(ones([1, 8]) as never, 'binary')],
    ['another precision', 'ERR_OPTION', () => quantize_embeddings(floats([[1]]), 'int4' as never)],
  ])('refuses %s', async (_, code, action) => {
    expect((await errorOf(action)).code).toBe(code);
  });
});
