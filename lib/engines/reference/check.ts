import { BertNativeError } from '../../errors.ts';
import type { ForwardRequest } from '../engine.ts';
import { encoderParameters, headWidth } from '../parameters.ts';
import {
  type AttentionSpecification,
  type ConvolutionSpecification,
  type EncoderSpecification,
  type HeadSpecification,
  type LayerSpecification,
  longestSequence,
  type NormSpecification,
  poolingModes,
  type RelativePositions,
} from '../specification.ts';

// Bounds far beyond any published encoder; `native/encoder/specification.cc` has the same.
const maxLayers = 4096;
const maxHiddenSize = 2 ** 17;
const maxLayerWidth = 2 ** 20;
const maxPositions = 2 ** 24;
const maxKernelSize = 1023;
const maxHeads = 16;
const maxHeadSteps = 64;
const maxHeadMatrix = 2 ** 48;
const maxIds = 2 ** 31 - 1;

/** @throws BertNativeError `ERR_CONFIG` for sizes that are no positive integers, or parts that do not fit together */
export function checkSpecification(specification: EncoderSpecification): void {
  const { layers, relative_positions, convolution, final_norm, heads } = specification;
  checkSize('hidden_size', specification.hidden_size, maxHiddenSize);
  checkEmbeddings(specification);
  if (layers.length > maxLayers) fail(`the encoder has ${layers.length} layers: expected at most ${maxLayers}`);
  layers.forEach((_, index) => {
    checkLayer(specification, index);
  });
  if (relative_positions !== null) checkRelativePositions(relative_positions);
  if (convolution !== null) checkConvolution(convolution, specification);
  if (final_norm !== null) checkNorm('final_norm', final_norm);
  if (heads.length > maxHeads) fail(`the encoder has ${heads.length} heads: expected at most ${maxHeads}`);
  for (const head of heads) checkHead(head, specification);
  checkUnique(heads.map(({ name }) => `heads.${name}`));
  checkUnique(encoderParameters({ ...specification, layers: [] }).map(({ name }) => name));
}

function checkUnique(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) fail(`there are two of ${twice}: expected heads and steps of different names`);
}

function fail(message: string): never {
  throw new BertNativeError('ERR_CONFIG', message);
}

function checkSize(name: string, size: number, limit: number): void {
  if (!Number.isSafeInteger(size) || size < 1 || size > limit) fail(`${name} is ${size}: expected 1 to ${limit}`);
}

function checkNotNegative(name: string, value: number): void {
  if (!(value >= 0 && Number.isFinite(value))) fail(`${name} is ${value}: expected a finite number, not negative`);
}

function checkNorm(name: string, { eps }: NormSpecification): void {
  checkNotNegative(`${name}.eps`, eps);
}

function checkEmbeddings(specification: EncoderSpecification): void {
  const { embeddings, hidden_size } = specification;
  const { embedding_size, position_padding_id, type_vocab_size } = embeddings;
  checkSize('embeddings.vocab_size', embeddings.vocab_size, maxIds);
  checkSize('embeddings.embedding_size', embedding_size, maxHiddenSize);
  checkSize('embeddings.max_position_embeddings', embeddings.max_position_embeddings, maxPositions);
  if (type_vocab_size !== 0) checkSize('embeddings.type_vocab_size', type_vocab_size, maxIds);
  checkNorm('embeddings.norm', embeddings.norm);
  if (embeddings.projection === null && embedding_size !== hidden_size) {
    fail(
      `embeddings.embedding_size is ${embedding_size} and hidden_size ${hidden_size}: ` +
        'expected the same number, or a projection',
    );
  }
  if (position_padding_id === null) return;
  if (!Number.isSafeInteger(position_padding_id) || position_padding_id < 0 || longestSequence(specification) < 1) {
    fail(
      `embeddings.position_padding_id is ${position_padding_id}: expected a number below max_position_embeddings - 1`,
    );
  }
}

function checkLayer(specification: EncoderSpecification, index: number): void {
  const { layers } = specification;
  const layer = layers[index]!;
  const { attention, attention_norm, mlp, mlp_norm, norm_placement, parameters } = layer;
  const name = `layers.${index}`;
  checkAttention(`${name}.attention`, attention, specification);
  checkSize(`${name}.mlp.intermediate_size`, mlp.intermediate_size, maxLayerWidth);
  if (attention_norm !== null) checkNorm(`${name}.attention_norm`, attention_norm);
  else if (norm_placement === 'post') {
    fail(`${name}.attention_norm is missing: expected one where norms follow the sums`);
  }
  checkNorm(`${name}.mlp_norm`, mlp_norm);
  const sharing = parameters <= index ? layers[parameters] : undefined;
  if (sharing === undefined || sharing.parameters !== parameters || sizesOf(sharing) !== sizesOf(layer)) {
    fail(
      `${name}.parameters is ${parameters}: ` +
        'expected its own index, or that of an earlier layer alike that has its own parameters',
    );
  }
}

function checkAttention(name: string, attention: AttentionSpecification, specification: EncoderSpecification): void {
  const { num_attention_heads, head_size, mask, scale_factor, position } = attention;
  checkSize(`${name}.num_attention_heads`, num_attention_heads, maxLayerWidth);
  checkSize(`${name}.head_size`, head_size, maxLayerWidth);
  checkSize(`${name}: num_attention_heads times head_size`, num_attention_heads * head_size, maxLayerWidth);
  if (mask.kind === 'window') checkSize(`${name}.mask.size`, mask.size, 2 * maxPositions);
  if (!(scale_factor > 0 && Number.isFinite(scale_factor))) {
    fail(`${name}.scale_factor is ${scale_factor}: expected a number above 0`);
  }
  const shared = specification.relative_positions?.kind;
  switch (position.kind) {
    case 'rotary': {
      const { inverse_frequencies } = position;
      if (2 * inverse_frequencies.length > head_size) {
        fail(
          `${name}.position.inverse_frequencies holds ${inverse_frequencies.length} numbers: ` +
            `expected at most half of head_size, ${head_size}`,
        );
      }
      for (const frequency of inverse_frequencies) checkNotNegative(`${name}.position.inverse_frequencies`, frequency);
      break;
    }
    case 'bias':
      if (shared !== 'bias') fail(`${name}.position is 'bias': expected relative_positions of kind 'bias'`);
      if (num_attention_heads !== specification.layers[0]!.attention.num_attention_heads) {
        fail(`${name}.position is 'bias': expected as many heads in every layer`);
      }
      break;
    case 'disentangled':
      if (shared !== 'vectors') {
        fail(`${name}.position is 'disentangled': expected relative_positions of kind 'vectors'`);
      }
      break;
  }
}

/** Equal for layers whose parameters have the same names and shapes, and mean the same. */
function sizesOf({ attention, attention_norm, mlp, mlp_norm }: LayerSpecification): string {
  const { num_attention_heads, head_size, bias, position } = attention;
  const { to_key, to_query, shared_projections } =
    position.kind === 'disentangled' ? position : { to_key: null, to_query: null, shared_projections: null };
  return JSON.stringify([
    [num_attention_heads, head_size, bias.query_key_value, bias.output],
    [position.kind, to_key, to_query, shared_projections],
    [attention_norm?.bias ?? null, mlp_norm.bias],
    [mlp.intermediate_size, mlp.gated, mlp.bias.up, mlp.bias.down],
  ]);
}

function checkRelativePositions(relative: RelativePositions): void {
  const { rows, row_of } = relative;
  checkSize('relative_positions.rows', rows, maxPositions);
  if (row_of.length % 2 === 0 || row_of.length > 2 * maxPositions) {
    fail(`relative_positions.row_of holds ${row_of.length} numbers: expected 2N - 1`);
  }
  for (const row of row_of) {
    if (!(Number.isInteger(row) && row >= 0 && row < rows)) {
      fail(`relative_positions.row_of holds ${row}: expected 0 to ${rows - 1}`);
    }
  }
  if (relative.kind === 'vectors' && relative.norm !== null) checkNorm('relative_positions.norm', relative.norm);
}

function checkConvolution(convolution: ConvolutionSpecification, { hidden_size }: EncoderSpecification): void {
  const { kernel_size, groups, norm } = convolution;
  checkSize('convolution.kernel_size', kernel_size, maxKernelSize);
  checkSize('convolution.groups', groups, hidden_size);
  if (kernel_size % 2 === 0) fail(`convolution.kernel_size is ${kernel_size}: expected an odd number`);
  if (hidden_size % groups !== 0) fail(`convolution.groups is ${groups}: expected a divisor of hidden_size`);
  checkNorm('convolution.norm', norm);
}

function checkHead(head: HeadSpecification, specification: EncoderSpecification): void {
  const name = `heads.${head.name}`;
  const { input, steps } = head;
  const { embedding_size } = specification.embeddings;
  if (steps.length > maxHeadSteps) fail(`${name} has ${steps.length} steps: expected at most ${maxHeadSteps}`);
  if (input.kind === 'pooler' && specification.pooler === null) fail(`${name} needs a pooler: there is none`);
  if (input.kind === 'pooled' && input.modes.length === 0) fail(`${name}.input.modes is empty`);
  steps.forEach((step, index) => {
    const width = headWidth({ ...head, steps: steps.slice(0, index) }, specification);
    if (step.kind === 'linear') {
      checkSize(`${name}.${step.name}.outputs`, step.outputs, Math.min(maxIds, Math.floor(maxHeadMatrix / width)));
    }
    if (step.kind === 'norm') checkNorm(`${name}.${step.name}`, step.norm);
    if (step.kind !== 'word_embeddings') return;
    if (width !== embedding_size) {
      fail(`${name}.${step.name} takes ${width} numbers: expected embedding_size, ${embedding_size}`);
    }
  });
}

/**
 * Callers have validated the request; what would otherwise read past a table, and give NaN, is checked once more.
 *
 * @throws BertNativeError `ERR_SHAPE`, `ERR_SEQUENCE_TOO_LONG`, `ERR_TOKEN_ID`, `ERR_CONFIG`, `ERR_OPTION`
 */
export function checkRequest(specification: EncoderSpecification, request: ForwardRequest): void {
  const { vocab_size, embedding_size, max_position_embeddings, type_vocab_size } = specification.embeddings;
  const { batch, sequence, input_ids, inputs_embeds, attention_mask, token_type_ids, position_ids } = request;
  if (batch > 0 && sequence === 0) throw new BertNativeError('ERR_SHAPE', 'rows of no tokens have no result');
  const longest = longestSequence(specification);
  if (sequence > longest) {
    throw new BertNativeError(
      'ERR_SEQUENCE_TOO_LONG',
      `a sequence of ${sequence} tokens; the encoder takes ${longest}`,
    );
  }
  if ((input_ids === null) === (inputs_embeds === null)) {
    throw new BertNativeError('ERR_SHAPE', 'a forward pass takes either input_ids or inputs_embeds');
  }
  const positions = batch * sequence;
  checkLength('inputs_embeds', inputs_embeds, positions * embedding_size);
  checkLength('attention_mask', attention_mask, positions);
  checkIndices('input_ids', input_ids, positions, vocab_size, 'ERR_TOKEN_ID');
  if (type_vocab_size > 0) checkIndices('token_type_ids', token_type_ids, positions, type_vocab_size, 'ERR_TOKEN_ID');
  checkIndices('position_ids', position_ids, positions, max_position_embeddings, 'ERR_SEQUENCE_TOO_LONG');
  checkOutputs(specification, request);
}

function checkOutputs({ pooler }: EncoderSpecification, { batch, sequence, outputs }: ForwardRequest): void {
  if (outputs.pooler_output && pooler === null) {
    throw new BertNativeError('ERR_CONFIG', 'pooler_output of an encoder without a pooler');
  }
  const unknown = outputs.pooled?.modes.find((mode) => !poolingModes.includes(mode));
  if (unknown !== undefined) {
    throw new BertNativeError('ERR_OPTION', `there is no pooling mode ${unknown}; expected ${poolingModes.join(', ')}`);
  }
  const { pooling_skip, head_positions } = outputs;
  if (!Number.isSafeInteger(pooling_skip) || pooling_skip < 0) {
    throw new BertNativeError('ERR_OPTION', `pooling_skip is ${pooling_skip}; expected an integer from 0 up`);
  }
  head_positions?.forEach((position, index) => {
    if (position >= batch * sequence || position <= (head_positions[index - 1] ?? -1)) {
      throw new BertNativeError(
        'ERR_SHAPE',
        `head_positions holds ${position} at index ${index}; expected ascending numbers below ${batch * sequence}`,
      );
    }
  });
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
