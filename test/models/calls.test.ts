import { channel } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { BertConfig, BertModel, BertNativeError, env } from '../../lib/index.ts';
import { randomRows, uniform } from '../support/random-inputs.ts';

// The edges of a call: memory of the caller's own, aborting, disposing, limits, and what is told about it.

const config = new BertConfig({
  vocab_size: 101,
  hidden_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 96,
  max_position_embeddings: 64,
  initializer_range: 0.2,
});
const rows = randomRows(uniform(3), [5, 9, 2], config.vocab_size);
const { input_ids, attention_mask } = rows;
const [B, S, H] = [3, 9, 48];
const shared = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length));
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('the call resolved');
    },
    (error: unknown) => error as BertNativeError,
  );

/**
 * Resolves once the engine has begun with a call after `finished` others. On the native engine no turn of the event loop
 * passes meanwhile, so no call settles however fast it is; the reference engine computes in such turns.
 */
async function begun(model: BertModel, finished: number): Promise<void> {
  if (model.engine !== 'native') return new Promise((resolve) => setImmediate(resolve));
  const isWaiting = () => {
    const { running_calls, finished_calls } = model.stats();
    return running_calls === 0 && finished_calls === finished;
  };
  for (const start = performance.now(); isWaiting() && performance.now() - start < 60_000; );
  expect(isWaiting()).toBe(false);
}

/** Enough work that the engine needs a while for it. */
const many = (count: number) => ({ input_ids: Array.from({ length: count }, (_, i) => Array(60).fill(i % 100)) });
const much = many(600);

for (const engine of ['native', 'reference'] as const) {
  describe(`${engine}: out`, () => {
    const model = new BertModel(config, { engine, seed: 1 });

    test('shared memory and plain arrays get what a call returns otherwise', async () => {
      const expected = await model({ input_ids, attention_mask, masked_positions: 'skip' });
      const states = shared(B * S * H).fill(7); // what is not shown must become zero
      const pooled = new Float32Array(B * H).fill(7);
      const out = { last_hidden_state: states, pooler_output: pooled };
      const outputs = await model({ input_ids, attention_mask, masked_positions: 'skip', out });
      expect(outputs.last_hidden_state.data).toBe(states);
      expect(outputs.pooler_output.data).toBe(pooled);
      expect(outputs.last_hidden_state.dims).toEqual([B, S, H]);
      expect([...states]).toEqual([...expected.last_hidden_state.data]);
      expect(pooled).toEqual(expected.pooler_output.data);
    });

    test.each(['mean', 'cls', 'max', 'pooler'] as const)('embed, %s, with and without a norm of 1', async (pooling) => {
      for (const normalize of [false, true]) {
        const expected = await model.embed({ input_ids, attention_mask }, { pooling, normalize });
        for (const out of [
          shared(B * H),
          new Float32Array(B * H),
          new Float32Array(B * H + 9).subarray(5, 5 + B * H),
        ]) {
          const vectors = await model.embed({ input_ids, attention_mask }, { pooling, normalize, out });
          expect(vectors.data).toBe(out);
          expect(vectors.dims).toEqual([B, H]);
          expect([...out]).toEqual([...expected.data]);
        }
      }
    });

    test('is refused where it does not fit', async () => {
      const call = (out: unknown) => failure(model({ input_ids, out: out as never }));
      const short = await call({ pooler_output: new Float32Array(5) });
      expect(short.code).toBe('ERR_SHAPE');
      expect(short.message).toContain(`out.pooler_output has 5 elements: expected ${B * H}`);
      const misspelled = await call({ pooler_ouput: new Float32Array(B * H) });
      expect(misspelled.code).toBe('ERR_OPTION');
      expect(misspelled.message).toContain("did you mean 'pooler_output'");
      expect((await call({ pooler_output: new Float64Array(B * H) })).code).toBe('ERR_OPTION');
      expect((await call({ hidden_states: new Float32Array(1) })).code).toBe('ERR_OPTION');
      expect((await call(7)).message).toContain('out is 7: expected an object of Float32Arrays');
    });

    test('a plain array that is detached or resized meanwhile is an error, not a crash', async () => {
      const detached = new Float32Array(B * H);
      const first = failure(model.embed({ input_ids }, { out: detached }));
      structuredClone(detached, { transfer: [detached.buffer] });
      const error = await first;
      expect(error.code).toBe('ERR_SHAPE');
      expect(error.message).toContain('detached or resized');

      // The language level that the library is checked with knows no resizable buffers yet; Node 20 does.
      const Resizable = ArrayBuffer as unknown as new (
        size: number,
        options: object,
      ) => ArrayBuffer & { resize(size: number): void };
      const buffer = new Resizable(4 * B * H, { maxByteLength: 8 * B * H });
      const resized = new Float32Array(buffer);
      const second = failure(model.embed({ input_ids }, { out: resized }));
      buffer.resize(4);
      expect((await second).code).toBe('ERR_SHAPE');
      // Inputs are copied at the call.
      const ids = new Int32Array(B * S).fill(4);
      const third = model.embed({ input_ids: { data: ids, dims: [B, S] } });
      structuredClone(ids, { transfer: [ids.buffer] });
      expect((await third).data).toEqual((await model.embed({ input_ids: Array(B).fill(Array(S).fill(4)) })).data);
    });

    test('outputs can be transferred, and belong to the caller', async () => {
      const { last_hidden_state } = await model({ input_ids });
      const copy = last_hidden_state.data.slice();
      const moved = structuredClone(last_hidden_state.data, {
        transfer: [last_hidden_state.data.buffer as ArrayBuffer],
      });
      expect(moved).toEqual(copy);
      expect(last_hidden_state.data.length).toBe(0);
    });
  });

  describe(`${engine}: signal`, () => {
    const model = new BertModel(config, { engine, seed: 1 });

    test('a signal that has aborted already', async () => {
      const reason = new Error('too late');
      for (const call of [
        model({ input_ids, signal: AbortSignal.abort(reason) }),
        model.embed({ input_ids }, { signal: AbortSignal.abort(reason) }),
        model.embed({ input_ids, signal: AbortSignal.abort(reason) }),
      ]) {
        const error = await failure(call);
        expect(error).toBeInstanceOf(BertNativeError);
        expect(error.code).toBe('ERR_ABORTED');
        expect(error.cause).toBe(reason);
      }
    });

    test('waiting and running calls reject at once; their mates are right', async () => {
      const expected = await model.embed({ input_ids, attention_mask });
      const controller = new AbortController();
      const { signal } = controller;
      const size = engine === 'native' ? 3000 : 30;
      const whole = model(many(size));
      const doomed = [model.embed(many(size), { signal }), model({ ...many(size), signal })];
      const mate = model.embed({ input_ids, attention_mask }, { signal: new AbortController().signal });
      await begun(model, 1);
      controller.abort('enough');
      for (const error of await Promise.all(doomed.map(failure))) {
        expect(error.code).toBe('ERR_ABORTED');
        expect(error.cause).toBe('enough');
      }
      expect((await mate).data).toEqual(expected.data);
      expect((await whole).pooler_output.dims).toEqual([size, H]);
      expect(model.stats()).toMatchObject({ queued_calls: 0, running_calls: 0, queued_tokens: 0 });
    });

    test('one signal for many calls neither leaks nor warns', async () => {
      const controller = new AbortController();
      const warnings: Error[] = [];
      const listen = (warning: Error) => warnings.push(warning);
      process.on('warning', listen);
      await Promise.all(Array.from({ length: 40 }, () => model.embed({ input_ids }, { signal: controller.signal })));
      await new Promise((resolve) => setImmediate(resolve));
      process.off('warning', listen);
      expect(warnings).toEqual([]);
      // Node keeps composite signals alive as long as they have a listener.
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
      controller.abort(); // after all of them: nothing happens
      expect(model.stats().running_calls).toBe(0);
    });

    test('what is no signal is refused', async () => {
      const error = await failure(model({ input_ids, signal: 'stop' as never }));
      expect(error.code).toBe('ERR_OPTION');
      expect(error.message).toContain('signal is "stop": expected an AbortSignal');
    });

    test('while the weights of a new model are still being made', async () => {
      const fresh = new BertModel(config, { engine, seed: 99 });
      const controller = new AbortController();
      const call = failure(fresh.embed({ input_ids }, { signal: controller.signal }));
      controller.abort();
      expect((await call).code).toBe('ERR_ABORTED');
      fresh.dispose();
    });
  });

  describe(`${engine}: dispose`, () => {
    test('calls in flight are completed, later ones refused', async () => {
      const model = new BertModel(config, { engine, seed: 1 });
      const expected = await model.embed({ input_ids });
      const calls = Array.from({ length: 5 }, () => model.embed({ input_ids }));
      model.dispose();
      for (const vectors of await Promise.all(calls)) expect(vectors.data).toEqual(expected.data);
      expect((await failure(model.embed({ input_ids }))).code).toBe('ERR_DISPOSED');
      model.dispose();
      expect(model.stats().memory.weights_size_bytes).toBe(0);
    });
  });

  describe(`${engine}: stats and diagnostics`, () => {
    test('stats count calls and tokens', async () => {
      const model = new BertModel(config, { engine, seed: 1 });
      expect(model.stats()).toMatchObject({ finished_calls: 0, computed_tokens: 0, memory: { weights_size_bytes: 0 } });
      await model.embed({ input_ids, attention_mask });
      await model({ input_ids });
      const stats = model.stats();
      expect(stats).toMatchObject({ queued_calls: 0, running_calls: 0, queued_tokens: 0, finished_calls: 2 });
      expect(stats.computed_tokens).toBe(5 + 9 + 2 + B * S);
      expect(stats.memory.weights_size_bytes).toBeGreaterThan(4 * 101 * 48);
      expect(stats.threads).toBe(engine === 'native' ? env.numThreads : 1);
      model.dispose();
    });

    test('a call counts at once, so that whoever sheds load by it sees his own calls', async () => {
      const model = new BertModel(config, { engine, seed: 1 });
      await model.embed({ input_ids });
      const controller = new AbortController();
      const call = failure(model.embed(much, { signal: controller.signal }));
      const { queued_calls, running_calls, finished_calls } = model.stats();
      // One was finished before. A fast engine may be done with this one by now, too.
      expect(queued_calls + running_calls + finished_calls).toBe(2);
      controller.abort();
      await call;
      model.dispose();
    });

    test('subscribers hear of every call', async () => {
      const model = new BertModel(config, { engine, seed: 1 });
      const heard: [string, Record<string, unknown>][] = [];
      const names = ['start', 'asyncEnd', 'error'];
      const listeners = names.map((name) => (message: unknown) => heard.push([name, { ...(message as object) }]));
      const channels = names.map((name) => channel(`tracing:bert-native:forward:${name}`));
      channels.forEach((each, i) => {
        each.subscribe(listeners[i]!);
      });
      await model.embed({ input_ids });
      const controller = new AbortController();
      const aborted = failure(model.embed(much, { signal: controller.signal }));
      controller.abort();
      const error = await aborted;
      channels.forEach((each, i) => {
        each.unsubscribe(listeners[i]!);
      });
      expect(heard[0]).toEqual([
        'start',
        { model_type: 'bert', engine, dtype: 'fp32', execution_providers: ['cpu'], batch: B, sequence: S },
      ]);
      const [name, { result }] = heard[1]!;
      expect(name).toBe('asyncEnd');
      expect(result).toMatchObject({ queued_ms: expect.any(Number), running_ms: expect.any(Number) });
      expect(heard[2]![0]).toBe('start');
      expect(heard[3]).toEqual(['error', expect.objectContaining({ batch: 600, error })]);
      model.dispose();
    });
  });
}

describe('env.maxQueuedTokens', () => {
  afterEach(() => {
    env.maxQueuedTokens = Number.POSITIVE_INFINITY;
  });

  const full = { code: 'ERR_QUEUE_FULL', message: expect.stringContaining('env.maxQueuedTokens') };

  test('what would wait beyond it is refused, what is accepted is computed', async () => {
    const model = new BertModel(config, { seed: 1 });
    const expected = await model.embed({ input_ids });
    env.maxQueuedTokens = 200;
    expect(env.maxQueuedTokens).toBe(200);
    const results = await Promise.allSettled(Array.from({ length: 400 }, () => model.embed({ input_ids })));
    // How many are refused depends on how fast the engine takes them; the first never is.
    expect(results[0]!.status).toBe('fulfilled');
    for (const result of results) {
      if (result.status === 'fulfilled') expect(result.value.data).toEqual(expected.data);
      else expect(result.reason).toMatchObject(full);
    }
    expect(await failure(model.embed(much))).toMatchObject(full);
    env.maxQueuedTokens = Number.POSITIVE_INFINITY;
    expect((await model.embed(much)).dims).toEqual([600, H]);
    expect(model.stats()).toMatchObject({ queued_calls: 0, queued_tokens: 0 });
    model.dispose();
  });

  test('what waits already counts', async () => {
    const model = new BertModel(config, { seed: 1 });
    await model.embed({ input_ids });
    const large = many(10_000);
    // Once is enough, unless this thread is kept from running for as long as the engine needs for the large call.
    let refused = false;
    for (let tries = 0; tries < 20 && !refused; tries++) {
      const controller = new AbortController();
      const aborted = failure(model.embed(large, { signal: controller.signal }));
      env.maxQueuedTokens = 200;
      refused = await model.embed({ input_ids }).then(
        () => false,
        (error) => {
          expect(error).toMatchObject(full);
          return true;
        },
      );
      controller.abort();
      await aborted.catch(() => {}); // where it was done before
      env.maxQueuedTokens = Number.POSITIVE_INFINITY;
    }
    expect(refused).toBe(true);
    model.dispose();
  });

  test.each([0, -1, 1.5, Number.NaN, '7'])('%s is refused', (value) => {
    expect(() => {
      env.maxQueuedTokens = value as number;
    }).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
  });
});
