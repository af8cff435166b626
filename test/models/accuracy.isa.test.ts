import { describe, expect, test } from 'vitest';
import type { ForwardRequest, ParameterSource } from '../../lib/engines/engine.ts';
import { nativeEngine } from '../../lib/engines/native.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { parameterSeed } from '../../lib/engines/random.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import type { EncoderSpecification } from '../../lib/engines/specification.ts';
import { uniform } from '../support/random-inputs.ts';

// DESIGN: relative L2 error per token at BERT-base size, seeded weights, against float64; at most 2e-6.
// The reference engine computes in double precision from the same fp32 weights.

const layer = {
  attention: { num_attention_heads: 12, head_size: 64, position: 'none', mask: { kind: 'full' } },
  mlp: { intermediate_size: 3072, activation: 'gelu_erf' },
  layer_norm_eps: 1e-12,
} as const;
const specification: EncoderSpecification = {
  hidden_size: 768,
  embeddings: {
    vocab_size: 400,
    position: 'absolute',
    max_position_embeddings: 64,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
  },
  layers: Array.from({ length: 12 }, () => layer),
  pooler: 'tanh',
};

/** Seeded weights; `outlier` scales a few channels of every LayerNorm, as trained checkpoints have them. */
function parameters(outlier: number): Map<string, ParameterSource> {
  const random = uniform(5);
  return new Map(
    encoderParameters(specification).map(({ name, shape }): [string, ParameterSource] => {
      if (name.endsWith('norm.weight')) {
        const values = Float32Array.from({ length: shape[0]! }, () => 0.5 + random());
        for (const channel of [7, 130, 381, 600]) values[channel]! *= outlier;
        return [name, { kind: 'values', shape, values }];
      }
      return [name, { kind: 'normal', shape, seed: parameterSeed(3, name), std: 0.02, zero_row: -1 }];
    }),
  );
}

const random = uniform(17);
const S = 12;
const request: ForwardRequest = {
  batch: 1,
  sequence: S,
  input_ids: Int32Array.from({ length: S }, () => Math.floor(random() * 400)),
  inputs_embeds: null,
  attention_mask: null,
  token_type_ids: null,
  position_ids: null,
  masked_positions: 'compute',
  outputs: { last_hidden_state: true, pooler_output: true, hidden_states: false, attentions: false, pooled: null },
};

function relativeErrors(actual: Float32Array, expected: Float32Array, size: number): number[] {
  return Array.from({ length: actual.length / size }, (_, token) => {
    let difference = 0;
    let norm = 0;
    for (let i = token * size; i < (token + 1) * size; i++) {
      difference += (actual[i]! - expected[i]!) ** 2;
      norm += expected[i]! ** 2;
    }
    return Math.sqrt(difference / norm);
  });
}

describe('fp32 at BERT-base size against double precision', () => {
  for (const outlier of [1, 20]) {
    test(outlier === 1 ? 'plain weights' : `LayerNorm channels scaled ${outlier} times`, async () => {
      const sources = parameters(outlier);
      const [native, reference] = await Promise.all([
        nativeEngine.load(specification, sources),
        referenceEngine.load(specification, sources),
      ]);
      const actual = await native.forward(request);
      const expected = await reference.forward(request);
      const errors = relativeErrors(actual.last_hidden_state!, expected.last_hidden_state!, 768);
      const worst = Math.max(...errors);
      const isa = process.env.BERT_NATIVE_ISA ?? 'best';
      console.log(`${isa}, outliers ${outlier}×: relative L2 error per token ${worst.toExponential(2)} at worst`);
      expect(worst).toBeGreaterThan(0);
      expect(worst).toBeLessThanOrEqual(2e-6);
      expect(relativeErrors(actual.pooler_output!, expected.pooler_output!, 768)[0]).toBeLessThanOrEqual(2e-6);
      native.dispose();
      reference.dispose();
    });
  }
});
