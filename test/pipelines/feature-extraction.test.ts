import { join } from 'node:path';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  AutoModel,
  AutoTokenizer,
  FeatureExtractionPipeline,
  pipeline,
  SentenceSimilarityPipeline,
  SentenceTransformer,
  type Tensor,
} from '../../lib/index.ts';
import { expectClose, expectValuesClose, fixturesFolder, readCases } from '../support/fixtures.ts';
import { asyncly, collect, engine, failure, encoderFolder as folder } from './support.ts';

const extract = await pipeline('feature-extraction', folder, { engine });
const texts = ['안녕하세요', 'hello world', '영화 스토리 최악입니다. 음악만 좋았다'];

describe('goldens of the Python reference', () => {
  for (const golden of readCases(folder)) {
    const inputs = golden.texts!.map((text, i) =>
      golden.text_pairs ? { text, text_pair: golden.text_pairs[i]! } : text,
    ) as string[];
    test(golden.name, async () => {
      const { outputs } = golden;
      expectClose(await extract(inputs, { pooling: 'mean' }), outputs.mean_pooled!, 'mean');
      const normalized = await extract(inputs, { pooling: 'mean', normalize: true });
      expectClose(normalized, outputs.mean_pooled_normalized!, 'normalized');
      expectClose(await extract(inputs, { pooling: 'cls' }), outputs.cls_pooled!, 'cls');
      expectClose(await extract(inputs, { pooling: 'first_token' }), outputs.cls_pooled!, 'first_token');
      expectClose(await extract(inputs, { pooling: 'max' }), outputs.max_pooled!, 'max');
    });
  }
});

describe('without pooling', () => {
  test('every token’s state, zeros behind a text’s end', async () => {
    const states = await extract(texts);
    expectTypeOf(states).toEqualTypeOf<Tensor<'float32'>>();
    const features = extract.tokenizer(texts, { padding: true });
    const outputs = await extract.model({ ...features, masked_positions: 'skip' });
    expect(states.dims).toEqual(outputs.last_hidden_state.dims);
    expectValuesClose(states.data, outputs.last_hidden_state.data, 'states');
    const one = await extract(texts[1]!);
    expect(one.dims).toEqual([1, 4, 24]);
    expect(one.data).toEqual(states.data.subarray(states.data.length / 3, states.data.length / 3 + one.data.length));
    const unit = await extract(texts[1]!, { normalize: true });
    for (let token = 0; token < 4; token++) {
      expect(Math.hypot(...unit.data.subarray(token * 24, token * 24 + 24))).toBeCloseTo(1, 6);
    }
  });

  test('where the tokenizer pads on the left, states end together', async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(folder, { padding_side: 'left' });
    const left = await new FeatureExtractionPipeline({ model: extract.model, tokenizer })(texts);
    const right = await extract(texts);
    const [, width] = right.dims as [number, number];
    texts.forEach((_, i) => {
      const row = (tensor: Tensor<'float32'>) => tensor.data.subarray(i * width * 24, (i + 1) * width * 24);
      const tokens = row(right).reduce((last, value, k) => (value === 0 ? last : Math.floor(k / 24) + 1), 0);
      expect(row(left).subarray((width - tokens) * 24)).toEqual(row(right).subarray(0, tokens * 24));
    });
  });
});

describe('vectors', () => {
  test('last_token and eos: the state of a text’s own last token', async () => {
    const states = await extract(texts);
    const last = await extract(texts, { pooling: 'last_token' });
    const [, width] = states.dims as [number, number];
    texts.forEach((text, i) => {
      const end = (i * width + extract.tokenizer.encode(text).length) * 24;
      expectValuesClose(last.data.subarray(i * 24, (i + 1) * 24), states.data.subarray(end - 24, end), text);
    });
    expect((await extract(texts, { pooling: 'eos' })).data).toEqual(last.data);
  });

  test('packed into bits', async () => {
    const vectors = await extract(texts, { pooling: 'mean' });
    const unsigned = await extract(texts, { pooling: 'mean', quantize: true, precision: 'ubinary' });
    expectTypeOf(unsigned).toEqualTypeOf<Tensor<'uint8'>>();
    const signed = await extract(texts, { pooling: 'mean', quantize: true });
    expectTypeOf(signed).toEqualTypeOf<Tensor<'int8'>>();
    expect([unsigned.type, signed.type, unsigned.dims, signed.dims]).toEqual(['uint8', 'int8', [3, 3], [3, 3]]);
    unsigned.data.forEach((byte, i) => {
      const bits = [...vectors.data.subarray(8 * i, 8 * i + 8)].map((value) => (value > 0 ? '1' : '0')).join('');
      expect(byte).toBe(Number.parseInt(bits, 2));
      expect(signed.data[i]).toBe(byte - 128);
    });
    await expect(extract('a', { quantize: true })).rejects.toMatchObject(
      failure('ERR_OPTION', /pooling such as 'mean'/),
    );
  });

  test('of an iterable: a tensor for each, what the array’s has as rows', async () => {
    const all = await extract(texts, { pooling: 'mean' });
    const { results } = await collect(extract(asyncly(texts), { pooling: 'mean' }));
    expect(results.map(({ dims }) => dims)).toEqual([[24], [24], [24]]);
    results.forEach(({ data }, i) => {
      expect(data).toEqual(all.data.subarray(i * 24, (i + 1) * 24));
      expect(data.buffer.byteLength).toBe(96);
    });
    const states = await collect(extract(asyncly(texts)));
    expect(states.results.map(({ dims }) => dims)).toEqual(
      texts.map((text) => [extract.tokenizer.encode(text).length, 24]),
    );
  });

  test('of no texts', async () => {
    const shapes = [
      await extract([]),
      await extract([], { pooling: 'mean' }),
      await extract([], { pooling: 'mean', quantize: true }),
    ].map(({ dims, type }) => [type, ...dims]);
    expect(shapes).toEqual([
      ['float32', 0, 0, 24],
      ['float32', 0, 24],
      ['int8', 0, 3],
    ]);
  });
});

describe('folders of sentence-transformers', () => {
  for (const name of ['sentence-transformers-mean', 'sentence-transformers-cls-max-dense']) {
    describe(name, async () => {
      const own = join(fixturesFolder, name);
      const pipe = await pipeline('feature-extraction', own, { engine });
      for (const golden of readCases(own).filter((entry) => 'sentence_embedding' in entry.outputs)) {
        const { prompt_name } = golden as unknown as { prompt_name: string | null };
        if (prompt_name !== null) continue;
        test(golden.name, async () => {
          expectClose(await pipe(golden.texts!), golden.outputs.sentence_embedding!, 'own pooling');
          const named = await pipe(golden.texts!, { pooling: 'none' });
          expect(named.dims).toHaveLength(3);
        });
      }

      test('one, an iterable, none, bits, similarities', async () => {
        const sentences = await SentenceTransformer.from_pretrained(own, { engine });
        const all = await sentences.encode(texts);
        const [, size] = all.dims as [number, number];
        expect((await pipe(texts[1]!)).dims).toEqual([1, size]);
        const { results } = await collect(pipe(asyncly(texts)));
        results.forEach((vector, i) => {
          expect(vector.data).toEqual(all.data.subarray(i * size, (i + 1) * size));
        });
        expect((await pipe([])).dims).toEqual([0, size]);
        const packed = pipe(texts, { quantize: true });
        if (size % 8 === 0) expect((await packed).dims).toEqual([3, size / 8]);
        else await expect(packed).rejects.toMatchObject(failure('ERR_SHAPE', /multiple of 8/));
        await expect(pipe({ text: 'a', text_pair: 'b' })).rejects.toMatchObject(
          failure('ERR_OPTION', /takes no pairs/),
        );
        await expect(pipe('a', { max_length: 3 })).rejects.toMatchObject(failure('ERR_OPTION', /max_length is 3/));
        const compare = await pipeline('sentence-similarity', sentences);
        const expected = await sentences.similarity(await sentences.encode([texts[0]!]), await sentences.encode(texts));
        const scores = await compare(texts[0]!, texts);
        scores.forEach((score, i) => {
          expect(score).toBeCloseTo(expected.data[i]!, 5);
        });
      });
    });
  }
});

describe('sentence-similarity', () => {
  const compare = new SentenceSimilarityPipeline({ model: extract.model, tokenizer: extract.tokenizer });

  test('cosines of mean-pooled vectors, in every form of input', async () => {
    const vectors = await extract(texts, { pooling: 'mean', normalize: true });
    const row = (i: number) => [...vectors.data.subarray(i * 24, (i + 1) * 24)];
    const cosine = (i: number, j: number) => row(i).reduce((sum, value, k) => sum + value * row(j)[k]!, 0);
    const scores = await compare(texts[0]!, texts);
    expectTypeOf(scores).toEqualTypeOf<number[]>();
    scores.forEach((score, i) => {
      expect(score).toBeCloseTo(cosine(0, i), 6);
      expect(Math.abs(score)).toBeLessThanOrEqual(1);
    });
    const inputs = [
      { source_sentence: texts[0]!, sentences: texts },
      { source_sentence: texts[2]!, sentences: [] },
      { source_sentence: texts[1]!, sentences: [texts[0]!] },
    ];
    const many = await compare(inputs);
    expect(many).toEqual([scores, [], [scores[1]]]);
    expect(await compare(inputs[0]!)).toEqual(scores);
    expect((await collect(compare(asyncly(inputs)))).results).toEqual(many);
  });

  test('bad input', async () => {
    await expect(compare('a', 'b' as never)).rejects.toMatchObject(
      failure('ERR_OPTION', /sentences is "b": expected an array/),
    );
    await expect(compare('a', ['b', 1] as never)).rejects.toMatchObject(failure('ERR_OPTION', /sentences\[1\] is 1/));
    await expect(compare(['a'] as never)).rejects.toMatchObject(failure('ERR_OPTION', /inputs\[0\] is "a"/));
  });
});

test('a pipeline of a loaded model and tokenizer, disposed with it', async () => {
  const model = await AutoModel.from_pretrained(folder, { engine });
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const pipe = await pipeline('feature-extraction', model, { tokenizer });
  expect([pipe.model, pipe.tokenizer, pipe.task]).toEqual([model, tokenizer, 'feature-extraction']);
  await pipe.dispose();
  await expect(pipe('a')).rejects.toMatchObject({ code: 'ERR_DISPOSED' });
});
