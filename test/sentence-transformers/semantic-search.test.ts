import { describe, expect, test } from 'vitest';
import { type SimilarityFunctionName, semantic_search, Tensor } from '../../lib/index.ts';
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
});
