import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { medianRate } from '../../bench/render.mjs';
import { casesToReport, readResults } from '../../bench/results.mjs';
import type { ContenderResult, Run } from '../../bench/types.ts';
import { families } from '../../lib/models/families.ts';
import { piecesOf, root, usePieces } from './pieces.ts';

const run = usePieces();
const pieces = piecesOf('README.md');

test('there are pieces to run', () => {
  expect(pieces.length).toBe(4);
});

test.each(pieces)('$name', (piece) => run(piece));

test('every family is in the table', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const [, table] = /^## Models\n([\s\S]*?)^## /m.exec(readme)!;
  const listed = [...table!.matchAll(/^\| ((?:`[a-z0-9_-]+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
    names!.split(', '),
  );
  expect(listed.sort()).toEqual(families.map(({ config }) => `\`${config.model_type}\``).sort());
});

test('the figures are those of bench/results', () => {
  const { runs } = readResults(join(root, 'bench', 'results', 'amd-epyc-2t-avx512_bf16.json')) as { runs: Run[] };
  const cases = new Map(casesToReport(runs).map(({ result }) => [result.part, result.contenders]));
  const parts = {
    'mixed lengths, as given': 'bert-base/en/mixed',
    'mixed lengths, sorted by length': 'bert-base/en/sorted',
    '128 tokens each': 'bert-base/en/128',
    '16 tokens each': 'bert-base/en/16',
  };
  const [, table] = /^## Speed\n([\s\S]*?)^## /m.exec(readFileSync(join(root, 'README.md'), 'utf8'))!;
  for (const [name, part] of Object.entries(parts)) {
    const contenders = cases.get(part) as readonly ContenderResult[];
    const rate = (contender: string) => medianRate(contenders.find((each) => each.contender === contender))!;
    const [fp32, q8] = [rate('transformers.js-fp32'), rate('transformers.js-q8')];
    const [own, bf16, ownQ8] = [rate('native'), rate('native-bf16'), rate('native-q8')];
    const expected = [own, own / fp32, bf16, bf16 / fp32, ownQ8, ownQ8 / q8, fp32, q8];
    const row = table!.split('\n').find((line) => line.startsWith(`| ${name} |`))!;
    const printed = row.slice(row.indexOf('|', 1)).match(/\d[\d,.]*/g)!;
    expect(printed).toHaveLength(expected.length);
    for (const [i, text] of printed.entries()) {
      const digits = text.split('.')[1]?.length ?? 0;
      expect(Math.abs(Number(text.replaceAll(',', '')) - expected[i]!), `${name}: ${text}`).toBeLessThanOrEqual(
        0.501 * 10 ** -digits,
      );
    }
  }
});
