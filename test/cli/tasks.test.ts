import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  AutoModelForMaskedLM,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  pipeline,
} from '../../lib/index.ts';
import { classifierFolder, encoderFolder, engine, smallConfig } from '../pipelines/support.ts';
import { attempt, run, start, until } from '../support/command-line.ts';
import { fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const temporary = temporaryFolder();
const path = (name: string) => join(temporary, name);
const texts = ['안녕하세요', 'the movie was not good', '오늘 날씨 좋네요!'];
const lines = `${texts.join('\n')}\n`;
const labels = { 0: 'O', 1: 'B-PER', 2: 'I-PER', 3: 'B-LOC', 4: 'I-LOC' };
const folders = {
  entities: path('entities'),
  answers: path('answers'),
  masks: path('masks'),
  inference: path('inference'),
};

const options = { engine } as const;
const arguments_ = (command: string, folder: string, ...others: string[]) => [
  command,
  ...others,
  '--model',
  folder,
  '--engine',
  engine,
];
const call = (command: string, folder: string, ...others: string[]) => run(...arguments_(command, folder, ...others));

function readJsonLines(text: string): unknown[] {
  expect(text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** The results of a pipeline, as they come out of JSON. */
async function expected(results: Promise<unknown>): Promise<unknown[]> {
  return JSON.parse(JSON.stringify(await results));
}

beforeAll(async () => {
  const tokenizer = await AutoTokenizer.from_pretrained(encoderFolder);
  const inference = { id2label: { 0: 'contradiction', 1: 'neutral', 2: 'entailment' } };
  for (const [folder, model] of [
    [folders.entities, AutoModelForTokenClassification.from_config(smallConfig({ id2label: labels }), options)],
    [folders.answers, AutoModelForQuestionAnswering.from_config(smallConfig(), options)],
    [folders.masks, AutoModelForMaskedLM.from_config(smallConfig(), options)],
    [folders.inference, AutoModelForSequenceClassification.from_config(smallConfig(inference), options)],
  ] as const) {
    await model.save_pretrained(folder);
    await tokenizer.save_pretrained(folder);
  }
  writeFileSync(path('texts.txt'), lines);
  const objects = texts.map((text, i) => ({ id: `t${i}`, body: { text }, other: texts[(i + 1) % 3] }));
  writeFileSync(path('texts.jsonl'), objects.map((object) => `${JSON.stringify(object)}\n`).join(''));
});

describe('classify', () => {
  test('lines of standard input, of a file, of the command line: the pipeline’s results', async () => {
    const pipe = await pipeline('text-classification', classifierFolder, options);
    const best = await expected(pipe(texts));
    const { stdout, stderr, status } = attempt(arguments_('classify', classifierFolder), lines);
    expect([status, stderr]).toEqual([0, '']);
    expect(readJsonLines(stdout)).toEqual(best);
    expect(readJsonLines(call('classify', classifierFolder, '--input', path('texts.txt')))).toEqual(best);
    expect(readJsonLines(call('classify', classifierFolder, ...texts))).toEqual(best);
    expect(readJsonLines(call('classify', classifierFolder, ...texts, '--top-k', '2'))).toEqual(
      await expected(pipe(texts, { top_k: 2 })),
    );
    expect(readJsonLines(call('classify', classifierFolder, ...texts, '--all', '--function', 'sigmoid'))).toEqual(
      await expected(pipe(texts, { top_k: null, function_to_apply: 'sigmoid' })),
    );
  });

  test('pairs, ids and fields of JSON; a file for people', async () => {
    const pipe = await pipeline('text-classification', classifierFolder, options);
    const fields = ['--input', path('texts.jsonl'), '--field', 'body.text', '--id-field', 'id'];
    const pairs = texts.map((text, i) => ({ text, text_pair: texts[(i + 1) % 3]! }));
    const best = (await expected(pipe(pairs))) as object[];
    expect(readJsonLines(call('classify', classifierFolder, ...fields, '--pair-field', 'other'))).toEqual(
      best.map((result, i) => ({ id: `t${i}`, ...result })),
    );
    const output = path('labels.txt');
    const { stderr } = attempt(arguments_('classify', classifierFolder, ...fields, '--all', '--output', output));
    expect(stderr).toBe(`3 texts classified: ${output}\n`);
    const rows = readFileSync(output, 'utf8').trimEnd().split('\n');
    expect(rows).toHaveLength(3);
    for (const [i, row] of rows.entries())
      expect(row).toMatch(new RegExp(`^t${i}(\\t(긍정|부정|중립)\\t0\\.\\d{4}){3}$`));
  });

  test('labels of the caller’s own', async () => {
    const pipe = await pipeline('zero-shot-classification', folders.inference, options);
    const found = await pipe(texts, ['좋', 'bad'], { multi_label: true, hypothesis_template: 'it is {}' });
    const given = ['--labels', '좋, bad', '--multi-label', '--template', 'it is {}', '--all'];
    expect(readJsonLines(call('classify', folders.inference, ...texts, ...given))).toEqual(
      found.map(({ labels, scores }) => labels.map((label, i) => ({ label, score: scores[i] }))),
    );
    const { stderr, status } = attempt(arguments_('classify', folders.inference, 'a', '--multi-label'));
    expect([status, stderr]).toEqual([1, expect.stringMatching(/ERR_OPTION.*--multi-label.*--labels/)]);
  });
});

describe('ner', () => {
  test('entities, with where they stand', async () => {
    const pipe = await pipeline('ner', folders.entities, options);
    const found = await expected(pipe(texts, { aggregation_strategy: 'simple' }));
    expect(readJsonLines(call('ner', folders.entities, ...texts))).toEqual(found);
    const tokens = await expected(pipe(texts, { ignore_labels: ['none'] }));
    expect(readJsonLines(call('ner', folders.entities, ...texts, '--strategy', 'none', '--ignore', 'none'))).toEqual(
      tokens,
    );
    const text = call('ner', folders.entities, ...texts, '--output-format', 'txt', '--ignore', 'none');
    expect(
      text
        .split('\n')
        .slice(0, 3)
        .every((row) => /^(.+ \((O|PER|LOC) [01]\.\d{4}\)\t?)+$/.test(row)),
    ).toBe(true);
  });
});

describe('ask', () => {
  test('one question of all texts, or each text’s own', async () => {
    const pipe = await pipeline('question-answering', folders.answers, options);
    const question = 'is it good?';
    const found = await expected(pipe(texts.map((context) => ({ question, context }))));
    expect(readJsonLines(call('ask', folders.answers, ...texts, '--question', question))).toEqual(found);
    const own = await expected(
      pipe(
        texts.map((context, i) => ({ question: texts[(i + 1) % 3]!, context })),
        { top_k: 2 },
      ),
    );
    const fields = [
      '--input',
      path('texts.jsonl'),
      '--field',
      'body.text',
      '--question-field',
      'other',
      '--id-field',
      'id',
    ];
    expect(readJsonLines(call('ask', folders.answers, ...fields, '--top-k', '2'))).toEqual(
      own.map((answers, i) => ({ id: `t${i}`, answers })),
    );
    const { stderr, status } = attempt(arguments_('ask', folders.answers, 'a'));
    expect([status, stderr]).toEqual([1, expect.stringMatching(/expected one of --question, and of --question-field/)]);
  });
});

describe('fill-mask', () => {
  test('tokens for one mask and for several', async () => {
    const pipe = await pipeline('fill-mask', folders.masks, options);
    const masked = ['the [MASK] was good', '[MASK] [MASK]'];
    expect(readJsonLines(call('fill-mask', folders.masks, ...masked, '--top-k', '2'))).toEqual(
      await expected(pipe(masked, { top_k: 2 })),
    );
    const rows = call('fill-mask', folders.masks, ...masked, '--output-format', 'txt', '--top-k', '1').split('\n');
    expect(rows[0]).toMatch(/^\S+\t0\.\d{4}$/);
    expect(rows[1]).toMatch(/^\S+\t0\.\d{4}\t\|\t\S+\t0\.\d{4}$/);
    const { stderr, status } = attempt(arguments_('fill-mask', folders.masks, '[MASK]', 'none'));
    expect([status, stderr]).toEqual([1, expect.stringMatching(/ERR_OPTION: texts\[1\] has no mask/)]);
  });
});

describe('similar', () => {
  test('scores of all texts, or the best', async () => {
    const pipe = await pipeline('sentence-similarity', encoderFolder, options);
    const scores = await pipe(texts[1]!, texts);
    const found = readJsonLines(call('similar', encoderFolder, ...texts, '--to', texts[1]!)) as {
      text: string;
      score: number;
    }[];
    expect(found.map(({ text }) => text)).toEqual(texts);
    found.forEach(({ score }, i) => {
      expect(score).toBeCloseTo(scores[i]!, 6);
    });
    const best = readJsonLines(call('similar', encoderFolder, ...texts, '--to', texts[1]!, '--top-k', '2'));
    expect(best).toEqual(found.toSorted((a, b) => b.score - a.score).slice(0, 2));
    const { stderr, status } = attempt(
      arguments_(
        'similar',
        encoderFolder,
        ...texts,
        '--to',
        'a',
        '--top-k',
        '2',
        '--resume',
        '--output',
        path('never.jsonl'),
      ),
    );
    expect([status, stderr]).toEqual([1, expect.stringMatching(/--resume: this output is known only when/)]);
  });

  test('by the modules of a folder of sentence-transformers', async () => {
    const folder = join(fixturesFolder, 'sentence-transformers-cls-max-dense');
    const pipe = await pipeline('sentence-similarity', folder, options);
    const scores = await pipe('hello', texts);
    const found = readJsonLines(call('similar', folder, ...texts, '--to', 'hello')) as { score: number }[];
    found.forEach(({ score }, i) => {
      expect(score).toBeCloseTo(scores[i]!, 5);
    });
  });

  test('of a folder whose encoder has one of its own', () => {
    const folder = join(fixturesFolder, 'sentence-transformers-mean');
    const split = temporaryFolder();
    cpSync(folder, join(split, '0_Transformer'), { recursive: true });
    cpSync(join(folder, '1_Pooling'), join(split, '1_Pooling'), { recursive: true });
    const modules = JSON.parse(readFileSync(join(folder, 'modules.json'), 'utf8')) as object[];
    writeFileSync(
      join(split, 'modules.json'),
      JSON.stringify(modules.map((module, i) => (i === 0 ? { ...module, path: '0_Transformer' } : module))),
    );
    const found = readJsonLines(call('similar', split, ...texts, '--to', 'hello'));
    expect(found).toEqual(readJsonLines(call('similar', folder, ...texts, '--to', 'hello')));
  });
});

describe('a long run', () => {
  const count = 4000;
  const lines = Array.from({ length: count }, (_, i) => `${texts[i % 3]} ${i % 10}\n`);

  test('Ctrl-C keeps a valid file, and --resume completes it', async () => {
    const input = lines.join('');
    const whole = attempt(arguments_('classify', classifierFolder, '--input', '-'), input).stdout;
    const output = path('many.jsonl');
    const given = arguments_('classify', classifierFolder, '--input', '-', '--output', output);
    const { child, ended } = start(...given, '--batch-tokens', '24');
    child.stdin.write(lines.slice(0, count / 2).join('')); // and the pipe stays open: it cannot end before it is told to
    const partial = `${output}.partial`;
    await until(() => existsSync(partial) && statSync(partial).size > 100, 'rows');
    child.kill('SIGINT');
    const { status, stderr } = await ended;
    expect(status).toBe(130);
    const rows = readJsonLines(readFileSync(output, 'utf8')).length;
    expect(rows).toBeGreaterThan(0);
    expect(rows).toBeLessThan(count);
    expect(stderr).toMatch(/interrupted: [\d,]+ texts classified, kept in .*; go on with --resume\n/);
    const other = attempt([...given, '--resume', '--top-k', '2'], input);
    expect([other.status, other.stderr]).toEqual([1, expect.stringMatching(/--top-k: 1 then, 2 now/)]);
    const resumed = attempt([...given, '--resume'], input);
    expect(resumed.stderr).toContain(
      `going on after ${rows.toLocaleString('en')} texts\n4,000 texts classified: ${output}\n`,
    );
    expect(readFileSync(output, 'utf8')).toBe(whole);
  });

  test('an error keeps what is done', () => {
    const bad = path('bad.jsonl');
    writeFileSync(bad, `${'{"text":"good"}\n'.repeat(5)}{"text":5}\n`);
    const output = path('kept.jsonl');
    const { status, stderr } = attempt(arguments_('classify', classifierFolder, '--input', bad, '--output', output));
    expect(status).toBe(1);
    expect(stderr).toMatch(/5 texts kept in .*kept\.jsonl\.partial; --resume goes on there/);
    expect(stderr).toMatch(/ERR_FILE_FORMAT: '.*bad\.jsonl': line 6 has 5 in 'text'/);
  });
});

describe('what cannot be', () => {
  test.each([
    [['classify', 'a', '--model', encoderFolder, '--engine', engine], /ERR_WEIGHT_MISSING.*classifier\.weight/],
    [['classify', 'a', '--input', 'b.txt', '--model', classifierFolder], /--input is "b.txt": expected to be left out/],
    [['ner', '--input', 'a.csv', '--model', classifierFolder], /a file that ends in \.txt or \.jsonl/],
    [['ner', 'a', '--output', 'a.csv', '--model', classifierFolder], /ends in \.jsonl or \.ndjson or \.txt or \.tsv/],
    [['ner', 'a', '--resume', '--model', classifierFolder], /--resume is "-": expected a regular file/],
    [['similar', 'a', '--to', 'b', '--model', './nowhere'], /ERR_NOT_FOUND/],
  ])('%j', (given, message) => {
    const { status, stderr, stdout } = attempt(given);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
  });
});
