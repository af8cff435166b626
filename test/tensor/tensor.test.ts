import { inspect } from 'node:util';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { BertNativeError, type ErrorCode } from '../../lib/errors.ts';
import { Tensor } from '../../lib/tensor/tensor.ts';

function codeOf(action: () => unknown): { code: ErrorCode; message: string } {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(BertNativeError);
    return error as BertNativeError;
  }
  throw new Error('nothing was thrown');
}

/** 0, 1, 2, … under the dims. */
function counting(...dims: number[]): Tensor<'float32'> {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return new Tensor(
    'float32',
    Float32Array.from({ length: size }, (_, i) => i),
    dims,
  );
}

describe('construction', () => {
  test('takes a typed array over without a copy', () => {
    const data = new Float32Array(6);
    const tensor = new Tensor('float32', data, [2, 3]);
    expect(tensor.data).toBe(data);
    expect(tensor).toMatchObject({ type: 'float32', dims: [2, 3], size: 6 });
    expectTypeOf(tensor.data).toEqualTypeOf<Float32Array>();
    expectTypeOf(new Tensor('int64', [1n]).data).toEqualTypeOf<BigInt64Array>();
  });

  test('converts plain arrays; dims default to one dimension', () => {
    expect(new Tensor('int64', [1, 2n, -3]).data).toEqual(BigInt64Array.of(1n, 2n, -3n));
    expect(new Tensor('bool', [true, 0, 1]).data).toEqual(Uint8Array.of(1, 0, 1));
    expect(new Tensor('float32', [0.1], []).dims).toEqual([]);
    expect(new Tensor('float32', [1, 2]).dims).toEqual([2]);
  });

  test('keeps its dims whatever happens to the array given', () => {
    const dims = [2, 3];
    const tensor = new Tensor('float32', new Float32Array(6), dims);
    dims[0] = 7;
    expect(tensor.dims).toEqual([2, 3]);
    expect(() => (tensor.dims as number[]).push(1)).toThrow(TypeError);
  });

  test.each<[string, ErrorCode, () => unknown]>([
    ['unknown type', 'ERR_DTYPE', () => new Tensor('float8' as 'float32', [])],
    ['a name from Object.prototype', 'ERR_DTYPE', () => new Tensor('toString' as 'float32', [])],
    ['another array type', 'ERR_DTYPE', () => new Tensor('int64', new Int32Array(2) as never)],
    ['no data', 'ERR_DTYPE', () => new Tensor('int64', undefined as never)],
    ['a fraction as int64', 'ERR_DTYPE', () => new Tensor('int64', [1.5])],
    ['an unsafe integer as int64', 'ERR_DTYPE', () => new Tensor('int64', [2 ** 53])],
    ['2^63 as int64', 'ERR_DTYPE', () => new Tensor('int64', [2n ** 63n])],
    ['2^31 as int32', 'ERR_DTYPE', () => new Tensor('int32', [2 ** 31])],
    ['2 as bool', 'ERR_DTYPE', () => new Tensor('bool', [2])],
    ['a string', 'ERR_DTYPE', () => new Tensor('float32', ['1' as never])],
    ['too few elements', 'ERR_SHAPE', () => new Tensor('float32', new Float32Array(5), [2, 3])],
    ['negative dims', 'ERR_SHAPE', () => new Tensor('float32', new Float32Array(6), [-2, -3])],
    ['fractional dims', 'ERR_SHAPE', () => new Tensor('float32', new Float32Array(3), [1.5, 2])],
    ['dims of another type', 'ERR_SHAPE', () => new Tensor('float32', new Float32Array(3), 3 as never)],
  ])('refuses %s', (_, code, action) => {
    expect(codeOf(action).code).toBe(code);
  });
});

describe('from nested arrays', () => {
  test('and back', () => {
    const nested = [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [
        [7, 8],
        [9, 10],
        [11, 12],
      ],
    ];
    const tensor = Tensor.from(nested, 'int32');
    expect(tensor.dims).toEqual([2, 3, 2]);
    expect(tensor.tolist()).toEqual(nested);
    expect(Tensor.from(7, 'float32').tolist()).toBe(7);
    expect(Tensor.from([[], []], 'float32').dims).toEqual([2, 0]);
    expect(Tensor.from([[1, 2]], 'int64').tolist()).toEqual([[1n, 2n]]);
    expect(Tensor.from([Float32Array.of(1, 2), Float32Array.of(3, 4)], 'float32').dims).toEqual([2, 2]);
  });

  test.each<[string, unknown, string]>([
    ['a shorter row', [[1, 2], [3]], 'row [1] has 1 elements; expected 2'],
    [
      'a longer row',
      [
        [[1], [2]],
        [[3], [4]],
        [[5], [6, 7]],
      ],
      'row [2][1] has 2 elements; expected 1',
    ],
    ['an element for a row', [[1, 2], 3], 'row [1] has a single element; expected an array of 2'],
    ['a row for an element', [1, [2, 3]], 'row [1] has an array of 2 elements; expected a single element'],
  ])('names the first ragged row: %s', (_, value, message) => {
    const error = codeOf(() => Tensor.from(value as never, 'int64'));
    expect(error.code).toBe('ERR_SHAPE');
    expect(error.message).toContain(message);
  });

  test('names an element that does not fit', () => {
    const error = codeOf(() =>
      Tensor.from(
        [
          [1, 2],
          [3, null],
        ] as never,
        'int64',
      ),
    );
    expect(error.code).toBe('ERR_DTYPE');
    expect(error.message).toContain('element [1][1] is null');
  });

  test('does not follow an array that contains itself', () => {
    const endless: unknown[] = [];
    endless.push(endless);
    expect(codeOf(() => Tensor.from(endless as never, 'int64')).code).toBe('ERR_SHAPE');
  });
});

describe('elements and parts', () => {
  test('indices give views', () => {
    const tensor = counting(2, 3, 4);
    expect(tensor[1]!.dims).toEqual([3, 4]);
    expect(tensor[1]![2]!.tolist()).toEqual([20, 21, 22, 23]);
    expect(tensor[-1]![0]![3]!.item()).toBe(15);
    expect(tensor._getitem(0).data.buffer).toBe(tensor.data.buffer);
    expect(tensor[1]![2]![3]!.dims).toEqual([]);
  });

  test('indices past either end and other names', () => {
    const tensor = counting(2, 3);
    expect(codeOf(() => tensor[2]).code).toBe('ERR_SHAPE');
    expect(codeOf(() => tensor[-3]).code).toBe('ERR_SHAPE');
    expect(codeOf(() => counting()[0]).code).toBe('ERR_SHAPE');
    const untyped = tensor as unknown as Record<string, unknown>;
    expect(untyped.nothing).toBeUndefined();
    expect(untyped['01']).toBeUndefined();
    expect(untyped['']).toBeUndefined();
    expect(untyped['0.5']).toBeUndefined();
    expect(String(tensor)).toBe('[object Object]');
    expect(tensor).toBeInstanceOf(Object);
  });

  test('a tensor can be awaited', async () => {
    const tensor = counting(2);
    expect(await tensor).toBe(tensor);
  });

  test('iteration gives parts, then elements', () => {
    const rows = [...counting(2, 3)] as Tensor<'float32'>[];
    expect(rows.map((row) => row.tolist())).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect([...counting(3)]).toEqual([0, 1, 2]);
    expect([...new Tensor('int64', [4, 5])]).toEqual([4n, 5n]);
    expect([...counting(2, 0)].length).toBe(2);
    expect(codeOf(() => [...counting()]).code).toBe('ERR_SHAPE');
  });

  test('item', () => {
    expect(counting(1, 1).item()).toBe(0);
    expect(codeOf(() => counting(2).item()).code).toBe('ERR_SHAPE');
  });

  test('slice', () => {
    const tensor = counting(4, 7);
    expect(tensor.slice([1, -1], [1, -1]).tolist()).toEqual([
      [8, 9, 10, 11, 12],
      [15, 16, 17, 18, 19],
    ]);
    expect(tensor.slice(null, 0).tolist()).toEqual([0, 7, 14, 21]);
    expect(tensor.slice(-1).tolist()).toEqual([21, 22, 23, 24, 25, 26, 27]);
    expect(tensor.slice([null, 1], [5, null]).tolist()).toEqual([[5, 6]]);
    expect(tensor.slice(1, 2).dims).toEqual([]);
    expect(tensor.slice([2, 99]).dims).toEqual([2, 7]);
    expect(tensor.slice([4, 4]).dims).toEqual([0, 7]);
    expect(tensor.slice().data).not.toBe(tensor.data);
    expect(tensor.slice().tolist()).toEqual(tensor.tolist());
    for (const bad of [() => tensor.slice(4), () => tensor.slice([3, 1]), () => tensor.slice(0, 0, 0)]) {
      expect(codeOf(bad).code).toBe('ERR_SHAPE');
    }
    expect(codeOf(() => tensor.slice([0.5, 2])).code).toBe('ERR_SHAPE');
  });
});

describe('shape', () => {
  test('view and reshape share the data', () => {
    const tensor = counting(2, 6);
    expect(tensor.view(3, 4).data).toBe(tensor.data);
    expect(tensor.view(3, -1).dims).toEqual([3, 4]);
    expect(tensor.reshape(-1).dims).toEqual([12]);
    for (const bad of [
      () => tensor.view(5),
      () => tensor.view(5, -1),
      () => tensor.view(-1, -1),
      () => tensor.view(-1, 0),
    ]) {
      expect(codeOf(bad).code).toBe('ERR_SHAPE');
    }
  });

  test('squeeze and unsqueeze', () => {
    const tensor = counting(1, 3, 1);
    expect(tensor.squeeze().dims).toEqual([3]);
    expect(tensor.squeeze(0).dims).toEqual([3, 1]);
    expect(tensor.squeeze([0, -1]).dims).toEqual([3]);
    expect(tensor.squeeze(1).dims).toEqual([1, 3, 1]);
    expect(codeOf(() => tensor.squeeze(3)).code).toBe('ERR_SHAPE');
    expect(counting(2, 3).unsqueeze(0).dims).toEqual([1, 2, 3]);
    expect(counting(2, 3).unsqueeze(-1).dims).toEqual([2, 3, 1]);
    expect(counting(2, 3).unsqueeze(1).dims).toEqual([2, 1, 3]);
    expect(codeOf(() => counting(2).unsqueeze(3)).code).toBe('ERR_SHAPE');
  });

  test('permute and transpose', () => {
    const tensor = counting(2, 3, 4);
    const permuted = tensor.permute(2, 0, 1);
    expect(permuted.dims).toEqual([4, 2, 3]);
    for (let i = 0; i < 2; ++i) {
      for (let j = 0; j < 3; ++j) {
        for (let k = 0; k < 4; ++k) expect(permuted[k]![i]![j]!.item()).toBe(tensor[i]![j]![k]!.item());
      }
    }
    expect(counting(2, 3).transpose(1, 0).tolist()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(codeOf(() => tensor.permute(0, 1)).code).toBe('ERR_SHAPE');
    expect(codeOf(() => tensor.permute(0, 1, 1)).code).toBe('ERR_SHAPE');
  });
});

describe('arithmetic', () => {
  test('mean', () => {
    const tensor = counting(2, 3, 2);
    expect(tensor.mean().tolist()).toBe(5.5);
    expect(tensor.mean(1).tolist()).toEqual([
      [2, 3],
      [8, 9],
    ]);
    expect(tensor.mean(-1, true).dims).toEqual([2, 3, 1]);
    expect(tensor.mean(null, true).dims).toEqual([1, 1, 1]);
    expect(codeOf(() => tensor.mean(3)).code).toBe('ERR_SHAPE');
    expect(codeOf(() => new Tensor('int64', [1]).mean()).code).toBe('ERR_DTYPE');
  });

  test('norm', () => {
    const tensor = Tensor.from(
      [
        [3, -4],
        [6, 8],
      ],
      'float32',
    );
    expect(tensor.norm('fro', 1).tolist()).toEqual([5, 10]);
    expect(tensor.norm(1, 0).tolist()).toEqual([9, 12]);
    expect(tensor.norm(Number.POSITIVE_INFINITY, 1).tolist()).toEqual([4, 8]);
    expect(tensor.norm().item()).toBeCloseTo(Math.sqrt(125), 5);
    expect(codeOf(() => tensor.norm('nuc' as 'fro')).code).toBe('ERR_OPTION');
  });

  test('normalize', () => {
    const tensor = Tensor.from(
      [
        [3, -4],
        [0, 0],
      ],
      'float32',
    );
    expect(tensor.normalize().tolist()).toEqual([
      [Math.fround(0.6), Math.fround(-0.8)],
      [0, 0],
    ]);
    expect(tensor.normalize(1, 0).tolist()).toEqual([
      [1, -1],
      [0, 0],
    ]);
    expect(tensor.tolist()).toEqual([
      [3, -4],
      [0, 0],
    ]);
  });

  test('softmax', () => {
    const tensor = Tensor.from(
      [
        [1000, 1000],
        [0, Math.log(3)],
      ],
      'float32',
    );
    const [first, second] = tensor.softmax().tolist() as [number[], number[]];
    expect(first).toEqual([0.5, 0.5]);
    expect(second[0]).toBeCloseTo(0.25, 6);
    expect(second[1]).toBeCloseTo(0.75, 6);
    expect((tensor.softmax(0).tolist() as number[][])[0]).toEqual([1, 1]);
  });
});

describe('copies', () => {
  test('to', () => {
    const tensor = new Tensor('float32', [-1.7, 0, 2.9]);
    expect(tensor.to('float32')).toBe(tensor);
    expect(tensor.to('int64').tolist()).toEqual([-1n, 0n, 2n]);
    expect(tensor.to('int32').tolist()).toEqual([-1, 0, 2]);
    expect(tensor.to('bool').tolist()).toEqual([1, 0, 1]);
    expect(new Tensor('int64', [5n]).to('float32').tolist()).toEqual([5]);
    expect(new Tensor('float32', [2 ** 60]).to('int64').tolist()).toEqual([2n ** 60n]);
    expectTypeOf(tensor.to('int64').data).toEqualTypeOf<BigInt64Array>();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
      expect(codeOf(() => new Tensor('float32', [value]).to('int64')).code).toBe('ERR_DTYPE');
      expect(codeOf(() => new Tensor('float32', [value]).to('int32')).code).toBe('ERR_DTYPE');
    }
    expect(codeOf(() => tensor.to('float8' as 'int32')).code).toBe('ERR_DTYPE');
  });

  test('clone', () => {
    const tensor = counting(2, 2);
    const copy = tensor.clone();
    copy.data[0] = 9;
    expect(tensor.data[0]).toBe(0);
    expect(copy.dims).toEqual([2, 2]);
  });
});

describe('printing', () => {
  test('small tensors are shown whole', () => {
    expect(
      inspect(
        Tensor.from(
          [
            [1, 0.5],
            [-0.25, 1e-7],
          ],
          'float32',
        ),
      ),
    ).toBe('Tensor float32 [2, 2] [\n  [1, 0.5000],\n  [-0.2500, 1.000e-7]\n]');
    expect(inspect(new Tensor('int64', [1n, 2n]))).toBe('Tensor int64 [2] [1, 2]');
    expect(inspect(new Tensor('float32', [2], []))).toBe('Tensor float32 [] 2');
    expect(inspect(new Tensor('float32', [], [0, 3]))).toBe('Tensor float32 [0, 3] []');
  });

  test('long dimensions show their ends', () => {
    const lines = inspect(counting(10, 768)).split('\n');
    expect(lines[1]).toBe('  [0, 1, 2, …, 765, 766, 767],');
    expect(lines[4]).toBe('  … 4 more,');
    expect(lines.length).toBe(9);
  });
});
