import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { findAddon, nativeBinding } from '../lib/binding/load.ts';
import type { NativeVectorIndex } from '../lib/binding/native.ts';

const D = 24;

const addon = () => nativeBinding();

function vectors(count: number, seed: number, buffer?: SharedArrayBuffer): Float32Array {
  const values = buffer ? new Float32Array(buffer) : new Float32Array(count * D);
  for (let i = 0; i < values.length; i++) values[i] = ((Math.sin(i * 12.9898 + seed) * 43758.5453) % 1) * 2;
  return values;
}

/** What is found, by plain loops in double precision. */
function naive(queries: Float32Array, among: Float32Array, k: number, cosine: boolean): number[] {
  const found: number[] = [];
  for (let q = 0; q < queries.length; q += D) {
    const scores: number[] = [];
    for (let c = 0; c < among.length; c += D) {
      const query = queries.subarray(q, q + D);
      const vector = among.subarray(c, c + D);
      const dot = query.reduce((sum, x, i) => sum + x * vector[i]!, 0);
      scores.push(cosine ? dot / (Math.hypot(...query) * Math.hypot(...vector)) : dot);
    }
    found.push(...[...scores.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, k));
  }
  return found;
}

const search = (index: NativeVectorIndex, queries: Float32Array, k: number) => index.search(queries, k, 0);

describe.each(['dot', 'cosine'] as const)('%s', (score) => {
  test.each(['copied', 'shared'])('finds the best, %s', async (kind) => {
    const buffer = kind === 'shared' ? new SharedArrayBuffer(500 * D * 4) : undefined;
    const among = vectors(500, 1, buffer);
    const queries = vectors(7, 2);
    const index = addon().create_vector_index(among, D, score);
    expect([index.size, index.dimensions]).toEqual([500, D]);
    const { indices, scores, k } = await search(index, queries, 6);
    expect(k).toBe(6);
    expect([...indices]).toEqual(naive(queries, among, 6, score === 'cosine'));
    expect(scores.length).toBe(7 * 6);
    expect((await search(index, queries, 1_000)).indices.length).toBe(7 * 500);
    index.dispose();
  });
});

test('a copy does not change with the array, and holds what it says', async () => {
  const among = vectors(300, 3);
  const queries = among.slice(5 * D, 6 * D);
  const index = addon().create_vector_index(among, D, 'cosine');
  expect(index.size_bytes).toBeGreaterThanOrEqual(among.byteLength);
  structuredClone(among, { transfer: [among.buffer as ArrayBuffer] });
  const running = search(index, queries, 1);
  queries.fill(0);
  expect([...(await running).indices]).toEqual([5]);
});

test('disposed while a search runs', async () => {
  const index = addon().create_vector_index(vectors(300, 4), D, 'dot');
  const running = search(index, vectors(300, 4), 3);
  index.dispose();
  index.dispose();
  expect((await running).indices.length).toBe(900);
  expect(() => search(index, vectors(1, 1), 1)).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
  expect(() => index.size).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
});

test('an aborted search rejects at once, and those behind it go on', async () => {
  const among = vectors(30_000, 5, new SharedArrayBuffer(30_000 * D * 4));
  const index = addon().create_vector_index(among, D, 'dot');
  const queries = vectors(2_000, 6);
  const id = index.new_call_id();
  const aborted = index.search(queries, 5, id);
  const behind = search(index, queries.subarray(0, D), 5);
  index.abort(id);
  index.abort(id);
  await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  expect([...(await behind).indices]).toEqual(naive(queries.subarray(0, D), among, 5, false));
});

test('a search that is done before it is aborted, and not yet settled, rejects too', async () => {
  const index = addon().create_vector_index(vectors(10, 1), D, 'dot');
  const id = index.new_call_id();
  const aborted = index.search(vectors(1, 2), 2, id);
  // In no turn of the event loop: whether the search is done by then or not, nobody has been told.
  for (const start = performance.now(); performance.now() - start < 50; );
  index.abort(id);
  await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  expect((await search(index, vectors(1, 2), 2)).indices.length).toBe(2);
});

test.each(['ArrayBuffer', 'SharedArrayBuffer'])('a worker that ends in mid-search, over %s', async (buffer) => {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const addon = require(workerData.addon);
     const vectors = new Float32Array(new ${buffer}(workerData.bytes)).fill(1);
     const index = addon.create_vector_index(vectors, ${D}, 'cosine');
     for (let i = 0; i < 3; i++) index.search(vectors, 10, 0).catch(() => {});
     parentPort.postMessage('started');`,
    {
      eval: true,
      workerData: { addon: findAddon(), bytes: 20_000 * D * 4 },
    },
  );
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  const index = addon().create_vector_index(vectors(10, 1), D, 'dot');
  expect((await search(index, vectors(1, 1), 2)).indices.length).toBe(2);
});

test('what does not fit is refused', () => {
  const create = (values: unknown, dimensions: number, score = 'dot') =>
    addon().create_vector_index(values as Float32Array, dimensions, score as 'dot');
  const refuse = (call: () => unknown, code: string, message: string) =>
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  refuse(() => create([1, 2], 1), 'ERR_OPTION', 'vectors: expected a Float32Array');
  refuse(() => create(new Float32Array(5), 2), 'ERR_SHAPE', 'vectors has 5 elements: expected a multiple');
  refuse(() => create(new Float32Array(5), 0), 'ERR_SHAPE', 'the dimensions, 0');
  refuse(() => create(new Float32Array(5), 5, 'manhattan'), 'ERR_OPTION', 'score: expected one of dot, cosine');
  const index = create(new Float32Array(6), 3);
  refuse(() => search(index, new Float32Array(4), 1), 'ERR_SHAPE', 'queries has 4 elements: expected a multiple of 3');
  refuse(() => search(index, new Float32Array(3), -1), 'ERR_OPTION', 'k: expected a whole number');
});
