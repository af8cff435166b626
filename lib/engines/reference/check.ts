import { BertNativeError } from '../../errors.ts';
import type { ForwardRequest } from '../engine.ts';
import type { EncoderSpecification } from '../specification.ts';

/** @throws BertNativeError `ERR_CONFIG` for a size that is no positive integer, or an epsilon that is no number ≥ 0 */
export function checkSpecification({ hidden_size, embeddings, layers }: EncoderSpecification): void {
  checkSizes('the encoder', { hidden_size });
  const { vocab_size, max_position_embeddings, type_vocab_size } = embeddings;
  checkSizes('the embeddings', { vocab_size, max_position_embeddings, type_vocab_size });
  checkEpsilon('the embeddings', embeddings.layer_norm_eps);
  layers.forEach(({ attention, mlp, layer_norm_eps }, index) => {
    const { num_attention_heads, head_size } = attention;
    const { intermediate_size } = mlp;
    checkSizes(`layer ${index}`, { num_attention_heads, head_size, intermediate_size });
    if (attention.mask.kind === 'window') checkSizes(`layer ${index}`, { 'attention.mask.size': attention.mask.size });
    checkEpsilon(`layer ${index}`, layer_norm_eps);
  });
}

function checkSizes(where: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new BertNativeError('ERR_CONFIG', `${name} of ${where} is ${size}; expected an integer from 1 up`);
    }
  }
}

function checkEpsilon(where: string, eps: number): void {
  if (!(eps >= 0 && Number.isFinite(eps))) {
    throw new BertNativeError('ERR_CONFIG', `layer_norm_eps of ${where} is ${eps}; expected a number from 0 up`);
  }
}

/**
 * Callers have validated the request; what would otherwise read past a table, and give NaN, is checked once more.
 *
 * @throws BertNativeError `ERR_SHAPE`, `ERR_SEQUENCE_TOO_LONG`, `ERR_TOKEN_ID`
 */
export function checkRequest(specification: EncoderSpecification, request: ForwardRequest): void {
  const { vocab_size, max_position_embeddings, type_vocab_size } = specification.embeddings;
  const { batch, sequence, input_ids, inputs_embeds, attention_mask, token_type_ids, position_ids, outputs } = request;
  if (batch > 0 && sequence === 0) throw new BertNativeError('ERR_SHAPE', 'rows of no tokens have no result');
  if (sequence > max_position_embeddings) {
    throw new BertNativeError(
      'ERR_SEQUENCE_TOO_LONG',
      `a sequence of ${sequence} tokens; max_position_embeddings is ${max_position_embeddings}`,
    );
  }
  if ((input_ids === null) === (inputs_embeds === null)) {
    throw new BertNativeError('ERR_SHAPE', 'a forward pass takes either input_ids or inputs_embeds');
  }
  if (outputs.pooler_output && specification.pooler === null) {
    throw new BertNativeError('ERR_CONFIG', 'pooler_output of an encoder without a pooler');
  }
  const positions = batch * sequence;
  checkLength('inputs_embeds', inputs_embeds, positions * specification.hidden_size);
  checkLength('attention_mask', attention_mask, positions);
  checkIndices('input_ids', input_ids, positions, vocab_size, 'ERR_TOKEN_ID');
  checkIndices('token_type_ids', token_type_ids, positions, type_vocab_size, 'ERR_TOKEN_ID');
  checkIndices('position_ids', position_ids, positions, max_position_embeddings, 'ERR_SEQUENCE_TOO_LONG');
}

function checkLength(name: string, values: ArrayLike<number> | null, length: number): void {
  if (values !== null && values.length !== length) {
    throw new BertNativeError('ERR_SHAPE', `${name} holds ${values.length} values; expected ${length}`);
  }
}

function checkIndices(
  name: string,
  indices: Int32Array | null,
  length: number,
  limit: number,
  code: 'ERR_TOKEN_ID' | 'ERR_SEQUENCE_TOO_LONG',
): void {
  checkLength(name, indices, length);
  const wrong = indices?.findIndex((index) => index < 0 || index >= limit) ?? -1;
  if (wrong >= 0) {
    throw new BertNativeError(code, `${name} holds ${indices![wrong]} at index ${wrong}; expected 0 to ${limit - 1}`);
  }
}
