import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../abort.ts';
import { type Rows, rowScores, type SimilarityFunctionName } from './similarity.ts';
import type { SearchHit } from './vector-index.ts';

/** The search in plain TypeScript: by the functions that native code does not have. */
export async function searchRows(
  queries: Rows,
  corpus: Rows,
  top_k: number,
  name: SimilarityFunctionName,
  signal: AbortSignal | null,
): Promise<SearchHit[][]> {
  const hits: SearchHit[][] = [];
  for (let query = 0; query < queries.count; ++query) {
    hits.push(best(rowScores(name, queries, query, corpus), Math.min(top_k, corpus.count)));
    // The event loop gets its turn.
    await setImmediate();
    throwIfAborted(signal);
  }
  return hits;
}

/** The `k` largest of the scores: a heap whose root is the worst of the best. */
function best(scores: Float32Array, k: number): SearchHit[] {
  const isWorse = (a: number, b: number): boolean => {
    const [ofA, ofB] = [scores[a]!, scores[b]!];
    // NaN comes behind all numbers.
    if (Number.isNaN(ofA) !== Number.isNaN(ofB)) return Number.isNaN(ofA);
    return ofA < ofB || (!(ofA > ofB) && a > b);
  };
  const heap: number[] = [];
  const sink = (start: number): void => {
    for (let i = start; ; ) {
      let worst = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && isWorse(heap[child]!, heap[worst]!)) worst = child;
      }
      if (worst === i) return;
      [heap[i], heap[worst]] = [heap[worst]!, heap[i]!];
      i = worst;
    }
  };
  for (let id = 0; id < scores.length; ++id) {
    if (heap.length < k) {
      heap.push(id);
      if (heap.length === k) for (let i = k >> 1; i >= 0; --i) sink(i);
    } else if (isWorse(heap[0]!, id)) {
      heap[0] = id;
      sink(0);
    }
  }
  return heap.sort((a, b) => (isWorse(a, b) ? 1 : -1)).map((corpus_id) => ({ corpus_id, score: scores[corpus_id]! }));
}
