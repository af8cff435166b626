import * as transformers from '@huggingface/transformers';
import { expect, test } from 'vitest';
import * as ours from '../../lib/index.ts';

// One program text, run on both libraries.

// biome-ignore lint/suspicious/noExplicitAny: the programs are written for either library.
type Library = any;

const programs: Record<string, (library: Library) => unknown> = {
  // elements and parts
  tolist: (l) => [counting(l, 2, 3, 2).tolist(), new l.Tensor('int64', [1n, 2n], [2, 1]).tolist()],
  item: (l) => new l.Tensor('int64', [7n], [1, 1]).item(),
  index: (l) => [counting(l, 2, 3)[1], counting(l, 2, 3)[-1][0], counting(l, 3)[2], counting(l, 2, 3, 2)[1]],
  iteration: (l) => [[...counting(l, 2, 3)], [...counting(l, 3)]],
  slice: (l) => {
    const t = counting(l, 4, 7);
    return [
      t.slice([1, -1], [1, -1]),
      t.slice(2),
      t.slice(null, -1),
      t.slice(null, [2, null]),
      t.slice([0, 99]),
      t.slice(1, 2),
    ];
  },
  properties: (l) => {
    const { type, size, dims, location } = counting(l, 2, 3);
    return { type, size, dims, location, stride: counting(l, 2, 3, 4).stride() };
  },
  // shape
  view: (l) => [counting(l, 2, 6).view(3, 4), counting(l, 2, 6).view(-1), counting(l, 2, 6).view(2, -1, 2)],
  squeeze: (l) => {
    const t = counting(l, 1, 3, 1);
    return [t.squeeze(), t.squeeze(0), t.squeeze(1), t.squeeze([0, 2]), t.squeeze_(2), t];
  },
  unsqueeze: (l) => {
    const t = counting(l, 2, 3);
    return [t.unsqueeze(0), t.unsqueeze(1), t.unsqueeze(-1), t.unsqueeze_(1), t];
  },
  flatten: (l) => {
    const t = counting(l, 2, 3, 4);
    return [t.flatten(), t.flatten(1), t.flatten(0, 1), t.flatten(1, -1), t.flatten_(0, -2), t];
  },
  permute: (l) => [
    counting(l, 2, 3, 4).permute(2, 0, 1),
    counting(l, 2, 3).transpose(1, 0),
    l.permute(counting(l, 2, 3), [1, 0]),
  ],
  repeat: (l) => [
    counting(l, 2, 3).repeat(2, 2),
    counting(l, 3).repeat(2, 1),
    counting(l, 2).repeat(3),
    counting(l, 2, 2).repeat(1, 1, 1),
  ],
  tile: (l) => [counting(l, 2, 2).tile(2), counting(l, 2).tile(2, 2), counting(l, 2, 2).tile(2, 1)],
  // each element by itself
  arithmetic: (l) => {
    const t = mixed(l, 2, 3);
    return [t.add(2), t.sub(2.5), t.mul(-3), t.div(4), t.neg(), t];
  },
  'arithmetic in place': (l) => {
    const t = mixed(l, 2, 3);
    const same = t.add_(2).sub_(0.5).mul_(3).div_(-2).neg_();
    return [same === t, t];
  },
  'arithmetic of bigints': (l) => {
    const t = new l.Tensor('int64', [-3n, 0n, 7n], [3]);
    return [t.add(2n), t.mul(-2n), t.sub(1n), t.div(2n), t.remainder(4n), t.remainder(-4)];
  },
  'arithmetic of integers': (l) => {
    const t = new l.Tensor('int32', new Int32Array([-3, 0, 7]), [3]);
    return [t.add(2), t.mul(1.5), t.div(2), t.remainder(4), t.remainder(-4)];
  },
  remainder: (l) => [mixed(l, 4).remainder(2), mixed(l, 4).remainder(-1.5), mixed(l, 4).remainder_(3)],
  'a part changed in place': (l) => {
    const t = counting(l, 2, 3);
    t[1].mul_(10);
    return t;
  },
  sigmoid: (l) => [mixed(l, 5).sigmoid(), mixed(l, 5).sigmoid_()],
  round: (l) => [mixed(l, 5).round(), mixed(l, 5).round_()],
  clamp: (l) => [mixed(l, 5).clamp(-1, 1.5), mixed(l, 5).clamp_(0, 1)],
  compare: (l) => [mixed(l, 5).gt(0.5), mixed(l, 5).lt(0), new l.Tensor('int64', [1n, 3n], [2]).gt(2n)],
  map: (l) => [
    counting(l, 2, 2).map((value: number, i: number) => value * i),
    counting(l, 2).map_((value: number) => value + 1),
  ],
  to: (l) => [
    counting(l, 2, 2).to('int64'),
    new l.Tensor('int64', [1n, 0n], [2]).to('float32'),
    counting(l, 2).to('float64'),
    counting(l, 4).to('uint8'),
    new l.Tensor('int64', [1n, -2n], [2]).to('int8'),
  ],
  clone: (l) => {
    const t = counting(l, 2);
    t.clone().mul_(5);
    return t;
  },
  // along a dimension
  sum: (l) => {
    const t = mixed(l, 2, 3, 2);
    return [t.sum(), t.sum(1), t.sum(-1, true), new l.Tensor('int64', [1n, -5n], [1, 2]).sum(1)];
  },
  mean: (l) => {
    const t = mixed(l, 2, 3, 2);
    return [t.mean(), t.mean(0), t.mean(-2, true), l.mean(t, 1), l.mean(t)];
  },
  norm: (l) => {
    const t = mixed(l, 2, 3, 2);
    return [t.norm(), t.norm('fro', 1), t.norm(2, -1, true), counting(l, 2, 3).norm(1, 1), counting(l, 4).norm(3, 0)];
  },
  normalize: (l) => [mixed(l, 2, 3).normalize(), mixed(l, 2, 3, 2).normalize(2, -1), mixed(l, 2, 3).normalize_(2, 0)],
  extremes: (l) => {
    const t = mixed(l, 2, 3, 2);
    return [t.max(), t.min(), t.max(1), t.min(-1, true), t.argmax(), t.argmin()];
  },
  std_mean: (l) => {
    const t = mixed(l, 2, 3, 2);
    return [l.std_mean(t), l.std_mean(t, 1), l.std_mean(t, -2, 0, true)];
  },
  // functions
  cat: (l) => {
    const [a, b] = [counting(l, 2, 3), mixed(l, 2, 3)];
    return [
      l.cat([a, b]),
      l.cat([a, b, a], 1),
      l.cat([a, mixed(l, 2, 1)], -1),
      l.cat([counting(l, 2, 1, 2), counting(l, 2, 3, 2)], 1),
    ];
  },
  stack: (l) => {
    const [a, b] = [counting(l, 2, 3), mixed(l, 2, 3)];
    return [l.stack([a, b]), l.stack([a, b], 1), l.stack([a, b], -1)];
  },
  mean_pooling: (l) => l.mean_pooling(mixed(l, 2, 3, 2), new l.Tensor('int64', [1n, 1n, 0n, 1n, 0n, 0n], [2, 3])),
  layer_norm: (l) => l.layer_norm(mixed(l, 3, 8), [8]),
  'softmax of arrays': (l) => [l.softmax([1, 2, 1000]), l.softmax(Float32Array.of(1, 2, 3)), l.softmax([0.5])],
  'log_softmax of arrays': (l) => [l.log_softmax([1, 2, -3]), l.log_softmax(Float32Array.of(1, 2, 3))],
  'products of arrays': (l) => [
    l.dot([1, 2, 3], [4, 5, -6]),
    l.cos_sim([1, 2, 3], [4, 5, -6]),
    l.cos_sim([1, 0], [0, 2]),
  ],
  full: (l) => [
    l.full([2, 2], 1.5),
    l.full([2], 3n),
    l.full([2], true),
    l.full([], 2),
    l.full_like(counting(l, 1, 2), -1n),
  ],
  'ones and zeros': (l) => [
    l.ones([2, 1]),
    l.zeros([0, 3]),
    l.ones_like(counting(l, 3)),
    l.zeros_like(counting(l, 1, 2)),
  ],
  quantize_embeddings: (l) => [
    l.quantize_embeddings(mixed(l, 3, 16), 'binary'),
    l.quantize_embeddings(mixed(l, 3, 16), 'ubinary'),
  ],
  // functions that answer later
  matmul: (l) => l.matmul(mixed(l, 2, 3), counting(l, 3, 4)),
  'matmul of stacks': (l) => l.matmul(mixed(l, 2, 1, 2, 3), counting(l, 4, 3, 2)),
  'matmul with vectors': async (l) => [
    await l.matmul(mixed(l, 3), counting(l, 3, 2)),
    await l.matmul(mixed(l, 2, 3), counting(l, 3)),
  ],
  topk: async (l) => [await l.topk(mixed(l, 2, 5), 3), await l.topk(mixed(l, 4)), await l.topk(l.full([2, 4], 1), 9)],
  'slice of axes': async (l) => [
    await l.slice(counting(l, 4, 5), [1, -3], [3, 99], [0, 1]),
    await l.slice(counting(l, 4, 5), [1], [-1], [1], [2]),
    await l.slice(counting(l, 4, 5), [-1], [-99], [0], [-1]),
  ],
};

function counting(l: Library, ...dims: number[]): Library {
  return filled(l, dims, (i) => i);
}

function mixed(l: Library, ...dims: number[]): Library {
  return filled(l, dims, (i) => Math.sin(i * 1.7 + 0.3) * 3);
}

function filled(l: Library, dims: number[], value: (i: number) => number): Library {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return new l.Tensor(
    'float32',
    Float32Array.from({ length: size }, (_, i) => value(i)),
    dims,
  );
}

/** A result without the libraries' classes; the kinds of its arrays are part of it. */
function plain(value: unknown): unknown {
  if (value instanceof ours.Tensor || value instanceof transformers.Tensor) {
    return { tensor: value.type, dims: [...value.dims], kind: value.data.constructor.name, data: plain(value.data) };
  }
  if (ArrayBuffer.isView(value)) {
    return { kind: value.constructor.name, values: Array.from(value as unknown as ArrayLike<number>) };
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
  }
  return value;
}

/** Numbers close, all else equal. */
function compare(actual: unknown, expected: unknown, path: string): void {
  if (typeof expected === 'number' && typeof actual === 'number' && Number.isFinite(expected)) {
    expect(Math.abs(actual - expected), `${path}: ${actual}, expected ${expected}`).toBeLessThanOrEqual(
      2e-5 + 2e-5 * Math.abs(expected),
    );
  } else if (typeof expected === 'object' && expected !== null) {
    expect(Object.keys(actual as object), path).toEqual(Object.keys(expected));
    for (const [key, part] of Object.entries(expected)) {
      compare((actual as Record<string, unknown>)[key], part, `${path}.${key}`);
    }
  } else {
    expect(actual, path).toBe(expected);
  }
}

test.each(Object.entries(programs))('%s', async (_, program) => {
  compare(plain(await program(ours)), plain(await program(transformers)), 'result');
});

test('random numbers: types, dims and ranges', () => {
  for (const library of [ours, transformers] as Library[]) {
    const even = library.rand([50, 40]);
    expect({ type: even.type, dims: [...even.dims] }).toEqual({ type: 'float32', dims: [50, 40] });
    expect(even.min().item()).toBeGreaterThanOrEqual(0);
    expect(even.max().item()).toBeLessThan(1);
    expect(Math.abs(even.mean().item() - 0.5)).toBeLessThan(0.06);
    const [std, mean] = library.std_mean(library.randn([10_000]));
    expect(Math.abs(std.item() - 1)).toBeLessThan(0.08);
    expect(Math.abs(mean.item())).toBeLessThan(0.08);
  }
});
