import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from '../abort.ts';
import { checkOptions, integerRule, type OptionRules, oneOfRule, signalRule } from '../options.ts';
import {
  preparedRows,
  type Rows,
  rowScores,
  type SimilarityFunctionName,
  similarityFunctionNames,
  type Vectors,
} from './similarity.ts';

export interface SemanticSearchOptions {
  /** The most hits of a query; default 10. */
  readonly top_k?: number | null;
  /** Default `cosine`. */
  readonly score_function?: SimilarityFunctionName | null;
  /** Ends the search with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | null;
}

/** A vector of the corpus: its place there, and how alike it is. */
export interface SearchHit {
  readonly corpus_id: number;
  readonly score: number;
}

const rules: OptionRules<SemanticSearchOptions> = {
  top_k: integerRule(1),
  score_function: oneOfRule(...similarityFunctionNames),
  signal: signalRule,
};

/**
 * For each query the vectors of the corpus that are most alike, the best first; of equals, the first in the corpus.
 *
 * @param queries `[n, size]` @param corpus `[m, size]`
 * @returns n lists of `top_k` hits, or m where that is less
 * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_SHAPE`, `ERR_ABORTED`
 */
export async function semantic_search(
  queries: Vectors,
  corpus: Vectors,
  options?: SemanticSearchOptions | null,
): Promise<SearchHit[][]> {
  const { top_k = 10, score_function = 'cosine', signal } = checkOptions('semantic_search', options, rules);
  throwIfAborted(signal);
  const [of, among] = preparedRows(score_function, queries, corpus);
  return searchRows(of, among, top_k, score_function, signal ?? null);
}

/** The event loop gets its turn after each query. */
async function searchRows(
  queries: Rows,
  corpus: Rows,
  top_k: number,
  name: SimilarityFunctionName,
  signal: AbortSignal | null,
): Promise<SearchHit[][]> {
  const hits: SearchHit[][] = [];
  for (let query = 0; query < queries.count; ++query) {
    hits.push(best(rowScores(name, queries, query, corpus), Math.min(top_k, corpus.count)));
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
