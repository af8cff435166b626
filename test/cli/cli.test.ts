import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nativeBinding } from '../../lib/binding/load.ts';
import { attempt, program, run } from '../support/command-line.ts';
import { demoModelFolder, fixturesFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

describe('demo', () => {
  test('shows tokens, ids, shapes, both engines and similarities', () => {
    const output = run('demo');
    expect(output).toContain(`Instruction set ${nativeBinding().system_info().isa} `);
    expect(output).toMatch(/\[CLS\].*\[SEP\]/);
    expect(output).toMatch(/last_hidden_state {2}\[4, \d+, 48\]/);
    const difference = Number(/Largest difference between the engines over \d+ values: (\S+)/.exec(output)![1]);
    expect(difference).toBeLessThan(2e-5);
    expect(output).toMatch(/Cosine similarity/);
  });

  test('takes texts of the caller', () => {
    const output = run('demo', '한 문장', 'another one');
    expect(output).toContain('한 문장');
    expect(output).toMatch(/last_hidden_state {2}\[2, \d+, 48\]/);
  });
});

describe('info', () => {
  test('names family, sizes, stored types, engine and threads', () => {
    const output = run('info', join(fixturesFolder, 'bert-fp16'));
    expect(output).toMatch(/family +bert \(BertModel\)/);
    expect(output).toMatch(/layers +2 of hidden size 24, 4 heads, intermediate size 48/);
    expect(output).toMatch(/stored .*[\d,]+ values as F16/);
    expect(output).toMatch(/engine +native, /);
    expect(output).toMatch(/dtypes +fp32, fp16, bf16, q8; fp32 unless/);
    expect(output).toMatch(/threads +\d+/);
  });

  test.each([
    ['distilbert-base', /activation +gelu\n/, /positions +\d+, absolute\n/, /in the encoder\n/],
    ['nomic-bert-base', /activation +\w+\n/, /positions +\d+, rotary\n/, /in the encoder\n/],
    ['modernbert-base-tiny', /activation +gelu\n/, /positions +\d+, rotary\n/, /no token types/],
    ['deberta-v2-base', /activation +gelu\n/, /positions +\d+, (absolute and )?disentangled\n/, /in the encoder\n/],
    ['mpnet-base', /activation +gelu\n/, /positions +100, absolute and bias\n/, /with its pooler/],
  ])('of %s', (name, ...facts) => {
    const output = run('info', join(fixturesFolder, name));
    expect(output).toMatch(/layers +\d+ of hidden size \d+, \d+ heads, intermediate size \d+/);
    expect(output).toMatch(/tokenizer +none/);
    expect(output).not.toMatch(/undefined|NaN/);
    for (const fact of facts) expect(output).toMatch(fact);
  });
});

describe('tokenize', () => {
  test('tokens over ids, and objects with offsets', () => {
    expect(run('tokenize', '--model', demoModelFolder, 'Hello!')).toMatch(/^\[CLS\] hello.*\[SEP\]\n\d+/);
    const line = JSON.parse(run('tokenize', '--model', demoModelFolder, '--json', '--no-special-tokens', '오늘 hello'));
    expect(line.tokens).toEqual(['오늘', 'hello']);
    expect(line.offsets.map(([start, end]: [number, number]) => '오늘 hello'.slice(start, end))).toEqual([
      '오늘',
      'hello',
    ]);
  });

  test('a reader that closes the pipe ends it quietly', () => {
    const lines = 'a b c\n'.repeat(50_000);
    const command = `${JSON.stringify(process.execPath)} ${JSON.stringify(program)} tokenize --model ${JSON.stringify(demoModelFolder)} | head -1`;
    const { stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8', input: lines });
    expect(stdout).toMatch(/^\[CLS\] a +b +c +\[SEP\]\n$/);
    expect(stderr).toBe('');
  });

  test('reads standard input, and cuts', () => {
    const { stdout } = attempt(['tokenize', '--model', demoModelFolder, '--json', '--max-length', '3'], 'a b c\n\nd\n');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ tokens }) => tokens)).toEqual([
      ['[CLS]', 'a', '[SEP]'],
      ['[CLS]', '[SEP]'],
      ['[CLS]', 'd', '[SEP]'],
    ]);
  });
});

describe('mistakes', () => {
  const temporary = temporaryFolder();
  const output = join(temporary, 'x.npy');
  const bad = join(temporary, 'bad.txt');
  writeFileSync(bad, Buffer.from([0x61, 0x0a, 0xff, 0x0a]));
  test.each([
    ['a model that is not there', ['info', './no-such-folder'], 'ERR_NOT_FOUND'],
    [
      'an input that is not there',
      ['embed', '--model', demoModelFolder, '--input', 'none.txt', '--output', output],
      'none.txt',
    ],
    [
      'an input that is not UTF-8',
      ['embed', '--model', demoModelFolder, '--input', bad, '--output', output],
      'not UTF-8 in line 2',
    ],
    [
      'an output of another kind',
      ['embed', '--model', demoModelFolder, '--input', bad, '--output', 'x.csv'],
      '.npy or .jsonl',
    ],
    [
      'an unknown pooling',
      ['embed', '--model', demoModelFolder, '--input', bad, '--output', output, '--pooling', 'sum'],
      'mean, cls',
    ],
    ['a number that is none', ['tokenize', '--model', demoModelFolder, '--max-length', 'ten', 'x'], 'whole number'],
    ['an unknown command', ['embedd'], 'Did you mean embed'],
    ['a missing option', ['embed', '--input', bad, '--output', output], '--model'],
  ])('%s', (_, args, message) => {
    const { status, stderr } = attempt(args);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });

  test('a wrong BERT_NATIVE_ISA says what there is', () => {
    const { status, stderr } = spawnSync(process.execPath, [program, 'demo'], {
      encoding: 'utf8',
      env: { ...process.env, BERT_NATIVE_ISA: 'avx1024' },
    });
    expect(status).toBe(1);
    expect(stderr).toContain("BERT_NATIVE_ISA is 'avx1024': expected one of scalar, neon, neon_dot, neon_bf16, avx2,");
  });
});
