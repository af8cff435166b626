import { describe, expect, test } from 'vitest';
import { type SimilarityFunctionName, semantic_search, Tensor, VectorIndex } from '../../lib/index.ts';
import { similarity, similarity_pairwise } from '../../lib/sentence-transformers/similarity.ts';
import { expectValuesClose } from '../support/fixtures.ts';

function vectors(count: number, size: number, seed: number): number[][] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: size }, (__, j) => Math.fround(Math.sin((i + 1) * (j + 2) * seed))),
  );
}

const norm = (a: number[]): number => Math.hypot(...a);
const dot = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const scores: Record<SimilarityFunctionName, (a: number[], b: number[]) => number> = {
  cosine: (a, b) => dot(a, b) / (norm(a) * norm(b)),
  dot,
  euclidean: (a, b) => -norm(a.map((value, i) => value - b[i]!)),
  manhattan: (a, b) => -a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0),
};
const names = Object.keys(scores) as SimilarityFunctionName[];

describe.each(names)('%s', (name) => {
  const queries = vectors(5, 7, 1.3);
  const corpus = vectors(300, 7, 0.77);

  test('of all pairs, and of those at the same place', () => {
    const all = similarity(name, queries, Tensor.from(corpus, 'float32'));
    expect(all.dims).toEqual([5, 300]);
    expectValuesClose(
      all.data,
      queries.flatMap((a) => corpus.map((b) => scores[name](a, b))),
      name,
    );
    const pairs = similarity_pairwise(name, queries, corpus.slice(0, 5));
    expect(pairs.dims).toEqual([5]);
    expectValuesClose(
      pairs.data,
      queries.map((a, i) => scores[name](a, corpus[i]!)),
      name,
    );
  });

  test.each([1, 10, 299, 300, 1000])('the best %i of a corpus', async (top_k) => {
    const found = await semantic_search(queries, corpus, { top_k, score_function: name });
    for (const [i, hits] of found.entries()) {
      const expected = corpus
        .map((b, corpus_id) => ({ corpus_id, score: scores[name](queries[i]!, b) }))
        .toSorted((a, b) => b.score - a.score)
        .slice(0, top_k);
      expectValuesClose(
        hits.map(({ score }) => score),
        expected.map(({ score }) => score),
        `query ${i}`,
      );
      expect(new Set(hits.map(({ corpus_id }) => corpus_id)).size).toBe(hits.length);
      for (const { corpus_id, score } of hits) {
        expectValuesClose([score], [scores[name](queries[i]!, corpus[corpus_id]!)], `hit ${corpus_id}`);
      }
    }
  });
});

test('of equals the first in the corpus comes first', async () => {
  const corpus = [
    [1, 0],
    [0, 1],
    [1, 0],
    [2, 0],
    [0, 1],
  ];
  const [hits] = await semantic_search([3, 0], corpus, { top_k: 4 });
  expect(hits!.map(({ corpus_id }) => corpus_id)).toEqual([0, 2, 3, 1]);
});

test('NaN comes behind all numbers', async () => {
  const corpus = [[Number.NaN], [-1], [Number.NaN], [Number.NEGATIVE_INFINITY], [2]];
  const [hits] = await semantic_search([[1]], corpus, { score_function: 'dot' });
  expect(hits!.map(({ corpus_id }) => corpus_id)).toEqual([4, 1, 3, 0, 2]);
});

test('embeddings in eight bits; empty sides', async () => {
  const corpus = new Tensor('int8', [1, 0, 0, 5], [2, 2]);
  expect(await semantic_search(new Tensor('int8', [0, 3], [1, 2]), corpus, { score_function: 'dot' })).toEqual([
    [
      { corpus_id: 1, score: 15 },
      { corpus_id: 0, score: 0 },
    ],
  ]);
  expect(await semantic_search([[1, 2]], [])).toEqual([[]]);
  expect(await semantic_search([], [[1, 2]])).toEqual([]);
});

test('what is refused', async () => {
  const cases: [string, unknown][] = [
    ['ERR_SHAPE', semantic_search([[1, 2]], [[1, 2, 3]])],
    ['ERR_SHAPE', semantic_search([[[1]]] as never, [[1]])],
    ['ERR_OPTION', semantic_search([[1]], [[1]], { top_k: 0 })],
    ['ERR_OPTION', semantic_search([[1]], [[1]], { score_function: 'hamming' as never })],
    ['ERR_DTYPE', semantic_search([['a']] as never, [[1]])],
    ['ERR_ABORTED', semantic_search([[1]], [[1]], { signal: AbortSignal.abort() })],
  ];
  for (const [code, promise] of cases) await expect(promise).rejects.toMatchObject({ code });
  expect(() => similarity_pairwise('dot', [[1], [2]], [[1]])).toThrow('2 and 1');
  const many = new Tensor('float32', new Float32Array(1 << 21), [1 << 21, 1]);
  expect(() => similarity('dot', many, many)).toThrowError(
    expect.objectContaining({ code: 'ERR_MEMORY', message: expect.stringContaining('semantic_search') }),
  );
});

describe('VectorIndex', () => {
  const corpus = Tensor.from(vectors(5000, 40, 0.31), 'float32');
  const queries = vectors(70, 40, 2.9);

  test.each(names)('by %s: what one search finds, again and again', async (score_function) => {
    const index = new VectorIndex(corpus, { score_function });
    expect([index.size, index.dimensions, index.score_function]).toEqual([5000, 40, score_function]);
    const expected = await semantic_search(queries, corpus, { score_function, top_k: 7 });
    const [all, first] = await Promise.all([
      index.search(queries, { top_k: 7 }),
      index.search(queries[0]!, { top_k: 7 }),
    ]);
    expect(all).toEqual(expected);
    expect(first).toEqual(expected.slice(0, 1));
    index.dispose();
    await expect(index.search(queries)).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  });

  test('in shared memory, which is not copied', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(corpus.data.byteLength));
    shared.set(corpus.data);
    const index = new VectorIndex(new Tensor('float32', shared, [5000, 40]));
    expect(await index.search(queries)).toEqual(await semantic_search(queries, corpus));
    index.dispose();
  });

  test('is not changed by what happens to the vectors', async () => {
    const mine = corpus.clone();
    for (const score_function of names) {
      const index = new VectorIndex(mine, { score_function });
      const before = await index.search(queries.slice(0, 3));
      mine.data.fill(0);
      expect(await index.search(queries.slice(0, 3))).toEqual(before);
      mine.data.set(corpus.data);
      index.dispose();
    }
  });

  test.each(names)('by %s: a search is aborted, others go on', async (score_function) => {
    const index = new VectorIndex(corpus, { score_function });
    const many = Tensor.from(queries, 'float32').repeat(200, 1);
    const controller = new AbortController();
    const reason = new Error('enough');
    const aborted = index.search(many, { signal: controller.signal });
    const other = index.search(queries[3]!);
    controller.abort(reason);
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: reason });
    expect(await other).toEqual(await index.search(queries[3]!));
    index.dispose();
  });

  test('refuses queries of another length', async () => {
    const index = new VectorIndex(corpus);
    await expect(index.search([1, 2])).rejects.toMatchObject({ code: 'ERR_SHAPE' });
    expect(await index.search([])).toEqual([]);
  });
});
