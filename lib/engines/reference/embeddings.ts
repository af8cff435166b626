import type { ForwardRequest } from '../engine.ts';
import type { EmbeddingsSpecification } from '../specification.ts';
import { addTo, mapRows } from './blocks.ts';
import type { Linear } from './matmul.ts';
import { allocateDoubles } from './memory.ts';
import { applyLayerNorm, type LayerNorm } from './norm.ts';
import type { Sequence } from './sequence.ts';

// T tokens of a sequence, E embedding size, H hidden size.

export interface EmbeddingsWeights {
  readonly specification: EmbeddingsSpecification;
  /** `[V, E]`. */
  readonly word: Float32Array;
  /** `[max_position_embeddings, E]`, or null where positions enter elsewhere. */
  readonly position: Float32Array | null;
  /** `[type_vocab_size, E]`, or null where there are no token types. */
  readonly token_type: Float32Array | null;
  readonly norm: LayerNorm;
  /** From E to H. */
  readonly projection: Linear | null;
}

/**
 * LayerNorm(word + token type + position) for the T tokens of a sequence, with the projection before or after the norm.
 *
 * @returns `[T, H]`
 */
export async function embed(
  weights: EmbeddingsWeights,
  request: ForwardRequest,
  sequence: Sequence,
): Promise<Float64Array> {
  const { specification, norm, projection } = weights;
  const tokens = sequence.columns.length;
  let x = sumTables(weights, request, sequence);
  if (specification.projection?.placement === 'before_norm') x = await mapRows(projection!, x, tokens);
  applyLayerNorm(norm, x, tokens, x);
  if (specification.projection?.placement === 'after_norm') x = await mapRows(projection!, x, tokens);
  if (specification.zero_masked) zeroMasked(x, sequence);
  return x;
}

/** word + token type + position, `[T, E]`. */
function sumTables(
  { specification, word, position, token_type }: EmbeddingsWeights,
  request: ForwardRequest,
  { row, columns }: Sequence,
): Float64Array {
  const width = specification.embedding_size;
  const { sequence, input_ids, inputs_embeds, token_type_ids } = request;
  const positions = position === null ? null : positionsOfRow(specification, request, row);
  const out = allocateDoubles(columns.length * width);
  columns.forEach((column, token) => {
    const index = row * sequence + column;
    const sum = out.subarray(token * width, (token + 1) * width);
    sum.set(inputs_embeds === null ? vector(word, input_ids![index]!, width) : vector(inputs_embeds, index, width));
    if (token_type !== null) addTo(sum, vector(token_type, token_type_ids?.[index] ?? 0, width));
    if (position !== null) addTo(sum, vector(position, positions![column]!, width));
  });
  return out;
}

/**
 * The row of the position table for each of S columns: what the caller says, else 0, 1, 2, …; in RoBERTa's way (Liu et al.
 * 2019) one more for each token that is not padding, from the padding's id + 1 on.
 */
function positionsOfRow(
  { position_padding_id }: EmbeddingsSpecification,
  { sequence, input_ids, position_ids }: ForwardRequest,
  row: number,
): ArrayLike<number> {
  if (position_ids !== null) return position_ids.subarray(row * sequence, (row + 1) * sequence);
  const columns = Int32Array.from({ length: sequence }, (_, column) => column);
  if (position_padding_id === null) return columns;
  if (input_ids === null) return columns.map((column) => column + position_padding_id + 1);
  let last = position_padding_id;
  return columns.map((column) =>
    input_ids[row * sequence + column] === position_padding_id ? position_padding_id : ++last,
  );
}

/** x[t, :] = 0 where token t is masked. */
export function zeroMasked(x: Float64Array, { masked }: Sequence): void {
  const width = x.length / masked.length;
  masked.forEach((isMasked, token) => {
    if (isMasked === 1) x.fill(0, token * width, (token + 1) * width);
  });
}

function vector(table: Float32Array, index: number, width: number): Float32Array {
  return table.subarray(index * width, (index + 1) * width);
}
