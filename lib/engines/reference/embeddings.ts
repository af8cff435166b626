import type { ForwardRequest } from '../engine.ts';
import { applyLayerNorm } from './norm.ts';
import type { Sequence } from './sequence.ts';
import type { EmbeddingsWeights } from './weights.ts';

/**
 * hidden[t, :] = LayerNorm(word + token type + position)     for the T tokens of a sequence
 *
 * @param hidden `[T, H]`
 */
export function embed(
  weights: EmbeddingsWeights,
  request: ForwardRequest,
  { row, columns }: Sequence,
  hidden: Float64Array,
): void {
  const width = weights.norm.weight.length;
  columns.forEach((column, token) => {
    const position = row * request.sequence + column;
    const out = hidden.subarray(token * width, (token + 1) * width);
    if (request.inputs_embeds !== null) out.set(vector(request.inputs_embeds, position, width));
    else out.set(vector(weights.word, request.input_ids![position]!, width));
    add(out, vector(weights.token_type, request.token_type_ids?.[position] ?? 0, width));
    if (weights.position !== null) {
      add(out, vector(weights.position, request.position_ids?.[position] ?? column, width));
    }
  });
  applyLayerNorm(weights.norm, hidden, columns.length, hidden, 0);
}

function vector(table: Float32Array, index: number, width: number): Float32Array {
  return table.subarray(index * width, (index + 1) * width);
}

function add(out: Float64Array, x: Float32Array): void {
  for (let i = 0; i < out.length; ++i) out[i]! += x[i]!;
}
