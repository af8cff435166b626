import { describe, expect, test } from 'vitest';
import { nativeEngine } from '../../lib/engines/native.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import type { AttentionMask, EncoderSpecification } from '../../lib/engines/specification.ts';
import { expectValuesClose } from '../support/fixtures.ts';
import { randomSources, request, tinySpecification } from './reference-helpers.ts';

// Masks by distance, as the addon reads them.

const forward = request({
  batch: 3,
  sequence: 9,
  attention_mask: Uint8Array.of(...[1, 1, 1, 1, 1, 1, 1, 1, 1], ...[0, 0, 0, 0, 1, 1, 0, 1, 1], ...Array(9).fill(0)),
});

describe('the native engine computes what the reference engine does', () => {
  test.each<AttentionMask>([
    { kind: 'full' },
    { kind: 'window', size: 1 },
    { kind: 'window', size: 4 },
    { kind: 'window', size: 2 ** 20 },
    { kind: 'causal' },
  ])('%j', async (mask) => {
    for (const position of ['none', 'relative_key', 'relative_key_query'] as const) {
      const specification = tinySpecification(position, 'gelu_erf', mask);
      const sources = randomSources(specification);
      const native = await nativeEngine.load(specification, sources);
      const reference = await referenceEngine.load(specification, sources);
      for (const masked_positions of ['compute', 'skip'] as const) {
        const actual = await native.forward({ ...forward, masked_positions });
        const expected = await reference.forward({ ...forward, masked_positions });
        expectValuesClose(actual.last_hidden_state!, expected.last_hidden_state!, 'last_hidden_state');
        expectValuesClose(actual.pooler_output!, expected.pooler_output!, 'pooler_output');
        actual.attentions!.forEach((values, i) => {
          expectValuesClose(values, expected.attentions![i]!, `attentions ${i}`);
        });
      }
      native.dispose();
      reference.dispose();
    }
  });

  test('models that differ in their masks alone do not share weights', async () => {
    const sources = randomSources(tinySpecification());
    const run = async (mask: AttentionMask) => {
      const encoder = await nativeEngine.load(tinySpecification('none', 'gelu_erf', mask), sources);
      return (await encoder.forward(forward)).last_hidden_state!;
    };
    const results = await Promise.all([
      run({ kind: 'full' }),
      run({ kind: 'causal' }),
      run({ kind: 'window', size: 2 }),
      run({ kind: 'window', size: 4 }),
    ]);
    expect(new Set(results.map((values) => values.join())).size).toBe(4);
  });
});

describe('the addon refuses', () => {
  const withMask = (mask: unknown): EncoderSpecification =>
    tinySpecification('none', 'gelu_erf', mask as AttentionMask);

  test.each<[unknown, string, string]>([
    [null, 'ERR_OPTION', 'mask: expected an object'],
    [{ kind: 'diagonal' }, 'ERR_OPTION', "kind: expected one of full, window, causal, not 'diagonal'"],
    [{ kind: 'window' }, 'ERR_OPTION', 'size: expected a whole number'],
    [{ kind: 'window', size: 2.5 }, 'ERR_OPTION', 'size: expected a whole number'],
    [{ kind: 'window', size: 0 }, 'ERR_CONFIG', 'layers.0.attention.mask.size is 0: expected 1 to'],
  ])('%j', async (mask, code, message) => {
    const specification = withMask(mask);
    await expect(nativeEngine.load(specification, randomSources(tinySpecification()))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});
