import { throwIfAborted } from '../abort.ts';
import { checkOptions } from '../options.ts';
import type { Vectors } from './similarity.ts';
import {
  indexRules,
  type SearchHit,
  type SearchOptions,
  searchRules,
  VectorIndex,
  type VectorIndexOptions,
} from './vector-index.ts';

/** How {@link semantic_search} compares vectors, and how many it gives. */
export interface SemanticSearchOptions extends VectorIndexOptions, SearchOptions {}

/**
 * For each query the vectors of the corpus that are most alike, the best first; of equals, the first in the corpus. A corpus
 * that is searched more than once is better kept in a {@link VectorIndex}.
 *
 * @param queries `[n, size]` @param corpus `[m, size]`
 * @returns n lists of `top_k` hits, or of m where that is less
 * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_MEMORY`, `ERR_ABORTED`
 */
export async function semantic_search(
  queries: Vectors,
  corpus: Vectors,
  options?: SemanticSearchOptions | null,
): Promise<SearchHit[][]> {
  const { score_function, ...search } = checkOptions<SemanticSearchOptions>('semantic_search', options, {
    ...indexRules,
    ...searchRules,
  });
  throwIfAborted(search.signal);
  const index = new VectorIndex(corpus, score_function ? { score_function } : null);
  try {
    return await index.search(queries, search);
  } finally {
    index.dispose();
  }
}
