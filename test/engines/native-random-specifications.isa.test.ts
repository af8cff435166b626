import { describe, test } from 'vitest';
import type { ForwardRequest, ForwardResult } from '../../lib/engines/engine.ts';
import { nativeEngine } from '../../lib/engines/native.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import { expectValuesClose } from '../support/fixtures.ts';
import { randomRequest, randomSpecification } from './random-specification.ts';
import { nothing, randomSources } from './reference-helpers.ts';

// Everything that a specification can say, on the native engine beside the reference engine.

/** What a request asks for, all of it and in parts that compute fewer positions. */
function selections({ batch, sequence, outputs }: ForwardRequest): ForwardRequest['outputs'][] {
  const { pooled, pooling_skip, pooler_output } = outputs;
  const head_positions = Int32Array.from({ length: batch * sequence }, (_, i) => i).filter((i) => i % 3 === 1);
  return [
    outputs,
    { ...nothing, pooled, pooling_skip },
    { ...nothing, pooler_output, heads: true, head_positions, pooling_skip },
  ];
}

function expectSame(actual: ForwardResult, expected: ForwardResult, where: string): void {
  const compare = (name: string, a: Float32Array | undefined, b: Float32Array | undefined) => {
    if (b !== undefined) expectValuesClose(a!, b, `${where}: ${name}`);
  };
  expected.hidden_states?.forEach((values, i) => {
    compare(`hidden_states.${i}`, actual.hidden_states![i], values);
  });
  expected.attentions?.forEach((values, i) => {
    compare(`attentions.${i}`, actual.attentions![i], values);
  });
  compare('last_hidden_state', actual.last_hidden_state, expected.last_hidden_state);
  compare('pooler_output', actual.pooler_output, expected.pooler_output);
  compare('pooled', actual.pooled, expected.pooled);
  for (const [name, values] of Object.entries(expected.heads ?? {})) compare(name, actual.heads![name], values);
}

describe('the native engine computes what the reference engine does in a random specification', () => {
  test.each(Array.from({ length: 192 }, (_, seed) => seed))('%d', async (seed) => {
    const specification = randomSpecification(seed);
    // Larger ones would let a few specifications multiply the rounding errors of fp32 beyond the bar.
    const sources = randomSources(specification, 0.4);
    const native = await nativeEngine.load(specification, sources);
    const reference = await referenceEngine.load(specification, sources);
    for (const masked_positions of ['compute', 'skip'] as const) {
      for (const which of [seed, seed + 500]) {
        const request = randomRequest(specification, which);
        for (const [index, outputs] of selections(request).entries()) {
          const asked = { ...request, masked_positions, outputs };
          const where = `${masked_positions}, request ${which}, selection ${index}`;
          expectSame(await native.forward(asked), await reference.forward(asked), where);
        }
      }
    }
    native.dispose();
    reference.dispose();
  });
});
