import { describe, expect, test } from 'vitest';
import type { ForwardRequest, ForwardResult, LoadedEncoder, ParameterSource } from '../../lib/engines/engine.ts';
import { nativeEngine } from '../../lib/engines/native.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import type { EncoderSpecification } from '../../lib/engines/specification.ts';
import { Choices, randomRequest, randomSpecification } from './random-specification.ts';
import { randomSources } from './reference-helpers.ts';

/** Every array of a result, by its name. */
function* arrays(result: ForwardResult): Iterable<[name: string, values: Float32Array]> {
  const { last_hidden_state, pooler_output, pooled, hidden_states, attentions, heads } = result;
  for (const [name, values] of Object.entries({ last_hidden_state, pooler_output, pooled, ...heads })) {
    if (values !== undefined) yield [name, values];
  }
  for (const [i, values] of (hidden_states ?? []).entries()) yield [`hidden_states ${i}`, values];
  for (const [i, values] of (attentions ?? []).entries()) yield [`attentions ${i}`, values];
}

/** Parameters that differ by half the distance between neighbours of fp32, up or down: what rounding once does to them. */
async function roundedOnce(
  encoder: LoadedEncoder,
  specification: EncoderSpecification,
): Promise<Map<string, ParameterSource>> {
  const choices = new Choices(1);
  const sources = new Map<string, ParameterSource>();
  for (const { name, shape } of encoderParameters(specification)) {
    const values = await encoder.readParameter(name);
    const moved = values.map((value) => value * (1 + (choices.once(2) ? 1 : -1) * 2 ** -23));
    sources.set(name, { kind: 'values', shape, values: moved });
  }
  return sources;
}

/**
 * The bar is 2e-5. Norms over two or three numbers that are nearly equal magnify every rounding, though, and heads divide
 * by them again: where rounding the parameters once moves an output, it may be off by 16 times as much.
 */
function expectClose(actual: ForwardResult, expected: ForwardResult, moved: ForwardResult): void {
  const [named, namedMoved] = [new Map(arrays(actual)), new Map(arrays(moved))];
  expect([...named.keys()].sort()).toEqual([...new Map(arrays(expected)).keys()].sort());
  for (const [name, values] of arrays(expected)) {
    const [found, neighbour] = [named.get(name)!, namedMoved.get(name)!];
    expect(found.length, name).toBe(values.length);
    const movement = values.reduce((most, value, i) => Math.max(most, Math.abs(neighbour[i]! - value)), 0);
    values.forEach((value, i) => {
      const difference = Math.abs(found[i]! - value);
      if (!(difference <= Math.max(2e-5 + 2e-5 * Math.abs(value), 16 * movement))) {
        expect.fail(`${name}, element ${i}: ${found[i]}; expected ${value}`);
      }
    });
  }
}

const seeds = Array.from({ length: 192 }, (_, seed) => seed);

describe('agrees with the reference engine in a random specification', () => {
  test.each(seeds)('%d', async (seed) => {
    const specification = randomSpecification(seed);
    const sources = randomSources(specification);
    const reference = await referenceEngine.load(specification, sources);
    const moved = await referenceEngine.load(specification, await roundedOnce(reference, specification));
    const native = await nativeEngine.load(specification, sources);
    for (const which of [seed, seed + 500]) {
      for (const masked_positions of ['compute', 'skip'] as const) {
        const request: ForwardRequest = { ...randomRequest(specification, which), masked_positions };
        expectClose(await native.forward(request), await reference.forward(request), await moved.forward(request));
      }
    }
    native.dispose();
  });
});
