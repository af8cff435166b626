import type { ForwardRequest } from '../engine.ts';

/** Which positions of one row are computed, and how they see each other. T is the number of those positions. */
export interface Sequence {
  /** The row's index in the request. */
  readonly row: number;
  /** S, the columns of the request. */
  readonly length: number;
  /** `[T]`, ascending: the column of each computed token. */
  readonly columns: Int32Array;
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

/** Picks the positions of a row that some output needs. */
export function planSequence(request: ForwardRequest, row: number): Sequence {
  const { sequence, attention_mask, masked_positions, outputs } = request;
  const isUnmasked = (column: number): boolean =>
    attention_mask === null || attention_mask[row * sequence + column] === 1;
  const all = Int32Array.from({ length: sequence }, (_, column) => column);

  const uniform = !all.some(isUnmasked);
  const masksAreShown =
    masked_positions === 'compute' && (outputs.last_hidden_state || outputs.hidden_states || outputs.attentions);
  const needsFirst = outputs.pooler_output || outputs.pooled?.mode === 'cls';
  const needsEveryColumn = masksAreShown || (uniform && needsFirst);
  const columns = needsEveryColumn ? all : all.filter((column) => isUnmasked(column) || (column === 0 && needsFirst));

  const tokens = columns.map((_, token) => token);
  const unmasked = tokens.filter((token) => isUnmasked(columns[token]!));
  return {
    row,
    length: sequence,
    columns,
    keys: uniform ? tokens : unmasked,
    uniform,
    visible: Uint8Array.from(columns, (column) => (masksAreShown || isUnmasked(column) ? 1 : 0)),
  };
}
