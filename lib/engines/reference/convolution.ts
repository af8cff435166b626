import type { ConvolutionSpecification } from '../specification.ts';
import { activate } from './activations.ts';
import { addTo, tokenBlocks } from './blocks.ts';
import { zeroMasked } from './embeddings.ts';
import { applyLinear } from './matmul.ts';
import { allocateDoubles } from './memory.ts';
import { applyLayerNorm, type LayerNorm } from './norm.ts';
import { pause } from './pause.ts';
import type { Sequence } from './sequence.ts';

// H channels in G groups, K columns of the kernel, T tokens of a sequence.

export interface ConvolutionWeights {
  readonly specification: ConvolutionSpecification;
  /** `[H, H/G, K]`. */
  readonly weight: Float32Array;
  /** `[H]`. */
  readonly bias: Float32Array;
  readonly norm: LayerNorm;
}

/**
 * hidden = norm(hidden + activation(conv(embedded))), and zero at masked positions: DeBERTa-v2's enhancement of its first
 * layer. What lies beyond both ends of the row, and what is masked, counts as zeros.
 *
 * @param embedded `[T, H]`
 * @param hidden `[T, H]`, changed in place
 */
export async function convolve(
  weights: ConvolutionWeights,
  sequence: Sequence,
  embedded: Float64Array,
  hidden: Float64Array,
): Promise<void> {
  const { specification, norm } = weights;
  const width = norm.weight.length;
  for (const { first, count } of tokenBlocks(sequence.columns.length)) {
    const states = hidden.subarray(first * width, (first + count) * width);
    const added = convolveBlock(weights, sequence, embedded, first, count);
    activate(specification.activation, added, added.length);
    addTo(states, added);
    applyLayerNorm(norm, states, count, states);
    await pause();
  }
  zeroMasked(hidden, sequence);
}

/** conv(embedded) for a block of tokens: each group of channels is a linear map of what the kernel covers. */
function convolveBlock(
  { specification, weight, bias, norm }: ConvolutionWeights,
  sequence: Sequence,
  embedded: Float64Array,
  first: number,
  count: number,
): Float64Array {
  const width = norm.weight.length;
  const channels = width / specification.groups;
  const inputs = channels * specification.kernel_size;
  const out = allocateDoubles(count * width);
  const ofGroup = allocateDoubles(count * channels);
  for (let channel = 0; channel < width; channel += channels) {
    const linear = {
      weight: weight.subarray(channel * inputs, (channel + channels) * inputs),
      bias: bias.subarray(channel, channel + channels),
      inputs,
      outputs: channels,
    };
    const covered = gatherCovered(specification.kernel_size, sequence, embedded, first, count, channel, channels);
    applyLinear(linear, covered, 0, count, ofGroup, 0);
    for (let t = 0; t < count; ++t) {
      out.set(ofGroup.subarray(t * channels, (t + 1) * channels), t * width + channel);
    }
  }
  return out;
}

/** What the kernel covers around each token of a block in the channels of one group, `[count, H/G, K]`. */
function gatherCovered(
  kernel_size: number,
  { columns, masked, length }: Sequence,
  embedded: Float64Array,
  first: number,
  count: number,
  channel: number,
  channels: number,
): Float64Array {
  const width = embedded.length / columns.length;
  const tokenAt = new Int32Array(length).fill(-1);
  columns.forEach((column, token) => {
    if (masked[token] === 0) tokenAt[column] = token;
  });
  const covered = allocateDoubles(count * channels * kernel_size);
  for (let t = 0; t < count; ++t) {
    for (let k = 0; k < kernel_size; ++k) {
      const token = tokenAt[columns[first + t]! + k - (kernel_size - 1) / 2] ?? -1;
      if (token < 0) continue;
      for (let c = 0; c < channels; ++c) {
        covered[(t * channels + c) * kernel_size + k] = embedded[token * width + channel + c]!;
      }
    }
  }
  return covered;
}
