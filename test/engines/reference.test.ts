import { utimesSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ForwardRequest, ParameterSource } from '../../lib/engines/engine.ts';
import { encoderParameters } from '../../lib/engines/parameters.ts';
import { activations, erfc } from '../../lib/engines/reference/activations.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import type { Activation, AttentionMask } from '../../lib/engines/specification.ts';
import {
  describeFile,
  everything,
  nothing,
  randomSources,
  request,
  temporaryFile,
  tinySpecification,
} from './reference-helpers.ts';
import { naiveActivations, naiveForward } from './reference-naive.ts';

// --- against the second implementation ---

/** Both compute in double precision: they agree to the rounding of the result. */
function expectClose(actual: Float32Array, expected: number[], what: string): void {
  expect(actual.length, what).toBe(expected.length);
  expected.forEach((value, i) => {
    const difference = Math.abs(actual[i]! - value);
    if (!(difference <= 1e-7 * Math.abs(value) + 1e-12)) {
      expect.fail(`${what}, element ${i}: ${actual[i]}; expected ${value}`);
    }
  });
}

const activationNames: Activation[] = ['gelu_erf', 'gelu_tanh', 'quick_gelu', 'relu', 'silu', 'tanh'];
const positionKinds = ['none', 'relative_key', 'relative_key_query'] as const;

const attentionMasks: AttentionMask[] = [
  ...[1, 2, 3, 4, 30].map((size) => ({ kind: 'window', size }) as const),
  { kind: 'causal' },
];

/** Rows: padded right, padded left, masked inside, masked altogether. */
const masks = Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0);

const maskedRequest = request({
  batch: 4,
  sequence: 6,
  attention_mask: masks,
  token_type_ids: Int32Array.from({ length: 24 }, (_, i) => i % 3),
  position_ids: Int32Array.from({ length: 24 }, (_, i) => (i * 5) % 11),
});

describe('agrees with a second implementation', () => {
  const cases: [(typeof positionKinds)[number], Activation, AttentionMask][] = [
    ...positionKinds.flatMap((position) =>
      activationNames.map((activation): [typeof position, Activation, AttentionMask] => [
        position,
        activation,
        { kind: 'full' },
      ]),
    ),
    ...positionKinds.flatMap((position) =>
      attentionMasks.map((mask): [typeof position, Activation, AttentionMask] => [position, 'gelu_erf', mask]),
    ),
  ];
  test.each(cases)('position %s, activation %s, mask %j', async (position, activation, mask) => {
    const specification = tinySpecification(position, activation, mask);
    const encoder = await referenceEngine.load(specification, randomSources(specification));
    const parameters = new Map<string, Float32Array>();
    for (const { name } of encoderParameters(specification)) parameters.set(name, await encoder.readParameter(name));

    const embeds = Float32Array.from({ length: 3 * 5 * 7 }, (_, i) => Math.sin(i));
    for (const forward of [
      maskedRequest,
      request({ batch: 2, sequence: 11 }),
      request({ batch: 1, sequence: 1 }),
      request({ batch: 3, sequence: 5, inputs_embeds: embeds }),
    ]) {
      const result = await encoder.forward(forward);
      const naive = naiveForward(specification, parameters, forward);
      expectClose(result.pooler_output!, naive.pooler_output.flat(), 'pooler_output');
      expectClose(result.last_hidden_state!, naive.hidden_states.at(-1)!.flat(2), 'last_hidden_state');
      naive.hidden_states.forEach((expected, i) => {
        expectClose(result.hidden_states![i]!, expected.flat(2), `hidden_states ${i}`);
      });
      naive.attentions.forEach((expected, i) => {
        expectClose(result.attentions![i]!, expected.flat(3), `attentions ${i}`);
      });
    }
  });

  // The second form of each is the less exact one: its series for erf has up to 150 terms, 1 + tanh loses digits.
  test.each(activationNames)('%s from -12 to 12', (name) => {
    for (let x = -12; x <= 12; x += 1 / 64) {
      const expected = naiveActivations[name](x);
      expect(Math.abs(activations[name](x) - expected)).toBeLessThanOrEqual(4e-14 * Math.max(1, Math.abs(expected)));
    }
  });
});

test.each([
  [0, 1],
  [0.25, 0.7236736098317631],
  [0.46875, 0.507386526782062],
  [0.5, 0.4795001221869535],
  [1, 0.15729920705028513],
  [2, 0.004677734981047265],
  [3.9, 3.479224859723177e-8],
  [4, 1.541725790028002e-8],
  [4.1, 6.700027654084918e-9],
  [5, 1.5374597944280351e-12],
  [10, 2.088487583762545e-45],
  [26, 5.663192408856143e-296],
  [40, 0],
  [Number.POSITIVE_INFINITY, 0],
  [-0.3, 1.3286267594591274],
  [-1, 1.842700792949715],
  [-3, 1.9999779095030015],
  [-6, 2],
  [Number.NEGATIVE_INFINITY, 2],
])('erfc(%d)', (x, expected) => {
  expect(Math.abs(erfc(x) - expected)).toBeLessThanOrEqual(1.5e-15 * expected);
});

// --- masks ---

describe('masked positions', () => {
  const specification = tinySpecification('relative_key');
  const { sequence } = maskedRequest;
  const hidden_size = specification.hidden_size;
  const load = () => referenceEngine.load(specification, randomSources(specification));

  test('never act as keys; a row without keys attends to every column alike', async () => {
    const encoder = await load();
    const { attentions } = await encoder.forward(maskedRequest);
    for (const probabilities of attentions!) {
      probabilities.forEach((probability, i) => {
        const row = Math.floor(i / (2 * sequence * sequence));
        if (row === 3) expect(probability).toBe(Math.fround(1 / sequence));
        else if (masks[row * sequence + (i % sequence)] === 0) expect(probability).toBe(0);
        else expect(probability).toBeGreaterThan(0);
      });
    }
  });

  test('come back as zeros where they are skipped, and change nothing else', async () => {
    const encoder = await load();
    const computed = await encoder.forward(maskedRequest);
    const skipped = await encoder.forward({ ...maskedRequest, masked_positions: 'skip' });
    expect(skipped.pooler_output).toEqual(computed.pooler_output);

    const expectZeroed = (actual: Float32Array, expected: Float32Array, maskedAt: (i: number) => boolean) => {
      expect(actual).toEqual(expected.map((value, i) => (maskedAt(i) ? 0 : value)));
    };
    const hiddenIsMasked = (i: number) => masks[Math.floor(i / hidden_size)] === 0;
    expectZeroed(skipped.last_hidden_state!, computed.last_hidden_state!, hiddenIsMasked);
    skipped.hidden_states!.forEach((actual, i) => {
      expectZeroed(actual, computed.hidden_states![i]!, hiddenIsMasked);
    });
    const fromIsMasked = (i: number) => {
      const row = Math.floor(i / (2 * sequence * sequence));
      return masks[row * sequence + (Math.floor(i / sequence) % sequence)] === 0;
    };
    skipped.attentions!.forEach((actual, i) => {
      expectZeroed(actual, computed.attentions![i]!, fromIsMasked);
    });
  });

  test.each([
    ['compute', nothing],
    ['compute', everything],
    ['skip', nothing],
    ['skip', everything],
  ] as const)('are left out of pooling (%s, besides %j)', async (masked_positions, others) => {
    const encoder = await load();
    const { last_hidden_state } = await encoder.forward(maskedRequest);
    const row = (b: number, s: number) => {
      const start = (b * sequence + s) * hidden_size;
      return last_hidden_state!.subarray(start, start + hidden_size);
    };
    const pool = async (mode: 'mean' | 'max' | 'cls', normalize = false) => {
      const outputs = { ...others, pooled: { modes: [mode], normalize } };
      return (await encoder.forward({ ...maskedRequest, masked_positions, outputs })).pooled!;
    };
    const mean = await pool('mean');
    const max = await pool('max');
    const cls = await pool('cls');
    const normalized = await pool('mean', true);
    for (let b = 0; b < 4; ++b) {
      const kept = [...Array(sequence).keys()].filter((s) => masks[b * sequence + s] === 1).map((s) => row(b, s));
      const norm = Math.hypot(...mean.subarray(b * hidden_size, (b + 1) * hidden_size));
      for (let h = 0; h < hidden_size; ++h) {
        const i = b * hidden_size + h;
        const sum = kept.reduce((total, values) => total + values[h]!, 0);
        expect(mean[i]).toBeCloseTo(sum / Math.max(kept.length, 1), 6);
        expect(max[i]).toBe(kept.length === 0 ? 0 : Math.max(...kept.map((values) => values[h]!)));
        expect(cls[i]).toBe(row(b, 0)[h]);
        expect(normalized[i]).toBeCloseTo(norm === 0 ? 0 : mean[i]! / norm, 6);
      }
    }
  });
});

describe('masks by distance', () => {
  const mask = { kind: 'window', size: 4 } as const;

  test('show the columns that they say', async () => {
    for (const [kind, shows] of [
      [{ kind: 'window', size: 4 }, (p: number, k: number) => Math.abs(p - k) <= 2],
      [{ kind: 'window', size: 5 }, (p: number, k: number) => Math.abs(p - k) <= 2],
      [{ kind: 'window', size: 1 }, (p: number, k: number) => p === k],
      [{ kind: 'causal' }, (p: number, k: number) => k <= p],
    ] as [AttentionMask, (p: number, k: number) => boolean][]) {
      const specification = tinySpecification('relative_key', 'gelu_erf', kind);
      const encoder = await referenceEngine.load(specification, randomSources(specification));
      const { attentions } = await encoder.forward(request({ batch: 1, sequence: 8 }));
      attentions![0]!.forEach((probability, i) => {
        expect(probability > 0, `${i}`).toBe(shows(Math.floor(i / 8) % 8, i % 8));
      });
    }
  });

  test('columns that are masked count; a query that sees no key attends to every column alike', async () => {
    const specification = tinySpecification('none', 'gelu_erf', mask);
    const encoder = await referenceEngine.load(specification, randomSources(specification));
    const attention_mask = Uint8Array.of(0, 0, 0, 1, 0, 0, 1, 1);
    const { attentions } = await encoder.forward(request({ batch: 1, sequence: 8, attention_mask }));
    const seen = (p: number) =>
      [...attentions![0]!.subarray(p * 8, (p + 1) * 8)].flatMap((value, k) => (value > 0 ? [k] : []));
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(seen)).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7],
      [3],
      [3],
      [3],
      [3, 6],
      [3, 6, 7],
      [6, 7],
      [6, 7],
    ]);
    expect(attentions![0]![0]).toBe(0.125);
  });

  test('what pools position 0 is the same whatever else is computed', async () => {
    for (const kind of [mask, { kind: 'causal' }] as const) {
      const specification = tinySpecification('none', 'gelu_erf', kind);
      const encoder = await referenceEngine.load(specification, randomSources(specification));
      const attention_mask = Uint8Array.of(0, 0, 0, 1, 0, 0, 1, 1);
      const parts = { batch: 1, sequence: 8, attention_mask };
      const all = await encoder.forward(request(parts));
      const outputs = { ...nothing, pooler_output: true, pooled: { modes: ['cls'], normalize: false } } as const;
      const some = await encoder.forward(request({ ...parts, masked_positions: 'skip', outputs }));
      expect(some.pooler_output).toEqual(all.pooler_output);
      expect(some.pooled).toEqual(all.last_hidden_state!.slice(0, specification.hidden_size));
    }
  });

  test.each([0, -1, 2.5, Number.NaN])('a window of %s columns is refused', async (size) => {
    const specification = tinySpecification('none', 'gelu_erf', { kind: 'window', size });
    await expect(referenceEngine.load(specification, randomSources(specification))).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining(`layers.0.attention.mask.size is ${size}`),
    });
  });
});

test("a row's result does not depend on what it ran with", async () => {
  const specification = tinySpecification();
  const encoder = await referenceEngine.load(specification, randomSources(specification));
  const together = await encoder.forward(request({ batch: 3, sequence: 8 }));
  const ids = request({ batch: 3, sequence: 8 }).input_ids!;
  const alone = await encoder.forward(request({ batch: 1, sequence: 8, input_ids: ids.slice(8, 16) }));
  const size = alone.last_hidden_state!.length;
  expect(together.last_hidden_state!.slice(size, 2 * size)).toEqual(alone.last_hidden_state);
});

test('an empty batch gives empty outputs', async () => {
  const specification = tinySpecification();
  const encoder = await referenceEngine.load(specification, randomSources(specification));
  const result = await encoder.forward(request({ batch: 0, sequence: 4 }));
  expect(result.last_hidden_state!.length).toBe(0);
  expect(result.hidden_states!.map(({ length }) => length)).toEqual([0, 0, 0]);
  expect(result.attentions!.map(({ length }) => length)).toEqual([0, 0]);
});

test('only what was asked for is returned', async () => {
  const specification = tinySpecification();
  const encoder = await referenceEngine.load(specification, randomSources(specification));
  const result = await encoder.forward(
    request({ batch: 1, sequence: 4, outputs: { ...nothing, pooler_output: true } }),
  );
  const { queued_ms, running_ms, ...outputs } = result;
  expect(Object.keys(outputs)).toEqual(['pooler_output']);
  expect(queued_ms).toBe(0);
  expect(running_ms).toBeGreaterThan(0);
});

test('the event loop runs during a forward pass', async () => {
  const specification = tinySpecification();
  const encoder = await referenceEngine.load(specification, randomSources(specification));
  let turns = 0;
  let running = true;
  const count = () => {
    ++turns;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  await encoder.forward(request({ batch: 1, sequence: 4 }));
  running = false;
  // Two layers, each with its projections, two heads and two more parts.
  expect(turns).toBeGreaterThanOrEqual(10);
});

// --- parameters ---

describe('parameters', () => {
  const specification = tinySpecification();

  test('of every kind come back as they were given', async () => {
    const sources = randomSources(specification);
    const values = Float32Array.from({ length: 7 }, (_, i) => i / 3);
    sources.set('embeddings.norm.bias', { kind: 'values', shape: [7], values });
    sources.set('embeddings.norm.weight', { kind: 'constant', shape: [7], value: 1 });
    sources.set('embeddings.word', { kind: 'normal', shape: [23, 7], seed: 5n, std: 0.02, zero_row: 2 });
    const encoder = await referenceEngine.load(specification, sources);

    expect(await encoder.readParameter('embeddings.norm.bias')).toEqual(values);
    values.fill(0);
    expect((await encoder.readParameter('embeddings.norm.bias'))[6]).toBe(2);
    expect(await encoder.readParameter('embeddings.norm.weight')).toEqual(new Float32Array(7).fill(1));
    const word = await encoder.readParameter('embeddings.word');
    expect(word.slice(14, 21)).toEqual(new Float32Array(7));
    expect([...word.slice(0, 14), ...word.slice(21)].every((value) => value !== 0)).toBe(true);
    await expect(encoder.readParameter('embeddings.words')).rejects.toMatchObject({ code: 'ERR_WEIGHT_MISSING' });

    const count = encoderParameters(specification).reduce(
      (sum, { shape }) => sum + shape.reduce((product, length) => product * length, 1),
      0,
    );
    expect(encoder.weights_size_bytes).toBe(4 * count);
  });

  test.each<[string, ParameterSource | null, string]>([
    ['missing', null, 'ERR_WEIGHT_MISSING'],
    ['of another shape', { kind: 'constant', shape: [7, 1], value: 0 }, 'ERR_WEIGHT_SHAPE'],
    ['transposed', { kind: 'constant', shape: [8], value: 0 }, 'ERR_WEIGHT_SHAPE'],
    ['short of values', { kind: 'values', shape: [7], values: new Float32Array(6) }, 'ERR_WEIGHT_SHAPE'],
  ])('that are %s are refused by name', async (_, source, code) => {
    const sources = randomSources(specification);
    if (source === null) sources.delete('embeddings.norm.bias');
    else sources.set('embeddings.norm.bias', source);
    await expect(referenceEngine.load(specification, sources)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('embeddings.norm.bias'),
    });
  });

  test('of a file that changes while the model loads are refused', async () => {
    const path = await temporaryFile(new Uint8Array(4 * 23 * 7));
    const span = { file: describeFile(path), byte_offset: 0, dtype: 'F32', shape: [23, 7], strides: [7, 1] } as const;
    const sources = randomSources(specification);
    sources.set('embeddings.word', { kind: 'span', span });
    await (await referenceEngine.load(specification, sources)).forward(request({ batch: 1, sequence: 2 }));

    // The last parameter is looked up for the last time when the first has been read.
    const last = encoderParameters(specification).at(-1)!.name;
    let lookups = 0;
    const get = sources.get.bind(sources);
    sources.get = (name) => {
      if (name === last && ++lookups === 2) utimesSync(path, 1, 1);
      return get(name);
    };
    await expect(referenceEngine.load(specification, sources)).rejects.toMatchObject({ code: 'ERR_IO' });
    expect(lookups).toBe(2);
  });

  test('sizes that describe no model are refused', async () => {
    for (const hidden_size of [0, -1, 1.5, Number.NaN]) {
      const load = referenceEngine.load({ ...specification, hidden_size }, new Map());
      await expect(load).rejects.toMatchObject({ code: 'ERR_CONFIG' });
    }
  });
});

// --- requests and life cycle ---

test.each<[string, Partial<ForwardRequest>, string]>([
  ['an id past the vocabulary', { input_ids: Int32Array.of(0, 23) }, 'ERR_TOKEN_ID'],
  ['a negative id', { input_ids: Int32Array.of(-1, 0) }, 'ERR_TOKEN_ID'],
  ['a token type too many', { token_type_ids: Int32Array.of(0, 3) }, 'ERR_TOKEN_ID'],
  ['a position too many', { position_ids: Int32Array.of(0, 11) }, 'ERR_SEQUENCE_TOO_LONG'],
  ['a sequence too long', { sequence: 12, input_ids: new Int32Array(12) }, 'ERR_SEQUENCE_TOO_LONG'],
  ['rows without tokens', { sequence: 0, input_ids: new Int32Array(0) }, 'ERR_SHAPE'],
  ['ids of another number', { input_ids: new Int32Array(3) }, 'ERR_SHAPE'],
  ['a mask of another length', { attention_mask: new Uint8Array(3) }, 'ERR_SHAPE'],
  ['neither ids nor embeddings', { input_ids: null }, 'ERR_SHAPE'],
  ['both ids and embeddings', { inputs_embeds: new Float32Array(14) }, 'ERR_SHAPE'],
])('%s is refused', async (_, parts, code) => {
  const specification = tinySpecification();
  const encoder = await referenceEngine.load(specification, randomSources(specification));
  const forward = { ...request({ batch: 1, sequence: 2 }), ...parts };
  await expect(encoder.forward(forward)).rejects.toMatchObject({ code });
});

test('a disposed encoder finishes what runs and refuses the rest', async () => {
  const specification = tinySpecification();
  const encoder = await referenceEngine.load(specification, randomSources(specification));
  const expected = await encoder.forward(request({ batch: 1, sequence: 4 }));
  const running = encoder.forward(request({ batch: 1, sequence: 4 }));
  encoder.dispose();
  encoder.dispose();
  expect(await running).toEqual({ ...expected, running_ms: expect.any(Number) });
  await expect(encoder.forward(request({ batch: 1, sequence: 4 }))).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
  await expect(encoder.readParameter('embeddings.word')).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});
