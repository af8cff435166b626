import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type EncoderModel, embedStream, env, type PreTrainedTokenizer } from '../../lib/index.ts';
import { planBatches } from '../../lib/streams/batches.ts';
import { until } from '../support/command-line.ts';
import { endless, load, manyTexts, Source, settle } from './support.ts';

let model: EncoderModel;
let tokenizer: PreTrainedTokenizer;

beforeAll(async () => {
  ({ model, tokenizer } = await load());
});
afterAll(() => model.dispose());

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));
afterEach(async () => {
  await settle(2);
  expect(unhandled.splice(0)).toEqual([]);
});

/** Another face of the model whose `embed` is replaced. */
function withEmbed(embed: EncoderModel['embed']): EncoderModel {
  return new Proxy(model, { get: (target, name) => (name === 'embed' ? embed : Reflect.get(target, name, target)) });
}

/** What came out, and what ended it. */
async function collect<T>(stream: AsyncIterable<T>): Promise<{ results: T[]; error: unknown }> {
  const results: T[] = [];
  try {
    for await (const result of stream) results.push(result);
    return { results, error: undefined };
  } catch (error) {
    return { results, error };
  }
}

async function alone(text: string, options = {}): Promise<Float32Array> {
  return (await model.embed(tokenizer(text, { truncation: true }), options)).data;
}

async function* failingAfter(count: number, error: unknown): AsyncGenerator<string> {
  for (let i = 0; i < count; i++) yield `the movie ${i}`;
  throw error;
}

describe('vectors', () => {
  const texts = manyTexts(150);

  test.each([
    ['as it comes', {}],
    ['tiny batches', { batch_tokens: 1 }],
    ['small windows', { window: 7, batch_tokens: 64 }],
    ['pooled and normalized', { pooling: 'cls', normalize: true }],
  ] as const)('in order and with the bits of a text alone: %s', async (_, options) => {
    const { results, error } = await collect(embedStream(texts, { model, tokenizer, ...options }));
    expect(error).toBeUndefined();
    expect(results.length).toBe(texts.length);
    for (const [i, vector] of results.entries()) {
      const expected = await alone(texts[i]!, {
        pooling: 'mean',
        ...options,
        window: undefined,
        batch_tokens: undefined,
      });
      expect(Buffer.from(vector.buffer).equals(Buffer.from(expected.buffer)), `text ${i}`).toBe(true);
    }
  });

  test('each in memory of its own', async () => {
    const { results } = await collect(embedStream(['a', 'b', 'c'], { model, tokenizer }));
    for (const { buffer, byteLength } of results) expect(buffer.byteLength).toBe(byteLength);
    expect(new Set(results.map(({ buffer }) => buffer)).size).toBe(3);
  });

  test('of no texts: none', async () => {
    expect(await collect(embedStream([], { model, tokenizer }))).toEqual({ results: [], error: undefined });
  });

  test('from every kind of source', async () => {
    async function* generator() {
      yield* ['good', 'movie'];
    }
    const expected = [await alone('good'), await alone('movie')];
    for (const source of [
      ['good', 'movie'],
      new Set(['good', 'movie']),
      generator(),
      Readable.from(['good', 'movie']),
    ]) {
      expect((await collect(embedStream(source, { model, tokenizer }))).results).toEqual(expected);
    }
  });

  test('with their items, tokens and whether they were cut', async () => {
    const items = texts.slice(0, 60).map((body, id) => ({ id, body }));
    const max_length = 9;
    const stream = embedStream(items, { model, tokenizer, max_length, window: 16, text: ({ body }) => body });
    const { results } = await collect(stream);
    expect(results.map(({ item }) => item)).toEqual(items);
    let cut = 0;
    for (const { item, vector, tokens, truncated } of results) {
      const whole = tokenizer(item.body, { return_tensor: false }).input_ids as number[];
      expect(truncated, item.body).toBe(whole.length > max_length);
      expect(tokens).toBe(Math.min(whole.length, max_length));
      const features = tokenizer(item.body, { truncation: true, max_length });
      expect(vector).toEqual((await model.embed(features)).data);
      if (truncated) cut++;
    }
    expect(cut).toBeGreaterThan(10);
    expect(cut).toBeLessThan(50);
  });

  test('of texts that are cut on the left', async () => {
    tokenizer.truncation_side = 'left';
    try {
      const text = 'good movie not the good 한국 movie';
      const items = embedStream([text, 'good'], { model, tokenizer, max_length: 5, text: (item) => item });
      const { results } = await collect(items);
      expect(results.map(({ truncated }) => truncated)).toEqual([true, false]);
      const features = tokenizer(text, { truncation: true, max_length: 5 });
      expect(results[0]!.vector).toEqual((await model.embed(features)).data);
    } finally {
      tokenizer.truncation_side = 'right';
    }
  });

  test('of texts longer than the model takes, cut to what it takes', async () => {
    const positions = (model.config as unknown as { max_position_embeddings: number }).max_position_embeddings;
    const limit = Math.min(positions, tokenizer.model_max_length);
    const text = 'movie '.repeat(2 * positions);
    const items = embedStream([text], { model, tokenizer, text: (item) => item });
    const { results } = await collect(items);
    expect(results[0]).toMatchObject({ tokens: limit, truncated: true });
  });
});

describe('batches', () => {
  test('hold every row once, at most so many padded tokens, and are sorted inside runs only', () => {
    const lengths = manyTexts(300).map((text) => text.length + 2);
    const batches = planBatches(lengths, 200);
    expect(batches.flat().toSorted((a, b) => a - b)).toEqual([...lengths.keys()]);
    for (const batch of batches) {
      const longest = Math.max(...batch.map((row) => lengths[row]!));
      expect(batch.length === 1 || batch.length * longest <= 200, String(batch)).toBe(true);
    }
    const average = batches.flat().length / batches.length;
    expect(average).toBeGreaterThan(1);
    // The first rows come first: what is handed out in order must not wait for the whole window.
    const last = Math.max(...batches.slice(0, batches.length / 2).flat());
    expect(last).toBeLessThan(0.75 * lengths.length);
  });
});

describe('reading ahead', () => {
  test('is bounded, and stands still while nobody reads', async () => {
    const source = new Source(endless());
    const stream = embedStream(source, { model, tokenizer, window: 8 });
    await settle(5);
    expect(source.pulled).toBe(0);
    let most = 0;
    for (let delivered = 0; delivered < 100; delivered++) {
      await stream.next();
      // While one window is handed out, the next is read.
      if (delivered % 10 === 0) await until(() => source.pulled === 8 * (Math.floor(delivered / 8) + 2), 'a window');
      most = Math.max(most, source.pulled - delivered);
    }
    expect(most).toBe(2 * 8);
    await until(() => source.pulled === 112, 'the window behind the one with number 100');
    await settle();
    expect(source.pulled).toBe(112);
    await stream.return();
  });

  test('counts characters too', async () => {
    let pulled = 0;
    function* large() {
      for (;;) {
        pulled++;
        yield 'x '.repeat(1 << 20);
      }
    }
    const stream = embedStream(large(), { model, tokenizer });
    await stream.next();
    await settle();
    expect(pulled).toBeLessThanOrEqual(4);
    await stream.return();
  });

  test('never has more than four batches in the model', async () => {
    let [running, most] = [0, 0];
    const embed: EncoderModel['embed'] = async (...args) => {
      most = Math.max(most, ++running);
      await wait(1);
      return model.embed(...args).finally(() => running--);
    };
    await collect(embedStream(manyTexts(100), { model: withEmbed(embed), tokenizer, batch_tokens: 32 }));
    expect(most).toBe(4);
  });

  test('does not hold back vectors of a source that pauses', async () => {
    const said: string[] = [];
    const more = new EventEmitter();
    async function* conversation() {
      for (;;) {
        while (said.length === 0) await once(more, 'text');
        yield said.shift()!;
      }
    }
    const say = (text: string) => {
      said.push(text);
      more.emit('text');
    };
    const stream = embedStream(conversation(), { model, tokenizer });
    for (const text of ['good', 'movie', '']) {
      const answer = stream.next();
      await settle(2);
      say(text);
      expect((await answer).value).toEqual(await alone(text));
    }
    say('');
    await stream.return();
  });
});

describe('leaving early', () => {
  test('closes the source, and asks the model for nothing more', async () => {
    const source = new Source(endless());
    let calls = 0;
    const embed: EncoderModel['embed'] = (...args) => {
      calls++;
      return model.embed(...args);
    };
    let seen = 0;
    for await (const _ of embedStream(source, { model: withEmbed(embed), tokenizer, window: 8, batch_tokens: 10 })) {
      if (++seen === 3) break;
    }
    const { pulled } = source;
    const callsThen = calls;
    await settle();
    expect(source.closed).toBe(1);
    expect(source.pulled).toBe(pulled);
    expect(calls).toBe(callsThen);
  });

  test('does not wait for a source that is silent', async () => {
    const source = new Readable({ objectMode: true, read() {} });
    source.push('good');
    for await (const vector of embedStream(source, { model, tokenizer })) {
      expect(vector).toEqual(await alone('good'));
      break;
    }
    expect(source.destroyed).toBe(true);
  });

  test('reports what closing the source throws', async () => {
    const source = new Source(endless());
    const iterator = source[Symbol.asyncIterator]();
    const failing = {
      next: () => iterator.next(),
      return: () => Promise.reject(new Error('cannot close')),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
    const stream = embedStream(failing, { model, tokenizer, window: 2 });
    await stream.next();
    await settle();
    await expect(stream.return()).rejects.toThrow('cannot close');
  });
});

describe('errors come after the vectors before them', () => {
  test.each([0, 1, 8, 13])('of the source, after %i texts', async (count) => {
    const failure = new Error('the source broke');
    const { results, error } = await collect(
      embedStream(failingAfter(count, failure), { model, tokenizer, window: 8 }),
    );
    expect(results.length).toBe(count);
    expect(error).toBe(failure);
  });

  test('of an item that is no string, by its index', async () => {
    const source = new Source<unknown>(['a', 'b', 'c', 7, 'd']);
    const { results, error } = await collect(
      embedStream(source as AsyncIterable<string>, { model, tokenizer, window: 2 }),
    );
    expect(results.length).toBe(3);
    expect(error).toMatchObject({ code: 'ERR_OPTION', message: 'texts[3] is 7: expected a string' });
    expect(source.closed).toBe(1);
  });

  test('of the function that gives the text', async () => {
    const text = (item: string) => {
      if (item === 'b') throw new TypeError('no text');
      return item;
    };
    const { results, error } = await collect(embedStream(['a', 'b'], { model, tokenizer, text }));
    expect(results.length).toBe(1);
    expect(error).toEqual(new TypeError('no text'));
  });

  test('of the model', async () => {
    const source = new Source(endless());
    let calls = 0;
    const embed: EncoderModel['embed'] = async (...args) => {
      if (++calls === 4) throw new Error('the model broke');
      return model.embed(...args);
    };
    const stream = embedStream(source, { model: withEmbed(embed), tokenizer, window: 2 });
    const { results, error } = await collect(stream);
    expect(error).toMatchObject({ message: 'the model broke' });
    expect(results.length).toBe(6);
    expect(source.closed).toBe(1);
  });

  test('of a model that was disposed', async () => {
    const { model: other } = await load();
    const stream = embedStream(endless(), { model: other, tokenizer });
    await stream.next();
    other.dispose();
    const { results, error } = await collect(stream);
    expect(error).toMatchObject({ code: 'ERR_DISPOSED' });
    expect(results.length).toBeLessThan(3 * 1024);
  });

  test('and end the stream', async () => {
    const stream = embedStream(failingAfter(0, new Error('once')), { model, tokenizer });
    await expect(stream.next()).rejects.toThrow('once');
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});

describe('abort', () => {
  test('before the start', async () => {
    const source = new Source(endless());
    const stream = embedStream(source, { model, tokenizer, signal: AbortSignal.abort('enough') });
    const { results, error } = await collect(stream);
    expect(results).toEqual([]);
    expect(error).toMatchObject({ name: 'BertNativeError', code: 'ERR_ABORTED', cause: 'enough' });
    expect(source.closed).toBe(1);
  });

  test('between vectors', async () => {
    const controller = new AbortController();
    const stream = embedStream(endless(), { model, tokenizer, signal: controller.signal });
    for (let i = 0; i < 5; i++) await stream.next();
    controller.abort(new Error('enough'));
    await expect(stream.next()).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: new Error('enough') });
  });

  test('while the source is silent, and while the model runs', async () => {
    const silent = new Readable({ objectMode: true, read() {} });
    const never: EncoderModel['embed'] = () => new Promise(() => {});
    for (const [texts, stuck] of [
      [silent, model],
      [['a'], withEmbed(never)],
    ] as const) {
      const controller = new AbortController();
      const next = embedStream(texts, { model: stuck, tokenizer, signal: controller.signal }).next();
      await settle(5);
      controller.abort();
      await expect(next).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    }
    expect(silent.destroyed).toBe(true);
  });

  test('reaches the model, and one signal serves many streams without a warning', async () => {
    const controller = new AbortController();
    let warnings = 0;
    process.on('warning', () => warnings++);
    const signals: unknown[] = [];
    const never: EncoderModel['embed'] = (_, options) => {
      signals.push(options?.signal);
      return new Promise(() => {});
    };
    const streams = Array.from({ length: 20 }, () =>
      embedStream(['a'], { model: withEmbed(never), tokenizer, signal: controller.signal }).next(),
    );
    await until(() => signals.length === 20, 'twenty calls');
    expect(new Set(signals)).toEqual(new Set([controller.signal]));
    controller.abort();
    for (const next of streams) await expect(next).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(warnings).toBe(0);
  });
});

test('waits for room in a queue that others have filled', async () => {
  const texts = manyTexts(60);
  const { results: expected } = await collect(embedStream(texts, { model, tokenizer }));
  env.maxQueuedTokens = 600;
  try {
    const streams = Array.from({ length: 6 }, () =>
      collect(embedStream(texts, { model, tokenizer, batch_tokens: 400 })),
    );
    for (const { results, error } of await Promise.all(streams)) {
      expect(error).toBeUndefined();
      expect(results).toEqual(expected);
    }
    // Batches are no larger than the queue; a text that is has no place in it.
    const large = await collect(embedStream(texts, { model, tokenizer, batch_tokens: 4000 }));
    expect(large).toEqual({ results: expected, error: undefined });
    env.maxQueuedTokens = 3;
    const never = await collect(embedStream(texts, { model, tokenizer }));
    expect(never.error).toMatchObject({ code: 'ERR_QUEUE_FULL' });
  } finally {
    env.maxQueuedTokens = Infinity;
  }
});

describe('mistakes in the call', () => {
  const options = () => ({ model, tokenizer });
  test.each([
    ['no model', [['a'], {}], 'model is undefined'],
    ['no tokenizer', () => [['a'], { model }], 'tokenizer is undefined'],
    ['a string for texts', () => ['text', options()], 'texts is "text"'],
    ['a number for texts', () => [7, options()], 'texts is 7'],
    ['nothing for texts', () => [undefined, options()], 'texts is undefined'],
    ['an unknown option', () => [['a'], { ...options(), batch_token: 1 }], "did you mean 'batch_tokens'?"],
    ['a window of 0', () => [['a'], { ...options(), window: 0 }], 'window is 0'],
    ['a signal that is none', () => [['a'], { ...options(), signal: {} }], 'signal is an object (Object)'],
    ['a length beyond the model', () => [['a'], { ...options(), max_length: 1e6 }], 'the model has no more positions'],
    ['a length below the special tokens', () => [['a'], { ...options(), max_length: 1 }], 'expected at least 2'],
  ])('%s', (_, args, message) => {
    const [texts, given] = typeof args === 'function' ? args() : args;
    expect(() => embedStream(texts as string[], given as never)).toThrow(message);
  });
});
