import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  type PreTrainedTokenizer,
} from '../../lib/index.ts';
import { classifierFolder, encoderFolder, smallConfig } from '../pipelines/support.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { expectPrinted, goldenCase, goldenRows, runExample, runWithInput, softmax } from './support.ts';

// What the examples print with the native engine, held against goldens, or against the reference engine's logits with
// everything behind them computed here.

const temporary = temporaryFolder();
const engine = { engine: 'reference', seed: 5 } as const;
const tokenizer: PreTrainedTokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
tokenizer.model_max_length = 64;

async function saved(name: string, model: { save_pretrained(folder: string): Promise<void> }): Promise<string> {
  const folder = join(temporary, name);
  await model.save_pretrained(folder);
  await tokenizer.save_pretrained(folder);
  return folder;
}

describe('sentiment', () => {
  const golden = goldenCase(classifierFolder, 'batch');
  const labels = ['부정', '중립', '긍정'];
  const texts = golden.texts!.filter((text) => text !== '');
  const rowsOf = (output: string) => goldenRows(golden, output).filter((_, i) => golden.texts![i] !== '');
  const probabilities = rowsOf('softmax');

  test('by a pipeline', () => {
    const lines = runExample('sentiment', classifierFolder, ...texts);
    for (const [i, text] of texts.entries()) {
      const [, label, score, of] = /^(\S+) (\S+) {2}(.*)$/.exec(lines[i]!)!;
      expect(of).toBe(text);
      expect(label).toBe('긍정');
      expectPrinted(score, probabilities[i]![2]!, 5);
    }
    expect(lines[texts.length + 1]).toBe(texts[0]);
    const all = lines.slice(texts.length + 2).map((line) => line.trim().split(' '));
    expect(all.map(([label]) => label)).toEqual(['긍정', '부정', '중립']);
    for (const [label, score] of all) expectPrinted(score, probabilities[0]![labels.indexOf(label!)]!, 5);
  });

  test('by hand', () => {
    const lines = runExample('sentiment-by-hand', classifierFolder, ...texts);
    expect(lines).toHaveLength(4 * texts.length);
    const logits = rowsOf('logits');
    for (const [i, text] of texts.entries()) {
      const [first, second, third, fourth] = lines.slice(4 * i);
      expect(first).toBe(text);
      const ofLogits = second!.replace('  logits: ', '').split(' ');
      const ofProbabilities = third!.replace('  probabilities: ', '').split(' ');
      expect(ofLogits).toHaveLength(3);
      for (const [j, value] of ofLogits.entries()) expectPrinted(value, logits[i]![j]!, 5);
      for (const [j, value] of ofProbabilities.entries()) expectPrinted(value, probabilities[i]![j]!, 5);
      expect(fourth).toBe('  label: 긍정');
    }
  });

  test.each(['a file', 'standard input'])('of every line of %s', (kind) => {
    const input = `${texts.join('\n')}\n`;
    const file = join(temporary, 'texts.txt');
    writeFileSync(file, input);
    const from = kind === 'a file' ? file : '-';
    const lines = runWithInput(from === '-' ? input : '', 'classify-file', from, classifierFolder);
    expect(lines.pop()).toBe(`긍정: ${texts.length}`);
    expect(lines).toHaveLength(texts.length);
    for (const [i, line] of lines.entries()) {
      const [label, score] = line.split('\t');
      expect(label).toBe('긍정');
      expectPrinted(score, probabilities[i]![2]!, 5);
    }
  });
});

describe('named-entities', () => {
  const id2label = { 0: 'O', 1: 'B-PER', 2: 'I-PER', 3: 'B-LOC', 4: 'I-LOC' };
  const model = AutoModelForTokenClassification.from_config(smallConfig({ id2label }), engine);
  const text = '안녕하세요 저는 한국 사람입니다';

  test('tokens, and entities as they stand in the text', async () => {
    const lines = runExample('named-entities', await saved('entities', model), text);
    expect(lines[0]).toBe(text);
    const features = tokenizer(text);
    const ids = tokenizer.encode(text);
    const rows = [...(await model(features)).logits[0]!].map(({ data }) => softmax([...data]));
    const inner = rows.slice(1, -1).map((row, i) => ({ row, index: i + 1 }));
    const best = (row: number[]) => row.indexOf(Math.max(...row));
    const label = (row: number[]) => Object.values(id2label)[best(row)]!;

    const tokens = inner.filter(({ row }) => best(row) !== 0);
    expect(tokens.length).toBeGreaterThan(0);
    for (const [i, { row, index }] of tokens.entries()) {
      const [, at, word, entity, score] = /^ {2}([0-9]+) (\S+): (\S+) (\S+)$/.exec(lines[1 + i]!)!;
      expect(Number(at)).toBe(index);
      expect(word).toBe(tokenizer.convert_ids_to_tokens(ids)[index]);
      expect(entity).toBe(label(row));
      expectPrinted(score, Math.max(...row), 4);
    }

    const entities = lines.slice(1 + tokens.length);
    expect(entities.length).toBeGreaterThan(0);
    for (const line of entities) {
      const [, start, end, word, group] = /^ {2}\[([0-9]+), ([0-9]+)\) (.+): (\S+) \S+$/.exec(line)!;
      expect(word).toBe(text.slice(Number(start), Number(end)));
      expect(label(rows[features.char_to_token(0, Number(start))!]!).slice(2)).toBe(group);
    }
  });
});

describe('question-answering', () => {
  const model = AutoModelForQuestionAnswering.from_config(smallConfig(), engine);
  const question = 'is the movie good?';
  const context = 'The movie was not good, but the story of Kim is very good.';

  test('the best pieces of the context', async () => {
    const lines = runExample('question-answering', await saved('answers', model), question, context);
    expect(lines[0]).toBe(question);
    expect(lines).toHaveLength(4);
    const features = tokenizer(question, { text_pair: context });
    const { start_logits, end_logits } = await model(features);
    const inContext = features.sequence_ids(0).flatMap((of, i) => (of === 1 ? [i] : []));
    // Position 0 stands for no answer and has a share, too.
    const shares = (logits: Float32Array) => softmax([0, ...inContext].map((i) => logits[i]!)).slice(1);
    const [starts, ends] = [shares(start_logits.data), shares(end_logits.data)];
    const best = new Map<string, number>();
    for (const [i, from] of inContext.entries()) {
      for (const [j, to] of inContext.entries()) {
        if (j < i || j >= i + 15) continue;
        const word = (token: number) => features.word_to_chars(0, features.token_to_word(0, token)!, 1)!;
        const place = `[${word(from).start}, ${word(to).end}) ${context.slice(word(from).start, word(to).end)}`;
        best.set(place, Math.max(best.get(place) ?? 0, starts[i]! * ends[j]!));
      }
    }
    const expected = [...best].sort(([, a], [, b]) => b - a).slice(0, 3);
    for (const [i, [place, score]] of expected.entries()) {
      const [, printed, found] = /^ {2}(\S+) (.*)$/.exec(lines[1 + i]!)!;
      expect(found).toBe(place);
      expectPrinted(printed, score, 5);
    }
  });
});

test('README.md lists every example', () => {
  const folder = join(import.meta.dirname, '..', '..', 'examples');
  const programs = readdirSync(folder).filter((name) => name.endsWith('.mjs'));
  const listed = [...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/^\| \[(.*)\]\(\1\)/gm)];
  expect(listed.map(([, name]) => name).sort()).toEqual(programs.sort());
});

test('every example is run', () => {
  const tests = ['embeddings', 'tasks'].map((name) =>
    readFileSync(join(import.meta.dirname, `${name}.test.ts`), 'utf8'),
  );
  const programs = readdirSync(join(import.meta.dirname, '..', '..', 'examples')).filter((name) =>
    name.endsWith('.mjs'),
  );
  const idle = programs.filter((name) => !tests.join('').includes(`'${name.slice(0, -'.mjs'.length)}'`));
  expect(idle).toEqual([]);
});

describe('fill-mask', () => {
  const model = AutoModelForMaskedLM.from_config(smallConfig(), engine);
  const text = '오늘 [MASK] 좋네요';

  test('the three likeliest tokens', async () => {
    const lines = runExample('fill-mask', await saved('masks', model), text);
    expect(lines[0]).toBe(text);
    expect(lines).toHaveLength(4);
    const ids = tokenizer.encode(text);
    const place = ids.indexOf(tokenizer.mask_token_id!);
    const { logits } = await model(tokenizer(text));
    const expected = softmax([...logits[0]![place]!.data])
      .map((score, token) => ({ score, token }))
      .sort((a, b) => b.score - a.score);
    for (const [i, { score, token }] of expected.slice(0, 3).entries()) {
      const [, printed, word, found, sequence] = /^ {2}(\S+) (.*) \(([0-9]+)\): (.*)$/.exec(lines[1 + i]!)!;
      expect(Number(found)).toBe(token);
      expect(word).toBe(tokenizer.decode([token]));
      expectPrinted(printed, score, 5);
      const filled = ids.map((id, position) => (position === place ? token : id));
      expect(sequence).toBe(tokenizer.decode(filled, { skip_special_tokens: true }));
    }
  });
});

describe('zero-shot', () => {
  const id2label = { 0: 'contradiction', 1: 'neutral', 2: 'entailment' };
  const model = AutoModelForSequenceClassification.from_config(smallConfig({ id2label }), engine);
  const text = '영화 정말 재미있네요!';
  const labels = ['영화', '음악', '날씨'];
  const logits: number[][] = [];
  let lines: string[] = [];

  beforeAll(async () => {
    lines = runExample('zero-shot', await saved('inference', model), text, ...labels);
    for (const label of labels) {
      const pair = tokenizer(text, { text_pair: `이 글은 ${label}에 관한 것이다.` });
      logits.push([...(await model(pair)).logits.data]);
    }
  });

  function expectScores(printed: readonly string[], scores: readonly number[]): void {
    const sorted = labels.map((label, i) => ({ label, score: scores[i]! })).sort((a, b) => b.score - a.score);
    for (const [i, { label, score }] of sorted.entries()) {
      const [, value, found] = /^ {2}(\S+) (.*)$/.exec(printed[i]!)!;
      expect(found).toBe(label);
      expectPrinted(value, score, 5);
    }
  }

  test('its own labels', () => {
    const own = runExample('zero-shot', join(temporary, 'inference'));
    expect(own).toHaveLength(2 + 2 * 4);
    const shares = own.slice(1, 5).map((line) => Number(line.trim().split(' ')[0]));
    expect(Math.abs(shares.reduce((a, b) => a + b) - 1)).toBeLessThan(5e-5);
  });

  test('one of the labels: entailment against entailment', () => {
    expect(lines[0]).toBe(text);
    expectScores(lines.slice(1, 4), softmax(logits.map((row) => row[2]!)));
  });

  test('each by itself: entailment against contradiction', () => {
    expect(lines[4]).toBe('each by itself:');
    expectScores(
      lines.slice(5),
      logits.map((row) => softmax([row[0]!, row[2]!])[1]!),
    );
  });
});
