import { once } from 'node:events';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedItem, type EncoderModel, embedTransform, type PreTrainedTokenizer } from '../../lib/index.ts';
import { until } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { endless, load, manyTexts, settle } from './support.ts';

let model: EncoderModel;
let tokenizer: PreTrainedTokenizer;

beforeAll(async () => {
  ({ model, tokenizer } = await load());
});
afterAll(() => model.dispose());

async function alone(text: string): Promise<Float32Array> {
  return (await model.embed(tokenizer(text, { truncation: true }))).data;
}

function collector<T>(into: T[]): Writable {
  return new Writable({
    objectMode: true,
    write(chunk, _, callback) {
      into.push(chunk);
      callback();
    },
  });
}

test('pipeline: texts in, vectors out, in order', async () => {
  const texts = manyTexts(2100);
  const vectors: Float32Array[] = [];
  const transform = embedTransform({ model, tokenizer });
  expect(transform).toBeInstanceOf(Transform);
  await pipeline(Readable.from(texts), transform, collector(vectors));
  expect(vectors.length).toBe(texts.length);
  for (const i of [0, 1, 255, 1023, 1024, 2099]) expect(vectors[i], `text ${i}`).toEqual(await alone(texts[i]!));
});

test('of a file by lines, with items', async () => {
  const path = join(temporaryFolder(), 'texts.txt');
  writeFileSync(path, 'good\nmovie\n');
  const results: EmbeddedItem<{ line: string }>[] = [];
  await pipeline(
    createInterface({ input: createReadStream(path) }),
    async function* (lines: AsyncIterable<string>) {
      for await (const line of lines) yield { line };
    },
    embedTransform<{ line: string }>({ model, tokenizer, text: ({ line }) => line }),
    collector(results),
  );
  expect(results.map(({ item }) => item.line)).toEqual(['good', 'movie']);
  expect(results[1]!.vector).toEqual(await alone('movie'));
});

test('no texts, no vectors', async () => {
  const vectors: Float32Array[] = [];
  await pipeline(Readable.from([]), embedTransform({ model, tokenizer }), collector(vectors));
  expect(vectors).toEqual([]);
});

test('answers a writer that waits for every vector', async () => {
  const transform = embedTransform({ model, tokenizer });
  for (const text of ['good', 'movie']) {
    transform.write(text);
    const [vector] = await once(transform, 'data');
    expect(vector).toEqual(await alone(text));
  }
  transform.end();
  await once(transform, 'end');
});

test('a reader that does not read stops the writer', async () => {
  let pulled = 0;
  function* counted() {
    for (const text of endless()) {
      pulled++;
      yield text;
    }
  }
  const source = Readable.from(counted());
  const transform = source.pipe(embedTransform({ model, tokenizer, window: 8 }));
  const standsStill = async () => {
    for (let before = -1; before !== pulled; ) {
      before = pulled;
      await settle(100);
    }
    return pulled;
  };
  const atFirst = await standsStill();
  const buffered = source.readableHighWaterMark + transform.writableHighWaterMark + transform.readableHighWaterMark;
  expect(atFirst).toBeGreaterThan(0);
  expect(atFirst).toBeLessThanOrEqual(buffered + 2 * 8 + 2);
  for (let i = 0; i < 40; i++) if (transform.read() === null) await once(transform, 'readable');
  await until(() => pulled > atFirst, 'more texts');
  await standsStill();
  expect(pulled).toBeLessThanOrEqual(40 + buffered + 2 * 8 + 2);
  source.unpipe();
  source.destroy();
  transform.destroy();
});

describe('errors destroy it', () => {
  test('an item that is no text', async () => {
    const vectors: Float32Array[] = [];
    const running = pipeline(
      Readable.from(['a', 'b', 7, 'c']),
      embedTransform({ model, tokenizer }),
      collector(vectors),
    );
    await expect(running).rejects.toMatchObject({ code: 'ERR_OPTION', message: 'texts[2] is 7: expected a string' });
  });

  test('the source', async () => {
    async function* broken() {
      yield 'good';
      throw new Error('the source broke');
    }
    const transform = embedTransform({ model, tokenizer });
    await expect(pipeline(broken, transform, collector([]))).rejects.toThrow('the source broke');
    expect(transform.destroyed).toBe(true);
  });

  test('its own signal', async () => {
    const controller = new AbortController();
    const transform = embedTransform({ model, tokenizer, signal: controller.signal });
    const running = pipeline(Readable.from(endless()), transform, collector([]));
    await once(transform, 'data');
    controller.abort('enough');
    await expect(running).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
  });

  test('a signal that had aborted before', async () => {
    const transform = embedTransform({ model, tokenizer, signal: AbortSignal.abort('enough') });
    const [error] = await once(transform, 'error');
    expect(error).toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
  });

  test('mistakes in the options throw at the call', () => {
    expect(() => embedTransform({ model } as never)).toThrow('tokenizer is undefined');
    expect(() => embedTransform(undefined as never)).toThrow('model is undefined');
    expect(() => embedTransform({ model, tokenizer, signal: 7 } as never)).toThrow('signal is 7');
  });
});

test('destroying it stops the work', async () => {
  const transform = embedTransform({ model, tokenizer, window: 8 });
  Readable.from(endless()).pipe(transform);
  await once(transform, 'readable');
  transform.destroy();
  await once(transform, 'close');
  expect(transform.errored).toBeNull();
});
