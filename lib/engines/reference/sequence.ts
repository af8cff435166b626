import type { ForwardRequest } from '../engine.ts';
import type { AttentionMask, EncoderSpecification } from '../specification.ts';

/** Which positions of one row are computed, and how they see each other. T is the number of those positions. */
export interface Sequence {
  /** The row's index in the request. */
  readonly row: number;
  /** S, the columns of the request. */
  readonly length: number;
  /** `[T]`, ascending: the column of each computed token. */
  readonly columns: Int32Array;
  /** `[T]`: where a token stands for rotary positions: its column, or what the caller says. */
  readonly positions: Int32Array;
  /** `[T]`: 1 where a token's mask is 0. */
  readonly masked: Uint8Array;
  /** Tokens (indices into `columns`) that act as keys: those whose mask is 1. */
  readonly keys: Int32Array;
  /**
   * No position of the row has mask 1. The Python reference adds the same large negative number to every score then,
   * which leaves 1/S for each of the S columns; `keys` holds all of them.
   */
  readonly uniform: boolean;
  /** `[T]`: 1 where the caller sees a token's hidden states and attentions, 0 where it is there for pooling alone. */
  readonly visible: Uint8Array;
}

/**
 * The keys that the query at `column` sees: tokens `keys[begin]` to `keys[end - 1]`. None where begin = end.
 *
 * @param keyColumns ascending
 */
export function visibleKeys(mask: AttentionMask, column: number, keyColumns: Int32Array): [begin: number, end: number] {
  switch (mask.kind) {
    case 'full':
      return [0, keyColumns.length];
    case 'causal':
      return [0, countBelow(keyColumns, column + 1)];
    case 'window': {
      const reach = Math.floor(mask.size / 2);
      return [countBelow(keyColumns, column - reach), countBelow(keyColumns, column + reach + 1)];
    }
  }
}

/** How many of the ascending numbers are less than `limit`. */
function countBelow(ascending: Int32Array, limit: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Picks the positions of a row that some output needs. */
export function planSequence(specification: EncoderSpecification, request: ForwardRequest, row: number): Sequence {
  const { sequence, attention_mask, position_ids } = request;
  const isUnmasked = (column: number): boolean =>
    attention_mask === null || attention_mask[row * sequence + column] === 1;
  const all = Int32Array.from({ length: sequence }, (_, column) => column);

  const keyColumns = all.filter(isUnmasked);
  const uniform = keyColumns.length === 0;
  const masksAreShown = showsMasked(specification, request, row);
  const needsFirst = needsFirstPosition(specification, request);
  // A query that sees no key attends to every column.
  const firstSeesNothing = specification.layers.some(({ attention }) => {
    const [begin, end] = visibleKeys(attention.mask, 0, keyColumns);
    return begin === end;
  });
  const needsEveryColumn = masksAreShown || ((uniform || firstSeesNothing) && needsFirst);
  const columns = needsEveryColumn ? all : all.filter((column) => isUnmasked(column) || (column === 0 && needsFirst));

  const tokens = columns.map((_, token) => token);
  const unmasked = tokens.filter((token) => isUnmasked(columns[token]!));
  return {
    row,
    length: sequence,
    columns,
    positions: columns.map((column) => position_ids?.[row * sequence + column] ?? column),
    masked: Uint8Array.from(columns, (column) => (isUnmasked(column) ? 0 : 1)),
    keys: uniform ? tokens : unmasked,
    uniform,
    visible: Uint8Array.from(columns, (column) => (masksAreShown || isUnmasked(column) ? 1 : 0)),
  };
}

/** Whether some output has values at masked positions of this row. */
function showsMasked({ heads }: EncoderSpecification, request: ForwardRequest, row: number): boolean {
  const { masked_positions, attention_mask, sequence, outputs } = request;
  if (masked_positions === 'skip' || attention_mask === null) return false;
  if (outputs.last_hidden_state || outputs.hidden_states || outputs.attentions) return true;
  if (!outputs.heads || !heads.some(({ input }) => input.kind === 'tokens')) return false;
  if (outputs.head_positions === null) return true;
  return outputs.head_positions.some(
    (position) => Math.floor(position / sequence) === row && attention_mask[position] === 0,
  );
}

/** Whether some output is made of position 0, whatever its mask. */
function needsFirstPosition({ heads }: EncoderSpecification, { outputs }: ForwardRequest): boolean {
  if (outputs.pooler_output || outputs.pooled?.modes.includes('cls')) return true;
  return (
    outputs.heads &&
    heads.some(({ input }) => input.kind === 'pooler' || (input.kind === 'pooled' && input.modes.includes('cls')))
  );
}
