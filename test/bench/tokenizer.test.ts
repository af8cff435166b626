import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PassageMaker } from '../../bench/text/passages.mjs';
import { hostileText, hostileTexts } from '../../bench/tokenizer/hostile-texts.mjs';
import { renderTokenizers } from '../../bench/tokenizer/render.mjs';
import { BertTokenizer } from '../../lib/index.ts';
import { demoModelFolder } from '../support/fixtures.ts';
import { temporaryFolder } from '../support/temporary.ts';

const root = join(import.meta.dirname, '..', '..');

describe('texts', () => {
  test.each([
    ['en', /^[A-Z]/, '7036972a296ce992'],
    ['ko', /[가-힣]{2}/, '94abb6da46e491fe'],
    ['mixed', /[a-z]{3}/, 'b64555265724f14c'],
  ] as const)('%s: distinct, natural in their looks, the same everywhere', (language, looks, hash) => {
    const texts = new PassageMaker(language).make(200_000);
    expect(Buffer.byteLength(texts.join(''))).toBeGreaterThanOrEqual(200_000);
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts.filter((text) => looks.test(text)).length).toBeGreaterThan(0.9 * texts.length);
    const words = texts.join(' ').split(/\s+/);
    expect(new Set(words).size / words.length).toBeGreaterThan(0.05);
    expect(createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16)).toBe(hash);
  });

  test('hostile ones have about the size that is asked for', () => {
    for (const name of hostileTexts) {
      const size = Buffer.byteLength(hostileText(name, 12_000));
      expect(size, name).toBeGreaterThan(11_900);
      expect(size, name).toBeLessThan(12_100);
    }
  });
});

test('the tables: median of the rounds, ratios on one thread, failures by name', () => {
  const result = (contender: string, threads: number, speeds: number[], failure: string | null = null) => ({
    contender,
    threads,
    different: contender === 'transformers.js' ? 3 : 0,
    failure,
    rounds: speeds.map((packed) => ({ load_ms: 1, bytes_per_s: { packed } })),
  });
  const report = renderTokenizers({
    measured: '2026-01-01',
    machine: { processor: 'Test', cores: 2, memory_gb: 1, platform: 'test', load_average: 0 },
    versions: { tokenizers: '0.0.1' },
    rounds: 3,
    notRead: ['some-bpe'],
    hostileSizes: [250_000, 1_000_000],
    speed: [
      {
        vocabulary: 'v',
        language: 'ko',
        texts: 1,
        bytes: 1,
        results: [
          result('bert-native', 1, [90e6, 100e6, 500e6]),
          result('bert-native', 2, [180e6]),
          result('tokenizers', 1, [8e6, 10e6, 12e6]),
          result('transformers.js', 1, [], 'it broke'),
        ],
      },
    ],
    memory: [{ vocabulary: 'v', contender: 'bert-native', peak_mb: 41.7, failure: null }],
    hostile: [{ vocabulary: 'v', text: 'spaces', contender: 'bert-native', seconds: [0.01, 0.08] }],
  });
  expect(report).toContain('| v | Korean | 100 | 180 | 10 (10.0×) | failed |');
  expect(report).toContain('transformers.js, 1 threads, v, ko: it broke');
  expect(report).toContain('transformers.js, v, Korean: 3 texts');
  expect(report).toContain('| v | bert-native | 42 |');
  expect(report).toContain('| v | spaces | bert-native | 40 | 80 | 2.0 |');
  expect(report).toContain('not measured: some-bpe');
});

test('from the command line to tables, with the demo model', async () => {
  const folder = temporaryFolder();
  await (await BertTokenizer.from_pretrained(demoModelFolder)).save_pretrained(join(folder, 'demo'));
  const out = join(folder, 'results.json');
  const few = ['--megabytes', '1', '--rounds', '1', '--threads', '1', '--texts', 'ko', '--only', 'speed'];
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(root, 'bench', 'tokenizer.mjs'), '--vocabularies', join(folder, 'demo'), '--out', out, ...few],
    { encoding: 'utf8' },
  );
  expect(stderr).not.toContain('FAILED');
  expect(status).toBe(0);
  const { speed } = JSON.parse(readFileSync(out, 'utf8'));
  expect(speed).toHaveLength(1);
  const { results } = speed[0];
  expect(results.map(({ contender }: { contender: string }) => contender)).toEqual([
    'bert-native',
    'tokenizers',
    '@huggingface/tokenizers',
    'transformers.js',
  ]);
  for (const { failure, rounds } of results) {
    expect(failure).toBeNull();
    expect(rounds).toHaveLength(1);
    expect(rounds[0].bytes_per_s.packed).toBeGreaterThan(0);
  }
  expect(results[0].different).toBe(0);
  expect(readFileSync(out.replace('.json', '.md'), 'utf8')).toContain('| demo | Korean |');
});

test('what cannot be asked for is said', () => {
  for (const [args, message] of [
    [['--texts', 'la'], '--texts is la: expected some of en,ko,mixed'],
    [['--rounds', '0'], '--rounds is 0: expected a whole number'],
    [['--vocabularies', 'nowhere'], 'no tokenizer.json in nowhere'],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'bench', 'tokenizer.mjs'), ...args], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  }
});
