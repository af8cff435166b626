import { describe, expect, test } from 'vitest';
import { env, type Tensor } from '../../lib/index.ts';
import { uniform } from '../support/random-inputs.ts';
import { smallModels } from '../support/small-models.ts';

// A row's numbers do not depend on the rows beside it, nor on threads, in any family.

const lengths = [3, 17, 1, 30, 8, 24];
const random = uniform(11);
const tokens = lengths.map((length) => Array.from({ length }, () => 2 + Math.floor(random() * 50)));

/** Rows padded on the right to the longest of them. */
function padded(order: readonly number[]) {
  const width = Math.max(...order.map((row) => lengths[row]!));
  const filled = (row: number[], value: number) => [...row, ...Array<number>(width - row.length).fill(value)];
  return {
    input_ids: order.map((row) => filled(tokens[row]!, 1)),
    attention_mask: order.map((row) => filled(Array(lengths[row]).fill(1), 0)),
  };
}

/** What a model's output has for each of the rows: all numbers of those positions that are not padding. */
function ofRows({ data, dims }: Tensor<'float32'>, order: readonly number[]): Float32Array[] {
  const size = data.length / order.length;
  const perPosition = dims.length === 3 ? size / dims[1]! : null;
  return order.map((row, i) =>
    data.slice(i * size, perPosition === null ? (i + 1) * size : i * size + lengths[row]! * perPosition),
  );
}

function expectBits(actual: Float32Array, expected: Float32Array, what: string): void {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  expect(
    actual.findIndex((value, i) => !Object.is(value, expected[i])),
    `${what}: first difference`,
  ).toBe(-1);
}

const models = smallModels().filter(({ kind }) => kind === 'model' || kind === 'masked_lm');

describe.each(models.map((small) => [small.name, small] as const))('%s', (_, { modelClass: Model, config }) => {
  test('the same bits alone and in any batch, with one thread and with several', async () => {
    const threads = env.numThreads;
    const model = new Model(config, { seed: 5 });
    const all = lengths.map((_, row) => row);
    const alone = new Map<number, Record<string, Float32Array>>();
    for (const row of all) {
      const outputs = await model(padded([row]));
      alone.set(row, Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, value.data])));
    }
    for (const count of [1, 3]) {
      env.numThreads = count;
      for (const order of [all, [...all].reverse(), [3, 0], [1, 1, 4]]) {
        for (const masked_positions of ['compute', 'skip']) {
          const outputs = await model({ ...padded(order), masked_positions });
          for (const [name, value] of Object.entries(outputs)) {
            ofRows(value, order).forEach((data, i) => {
              expectBits(data, alone.get(order[i]!)![name]!, `${name} of row ${order[i]}`);
            });
          }
        }
      }
    }
    env.numThreads = threads;
    model.dispose();
  });
});
