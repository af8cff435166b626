import type { ForwardRequest } from '../../lib/engines/engine.ts';
import {
  type Activation,
  type AttentionPosition,
  type AttentionSpecification,
  type EncoderSpecification,
  type HeadSpecification,
  type HeadStep,
  type LayerSpecification,
  longestSequence,
  type NormSpecification,
  poolingModes,
  type RelativePositions,
} from '../../lib/engines/specification.ts';

// Specifications of odd sizes that together take every branch there is, and requests for them.

const activations: Activation[] = ['gelu_erf', 'gelu_tanh', 'quick_gelu', 'relu', 'silu', 'tanh'];

/** Marsaglia's xorshift32: the same choices on every machine. */
class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
    for (let i = 0; i < 8; ++i) this.below(2);
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** `true` once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }
}

export const positionKinds = [
  'none',
  'relative_key',
  'relative_key_query',
  'rotary',
  'bias',
  'disentangled',
] as const satisfies AttentionPosition['kind'][];

/** The kind of position of all layers goes round with the seed; everything else is drawn. */
export function randomSpecification(seed: number): EncoderSpecification {
  const choices = new Choices(seed);
  const kind = positionKinds[seed % positionKinds.length]!;
  const groups = choices.of([1, 2, 3]);
  const hidden_size = groups * choices.of([3, 5, 7]);
  const projection = choices.once(2)
    ? { placement: choices.of(['before_norm', 'after_norm'] as const), bias: choices.once(2) }
    : null;
  const pooler = choices.once(3) ? null : { activation: choices.of(activations) };
  const embedding_size = projection === null ? hidden_size : choices.of([hidden_size, 4, 9]);
  const encoder = {
    hidden_size,
    embeddings: {
      vocab_size: 23,
      embedding_size,
      position: kind === 'none' || choices.once(2) ? ('absolute' as const) : ('none' as const),
      max_position_embeddings: 14,
      position_padding_id: choices.once(3) ? choices.of([0, 1, 3]) : null,
      type_vocab_size: choices.of([0, 1, 3]),
      norm: randomNorm(choices),
      projection,
      zero_masked: choices.once(3),
    },
    layers: randomLayers(choices, kind),
    relative_positions: randomRelativePositions(choices, kind),
    convolution: choices.once(3)
      ? { kernel_size: choices.of([1, 3, 5]), groups, activation: choices.of(activations), norm: randomNorm(choices) }
      : null,
    final_norm: choices.once(2) ? randomNorm(choices) : null,
    pooler,
  };
  return { ...encoder, heads: randomHeads(choices, encoder) };
}

/** Few channels are often close to each other: an epsilon of the usual size would make rounding errors visible. */
function randomNorm(choices: Choices): NormSpecification {
  return { eps: choices.of([1e-3, 1e-2, 1e-1]), bias: choices.once(2) };
}

function randomLayers(choices: Choices, kind: AttentionPosition['kind']): LayerSpecification[] {
  const num_attention_heads = choices.of([1, 2, 3]);
  const layers: LayerSpecification[] = [];
  for (let index = 0; index < 3; ++index) {
    const shared = index > 0 && choices.once(3) ? layers[choices.below(index)]! : null;
    if (shared !== null) {
      // The same parameters, but for what has none.
      layers.push({ ...shared, attention: { ...shared.attention, ...randomView(choices) } });
      continue;
    }
    const norm_placement = choices.of(['post', 'pre'] as const);
    const head_size = choices.of([4, 5, 7]);
    layers.push({
      norm_placement,
      attention: {
        num_attention_heads: kind === 'bias' ? num_attention_heads : choices.of([1, 2, 3]),
        head_size,
        position: randomPosition(choices, kind, head_size),
        bias: { query_key_value: choices.once(2), output: choices.once(2) },
        ...randomView(choices),
      },
      // Without one further on, the scores of large states would make rounding errors visible.
      attention_norm: norm_placement === 'pre' && index === 0 && choices.once(2) ? null : randomNorm(choices),
      mlp: {
        intermediate_size: choices.of([1, 6, 9]),
        activation: choices.of(activations),
        gated: choices.once(2),
        bias: { up: choices.once(2), down: choices.once(2) },
      },
      mlp_norm: randomNorm(choices),
      parameters: index,
    });
  }
  return layers;
}

function randomView(choices: Choices): Pick<AttentionSpecification, 'mask' | 'scale_factor' | 'masked_queries'> {
  return {
    mask: choices.of([
      { kind: 'full' },
      { kind: 'full' },
      { kind: 'causal' },
      { kind: 'window', size: choices.of([1, 2, 3, 4, 30]) },
    ] as const),
    scale_factor: choices.of([1, 2, 3]),
    masked_queries: choices.of(['attend', 'attend', 'zero'] as const),
  };
}

function randomPosition(choices: Choices, kind: AttentionPosition['kind'], head_size: number): AttentionPosition {
  if (kind === 'rotary') {
    const count = choices.of([0, 1, Math.floor(head_size / 2)]);
    const inverse_frequencies = Array.from({ length: count }, (_, i) => Math.fround(0.7 ** i));
    return { kind, inverse_frequencies, pairs: choices.of(['halves', 'neighbours'] as const) };
  }
  if (kind === 'disentangled') {
    const [to_key, to_query] = choices.of([
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ]);
    return { kind, to_key: to_key!, to_query: to_query!, shared_projections: choices.once(2) };
  }
  return { kind };
}

function randomRelativePositions(choices: Choices, kind: AttentionPosition['kind']): RelativePositions | null {
  if (kind !== 'bias' && kind !== 'disentangled') return null;
  const rows = choices.of([1, 5, 8]);
  const farthest = choices.of([0, 2, 6, 20]);
  const row_of = Array.from({ length: 2 * farthest + 1 }, () => choices.below(rows));
  if (kind === 'bias') return { kind, rows, row_of };
  return { kind: 'vectors', rows, row_of, norm: choices.once(2) ? randomNorm(choices) : null };
}

function randomHeads(choices: Choices, encoder: Omit<EncoderSpecification, 'heads'>): HeadSpecification[] {
  const { embedding_size } = encoder.embeddings;
  const inputs: HeadSpecification['input'][] = [
    { kind: 'tokens' },
    { kind: 'pooled', modes: [choices.of(poolingModes), choices.of(poolingModes)] },
  ];
  if (encoder.pooler !== null) inputs.push({ kind: 'pooler' });
  return inputs.map((input, index) => {
    const steps: HeadStep[] = [
      { kind: 'linear', name: 'dense', outputs: embedding_size, bias: choices.once(2) },
      { kind: 'activation', activation: choices.of(activations) },
      { kind: 'norm', name: 'norm', norm: randomNorm(choices) },
      choices.once(2)
        ? { kind: 'word_embeddings', name: 'decoder', bias: choices.once(2) }
        : { kind: 'linear', name: 'decoder', outputs: choices.of([1, 2, 6]), bias: choices.once(2) },
    ];
    if (choices.once(3)) steps.push({ kind: 'normalize' });
    return { name: `head${index}`, input, steps: choices.once(4) ? steps.slice(-1).filter(fitsAnywhere) : steps };
  });
}

function fitsAnywhere({ kind }: HeadStep): boolean {
  return kind !== 'word_embeddings';
}

/** Rows masked in every way: not at all, at the right, at the left, inside, altogether. */
export function randomRequest(specification: EncoderSpecification, seed: number): ForwardRequest {
  const choices = new Choices(seed + 1000);
  const { embeddings, pooler } = specification;
  const batch = 5;
  const sequence = Math.min(longestSequence(specification), choices.of([1, 6, 9]));
  const size = batch * sequence;
  const mask = (row: number, column: number): number => {
    const cut = choices.below(sequence + 1);
    return [1, column < cut ? 1 : 0, column >= cut ? 1 : 0, choices.below(2), 0][row]!;
  };
  const fill = (value: (i: number) => number): Int32Array => Int32Array.from({ length: size }, (_, i) => value(i));
  const embeds = choices.once(4);
  return {
    batch,
    sequence,
    input_ids: embeds ? null : fill(() => (choices.once(3) ? choices.below(4) : choices.below(23))),
    inputs_embeds: embeds
      ? Float32Array.from({ length: size * embeddings.embedding_size }, (_, i) => Math.sin(i * i))
      : null,
    attention_mask: choices.once(4)
      ? null
      : Uint8Array.from({ length: size }, (_, i) => mask(Math.floor(i / sequence), i % sequence)),
    token_type_ids: choices.once(3) ? null : fill(() => choices.below(embeddings.type_vocab_size || 5)),
    position_ids: choices.once(3) ? fill(() => choices.below(embeddings.max_position_embeddings)) : null,
    masked_positions: 'compute',
    outputs: {
      last_hidden_state: true,
      pooler_output: pooler !== null,
      hidden_states: true,
      attentions: true,
      pooled: { modes: poolingModes, normalize: choices.once(2) },
      pooling_skip: choices.of([0, 0, 1, 3]),
      heads: true,
      head_positions: null,
    },
  };
}
