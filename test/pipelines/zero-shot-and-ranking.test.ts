import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  AutoModelForSequenceClassification,
  AutoTokenizer,
  BertForSequenceClassification,
  type RankedDocument,
  TextRankingPipeline,
  ZeroShotClassificationPipeline,
} from '../../lib/index.ts';
import { withWarnings } from '../support/warnings.ts';
import { asyncly, collect, encoderFolder, engine, failure, fakeModel, smallConfig, tokenizerOf } from './support.ts';

describe('zero-shot-classification', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
  const id2label = { 0: 'CONTRADICTION', 1: 'neutral', 2: 'Entailment' };
  const model = AutoModelForSequenceClassification.from_config(smallConfig({ id2label }), { engine, seed: 7 });
  const classify = new ZeroShotClassificationPipeline({ model, tokenizer });
  const text = 'the movie was very good';
  const labels = ['영화', 'story', 'bad movie', '날씨'];

  const logitsOf = async (premise: string, hypothesis: string) => {
    const { logits } = await model(tokenizer(premise, { text_pair: hypothesis }));
    return [...logits.data];
  };

  test('softmax of how much each label follows', async () => {
    const found = await classify(text, labels);
    const entailed = await Promise.all(
      labels.map(async (label) => (await logitsOf(text, `This example is ${label}.`))[2]!),
    );
    const total = entailed.reduce((sum, value) => sum + Math.exp(value), 0);
    expect(Object.keys(found)).toEqual(['sequence', 'labels', 'scores']);
    expect(found.sequence).toBe(text);
    expect(found.labels.toSorted()).toEqual(labels.toSorted());
    found.labels.forEach((label, i) => {
      expect(found.scores[i]).toBeCloseTo(Math.exp(entailed[labels.indexOf(label)]!) / total, 6);
    });
    expect(found.scores).toEqual(found.scores.toSorted((a, b) => b - a));
  });

  test('multi_label, and a single label: against the contradiction', async () => {
    const found = await classify(text, labels, { multi_label: true, hypothesis_template: '{} 입니다' });
    for (const [i, label] of found.labels.entries()) {
      const [contradiction, , entailment] = await logitsOf(text, `${label} 입니다`);
      expect(found.scores[i]).toBeCloseTo(1 / (1 + Math.exp(contradiction! - entailment!)), 6);
    }
    const [contradiction, , entailment] = await logitsOf(text, 'This example is story.');
    const single = await classify(text, 'story');
    expect(single.scores[0]).toBeCloseTo(1 / (1 + Math.exp(contradiction! - entailment!)), 6);
  });

  test('in every form of input', async () => {
    const texts = [text, '', 'bad movie'];
    const many = await classify(texts, labels);
    for (const [i, each] of texts.entries()) {
      expect(await classify(each, labels)).toEqual(many[i]);
      expect(await classify(each, { candidate_labels: labels })).toEqual(many[i]);
    }
    expect((await collect(classify(asyncly(texts), labels))).results).toEqual(many);
    expect(await classify([], labels)).toEqual([]);
  });

  test('labels among the options, with or without a place for the second argument', async () => {
    const expected = await classify(text, labels);
    expect(await classify(text, { candidate_labels: labels })).toEqual(expected);
    for (const nothing of [undefined, null]) {
      expect(await classify(text, nothing as never, { candidate_labels: labels })).toEqual(expected);
    }
  });

  test('a label with signs of its own is put in as it is', async () => {
    const found = await classify(text, ['$& $1'], { hypothesis_template: 'a {} b' });
    const [contradiction, , entailment] = await logitsOf(text, 'a $& $1 b');
    expect(found.scores[0]).toBeCloseTo(1 / (1 + Math.exp(contradiction! - entailment!)), 6);
  });

  test('classes are found by their names; else by their usual places, with a warning', async () => {
    const make = (names: readonly string[]) => {
      const config = smallConfig({ id2label: Object.fromEntries(names.entries()) });
      const answer = () => ({ logits: [[0]] });
      return new ZeroShotClassificationPipeline({
        model: fakeModel(BertForSequenceClassification, config, answer),
        tokenizer,
      });
    };
    const classes = (names: readonly string[]) => {
      const { entailment_id, contradiction_id } = make(names);
      return [entailment_id, contradiction_id];
    };
    const { result, warnings } = await withWarnings(async () => [
      classes(['entailment', 'neutral', 'contradiction']),
      classes(['ENTAILMENT', 'not_entailment']),
      classes(['not_entailment', 'entailment']),
    ]);
    expect(result).toEqual([
      [0, 2],
      [0, 1],
      [1, 0],
    ]);
    expect(warnings).toEqual([]);
    const unnamed = await withWarnings(async () => classes(['LABEL_0', 'LABEL_1', 'LABEL_2']));
    expect(unnamed.result).toEqual([2, 0]);
    expect(unnamed.warnings).toMatchObject([{ code: 'BERT_NATIVE_ZERO_SHOT_LABELS' }]);
    expect(() => make(['a', 'b'])).toThrowError(expect.objectContaining(failure('ERR_UNSUPPORTED_MODEL', /2 labels/)));
    const label2id = { entailment: -1, contradiction: 0.5 };
    expect(
      () =>
        new ZeroShotClassificationPipeline({
          model: fakeModel(BertForSequenceClassification, smallConfig({ id2label, label2id }), () => ({ logits: [] })),
          tokenizer,
        }),
    ).toThrowError(expect.objectContaining(failure('ERR_UNSUPPORTED_MODEL', /entailment is -1 and contradiction 0.5/)));
  });

  test.each([
    [[], {}, /candidate_labels is an array of 0: expected at least one label/],
    [[], { candidate_labels: ['a'] }, /candidate_labels is an array of 0: expected at least one label/],
    [undefined, {}, /candidate_labels is an array of 0/],
    [[5], {}, /candidate_labels is an array of 1: expected a label, or an array/],
    [['a'], { hypothesis_template: 'This is it.' }, /hypothesis_template is "This is it.": expected a text with \{\}/],
    [['a'], { multi_labels: true }, /did you mean 'multi_label'/],
  ])('labels %j, options %j', async (given, options, message) => {
    await expect(classify(text, given as never, options as object)).rejects.toMatchObject(
      failure('ERR_OPTION', message),
    );
  });
});

describe('text-ranking', () => {
  const vocab = ['q', 'r', 'one', 'two', 'three', 'four'];
  const tokenizer = tokenizerOf(vocab);
  const idOf = (word: string) => tokenizer.convert_tokens_to_ids(word);

  /** A model for which the number that a document says is the logit. */
  const make = (values: object = {}) => {
    const model = fakeModel(BertForSequenceClassification, smallConfig({ num_labels: 1, ...values }), ({ rows }) => ({
      logits: rows.map((row) => [row.slice(row.indexOf(3)).reduce((sum, id) => sum + Math.max(0, id - idOf('r')), 0)]),
    }));
    return { rank: new TextRankingPipeline({ model, tokenizer }), model };
  };
  const documents = ['two', 'four', 'one', 'three', 'two'];

  test('documents in the order of their scores, equal ones in theirs', async () => {
    const { rank, model } = make();
    const found = await rank('q', documents);
    expectTypeOf(found).toEqualTypeOf<RankedDocument[]>();
    expect(found.map(({ corpus_id }) => corpus_id)).toEqual([1, 3, 0, 4, 2]);
    found.forEach(({ score }, i) => {
      expect(score).toBeCloseTo(1 / (1 + Math.exp(-[4, 3, 2, 2, 1][i]!)), 12);
    });
    expect(Object.keys(found[0]!)).toEqual(['corpus_id', 'score']);
    for (const { rows, type_ids } of model.calls) {
      for (const [i, row] of rows.entries()) {
        expect(tokenizer.decode(row)).toMatch(/^\[CLS\] q \[SEP\] \w+ \[SEP\]$/);
        expect(type_ids[i]).toEqual([0, 0, 0, 1, 1]);
      }
    }
  });

  test('top_k, return_documents, function_to_apply', async () => {
    const { rank } = make();
    expect(await rank('q', documents, { top_k: 2, return_documents: true, function_to_apply: 'none' })).toEqual([
      { corpus_id: 1, score: 4, text: 'four' },
      { corpus_id: 3, score: 3, text: 'three' },
    ]);
    expect(await rank('q', documents, { top_k: null })).toHaveLength(5);
  });

  test.each([
    [{ sentence_transformers: { activation_fn: 'torch.nn.modules.linear.Identity' } }, 4],
    [{ sbert_ce_default_activation_function: 'torch.nn.modules.linear.Identity' }, 4],
    [{ sentence_transformers: { activation_fn: 'torch.nn.modules.activation.Sigmoid' } }, 1 / (1 + Math.exp(-4))],
  ])('as the configuration says: %j', async (values, expected) => {
    const [best] = await make(values).rank('q', documents);
    expect(best!.score).toBeCloseTo(expected, 12);
  });

  test('in every form of input', async () => {
    const { rank } = make();
    const inputs = [
      { query: 'q', documents },
      { query: 'r', documents: [] },
      { query: 'q r', documents: ['one', 'four'] },
    ];
    const many = await rank(inputs);
    expect(many.map((found) => found.map(({ corpus_id }) => corpus_id))).toEqual([[1, 3, 0, 4, 2], [], [1, 0]]);
    expect(await rank(inputs[2]!)).toEqual(many[2]);
    expect((await collect(rank(asyncly(inputs)))).results).toEqual(many);
    expect(await rank([])).toEqual([]);
  });

  test('a model that is no cross-encoder, and bad input', async () => {
    expect(() => make({ num_labels: 3 })).toThrowError(
      expect.objectContaining(
        failure('ERR_UNSUPPORTED_MODEL', /3 labels, which give no order: expected a cross-encoder/),
      ),
    );
    const { rank } = make();
    await expect(rank('q', 'one' as never)).rejects.toMatchObject(failure('ERR_OPTION', /documents is "one"/));
    await expect(rank({ documents } as never)).rejects.toMatchObject(failure('ERR_OPTION', /query is undefined/));
    const inputs = [
      { query: 'q', documents },
      { query: 'q', documents: ['one', 2] },
    ];
    await expect(rank(inputs as never)).rejects.toMatchObject(
      failure('ERR_OPTION', /inputs\[1\]\.documents\[1\] is 2/),
    );
    await expect(rank(['q'] as never)).rejects.toMatchObject(failure('ERR_OPTION', /inputs\[0\] is "q"/));
  });
});
