import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defaultContenders } from '../../bench/contenders.mjs';
import { temporaryFolder } from '../support/temporary.ts';

const root = join(import.meta.dirname, '..', '..');
const cache = join(root, 'build', 'bench-test', 'smoke');

interface Measured {
  contender: string;
  accuracy?: { passed: boolean };
  agreement?: { same_labels: number };
  rounds: unknown[];
}

function bench(...args: string[]) {
  return start('run.mjs', args);
}

function start(program: string, args: readonly string[]) {
  const command = [join(root, 'bench', program), '--cache', cache, ...args];
  return spawnSync(process.execPath, command, { encoding: 'utf8' });
}

test('the whole way, from nothing to tables, with a model that takes no time', () => {
  const out = join(temporaryFolder(), 'results.json');
  const some = ['--texts', '8', '--batch-size', '2', '--rounds', '1', '--time-budget', '1', '--latency-runs', '2'];
  for (const part of ['tiny/en/mixed', 'tiny/ko/sorted']) {
    const { status, stdout, stderr } = bench('--part', part, ...some, '--threads', '2', '--out', out);
    expect(stderr).not.toContain('FAILED');
    expect(stdout).toContain(`| ${part} |`);
    expect(status).toBe(0);
  }
  // Both runs accumulated, and every contender was measured in each.
  const { runs } = JSON.parse(readFileSync(out, 'utf8'));
  const measured = runs.map(
    ({ cases: [{ part, contenders }] }: { cases: [{ part: string; contenders: unknown[] }] }) => [
      part,
      (contenders as { contender: string; failure: unknown; rounds: unknown[] }[]).map(
        ({ contender, failure, rounds }) => [contender, failure, rounds.length],
      ),
    ],
  );
  const contenders = defaultContenders.map((name) => [name, null, 1]);
  expect(measured).toEqual([
    ['tiny/en/mixed', contenders],
    ['tiny/ko/sorted', contenders],
  ]);
  const report = readFileSync(out.replace('.json', '.md'), 'utf8');
  expect(report).toContain('| tiny/en/mixed |');
  expect(report).toContain('| tiny/ko/sorted |');
  for (const [chart, texts] of [
    ['mixed', 'English, 3 to 250 words, as they come'],
    ['equal', 'Korean, 3 to 250 words, sorted by length'],
  ]) {
    expect(readFileSync(out.replace('.json', `-${chart}.svg`), 'utf8')).toContain(texts);
  }
});

test('another family goes the whole way', () => {
  const out = join(temporaryFolder(), 'results.json');
  const some = ['--texts', '4', '--batch-size', '2', '--rounds', '1', '--time-budget', '1', '--latency-runs', '2'];
  const names = ['transformers.js-fp32', 'native'];
  const { status, stdout } = bench(
    ...['--part', 'tiny-modernbert/en/mixed', '--contenders', names.join(','), ...some, '--out', out],
  );
  expect(stdout).not.toContain('FAILED');
  expect(status).toBe(0);
  const [{ cases }] = JSON.parse(readFileSync(out, 'utf8')).runs;
  const passed = cases[0].contenders.map(({ contender, accuracy }: Measured) => [contender, accuracy?.passed]);
  expect(passed).toEqual(names.map((name) => [name, true]));
  expect(readFileSync(out.replace('.json', '-families.svg'), 'utf8')).toContain('tiny-modernbert');
});

test('tasks go the whole way, and both libraries give the same results', () => {
  const out = join(temporaryFolder(), 'results.json');
  const parts = ['text-classification', 'token-classification', 'fill-mask', 'question-answering']
    .concat('zero-shot-classification')
    .map((task) => `tiny-distilbert/${task}`);
  const some = ['--items', '4', '--rounds', '1', '--time-budget', '1', '--latency-runs', '2'];
  const names = ['transformers.js-fp32', 'native'];
  const { status, stdout } = start('tasks.mjs', [
    ...['--part', parts.join(','), '--contenders', names.join(','), ...some, '--out', out],
  ]);
  expect(stdout).not.toContain('FAILED');
  expect(status).toBe(0);
  const [{ cases }] = JSON.parse(readFileSync(out, 'utf8')).runs;
  const agreed = cases.map(({ part, contenders }: { part: string; contenders: Measured[] }) => [
    part,
    contenders.map(({ agreement, rounds }) => [agreement?.same_labels, rounds.length]),
  ]);
  expect(agreed).toEqual(parts.map((part) => [part, names.map(() => [1, 1])]));
  const report = readFileSync(out.replace('.json', '.md'), 'utf8');
  for (const part of parts) expect(report).toContain(`| ${part} | bert-native fp32 |`);
  expect(report).not.toMatch(/NaN|undefined|failed/);
});

test('what cannot be asked for is said', () => {
  expect(bench('--help').stdout).toContain('--contenders');
  expect(bench('--list').stdout).toMatch(/bert-base\/en\/mixed +about \d+ min {2}quick/);
  const unknownTask = start('tasks.mjs', ['--part', 'tiny/translation']);
  expect(unknownTask.stderr).toContain("no part 'tiny/translation'");
  expect(unknownTask.status).toBe(1);
  for (const [args, message] of [
    [['--part', 'huge/*/*'], "no part 'huge/*/*'"],
    [['--contenders', 'native,tensorflow'], "no contender 'tensorflow'"],
    [['--isa', 'mmx'], '--isa is mmx: this processor has scalar'],
    [['--texts', 'many'], '--texts is many: expected a whole number'],
  ] as const) {
    const { status, stderr } = bench(...args);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
  }
});
