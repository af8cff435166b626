import type { AttentionPosition, RelativePositions } from '../specification.ts';
import { mapRows } from './blocks.ts';
import type { Linear } from './matmul.ts';
import { applyLayerNorm, type LayerNorm } from './norm.ts';

// A heads, D head size, P max_position_embeddings. l is a query's column, r a key's.

/**
 * What the distance l - r adds to the score of a query and a key. `rowOf` chooses a row of the tables for it; a head's part
 * of a row begins at `head · headStride`.
 */
export interface DistanceTerms {
  readonly rowOf: (distance: number) => number;
  /** q_l · toKey[row]: Shaw et al. 2018; "content to position" of He et al. 2020. */
  readonly toKey: Float64Array | null;
  /** k_r · toQuery[row]: Huang et al. 2020, method 4; "position to content" of He et al. 2020. */
  readonly toQuery: Float64Array | null;
  /** Numbers in a row of either, and where a head's part of it begins. */
  readonly width: number;
  readonly headStride: number;
  /** A number for each head, `[rows, A]`, added after the scores are scaled: Raffel et al. 2020. */
  readonly bias: Float32Array | null;
}

/** The tables that a layer has of its own, or makes of those that all layers share. */
export interface DistanceWeights {
  /** `[2P - 1, D]`. */
  readonly distance: Float32Array | null;
  /** The matrices that make keys and queries of the shared vectors. */
  readonly positionKey: Linear | null;
  readonly positionQuery: Linear | null;
}

export async function distanceTerms(
  position: AttentionPosition,
  weights: DistanceWeights,
  shared: SharedDistances | null,
  head_size: number,
): Promise<DistanceTerms | null> {
  switch (position.kind) {
    case 'none':
    case 'rotary':
      return null;
    case 'relative_key':
    case 'relative_key_query': {
      const table = Float64Array.from(weights.distance!);
      const middle = (table.length / head_size - 1) / 2;
      return {
        rowOf: (distance) => distance + middle,
        toKey: table,
        toQuery: position.kind === 'relative_key_query' ? table : null,
        width: head_size,
        headStride: 0,
        bias: null,
      };
    }
    case 'bias':
      return { rowOf: shared!.rowOf, toKey: null, toQuery: null, width: 0, headStride: 0, bias: shared!.table };
    case 'disentangled': {
      const { rowOf, vectors, rows } = shared!;
      const { positionKey, positionQuery } = weights;
      return {
        rowOf,
        toKey: positionKey && (await mapRows(positionKey, vectors, rows)),
        toQuery: positionQuery && (await mapRows(positionQuery, vectors, rows)),
        width: positionKey?.outputs ?? positionQuery?.outputs ?? 0,
        headStride: head_size,
        bias: null,
      };
    }
  }
}

/** What all layers share: `table` as it is stored, and in double precision behind its norm. */
export interface SharedDistances {
  readonly rowOf: (distance: number) => number;
  readonly rows: number;
  /** `[rows, A]` or `[rows, H]`. */
  readonly table: Float32Array;
  readonly vectors: Float64Array;
}

export function sharedDistances(
  { rows, row_of }: RelativePositions,
  table: Float32Array,
  norm: LayerNorm | null,
): SharedDistances {
  const farthest = (row_of.length - 1) / 2;
  const vectors = Float64Array.from(table);
  if (norm !== null) applyLayerNorm(norm, vectors, rows, vectors);
  return {
    rowOf: (distance) => row_of[Math.max(-farthest, Math.min(farthest, distance)) + farthest]!,
    rows,
    table,
    vectors,
  };
}
