import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  AutoModel,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  BertForSequenceClassification,
  type LabelScore,
  pipeline,
  TextClassificationPipeline,
} from '../../lib/index.ts';
import { expectValuesClose, readCases } from '../support/fixtures.ts';
import { withWarnings } from '../support/warnings.ts';
import {
  asyncly,
  collect,
  engine,
  failure,
  fakeModel,
  classifierFolder as folder,
  smallConfig,
  tokenizerOf,
} from './support.ts';

const classify = await pipeline('sentiment-analysis', folder, { engine });
const labels = ['부정', '중립', '긍정'];

interface LabelledCase {
  readonly texts: string[];
  readonly text_pairs: string[] | null;
  readonly labels: string[];
}

describe('goldens of the Python reference', () => {
  for (const golden of readCases(folder)) {
    const { texts, text_pairs, labels: best } = golden as unknown as LabelledCase;
    test(golden.name, async () => {
      const inputs = texts.map((text, i) => (text_pairs === null ? text : { text, text_pair: text_pairs[i]! }));
      const all = await classify(inputs as string[], { top_k: null });
      expect(all.map(([first]) => first!.label)).toEqual(best);
      const scores = all.flatMap((row) => labels.map((label) => row.find((entry) => entry.label === label)!.score));
      expectValuesClose(scores, golden.outputs.softmax!.data, 'scores');
      expect((await classify(inputs as string[])).map(({ label }) => label)).toEqual(best);
    });
  }
});

describe('shapes of results', () => {
  const [one, two] = ['영화 재미 있습니다', 'bad movie'] as const;

  test('as in transformers.js, by number of texts and top_k', async () => {
    const single = await classify(one);
    expectTypeOf(single).toEqualTypeOf<LabelScore[]>();
    expect(single).toEqual([{ label: expect.any(String), score: expect.any(Number) }]);
    const many = await classify([one, two]);
    expectTypeOf(many).toEqualTypeOf<LabelScore[]>();
    expect(many).toHaveLength(2);
    expect(many[0]).toEqual(single[0]);
    const ranked = await classify(one, { top_k: 2 });
    expectTypeOf(ranked).toEqualTypeOf<LabelScore[]>();
    expect(ranked).toHaveLength(2);
    expect(ranked[0]).toEqual(single[0]);
    expect(ranked[0]!.score).toBeGreaterThanOrEqual(ranked[1]!.score);
    const all = await classify([one, two], { top_k: null });
    expectTypeOf(all).toEqualTypeOf<LabelScore[][]>();
    expect(all.map((row) => row.length)).toEqual([3, 3]);
    expect(all[0]!.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 12);
    expect(await classify([one], { topk: 2 })).toEqual([ranked]);
    expect(await classify([one], { top_k: 7 })).toEqual([all[0]]);
  });

  test('of an iterable: one by one, what the array has as elements', async () => {
    const texts = [one, two, one];
    for (const options of [{}, { top_k: 2 }] as const) {
      const { results } = await collect(classify(asyncly(texts), options));
      expect(results).toEqual(await classify(texts, options));
      expect((await collect(classify(new Set(texts), options))).results).toEqual(await classify([one, two], options));
    }
  });

  test('an empty list gives an empty list', async () => {
    expect(await classify([])).toEqual([]);
    expect(await classify([], { top_k: 2 })).toEqual([]);
    expect(await collect(classify(asyncly([])))).toEqual({ results: [], error: undefined });
  });
});

describe('what logits mean', () => {
  const tokenizer = tokenizerOf(['a']);
  const logits = [0.5, -1.5, 2];
  const make = (values: object, row = logits) =>
    new TextClassificationPipeline({
      tokenizer,
      model: fakeModel(
        BertForSequenceClassification,
        smallConfig({ num_labels: row.length, ...values }),
        ({ rows }) => ({
          logits: rows.map(() => row),
        }),
      ),
    });
  const scores = async (pipe: TextClassificationPipeline, options = {}) =>
    Object.fromEntries((await pipe('a', { top_k: null, ...options })).map(({ label, score }) => [label, score]));
  const total = Math.exp(0.5) + Math.exp(-1.5) + Math.exp(2);
  const softmax = { LABEL_0: Math.exp(0.5) / total, LABEL_1: Math.exp(-1.5) / total, LABEL_2: Math.exp(2) / total };
  const sigmoid = Object.fromEntries(logits.map((value, i) => [`LABEL_${i}`, 1 / (1 + Math.exp(-value))]));
  const none = Object.fromEntries(logits.map((value, i) => [`LABEL_${i}`, value]));
  const close = (actual: object, expected: Record<string, number>) => {
    expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
    for (const [label, score] of Object.entries(expected)) expect(actual[label as never]).toBeCloseTo(score, 12);
  };

  test.each([
    [{}, softmax],
    [{ problem_type: 'single_label_classification' }, softmax],
    [{ problem_type: 'multi_label_classification' }, sigmoid],
    [{ problem_type: 'regression' }, none],
  ])('%j', async (values, expected) => {
    close(await scores(make(values)), expected);
  });

  test('a single label is one that may be true or not', async () => {
    close(await scores(make({}, [0.75])), { LABEL_0: 1 / (1 + Math.exp(-0.75)) });
    close(await scores(make({ problem_type: 'regression' }, [0.75])), { LABEL_0: 0.75 });
  });

  test('function_to_apply goes before the configuration', async () => {
    close(await scores(make({}), { function_to_apply: 'sigmoid' }), sigmoid);
    close(await scores(make({}), { function_to_apply: 'none' }), none);
    close(await scores(make({ problem_type: 'regression' }), { function_to_apply: 'softmax' }), softmax);
  });

  test('best first, equal ones in the order of the labels', async () => {
    const found = await make({}, [1, 3, 1, 3])('a', { top_k: null });
    expect(found.map(({ label }) => label)).toEqual(['LABEL_1', 'LABEL_3', 'LABEL_0', 'LABEL_2']);
    expect((await make({}, [1, 3, 1, 3])('a', { top_k: 3 })).map(({ label }) => label)).toEqual([
      'LABEL_1',
      'LABEL_3',
      'LABEL_0',
    ]);
  });
});

describe('texts that are too long', () => {
  const text = 'good movie '.repeat(40);

  test('are cut, with one warning', async () => {
    const pipe = new TextClassificationPipeline({
      task: 'a task that warns',
      model: classify.model,
      tokenizer: classify.tokenizer,
    });
    const { result, warnings } = await withWarnings(async () => [await pipe(text), await pipe(text)]);
    const limit = classify.model.max_sequence_length;
    expect(limit).toBe(32);
    expect(result[0]).toEqual(await classify('good movie '.repeat(15)));
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_TEXT_TRUNCATED']);
    expect(warnings[0]!.message).toMatch(/a task that warns: a text has more than 32 tokens/);
  });

  test('to max_length; not without truncation', async () => {
    expect(await classify(text, { max_length: 6 })).toEqual(await classify('good movie good movie'));
    await expect(classify(text, { truncation: false })).rejects.toMatchObject({ code: 'ERR_SEQUENCE_TOO_LONG' });
    await expect(classify(text, { max_length: 33 })).rejects.toMatchObject(
      failure('ERR_OPTION', /max_length is 33.*32/),
    );
    await expect(classify(text, { max_length: 1 })).rejects.toMatchObject(failure('ERR_TRUNCATION', /at least 2/));
  });
});

describe('bad input', () => {
  test.each([
    [5, /texts is 5: expected a string, or \{ text, text_pair \}/],
    [undefined, /texts is undefined/],
    [['a', 7], /texts\[1\] is 7/],
    [
      ['a', { text: 'a', text_pair: 'b' }],
      /texts\[1\] is a pair of texts and texts\[0\] a string: expected all of one kind/,
    ],
    [{ text: 'a' }, /texts\.text_pair is undefined/],
    [{ text: 3, text_pair: 'b' }, /texts\.text is 3/],
    [[['a', 'b']], /texts\[0\] is an array/],
  ])('%j', async (texts, message) => {
    await expect(classify(texts as never)).rejects.toMatchObject(failure('ERR_OPTION', message));
  });

  test('options', async () => {
    await expect(classify('a', { top_n: 1 } as object)).rejects.toMatchObject(
      failure('ERR_OPTION', /did you mean 'top_k'/),
    );
    await expect(classify('a', { top_k: 0 })).rejects.toMatchObject(failure('ERR_OPTION', /top_k is 0/));
    expect(() => classify(asyncly(['a']), { top_k: 0 })).toThrowError(expect.objectContaining({ code: 'ERR_OPTION' }));
  });

  test('a model of another task', async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const config = smallConfig();
    for (const model of [AutoModel.from_config(config), AutoModelForTokenClassification.from_config(config)]) {
      expect(() => new TextClassificationPipeline({ model: model as never, tokenizer })).toThrowError(
        expect.objectContaining(
          failure('ERR_UNSUPPORTED_MODEL', /text-classification.*Bert\w+.*AutoModelForSequenceClassification/),
        ),
      );
    }
    const model = AutoModelForSequenceClassification.from_config(config);
    expect(() => new TextClassificationPipeline({ model, tokenizer: null as never })).toThrowError(/tokenizer is null/);
  });
});
