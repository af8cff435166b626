import { describe, expect, test } from 'vitest';
import type { ForwardRequest, LoadedEncoder } from '../../lib/engines/engine.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import { type EncoderSpecification, type PoolingMode, poolingModes } from '../../lib/engines/specification.ts';
import { randomRequest, randomSpecification } from './random-specification.ts';
import { nothing, randomSources } from './reference-helpers.ts';
import { naiveForward } from './reference-naive.ts';

/** Both compute in double precision: they agree to the rounding of the result, but where a norm divides by hardly anything. */
function expectClose(actual: Float32Array, expected: number[], what: string): void {
  expect(actual.length, what).toBe(expected.length);
  expected.forEach((value, i) => {
    const difference = Math.abs(actual[i]! - value);
    if (!(difference <= 1e-7 * Math.abs(value) + 1e-9)) {
      expect.fail(`${what}, element ${i}: ${actual[i]}; expected ${value}`);
    }
  });
}

async function load(specification: EncoderSpecification) {
  const encoder = await referenceEngine.load(specification, randomSources(specification));
  const parameters = new Map<string, Float32Array>();
  for (const { name } of encoderParameters(specification)) parameters.set(name, await encoder.readParameter(name));
  return { encoder, parameters };
}

const seeds = Array.from({ length: 96 }, (_, seed) => seed);

describe('agrees with a second implementation in a random specification', () => {
  test.each(seeds)('%d', async (seed) => {
    const specification = randomSpecification(seed);
    const { encoder, parameters } = await load(specification);
    for (const which of [seed, seed + 500]) {
      const request = randomRequest(specification, which);
      const result = await encoder.forward(request);
      const naive = naiveForward(specification, parameters, request);
      naive.hidden_states.forEach((expected, i) => {
        expectClose(result.hidden_states![i]!, expected.flat(2), `hidden_states ${i}`);
      });
      naive.attentions.forEach((expected, i) => {
        expectClose(result.attentions![i]!, expected.flat(3), `attentions ${i}`);
      });
      expectClose(result.last_hidden_state!, naive.last_hidden_state.flat(2), 'last_hidden_state');
      if (specification.pooler !== null) {
        expectClose(result.pooler_output!, naive.pooler_output.flat(), 'pooler_output');
      }
      expectClose(result.pooled!, naivePooled(naive.pooled, request), 'pooled');
      expect(Object.keys(result.heads!)).toEqual(specification.heads.map(({ name }) => name));
      for (const { name } of specification.heads) expectClose(result.heads![name]!, naive.heads[name]!.flat(2), name);
    }
  });
});

function naivePooled(pooled: (mode: PoolingMode) => number[][], { batch, outputs }: ForwardRequest): number[] {
  const { modes, normalize } = outputs.pooled!;
  const byMode = modes.map(pooled);
  return Array.from({ length: batch }, (_, b) => byMode.flatMap((rows) => rows[b]!)).flatMap((row) => {
    const length = Math.max(Math.hypot(...row), 1e-12);
    return normalize ? row.map((value) => value / length) : row;
  });
}

describe('what is not asked for changes nothing', () => {
  const alone = (outputs: Partial<ForwardRequest['outputs']>) => ({ ...nothing, ...outputs });

  test.each(seeds.slice(0, 36))('%d', async (seed) => {
    const specification = randomSpecification(seed);
    const { encoder } = await load(specification);
    const request = randomRequest(specification, seed);
    const all = await encoder.forward(request);
    const { pooled, pooling_skip } = request.outputs;
    for (const masked_positions of ['compute', 'skip'] as const) {
      const run = (outputs: Partial<ForwardRequest['outputs']>) =>
        encoder.forward({ ...request, masked_positions, outputs: alone(outputs) });
      expect((await run({ pooled, pooling_skip })).pooled).toEqual(all.pooled);
      if (specification.pooler !== null) {
        expect((await run({ pooler_output: true })).pooler_output).toEqual(all.pooler_output);
      }
      await expectHeads(encoder, specification, request, masked_positions, all.heads!);
    }
  });

  async function expectHeads(
    encoder: LoadedEncoder,
    specification: EncoderSpecification,
    request: ForwardRequest,
    masked_positions: 'compute' | 'skip',
    all: Readonly<Record<string, Float32Array>>,
  ): Promise<void> {
    const positions = request.batch * request.sequence;
    const { pooling_skip } = request.outputs;
    const shown = (position: number) =>
      masked_positions === 'compute' || request.attention_mask === null || request.attention_mask[position] === 1;
    const every = Int32Array.from({ length: positions }, (_, i) => i);
    for (const head_positions of [null, every.filter((i) => i % 3 === 1), new Int32Array(0)]) {
      const outputs = alone({ heads: true, head_positions, pooling_skip });
      const { heads } = await encoder.forward({ ...request, masked_positions, outputs });
      for (const { name, input } of specification.heads) {
        const values = all[name]!;
        const width = values.length / positions;
        const rows = Array.from(head_positions ?? every, (position) =>
          shown(position) ? values.subarray(position * width, (position + 1) * width) : new Float32Array(width),
        );
        const expected = input.kind === 'tokens' ? rows.flatMap((row) => [...row]) : [...values];
        expect([...heads![name]!], `${name} at ${head_positions}`).toEqual(expected);
      }
    }
  }
});

test('pooling modes stand side by side in the order asked for', async () => {
  const specification = randomSpecification(0);
  const { encoder } = await load(specification);
  const request = randomRequest(specification, 0);
  const H = specification.hidden_size;
  const run = async (modes: readonly PoolingMode[]) => {
    const outputs = { ...nothing, pooled: { modes, normalize: false } };
    return (await encoder.forward({ ...request, outputs })).pooled!;
  };
  const modes = [...poolingModes].reverse();
  const together = await run(modes);
  for (const [index, mode] of modes.entries()) {
    const single = await run([mode]);
    for (let b = 0; b < request.batch; ++b) {
      const start = (b * modes.length + index) * H;
      expect(together.slice(start, start + H)).toEqual(single.slice(b * H, (b + 1) * H));
    }
  }
});
