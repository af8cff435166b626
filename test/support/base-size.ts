import type { ForwardRequest, ParameterSource, ParameterSources } from '../../lib/engines/engine.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { normalValues } from '../../lib/engines/random.ts';
import type { EncoderSpecification } from '../../lib/engines/specification.ts';
import { uniform } from './random-inputs.ts';

// An encoder of BERT-base's size with seeded weights, and texts for it: what the bars of accuracy speak of.

const norm = { eps: 1e-12, bias: true };

const layer = {
  norm_placement: 'post',
  attention: {
    num_attention_heads: 12,
    head_size: 64,
    position: { kind: 'none' },
    mask: { kind: 'full' },
    scale_factor: 1,
    masked_queries: 'attend',
    bias: { query_key_value: true, output: true },
  },
  attention_norm: norm,
  mlp: { intermediate_size: 3072, activation: 'gelu_erf', gated: false, bias: { up: true, down: true } },
  mlp_norm: norm,
} as const;

export const baseSize: EncoderSpecification = {
  hidden_size: 768,
  embeddings: {
    vocab_size: 400,
    embedding_size: 768,
    position: 'absolute',
    max_position_embeddings: 64,
    position_padding_id: null,
    type_vocab_size: 2,
    norm,
    projection: null,
    zero_masked: false,
  },
  layers: Array.from({ length: 12 }, (_, parameters) => ({ ...layer, parameters })),
  relative_positions: null,
  convolution: null,
  final_norm: null,
  pooler: { activation: 'tanh' },
  heads: [],
};

/** Every parameter is a part of these, so that 86 million numbers need not be made for every set of weights. */
const normals = new Float32Array(1 << 23);
normalValues(normals, 3n, 0, 0.02);
let normalsInFp16: Float32Array | undefined;

/** Channels of every LayerNorm that trained checkpoints have far larger than the others. */
const outlierChannels = [7, 130, 381, 600];

/**
 * @param outlier scales a few channels of every LayerNorm
 * @param fp16 matrices and embeddings are rounded to what fp16 holds exactly
 */
export function baseSizeParameters(outlier: number, fp16 = false): ParameterSources {
  const random = uniform(5);
  if (fp16) normalsInFp16 ??= normals.map(nearestHalf);
  const sourceOf = (name: string, shape: readonly number[]): ParameterSource => {
    const size = shape.reduce((product, length) => product * length, 1);
    const start = Math.floor(random() * (normals.length - size));
    const from = fp16 && shape.length === 2 ? normalsInFp16! : normals;
    if (!name.endsWith('norm.weight')) return { kind: 'values', shape, values: from.subarray(start, start + size) };
    const values = Float32Array.from({ length: size }, () => 0.5 + random());
    for (const channel of outlierChannels) values[channel]! *= outlier;
    return { kind: 'values', shape, values };
  };
  return new Map(encoderParameters(baseSize).map(({ name, shape }) => [name, sourceOf(name, shape)]));
}

/** Rounded to 11 significant bits, ties to even; below 2⁻¹⁴ to a multiple of 2⁻²⁴. No number here overflows fp16. */
function nearestHalf(value: number): number {
  if (value === 0) return 0;
  const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -14) - 10);
  const multiple = value / step;
  const below = Math.floor(multiple);
  const rest = multiple - below;
  return (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below) * step;
}

export interface BaseSizeTexts {
  readonly request: ForwardRequest;
  /** Whether a position of the request holds a token, not padding. */
  isToken(position: number): boolean;
}

export const shortTexts = makeTexts([12, 3, 7, 10, 5, 8], 17);
/** More tokens than any strip of rows holds, and as many positions as there are. */
export const longText = makeTexts([64], 23);

/** @param lengths tokens of each text */
function makeTexts(lengths: readonly number[], seed: number): BaseSizeTexts {
  const width = Math.max(...lengths);
  const random = uniform(seed);
  const isToken = (position: number) => position % width < lengths[Math.floor(position / width)]!;
  const request: ForwardRequest = {
    batch: lengths.length,
    sequence: width,
    input_ids: Int32Array.from({ length: lengths.length * width }, () => Math.floor(random() * 400)),
    inputs_embeds: null,
    attention_mask: Uint8Array.from({ length: lengths.length * width }, (_, i) => Number(isToken(i))),
    token_type_ids: null,
    position_ids: null,
    masked_positions: 'skip',
    outputs: {
      last_hidden_state: true,
      pooler_output: true,
      hidden_states: false,
      attentions: false,
      pooled: { modes: ['mean'], normalize: false },
      pooling_skip: 0,
      heads: false,
      head_positions: null,
    },
  };
  return { request, isToken };
}
