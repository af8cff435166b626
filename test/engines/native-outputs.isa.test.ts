import { describe, expect, test } from 'vitest';
import type { ForwardRequest, ForwardResult } from '../../lib/engines/engine.ts';
import { nativeEngine } from '../../lib/engines/native.ts';
import { headWidth } from '../../lib/engines/parameters.ts';
import { referenceEngine } from '../../lib/engines/reference/index.ts';
import { type EncoderSpecification, longestSequence, poolingModes } from '../../lib/engines/specification.ts';
import { BertTokenizer } from '../../lib/index.ts';
import { randomRequest, randomSpecification } from './random-specification.ts';
import { nothing, randomSources } from './reference-helpers.ts';

// What the native engine makes of the last states, in specifications and requests of every kind.

const seeds = Array.from({ length: 48 }, (_, seed) => seed);

/**
 * Whether fp32 can come close to double precision. Where a later layer attends to states without a norm, scores are in the
 * hundreds, and what rounding makes of them is larger than the bar.
 */
function isStable({ layers }: EncoderSpecification): boolean {
  return layers.slice(1).every(({ attention_norm }) => attention_norm !== null);
}

async function load(seed: number) {
  const specification = randomSpecification(seed);
  const sources = randomSources(specification);
  const [native, reference] = await Promise.all([
    nativeEngine.load(specification, sources),
    referenceEngine.load(specification, sources),
  ]);
  return { specification, native, reference };
}

function expectClose(actual: Float32Array, expected: Float32Array, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  expected.forEach((value, i) => {
    if (!(Math.abs(actual[i]! - value) <= 2e-5 + 2e-5 * Math.abs(value))) {
      expect.fail(`${what}, element ${i}: ${actual[i]}; expected ${value}`);
    }
  });
}

function expectResultsClose(actual: ForwardResult, expected: ForwardResult): void {
  for (const name of ['last_hidden_state', 'pooler_output', 'pooled'] as const) {
    expect(actual[name] === undefined, name).toBe(expected[name] === undefined);
    if (expected[name] !== undefined) expectClose(actual[name]!, expected[name], name);
  }
  expect(Object.keys(actual.heads!)).toEqual(Object.keys(expected.heads!));
  for (const [name, values] of Object.entries(expected.heads!)) expectClose(actual.heads![name]!, values, name);
}

const everyThird = ({ batch, sequence }: ForwardRequest) =>
  Int32Array.from({ length: batch * sequence }, (_, i) => i).filter((i) => i % 3 === 1);

describe('agrees with the reference engine', () => {
  test.each(seeds.filter((seed) => isStable(randomSpecification(seed))))('%d', async (seed) => {
    const { specification, native, reference } = await load(seed);
    for (const masked_positions of ['compute', 'skip'] as const) {
      const request = { ...randomRequest(specification, seed), masked_positions };
      for (const head_positions of [null, everyThird(request), new Int32Array(0)]) {
        const outputs = { ...request.outputs, hidden_states: false, attentions: false, head_positions };
        const asked = { ...request, outputs };
        expectResultsClose(await native.forward(asked), await reference.forward(asked));
      }
    }
    native.dispose();
  });
});

describe('what is not asked for changes no bit', () => {
  test.each(seeds.slice(0, 24))('%d', async (seed) => {
    const { specification, native } = await load(seed);
    const request = randomRequest(specification, seed);
    const all = await native.forward(request);
    const { pooled, pooling_skip } = request.outputs;
    const run = (outputs: Partial<ForwardRequest['outputs']>) =>
      native.forward({ ...request, outputs: { ...nothing, pooling_skip, ...outputs } });
    expect((await run({ pooled })).pooled).toEqual(all.pooled);
    const heads = (await run({ heads: true })).heads!;
    expect(heads).toEqual(all.heads);
    const head_positions = everyThird(request);
    const some = (await run({ heads: true, head_positions })).heads!;
    for (const head of specification.heads) {
      const N = headWidth(head, specification);
      const expected = Array.from(head_positions, (i) => [
        ...all.heads![head.name]!.subarray(i * N, (i + 1) * N),
      ]).flat();
      expect([...some[head.name]!]).toEqual(head.input.kind === 'tokens' ? expected : [...all.heads![head.name]!]);
    }
    for (const mode of poolingModes) {
      const single = (await run({ pooled: { modes: [mode, mode], normalize: false } })).pooled!;
      const H = specification.hidden_size;
      for (let b = 0; b < request.batch; b++) {
        expect(single.slice(2 * b * H, (2 * b + 1) * H)).toEqual(single.slice((2 * b + 1) * H, (2 * b + 2) * H));
      }
    }
    native.dispose();
  });
});

describe('rows of tokens', () => {
  const order = [3, 0, 3, 2, 1];
  const vocab = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...'abcde'];

  /** Rows of different lengths, and the same padded to the longest. */
  async function rowsOf(specification: EncoderSpecification) {
    const rows = await new BertTokenizer({ vocab }).encode_rows(['a', 'b c d', '', 'a b']);
    const sequence = Math.max(...rows.lengths);
    expect(sequence).toBeLessThanOrEqual(longestSequence(specification));
    const padded = { input_ids: [] as number[], attention_mask: [] as number[] };
    for (const row of order) {
      const ids = [...rows.ids(row)];
      const padding = new Array<number>(sequence - ids.length).fill(0);
      padded.input_ids.push(...ids, ...padding);
      padded.attention_mask.push(...ids.map(() => 1), ...padding);
    }
    const columns = padded.attention_mask.flatMap((kept, i) => (kept === 1 ? [i] : []));
    const base = { ...randomRequest(specification, 0), batch: order.length, sequence, inputs_embeds: null };
    const shared = { ...base, position_ids: null, token_type_ids: null, masked_positions: 'skip' as const };
    const given = { ...shared, input_ids: null, attention_mask: null };
    return {
      columns,
      packed: { ...given, token_rows: { handle: rows.handle, rows: Int32Array.from(order) } },
      padded: {
        ...shared,
        input_ids: Int32Array.from(padded.input_ids),
        attention_mask: Uint8Array.from(padded.attention_mask),
      },
    };
  }

  const pick = (values: Float32Array, width: number, rows: Iterable<number>) =>
    Array.from(rows, (row) => [...values.subarray(row * width, (row + 1) * width)]).flat();

  test.each([0, 3, 7, 11])('come back to back, %d', async (seed) => {
    const { specification, native } = await load(seed);
    const { columns, packed, padded } = await rowsOf(specification);
    const outputs = {
      ...nothing,
      last_hidden_state: true,
      heads: true,
      pooled: { modes: poolingModes, normalize: false },
    };
    const expected = await native.forward({ ...padded, outputs });
    const actual = await native.forward({ ...packed, outputs });
    expect(actual.pooled).toEqual(expected.pooled);
    const H = specification.hidden_size;
    expect([...actual.last_hidden_state!]).toEqual(pick(expected.last_hidden_state!, H, columns));
    const head_positions = Int32Array.of(1, 2, 5, columns.length - 1);
    const some = await native.forward({ ...packed, outputs: { ...outputs, head_positions } });
    for (const head of specification.heads) {
      const N = headWidth(head, specification);
      const over = head.input.kind === 'tokens';
      const all = expected.heads![head.name]!;
      const wanted = Array.from(head_positions, (i) => columns[i]!);
      expect([...actual.heads![head.name]!]).toEqual(over ? pick(all, N, columns) : [...all]);
      expect([...some.heads![head.name]!]).toEqual(over ? pick(all, N, wanted) : [...all]);
    }
  });

  test('hidden states and positions beyond the rows are refused', async () => {
    const { specification, native } = await load(0);
    const { columns, packed } = await rowsOf(specification);
    const run = (outputs: Partial<ForwardRequest['outputs']>) =>
      native.forward({ ...packed, outputs: { ...nothing, ...outputs } });
    await expect(run({ hidden_states: true })).rejects.toThrow('outputs.hidden_states: expected false');
    const head_positions = Int32Array.of(0, columns.length);
    await expect(run({ heads: true, head_positions })).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('outputs.head_positions[1]: expected ascending numbers below'),
    });
  });
});

test('a head goes to shared memory of the caller', async () => {
  const { specification, native } = await load(1);
  const request = { ...randomRequest(specification, 1), outputs: { ...nothing, heads: true } };
  const { name } = specification.heads[0]!;
  const expected = (await native.forward(request)).heads![name]!;
  const own = new Float32Array(new SharedArrayBuffer(expected.byteLength));
  const { heads } = await native.forward({ ...request, out: { [name]: own } });
  expect(heads![name]).toBe(own);
  expect([...own]).toEqual([...expected]);
  await expect(native.forward({ ...request, out: { [name]: own.subarray(1) } })).rejects.toThrow(`out.${name}`);
});

test.each([[[2, 2]], [[3, 1]], [[-1]], [[1_000]]])('positions %j are refused', async (positions) => {
  const { specification, native } = await load(0);
  const outputs = { ...nothing, heads: true, head_positions: Int32Array.from(positions) };
  await expect(native.forward({ ...randomRequest(specification, 0), outputs })).rejects.toMatchObject({
    code: 'ERR_OPTION',
  });
});
