import type { EncoderSpecification, HeadSpecification } from '../../../lib/engines/specification.ts';
import type { TaskDescription } from '../../../lib/engines/task.ts';

/** Of a small encoder of which a graph is known, but not its layers. */
export function specification(parts: Partial<EncoderSpecification> = {}): EncoderSpecification {
  return {
    hidden_size: 32,
    embeddings: {
      vocab_size: 100,
      embedding_size: 32,
      position: 'absolute',
      max_position_embeddings: 64,
      position_padding_id: null,
      type_vocab_size: 2,
      norm: { eps: 1e-12, bias: true },
      projection: null,
      zero_masked: false,
    },
    layers: [],
    relative_positions: null,
    convolution: null,
    final_norm: null,
    pooler: null,
    heads: [],
    ...parts,
  };
}

export function head(input: 'tokens' | 'pooler', outputs: number, name = 'logits'): HeadSpecification {
  return { name, input: { kind: input }, steps: [{ kind: 'linear', name: 'classifier', outputs, bias: true }] };
}

export const logits: TaskDescription = { outputs: [{ name: 'logits', head: 'logits', column: null }], choices: false };

export const spans: TaskDescription = {
  outputs: [
    { name: 'start_logits', head: 'logits', column: 0 },
    { name: 'end_logits', head: 'logits', column: 1 },
  ],
  choices: false,
};
