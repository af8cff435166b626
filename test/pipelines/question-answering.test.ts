import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  type Answer,
  AutoModelForQuestionAnswering,
  AutoTokenizer,
  BertForQuestionAnswering,
  QuestionAnsweringPipeline,
} from '../../lib/index.ts';
import { BestAnswers } from '../../lib/pipelines/answers.ts';
import { withWarnings } from '../support/warnings.ts';
import { asyncly, collect, encoderFolder, engine, failure, fakeModel, smallConfig, tokenizerOf } from './support.ts';

const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
tokenizer.model_max_length = 512;
const model = AutoModelForQuestionAnswering.from_config(smallConfig(), { engine, seed: 3 });
const ask = new QuestionAnsweringPipeline({ model, tokenizer });

const question = 'is the movie good?';
const context = 'The movie was not good, but the story of Kim is very good. Seoul is in Korea, 서울 한국 나라 말.';

/** Every answer of one window, best first, by the definition: pairs of context tokens in order, of at most so many tokens. */
async function bruteForce(asked: string, given: string, max_answer_len: number): Promise<Answer[]> {
  const features = tokenizer(asked, { text_pair: given, return_offsets_mapping: true });
  const outputs = await model(features);
  const sequence = features.sequence_ids(0);
  const S = sequence.length;
  const allowed = (i: number) => i === 0 || sequence[i] === 1;
  const probabilities = (logits: Float32Array) => {
    const weights = Array.from({ length: S }, (_, i) => (allowed(i) ? Math.exp(logits[i]!) : 0));
    const total = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / total);
  };
  const starts = probabilities(outputs.start_logits.data);
  const ends = probabilities(outputs.end_logits.data);
  const best = new Map<string, Answer>();
  for (let i = 1; i < S; i++) {
    for (let j = i; j < Math.min(S, i + max_answer_len); j++) {
      if (!allowed(i) || !allowed(j)) continue;
      const word = (token: number) => features.word_to_chars(0, features.token_to_word(0, token)!, 1)!;
      const [start, end] = [word(i).start, word(j).end];
      const score = starts[i]! * ends[j]!;
      const known = best.get(`${start} ${end}`);
      if (known === undefined || known.score < score) {
        best.set(`${start} ${end}`, { answer: given.slice(start, end), score, start, end });
      }
    }
  }
  return [...best.values()].sort((a, b) => b.score - a.score);
}

function expectSame(actual: readonly Answer[], expected: readonly Answer[]): void {
  expect(actual.map(({ answer, start, end }) => ({ answer, start, end }))).toEqual(
    expected.map(({ answer, start, end }) => ({ answer, start, end })),
  );
  actual.forEach(({ score }, i) => {
    expect(Math.abs(score - expected[i]!.score)).toBeLessThan(1e-7);
  });
}

describe('answers of one window', () => {
  test.each([1, 2, 7, 15, 50])('the best, as brute force finds them, of at most %i tokens', async (max_answer_len) => {
    const expected = await bruteForce(question, context, max_answer_len);
    const found = await ask(question, context, { top_k: 6, max_answer_len });
    expectTypeOf(found).toEqualTypeOf<Answer[]>();
    expectSame(found, expected.slice(0, 6));
    const one = await ask(question, context, { max_answer_len });
    expectTypeOf(one).toEqualTypeOf<Answer>();
    expectSame([one], expected.slice(0, 1));
    expect(Object.keys(one)).toEqual(['answer', 'score', 'start', 'end']);
  });

  test('align_to_words: false leaves the tokens as they are', async () => {
    const found = await ask(question, 'unplayable movies', { top_k: 50, align_to_words: false });
    expect(found.some(({ answer }) => answer === 'able')).toBe(true);
    const whole = await ask(question, 'unplayable movies', { top_k: 50 });
    expect(whole.map(({ answer }) => answer).sort()).toEqual(['movies', 'unplayable', 'unplayable movies']);
  });

  test('fewer answers than asked for, where there are no more', async () => {
    expect(await ask(question, 'good', { top_k: 5 })).toHaveLength(1);
  });
});

describe('decoding', () => {
  /** A window whose tokens are single characters of the context behind `skip` tokens of a question. */
  const windowOf = (start_logits: number[], end_logits: number[], skip: number, from = 0) => ({
    start_logits,
    end_logits,
    isContext: (position: number) => position >= skip,
    null_position: 0,
    span: (first: number, last: number) => ({ start: from + first - skip, end: from + last - skip + 1 }),
  });

  test('no answer is the product at the null position; the least of all windows counts', () => {
    const best = new BestAnswers(3, 15);
    best.add(windowOf([Math.log(6), 9, 0, 0], [Math.log(2), 9, 0, 0], 2));
    expect(best.null_score).toBeCloseTo((6 / 8) * (2 / 4), 12);
    best.add(windowOf([0, 9, 0, Math.log(2)], [0, 9, 0, 0], 2, 1));
    expect(best.null_score).toBeCloseTo((1 / 4) * (1 / 3), 12);
  });

  test('an answer found in two windows is there once, with its better score', () => {
    const best = new BestAnswers(10, 1);
    best.add(windowOf([0, 9, Math.log(3), 0], [0, 9, 0, 0], 2));
    best.add(windowOf([0, 9, Math.log(8), 0], [0, 9, 0, 0], 2, 1));
    expect(best.found.map(({ start, end }) => [start, end])).toEqual([
      [1, 2],
      [0, 1],
      [2, 3],
    ]);
    expect(best.found.map(({ score }) => score)).toEqual(
      [8 / 30, 3 / 15, 1 / 30].map((value) => expect.closeTo(value, 12)),
    );
  });

  test('random windows against brute force', () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 48271) % 2147483647;
      return (seed / 2147483647) * 8 - 4;
    };
    for (let round = 0; round < 200; round++) {
      const S = 3 + (round % 9);
      const [starts, ends] = [Array.from({ length: S }, random), Array.from({ length: S }, random)];
      const [skip, longest, count] = [2, 1 + (round % 4), 1 + (round % 5)];
      const weight = (values: number[]) => {
        const kept = values.map((value, i) => (i === 0 || i >= skip ? Math.exp(value) : 0));
        return kept.map((value) => value / kept.reduce((a, b) => a + b));
      };
      const [p, q] = [weight(starts), weight(ends)];
      const all = [];
      for (let i = skip; i < S; i++) {
        for (let j = i; j < S && j - i < longest; j++)
          all.push({ score: p[i]! * q[j]!, start: i - skip, end: j - skip + 1 });
      }
      all.sort((a, b) => b.score - a.score);
      const best = new BestAnswers(count, longest);
      best.add(windowOf(starts, ends, skip));
      expect(best.found.map(({ start, end }) => [start, end])).toEqual(
        all.slice(0, count).map(({ start, end }) => [start, end]),
      );
    }
  });
});

describe('long contexts', () => {
  const vocab = ['q', 'x', ...Array.from({ length: 200 }, (_, i) => `w${i}`)];
  const wordTokenizer = tokenizerOf(vocab, 64);
  const word = (i: number) => wordTokenizer.convert_tokens_to_ids(`w${i}`);
  const long = Array.from({ length: 200 }, (_, i) => `w${i}`).join(' ');

  /** A model for which answers begin at one word and end at another, wherever they stand. */
  function finder(first: number, last: number, null_logit = 0) {
    const logits = (rows: readonly (readonly number[])[], wanted: number) =>
      rows.map((row) => row.map((id, i) => (i === 0 ? null_logit : id === word(wanted) ? 8 : 0)));
    const found = fakeModel(BertForQuestionAnswering, smallConfig(), ({ rows }) => ({
      start_logits: logits(rows, first),
      end_logits: logits(rows, last),
    }));
    return { pipe: new QuestionAnsweringPipeline({ model: found, tokenizer: wordTokenizer }), model: found };
  }

  test.each([3, 60, 61, 117, 140, 198])('an answer at word %i is found, where it stands', async (at) => {
    const { pipe } = finder(at, at + 1);
    const { answer, start, end } = await pipe('q', long);
    expect(answer).toBe(`w${at} w${at + 1}`);
    expect(long.slice(start, end)).toBe(answer);
  });

  test('windows have doc_stride tokens in common and hold max_seq_len', async () => {
    const { pipe, model: seen } = finder(150, 151);
    await pipe('q x', long, { max_seq_len: 25, doc_stride: 6 });
    const rows = seen.calls.flatMap((call) => call.rows).sort((a, b) => a[4]! - b[4]!);
    // Three special tokens and two of the question leave room for 20 words, 14 of them new.
    expect(rows).toHaveLength(1 + Math.ceil((200 - 20) / 14));
    expect(Math.max(...rows.map(({ length }) => length))).toBe(25);
    rows.slice(0, -1).forEach((row, i) => {
      expect(row.slice(0, 4)).toEqual(rows[i + 1]!.slice(0, 4));
      expect(row.slice(18, 24)).toEqual(rows[i + 1]!.slice(4, 10));
    });
    expect(rows.at(-1)!.at(-2)).toBe(word(199));
    for (const types of seen.calls.flatMap((call) => call.type_ids)) {
      expect(types.slice(0, 4)).toEqual([0, 0, 0, 0]);
      expect(new Set(types.slice(4))).toEqual(new Set([1]));
    }
  });

  test('handle_impossible_answer', async () => {
    const sure = finder(20, 21, 20).pipe;
    expect(await sure('q', long, { handle_impossible_answer: true })).toMatchObject({ answer: '', start: 0, end: 0 });
    expect((await sure('q', long)).answer).not.toBe('');
    const unsure = finder(20, 21, -5).pipe;
    const answers = await unsure('q', long, { handle_impossible_answer: true, top_k: 100_000 });
    expect(answers[0]!.answer).toBe('w20 w21');
    expect(answers.filter(({ answer }) => answer === '')).toHaveLength(1);
    expect(answers.map(({ score }) => score)).toEqual(answers.map(({ score }) => score).toSorted((a, b) => b - a));
  });

  test('max_answer_len counts tokens', async () => {
    const { pipe } = finder(20, 40);
    expect((await pipe('q', long, { max_answer_len: 21 })).answer).toMatch(/^w20 .* w40$/);
    expect((await pipe('q', long, { max_answer_len: 20 })).answer.split(' ').length).toBeLessThan(21);
  });

  test('a question that is too long is cut, with a warning', async () => {
    const { pipe, model: seen } = finder(150, 151);
    const { result, warnings } = await withWarnings(() => pipe('q '.repeat(100), long, { max_question_len: 9 }));
    expect(result.answer).toBe('w150 w151');
    expect(warnings.map(({ message }) => message).join()).toMatch(/a question has more than 9 tokens/);
    for (const row of seen.calls.flatMap((call) => call.rows)) expect(row.indexOf(3)).toBe(10);
    expect((await pipe('q '.repeat(100), long)).answer).toBe('w150 w151');
  });

  test.each([
    [{ max_seq_len: 65 }, /max_seq_len is 65: expected at most 64/],
    [{ max_seq_len: 4 }, /max_seq_len is 4: expected room for a question and a context/],
    [{ max_seq_len: 2 }, /max_seq_len is 2/],
    [{ max_seq_len: 20, doc_stride: 16 }, /doc_stride is 16: expected at most 15/],
    [{ top_k: 0 }, /top_k is 0/],
    [{ max_answer_len: 0 }, /max_answer_len is 0/],
    [{ doc_strides: 1 }, /did you mean 'doc_stride'/],
  ])('%j is refused', async (options, message) => {
    const { pipe } = finder(1, 2);
    const error = await pipe('q', long, options as object).then(String, (reason) => reason);
    expect(error.message).toMatch(message);
    expect(['ERR_OPTION', 'ERR_TRUNCATION']).toContain(error.code);
  });
});

describe('the call', () => {
  const inputs = [
    { question, context },
    { question: '누구?', context: '김 은 한국 사람 입니다. Kim is in Seoul.' },
    { question: 'a?', context: 'good movie. '.repeat(30) },
  ];

  test('in every form of input', async () => {
    const expected = await Promise.all(inputs.map((input) => ask(input.question, input.context)));
    expect(await ask(inputs)).toEqual(expected);
    expect(await ask(inputs[1]!)).toEqual(expected[1]);
    const apart = await ask(
      inputs.map((input) => input.question),
      inputs.map((input) => input.context),
    );
    expect(apart).toEqual(expected);
    expect((await collect(ask(asyncly(inputs)))).results).toEqual(expected);
    expect(await ask([question, 'a?'], context)).toEqual([expected[0], await ask('a?', context)]);
    expect(await ask(inputs, { top_k: 2 })).toEqual(await Promise.all(inputs.map((input) => ask(input, { top_k: 2 }))));
    expect(await ask([])).toEqual([]);
    expect(await ask([], [])).toEqual([]);
  });

  test('a context of characters that leave no token has no answer', async () => {
    const empty = { answer: '', score: 0, start: 0, end: 0 };
    expect(await ask(question, '\u0000\ufffd')).toEqual(empty);
    expect(await ask(question, '\u0000', { top_k: 2 })).toEqual([]);
    expect(
      (
        await ask([
          { question, context: '\u0000' },
          { question, context },
        ])
      )[1],
    ).toEqual(await ask(question, context));
  });

  test('a tokenizer that pads on the left puts the context first', async () => {
    const left = await AutoTokenizer.from_pretrained(encoderFolder, { padding_side: 'left' });
    const calls: number[][] = [];
    const seen = fakeModel(BertForQuestionAnswering, smallConfig(), ({ rows }) => {
      calls.push(...rows.map((row) => [...row]));
      return { start_logits: rows.map((row) => row.map(() => 0)), end_logits: rows.map((row) => row.map(() => 0)) };
    });
    const { answer } = await new QuestionAnsweringPipeline({ model: seen, tokenizer: left })('hello', 'the movie');
    expect(left.decode(calls[0]!)).toBe('[CLS] the movie [SEP] hello [SEP]');
    expect('the movie').toContain(answer);
  });

  test.each([
    [['q', ''], /inputs\.context is empty/],
    [['  ', 'c'], /inputs\.question is empty/],
    [['q'], /inputs\.context is undefined/],
    [['q', 5], /inputs\.context is 5/],
    [[['q', 'r'], ['c']], /context is an array of 1: expected a string, or an array of 2/],
    [[[{ question: 'q', context: 'c' }, { question: 'q' }]], /inputs\[1\]\.context is undefined/],
    [[{ question: 'q', context: ['c'] }], /inputs\.context is an array/],
    [[7], /inputs is 7: expected \{ question, context \}/],
  ])('bad input %j', async (given, message) => {
    const call = ask as (...values: unknown[]) => Promise<unknown>;
    await expect(call(...given)).rejects.toMatchObject(failure('ERR_OPTION', message));
  });
});
