import { onAbort, throwIfAborted } from '../abort.ts';
import { nativeBinding } from '../binding/load.ts';
import type { NativeSearchResult, NativeVectorIndex } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import { checkOptions, integerRule, type OptionRules, oneOfRule, signalRule } from '../options.ts';
import { searchRows } from './plain-search.ts';
import {
  checkSizes,
  normalizedRows,
  type Rows,
  readRows,
  type SimilarityFunctionName,
  similarityFunctionNames,
  type Vectors,
} from './similarity.ts';

/** How a {@link VectorIndex} compares vectors. */
export interface VectorIndexOptions {
  /** Default `cosine`. */
  readonly score_function?: SimilarityFunctionName | null;
}

/** What of a {@link VectorIndex} a search gives. */
export interface SearchOptions {
  /** The most hits of a query; default 10. */
  readonly top_k?: number | null;
  /** Aborts the search: it rejects with `ERR_ABORTED`, whose cause is the signal's reason. */
  readonly signal?: AbortSignal | null;
}

/** A vector that was found: its place in the corpus, and how alike it is. */
export interface SearchHit {
  readonly corpus_id: number;
  readonly score: number;
}

export const indexRules: OptionRules<VectorIndexOptions> = { score_function: oneOfRule(...similarityFunctionNames) };
export const searchRules: OptionRules<SearchOptions> = { top_k: integerRule(1), signal: signalRule };

/**
 * Vectors to search by likeness, exactly: every one is compared with every query. By `cosine` and `dot` that is done on the
 * library's threads, by the distances on the JavaScript thread, with pauses.
 */
export class VectorIndex {
  readonly score_function: SimilarityFunctionName;
  /** How many vectors there are, and their length. */
  readonly size: number;
  readonly dimensions: number;
  readonly #native: NativeVectorIndex | null;
  /** Where no native index holds them. */
  #rows: Rows | null;
  #disposed = false;

  /**
   * @param vectors `[size, dimensions]`; copied, unless they are a float32 Tensor over a SharedArrayBuffer: those are read
   *   where they are, and may not change while the index lives
   * @throws BertNativeError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_MEMORY`
   */
  constructor(vectors: Vectors, options?: VectorIndexOptions | null) {
    const { score_function = 'cosine' } = checkOptions('VectorIndex', options, indexRules);
    const rows = readRows('the corpus', vectors);
    const { data, count, size } = rows;
    const native = count > 0 && size > 0 && (score_function === 'cosine' || score_function === 'dot');
    this.score_function = score_function;
    this.size = count;
    this.dimensions = size;
    this.#native = native ? nativeBinding().create_vector_index(data, size, score_function) : null;
    this.#rows = native ? null : score_function === 'cosine' ? normalizedRows(rows) : { ...rows, data: data.slice() };
  }

  /**
   * For each query the vectors that are most alike, the best first; of equals, the first in the corpus.
   *
   * @param queries `[n, dimensions]`
   * @returns n lists of `top_k` hits, or of `size` where that is less
   * @throws (rejects) BertNativeError `ERR_OPTION`, `ERR_SHAPE`, `ERR_DTYPE`, `ERR_MEMORY`, `ERR_ABORTED`, `ERR_DISPOSED`
   */
  async search(queries: Vectors, options?: SearchOptions | null): Promise<SearchHit[][]> {
    const { top_k = 10, signal } = checkOptions('search', options, searchRules);
    throwIfAborted(signal);
    if (this.#disposed) throw new BertNativeError('ERR_DISPOSED', 'the index was disposed');
    const rows = readRows('the queries', queries);
    checkSizes(rows, { count: this.size, size: this.dimensions });
    if (this.#native === null) {
      const of = this.score_function === 'cosine' ? normalizedRows(rows) : rows;
      return searchRows(of, this.#rows!, top_k, this.score_function, signal ?? null);
    }
    if (rows.count === 0) return [];
    return hitsOf(await searchNative(this.#native, rows.data, Math.min(top_k, this.size), signal), rows.count);
  }

  /** Lets go of the vectors once searches have settled; later ones reject with `ERR_DISPOSED`. */
  dispose(): void {
    this.#disposed = true;
    this.#rows = null;
    this.#native?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

async function searchNative(
  index: NativeVectorIndex,
  queries: Float32Array,
  k: number,
  signal: AbortSignal | undefined,
): Promise<NativeSearchResult> {
  if (signal === undefined) return index.search(queries, k, 0);
  const call_id = index.new_call_id();
  const call = index.search(queries, k, call_id);
  const release = onAbort(signal, () => index.abort(call_id));
  try {
    return await call;
  } catch (error) {
    throwIfAborted(signal); // with the signal's reason
    throw error;
  } finally {
    release();
  }
}

function hitsOf({ indices, scores, k }: NativeSearchResult, queries: number): SearchHit[][] {
  return Array.from({ length: queries }, (_, query) =>
    Array.from({ length: k }, (__, i) => ({ corpus_id: indices[query * k + i]!, score: scores[query * k + i]! })),
  );
}
