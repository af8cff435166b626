import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  BertForTokenClassification,
  type EntityGroup,
  PreTrainedTokenizerFast,
  TokenClassificationPipeline,
  type TokenEntity,
} from '../../lib/index.ts';
import { Source } from '../streams/support.ts';
import { withWarnings } from '../support/warnings.ts';
import { asyncly, collect, encoderFolder, engine, failure, fakeModel, smallConfig, tokenizerOf } from './support.ts';

const labels = ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC'];
const vocab = [
  'New',
  'York',
  'Anna',
  '##bel',
  '##le',
  'met',
  'Kim',
  '김',
  '##민',
  '##수',
  '가',
  'in',
  '.',
  '😀',
  'Paris',
];

/** Logits that make label `best` of a token as likely as `score`, the others equally unlikely. */
function logitsFor(best: number, score: number, count = labels.length): number[] {
  const rest = Math.log((1 - score) / (count - 1));
  return Array.from({ length: count }, (_, i) => (i === best ? Math.log(score) : rest));
}

type Said = Record<string, [label: string, score: number] | number[]>;

/** A pipeline whose model says the same of a token wherever it stands. */
function pipelineOf(said: Said, { id2label = labels, max = 64 }: { id2label?: string[]; max?: number } = {}) {
  const tokenizer = tokenizerOf(vocab, max);
  const config = smallConfig({ id2label: Object.fromEntries(id2label.entries()) });
  const byId = new Map(
    Object.entries(said).map(([token, entry]) => [
      tokenizer.convert_tokens_to_ids(token),
      typeof entry[0] === 'string'
        ? logitsFor(id2label.indexOf(entry[0]), entry[1] as number, id2label.length)
        : (entry as number[]),
    ]),
  );
  const other = logitsFor(0, 0.9, id2label.length);
  const model = fakeModel(
    BertForTokenClassification,
    config,
    ({ rows }) => ({ logits: rows.map((row) => row.map((id) => byId.get(id) ?? other)) }),
    max,
  );
  return new TokenClassificationPipeline({ model, tokenizer });
}

const text = 'Annabelle met Kim in New York.';
const ner = pipelineOf({
  Anna: ['B-PER', 0.6],
  '##bel': ['B-LOC', 0.8],
  '##le': ['I-PER', 0.5],
  Kim: ['B-PER', 0.9],
  New: ['B-LOC', 0.7],
  York: ['I-LOC', 0.9],
});

/** Entities with scores rounded, and the text where they stand. */
function brief(found: readonly (TokenEntity | EntityGroup)[], of = text) {
  return found.map(({ word, score, start, end, ...others }) => {
    const label = 'entity' in others ? others.entity : others.entity_group;
    return [label, Number(score.toFixed(6)), word, of.slice(start, end)];
  });
}

describe('aggregation strategies', () => {
  test('none: every token by itself', async () => {
    const found = await ner(text);
    expectTypeOf(found).toEqualTypeOf<TokenEntity[]>();
    expect(brief(found)).toEqual([
      ['B-PER', 0.6, 'Anna', 'Anna'],
      ['B-LOC', 0.8, '##bel', 'bel'],
      ['I-PER', 0.5, '##le', 'le'],
      ['B-PER', 0.9, 'Kim', 'Kim'],
      ['B-LOC', 0.7, 'New', 'New'],
      ['I-LOC', 0.9, 'York', 'York'],
    ]);
    expect(found.map(({ index }) => index)).toEqual([1, 2, 3, 5, 7, 8]);
    expect(Object.keys(found[0]!)).toEqual(['entity', 'score', 'index', 'word', 'start', 'end']);
  });

  test('simple: neighbours that go on with a tag', async () => {
    const found = await ner(text, { aggregation_strategy: 'simple' });
    expectTypeOf(found).toEqualTypeOf<EntityGroup[]>();
    expect(brief(found)).toEqual([
      ['PER', 0.6, 'Anna', 'Anna'],
      ['LOC', 0.8, '##bel', 'bel'],
      ['PER', 0.5, '##le', 'le'],
      ['PER', 0.9, 'Kim', 'Kim'],
      ['LOC', 0.8, 'New York', 'New York'],
    ]);
    expect(Object.keys(found[0]!)).toEqual(['entity_group', 'score', 'word', 'start', 'end']);
  });

  test('first: a word is what its first token is', async () => {
    expect(brief(await ner(text, { aggregation_strategy: 'first' }))).toEqual([
      ['PER', 0.6, 'Annabelle', 'Annabelle'],
      ['PER', 0.9, 'Kim', 'Kim'],
      ['LOC', 0.8, 'New York', 'New York'],
    ]);
  });

  test('max: a word is what its surest token is', async () => {
    expect(brief(await ner(text, { aggregation_strategy: 'max' }))).toEqual([
      ['LOC', 0.8, 'Annabelle', 'Annabelle'],
      ['PER', 0.9, 'Kim', 'Kim'],
      ['LOC', 0.8, 'New York', 'New York'],
    ]);
  });

  test('average: a word is what its tokens are on average', async () => {
    // Of Anna 0.1, 0.6, 0.1, 0.1, 0.1; of ##bel 0.05, 0.05, 0.05, 0.8, 0.05; of ##le 0.125, 0.125, 0.5, 0.125, 0.125.
    expect(brief(await ner(text, { aggregation_strategy: 'average' }))).toEqual([
      ['LOC', Number(((0.1 + 0.8 + 0.125) / 3).toFixed(6)), 'Annabelle', 'Annabelle'],
      ['PER', 0.9, 'Kim', 'Kim'],
      ['LOC', 0.8, 'New York', 'New York'],
    ]);
  });

  test('a B begins anew, an I without a B is an entity, a label between two parts them', async () => {
    const again = pipelineOf({ Kim: ['B-PER', 0.9], York: ['I-LOC', 0.6], New: ['I-PER', 0.8] });
    const groups = async (given: string) =>
      (await again(given, { aggregation_strategy: 'simple' })).map(({ entity_group, word }) => [entity_group, word]);
    expect(await groups('Kim Kim')).toEqual([
      ['PER', 'Kim'],
      ['PER', 'Kim'],
    ]);
    expect(await groups('York York')).toEqual([['LOC', 'York York']]);
    expect(await groups('Kim met New')).toEqual([
      ['PER', 'Kim'],
      ['PER', 'New'],
    ]);
    expect(await groups('Kim New York')).toEqual([
      ['PER', 'Kim New'],
      ['LOC', 'York'],
    ]);
  });

  test('labels of BIOES, and labels without a scheme', async () => {
    const id2label = ['O', 'B-X', 'I-X', 'E-X', 'S-X', 'Y'];
    const said: Said = {
      New: ['B-X', 0.9],
      York: ['I-X', 0.9],
      Kim: ['E-X', 0.9],
      met: ['S-X', 0.9],
      Paris: ['Y', 0.9],
    };
    const pipe = pipelineOf(said, { id2label });
    const groups = async (given: string) =>
      (await pipe(given, { aggregation_strategy: 'simple' })).map(
        ({ entity_group, word }) => `${entity_group} ${word}`,
      );
    expect(await groups('New York Kim Kim met York Paris Paris')).toEqual([
      'X New York Kim',
      'X Kim',
      'X met',
      'X York',
      'Y Paris Paris',
    ]);
  });
});

describe('words', () => {
  test('offsets are UTF-16 units of the text as it was given', async () => {
    const given = '😀😀  김민수가\tKim';
    const pipe = pipelineOf({
      김: ['B-PER', 0.9],
      '##민': ['I-PER', 0.9],
      '##수': ['I-PER', 0.9],
      Kim: ['B-PER', 0.9],
    });
    const found = await pipe(given, { aggregation_strategy: 'simple' });
    // ##가 is not in the vocabulary, so that the word is unknown as a whole.
    expect(brief(found, given)).toEqual([['PER', 0.9, 'Kim', 'Kim']]);
    const apart = '😀😀  김민수 가\tKim';
    expect(brief(await pipe(apart, { aggregation_strategy: 'simple' }), apart)).toEqual([
      ['PER', 0.9, '김민수', '김민수'],
      ['PER', 0.9, 'Kim', 'Kim'],
    ]);
  });

  test('of what the vocabulary does not know: as it stands in the text', async () => {
    const pipe = pipelineOf({ '[UNK]': ['B-PER', 0.9] });
    for (const aggregation_strategy of ['none', 'simple', 'first', 'average', 'max'] as const) {
      const [found] = await pipe('met Zoë in Paris', { aggregation_strategy });
      expect([found!.word, found!.start, found!.end]).toEqual(['Zoë', 4, 7]);
    }
  });

  test('of a tokenizer without word pieces: up to white space', async () => {
    const metaspace = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
    const pieces = ['<unk>', '▁An', 'na', '.', '▁met', '▁Kim', '▁in', '▁New', '▁York', '▁'];
    const unigram = new PreTrainedTokenizerFast(
      {
        model: { type: 'Unigram', unk_id: 0, vocab: pieces.map((piece, i) => [piece, i === 0 ? 0 : -i]) },
        pre_tokenizer: metaspace,
        decoder: metaspace,
      },
      { unk_token: '<unk>' },
    );
    const best: Record<number, [number, number]> = { 1: [1, 0.7], 2: [3, 0.9], 3: [0, 0.8], 7: [3, 0.8], 8: [4, 0.6] };
    const model = fakeModel(
      BertForTokenClassification,
      smallConfig({ id2label: Object.fromEntries(labels.entries()) }),
      ({ rows }) => ({ logits: rows.map((row) => row.map((id) => logitsFor(...(best[id] ?? [0, 0.9])))) }),
    );
    const pipe = new TokenClassificationPipeline({ model, tokenizer: unigram });
    const given = 'Anna.  met Kim in New York.';
    const found = async (aggregation_strategy: 'simple' | 'first' | 'max') =>
      brief(await pipe(given, { aggregation_strategy }), given);
    expect(await found('first')).toEqual([
      ['PER', 0.7, 'Anna.', 'Anna.'],
      ['LOC', 0.7, 'New York.', 'New York.'],
    ]);
    expect(await found('max')).toEqual([
      ['LOC', 0.9, 'Anna.', 'Anna.'],
      ['LOC', 0.8, 'New', 'New'],
    ]);
    expect(await found('simple')).toEqual([
      ['PER', 0.7, 'An', 'An'],
      ['LOC', 0.9, 'na', 'na'],
      ['LOC', 0.7, 'New York', 'New York'],
    ]);
  });

  test('ignore_labels', async () => {
    expect((await ner('met Kim', { ignore_labels: [] })).map(({ entity }) => entity)).toEqual(['O', 'B-PER']);
    expect(await ner('met Kim', { ignore_labels: ['O', 'B-PER'] })).toEqual([]);
    const groups = await ner('met Kim', { ignore_labels: ['PER'], aggregation_strategy: 'first' });
    expect(groups.map(({ entity_group }) => entity_group)).toEqual(['O']);
  });
});

describe('long texts', () => {
  const words = Array.from({ length: 40 }, (_, i) => (i % 7 === 3 ? 'New York' : i % 5 === 0 ? 'Kim' : 'met'));
  const long = words.join(' ');
  const said: Said = { Kim: ['B-PER', 0.9], New: ['B-LOC', 0.8], York: ['I-LOC', 0.8] };

  test('are cut, with a warning that names the remedy', async () => {
    const pipe = pipelineOf(said, { max: 12 });
    const { result, warnings } = await withWarnings(() => pipe(long, { aggregation_strategy: 'simple' }));
    const whole = await pipelineOf(said)(words.slice(0, 9).join(' '), { aggregation_strategy: 'simple' });
    expect(result).toEqual(whole);
    expect(warnings.map(({ message }) => message).join()).toMatch(/more than 12 tokens.*stride/);
    expect((pipe.model as unknown as { calls: { rows: unknown[] }[] }).calls.flatMap(({ rows }) => rows)).toHaveLength(
      1,
    );
  });

  test.each([0, 1, 3, 5])('with stride %i all of it is read, and every entity found once', async (stride) => {
    const pipe = pipelineOf(said, { max: 12 });
    const found = await pipe(long, { aggregation_strategy: 'simple', stride });
    const whole = await pipelineOf(said)(long, { aggregation_strategy: 'simple' });
    // Without common tokens a window's end may part an entity.
    if (stride >= 2) expect(found).toEqual(whole);
    const covered = (entities: EntityGroup[]) => entities.map(({ start, end }) => long.slice(start, end)).join(' ');
    if (stride === 0) expect(covered(found)).toBe(covered(whole));
    expect(new Set(found.map(({ start }) => start)).size).toBe(found.length);
  });

  test('a stride that cannot be', async () => {
    const pipe = pipelineOf(said, { max: 12 });
    await expect(pipe(long, { stride: 2 })).rejects.toMatchObject(
      failure('ERR_OPTION', /'none': expected one of simple/),
    );
    await expect(pipe(long, { stride: 10, aggregation_strategy: 'first' })).rejects.toMatchObject(
      failure('ERR_OPTION', /stride is 10: expected less than 10/),
    );
  });
});

describe('the call', () => {
  test('one, many, an iterable, none', async () => {
    const texts = [text, 'Kim', 'met', '', 'in New York'];
    const many = await ner(texts, { aggregation_strategy: 'simple' });
    for (const [i, each] of texts.entries()) {
      expect(await ner(each, { aggregation_strategy: 'simple' })).toEqual(many[i]);
    }
    expect(many.map(({ length }) => length)).toEqual([5, 1, 0, 0, 1]);
    expect((await collect(ner(asyncly(texts), { aggregation_strategy: 'simple' }))).results).toEqual(many);
    expect(await ner([])).toEqual([]);
  });

  test('labels without names', async () => {
    const tokenizer = tokenizerOf(vocab);
    const model = fakeModel(BertForTokenClassification, smallConfig({ num_labels: 2 }), ({ rows }) => ({
      logits: rows.map((row) => row.map(() => [0, 1])),
    }));
    const found = await new TokenClassificationPipeline({ model, tokenizer })('Kim');
    expect(found).toMatchObject([{ entity: 'LABEL_1', word: 'Kim' }]);
  });

  test('labels whose names are none', async () => {
    const names = { 0: 'O', 1: 7, 2: null } as unknown as string[];
    const config = smallConfig({ id2label: names });
    const model = fakeModel(BertForTokenClassification, config, ({ rows }) => ({
      logits: rows.map((row) => row.map((_, i) => (i === 1 ? [0, 9, 0] : [0, 0, 9]))),
    }));
    const pipe = new TokenClassificationPipeline({ model, tokenizer: tokenizerOf(vocab) });
    const found = await pipe('Kim Paris', { aggregation_strategy: 'simple' });
    expect(found.map(({ entity_group }) => entity_group)).toEqual(['7', 'LABEL_2']);
  });

  test('where there are many labels, less is read ahead', async () => {
    const N = 4096;
    const said = new Array<number>(N).fill(0);
    const model = fakeModel(BertForTokenClassification, smallConfig({ num_labels: N }), ({ rows }) => ({
      logits: rows.map((row) => row.map(() => said)),
    }));
    const pipe = new TokenClassificationPipeline({ model, tokenizer: tokenizerOf(vocab) });
    const source = new Source(Array.from({ length: 200 }, () => 'Kim '.repeat(250)));
    const stream = pipe(source, { max_length: 4 });
    await stream.next();
    // 16,384 characters are 17 texts.
    expect(source.pulled).toBeLessThanOrEqual(1 + 2 * 17);
    await stream.return();
  });

  test('bad input', async () => {
    await expect(ner({ text } as never)).rejects.toMatchObject(failure('ERR_OPTION', /texts is an object/));
    await expect(ner(text, { aggregation_strategy: 'mean' } as never)).rejects.toMatchObject(
      failure('ERR_OPTION', /aggregation_strategy is "mean": expected 'none', 'simple', 'first', 'average' or 'max'/),
    );
    const model = AutoModelForSequenceClassification.from_config(smallConfig());
    expect(
      () => new TokenClassificationPipeline({ model: model as never, tokenizer: tokenizerOf(vocab) }),
    ).toThrowError(/AutoModelForTokenClassification/);
  });

  test('scores of a real model do not depend on its batch', async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
    const model = AutoModelForTokenClassification.from_config(smallConfig({ num_labels: 3 }), { engine, seed: 5 });
    const pipe = new TokenClassificationPipeline({ model, tokenizer });
    const texts = ['안녕하세요', 'the movie was not good, the story very bad', 'a'];
    const many = await pipe(texts, { ignore_labels: [] });
    for (const [i, each] of texts.entries()) expect(await pipe(each, { ignore_labels: [] })).toEqual(many[i]);
    expect(many.map(({ length }) => length)).toEqual([2, 10, 1]);
    const outputs = await model(tokenizer(texts[1]!));
    const scores = outputs.logits.softmax(-1);
    many[1]!.forEach(({ entity, score, index }) => {
      const row = (scores.tolist() as number[][][])[0]![index]!;
      expect(entity).toBe(`LABEL_${row.indexOf(Math.max(...row))}`);
      expect(score).toBeCloseTo(Math.max(...row), 6);
    });
  });
});
