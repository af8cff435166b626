import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { BertForSequenceClassification, type LabelScore, TextClassificationPipeline } from '../../lib/index.ts';
import { endless, Source, settle } from '../streams/support.ts';
import { until } from '../support/command-line.ts';
import { asyncly, collect, failure, fakeModel, smallConfig, tokenizerOf } from './support.ts';

const words = Array.from({ length: 50 }, (_, i) => `w${i}`);
const tokenizer = tokenizerOf(words);

/** A model that gives back how many tokens a row has, and what its first word is, after as long as `delay` says. */
function counting(delay: (rows: readonly (readonly number[])[]) => Promise<void> = async () => {}) {
  const model = fakeModel(BertForSequenceClassification, smallConfig({ num_labels: 2 }), async ({ rows }) => {
    await delay(rows);
    return { logits: rows.map((row) => [row.length, row[1]!]) };
  });
  return { model, pipe: new TextClassificationPipeline({ model, tokenizer }) };
}

const options = { top_k: null, function_to_apply: 'none' } as const;
const textOf = (i: number) => Array.from({ length: 1 + ((i * 7) % 40) }, (_, k) => words[(i + k) % 50]).join(' ');
const expected = (i: number): Record<string, number> => ({ LABEL_0: 3 + ((i * 7) % 40), LABEL_1: 5 + (i % 50) });
const asRecord = (found: LabelScore[]) => Object.fromEntries(found.map(({ label, score }) => [label, score]));

describe('order and batches', () => {
  test('results come in the order of the texts, whatever batches do', async () => {
    let call = 0;
    // Later batches are done before earlier ones.
    const { pipe, model } = counting(() => wait(call++ % 3 === 0 ? 12 : 0));
    const count = 700;
    const source = asyncly(Array.from({ length: count }, (_, i) => textOf(i)));
    const { results, error } = await collect(pipe(source, { ...options, batch_tokens: 300, window: 100 }));
    expect(error).toBeUndefined();
    expect(results.map(asRecord)).toEqual(Array.from({ length: count }, (_, i) => expected(i)));
    for (const { rows } of model.calls) {
      const longest = Math.max(...rows.map(({ length }) => length));
      expect(rows.length === 1 || rows.length * longest <= 300).toBe(true);
    }
  });

  test('an array is many items of one call', async () => {
    const { pipe } = counting();
    const texts = Array.from({ length: 300 }, (_, i) => textOf(i));
    const many = pipe(texts, { ...options, window: 32 });
    texts.length = 0; // the caller's array is the caller's again
    expect((await many).map(asRecord)).toEqual(Array.from({ length: 300 }, (_, i) => expected(i)));
  });
});

describe('memory', () => {
  test('reads no further ahead than two windows', async () => {
    const { pipe } = counting();
    const source = new Source(endless());
    const stream = pipe(source, { ...options, window: 16 });
    expect(source.pulled).toBe(0);
    for (let taken = 1; taken <= 100; taken++) {
      await stream.next();
      await settle(1);
      expect(source.pulled).toBeLessThanOrEqual(taken + 2 * 16);
    }
    await stream.return();
    expect(source.closed).toBe(1);
  });

  test('tokenizes and computes one window while the other is handed out', async () => {
    let release: () => void = () => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { pipe, model } = counting(() => blocked);
    const source = new Source(endless());
    const stream = pipe(source, { ...options, window: 8 });
    const first = stream.next();
    await until(() => source.pulled === 16 && model.calls.length > 0, 'two windows and a call');
    await settle();
    expect(source.pulled).toBe(16);
    release();
    expect((await first).done).toBe(false);
    await stream.return();
  });

  test('a source that pauses does not hold results back', async () => {
    const { pipe } = counting();
    let resume: () => void = () => {};
    const resumed = new Promise<void>((resolve) => {
      resume = resolve;
    });
    async function* paused() {
      yield textOf(0);
      yield textOf(1);
      await resumed;
      yield textOf(2);
    }
    const stream = pipe(paused(), options);
    expect(asRecord((await stream.next()).value as LabelScore[])).toEqual(expected(0));
    expect(asRecord((await stream.next()).value as LabelScore[])).toEqual(expected(1));
    const third = stream.next();
    await settle(5);
    resume();
    expect(asRecord((await third).value as LabelScore[])).toEqual(expected(2));
    expect((await stream.next()).done).toBe(true);
  });
});

describe('ends', () => {
  const never = () => new Promise<void>(() => {});

  test('an abort rejects at once, also while the model works', async () => {
    const { pipe } = counting(never);
    for (const call of [
      (signal: AbortSignal) => pipe('w1', { signal }),
      (signal: AbortSignal) => pipe(['w1', 'w2'], { signal }),
      (signal: AbortSignal) => pipe(asyncly(['w1', 'w2']), { signal }).next(),
    ]) {
      const controller = new AbortController();
      const result = call(controller.signal);
      await settle(3);
      controller.abort('enough');
      await expect(result).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
      await expect(call(AbortSignal.abort('before'))).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'before' });
    }
  });

  test('an abort closes the source', async () => {
    const { pipe } = counting(never);
    const controller = new AbortController();
    const source = new Source(endless());
    const ended = collect(pipe(source, { signal: controller.signal }));
    await settle(3);
    controller.abort();
    expect((await ended).error).toMatchObject({ code: 'ERR_ABORTED' });
    await until(() => source.closed > 0, 'the end of the source');
    expect(source.closed).toBe(1);
  });

  test('leaving the loop stops the work', async () => {
    const { pipe, model } = counting();
    const source = new Source(endless());
    for await (const _ of pipe(source, { ...options, window: 4 })) break;
    expect(source.closed).toBe(1);
    const { length } = model.calls;
    await settle(5);
    expect(model.calls.length - length).toBeLessThanOrEqual(4);
  });

  test('what the source throws comes after the results before it', async () => {
    const { pipe } = counting();
    async function* failing() {
      yield textOf(0);
      yield textOf(1);
      throw new Error('the disk is gone');
    }
    const { results, error } = await collect(pipe(failing(), options));
    expect(results.map(asRecord)).toEqual([expected(0), expected(1)]);
    expect((error as Error).message).toBe('the disk is gone');
  });

  test('what the model throws comes in its place', async () => {
    const { pipe } = counting(async (rows) => {
      if (rows.some((row) => row.length === expected(3).LABEL_0)) throw new Error('no');
    });
    const { results, error } = await collect(
      pipe(asyncly([0, 1, 2, 3, 4].map(textOf)), { ...options, batch_tokens: 1 }),
    );
    expect(results.map(asRecord)).toEqual([0, 1, 2].map(expected));
    expect((error as Error).message).toBe('no');
  });

  test('an item that is no text, by its number', async () => {
    const { pipe } = counting();
    const { results, error } = await collect(pipe(asyncly(['w1', 'w2', 3 as never])));
    expect(results).toHaveLength(2);
    expect(error).toMatchObject(failure('ERR_OPTION', /texts\[2\] is 3/));
    const mixed = await collect(pipe(asyncly(['w1', { text: 'w1', text_pair: 'w2' } as never])));
    expect(mixed.error).toMatchObject(failure('ERR_OPTION', /texts\[1\] is a pair of texts and texts\[0\] a string/));
  });
});
