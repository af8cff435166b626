import { afterAll, describe, expect, test } from 'vitest';
import { BertConfig, BertModel, env, type ModelDtype } from '../../lib/index.ts';
import { randomRows, uniform } from '../support/random-inputs.ts';

// A sequence's result does not depend on what it ran with, on the number of threads or on the order of submission: per
// dtype and precision, each of which has kernels of its own for few rows and for many.

const config = new BertConfig({
  vocab_size: 211,
  hidden_size: 72,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  intermediate_size: 200,
  max_position_embeddings: 160,
  initializer_range: 0.1,
});
const random = uniform(11);
const lengths = [1, 2, 3, 5, 7, 8, 12, 13, 16, 17, 31, 32, 33, 64, 100, 150, 4, 9];
const rows = randomRows(random, lengths, config.vocab_size);
const threads = env.numThreads;

/** The bits of what one sequence alone gives, without padding. */
async function alone(model: BertModel, i: number) {
  const length = lengths[i]!;
  const cut = (matrix: number[][]) => [matrix[i]!.slice(0, length)];
  const { last_hidden_state, pooler_output, attentions } = await model({
    input_ids: cut(rows.input_ids),
    token_type_ids: cut(rows.token_type_ids),
    output_attentions: true,
  });
  return { states: last_hidden_state.data, pooled: pooler_output.data, attentions: attentions![2]!.data };
}

function expectBits(actual: Float32Array, expected: Float32Array, what: string): void {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  expect(actual.length, what).toBe(expected.length);
  expect(bytes(actual).equals(bytes(expected)), what).toBe(true);
}

async function expectSameBits(model: BertModel, order: readonly number[]) {
  const width = Math.max(...order.map((i) => lengths[i]!));
  const pick = (matrix: number[][]) => order.map((i) => matrix[i]!.slice(0, width));
  const inputs = {
    input_ids: pick(rows.input_ids),
    attention_mask: pick(rows.attention_mask),
    token_type_ids: pick(rows.token_type_ids),
  };
  const H = config.hidden_size;
  const { last_hidden_state, pooler_output } = await model(inputs);
  const skipped = await model({ ...inputs, masked_positions: 'skip' });
  for (const [row, i] of order.entries()) {
    const expected = await alone(model, i);
    const start = row * width * H;
    const states = (data: Float32Array) => data.slice(start, start + lengths[i]! * H);
    expectBits(states(last_hidden_state.data), expected.states, `states of sequence ${i}`);
    expectBits(states(skipped.last_hidden_state.data), expected.states, `states of sequence ${i}, masked skipped`);
    expectBits(pooler_output.data.slice(row * H, (row + 1) * H), expected.pooled, `pooled ${i}`);
  }
}

afterAll(() => {
  env.numThreads = threads;
});

const arithmetic: [dtype: ModelDtype, precision: 'highest' | 'high', threadCounts: number[]][] = [
  ['fp32', 'highest', [1, 2, 3, 5]],
  ['fp32', 'high', [1, 3]],
  ['fp16', 'highest', [1, 3]],
  ['bf16', 'highest', [1, 3]],
  ['q8', 'highest', [1, 3]],
];

describe.each(arithmetic)('same bits in %s, %s', (dtype, fp32_precision, threadCounts) => {
  const model = new BertModel(config, { seed: 7, dtype, fp32_precision });
  afterAll(() => model.dispose());

  for (const count of threadCounts) {
    test(`whatever the batch, with ${count} threads`, async () => {
      env.numThreads = count;
      const all = lengths.map((_, i) => i);
      await expectSameBits(model, all);
      await expectSameBits(model, [...all].reverse());
      await expectSameBits(model, [3, 15, 0]);
      await expectSameBits(model, [13, 13, 13]);
    });
  }

  test('between thread counts', async () => {
    const results = [];
    for (const count of [1, 2, 4]) {
      env.numThreads = count;
      results.push(await alone(model, 15));
    }
    for (const { states, pooled, attentions } of results.slice(1)) {
      expectBits(states, results[0]!.states, 'states');
      expectBits(pooled, results[0]!.pooled, 'pooled');
      expectBits(attentions, results[0]!.attentions, 'attentions');
    }
  });

  test('whatever the order in which calls are submitted', async () => {
    const expected = [];
    for (const i of [15, 0, 6, 12, 3]) expected.push((await alone(model, i)).states);
    const together = await Promise.all([15, 0, 6, 12, 3].map(async (i) => (await alone(model, i)).states));
    for (const [k, states] of together.entries()) expectBits(states, expected[k]!, `call ${k}`);
  });

  test('calls that run at once, of one row and of many, whole and pooled, small ones in between large ones', async () => {
    const [H, count] = [config.hidden_size, lengths.length];
    const inputs = { input_ids: rows.input_ids, attention_mask: rows.attention_mask };
    const one = (i: number) => ({ input_ids: [rows.input_ids[i]!.slice(0, lengths[i]!)] });
    const many = {
      input_ids: Array(12).fill(rows.input_ids).flat(),
      attention_mask: Array(12).fill(rows.attention_mask).flat(),
    };
    const mean = await model.embed(inputs);
    const max = await model.embed(inputs, { pooling: 'max', normalize: true });
    const { pooler_output } = await model(inputs);
    for (const wanted of threadCounts.slice(0, 3)) {
      env.numThreads = wanted;
      const large = [model.embed(many), model.embed(many, { pooling: 'max', normalize: true })];
      for (let round = 0; round < 4; round++) {
        const small = lengths.map((_, i) => [
          model.embed(one(i)),
          model.embed(one(i), { pooling: 'max', normalize: true }),
          model(one(i)).then((outputs) => outputs.pooler_output),
        ]);
        for (const [i, calls] of small.entries()) {
          const vectors = await Promise.all(calls);
          for (const [k, expected] of [mean, max, pooler_output].entries()) {
            expectBits(vectors[k]!.data, expected.data.slice(i * H, (i + 1) * H), `sequence ${i}`);
          }
        }
      }
      for (const [k, expected] of [mean, max].entries()) {
        const { data } = await large[k]!;
        for (let copy = 0; copy < 12; copy++) {
          const part = data.slice(copy * count * H, (copy + 1) * count * H);
          expectBits(part, expected.data, `copy ${copy}`);
        }
      }
    }
    env.numThreads = threads;
  });

  test('left padding and masked positions in the middle change no bit of what the other positions see', async () => {
    const ids = rows.input_ids[10]!.slice(0, lengths[10]);
    const position_ids = ids.map((_, i) => i);
    const plain = await model({ input_ids: [ids] });
    for (const gap of [0, 4, 20]) {
      const insert = <T>(row: T[], value: T) => [...row.slice(0, gap), value, value, value, ...row.slice(gap)];
      const { last_hidden_state } = await model({
        input_ids: [insert(ids, 0)],
        attention_mask: [
          insert(
            ids.map(() => 1),
            0,
          ),
        ],
        position_ids: [insert(position_ids, 0)],
      });
      const H = config.hidden_size;
      const kept = Float32Array.of(
        ...last_hidden_state.data.subarray(0, gap * H),
        ...last_hidden_state.data.subarray((gap + 3) * H),
      );
      expectBits(kept, plain.last_hidden_state.data, `a gap at ${gap}`);
    }
  });
});
