import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderChart } from '../../bench/chart.mjs';
import { renderReport } from '../../bench/render.mjs';
import { casesToReport, readResults } from '../../bench/results.mjs';
import type { CaseResult, ContenderResult, Run } from '../../bench/types.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A contender's result with the given rates, everything else of it equal. */
function result(
  contender: string,
  rates: number[],
  others: Partial<ContenderResult> = {},
  foreign = 0,
): ContenderResult {
  const delays = { p50_ms: 1, p99_ms: 2, max_ms: 3 };
  return {
    contender,
    label: `label of ${contender}`,
    facts: contender.endsWith('q8') ? { dtype: 'q8' } : {},
    accuracy: { texts: 8, max_mixed_error: 1e-6, max_relative_l2: 3e-7, bar: '', passed: true },
    sample: { batches: 4, texts: 128, tokens: 5000, padding: 0.75, padding_of_all: 0.76, gflop: 850 },
    rounds: rates.map((tokens_per_s, i) => ({
      round: i + 1,
      import_ms: 100,
      load_ms: 600,
      first_vector_ms: 700,
      latency: { runs: 50, median_ms: 20, p95_ms: 25 },
      busy_latency: { runs: 50, median_ms: 41, p95_ms: 52 },
      idle_loop_delay: delays,
      throughput: {
        wall_ms: 5_000_000 / tokens_per_s,
        batch_ms: [],
        cpu_ms: 10_000_000 / tokens_per_s,
        loop_delay: delays,
        loop_busy: 0.02,
        foreign_cores: foreign,
      },
      tokens_per_s,
      texts_per_s: tokens_per_s / 40,
      gflops: tokens_per_s * 0.17,
      peak_rss_mb: 540,
    })),
    failure: null,
    ...others,
  };
}

function measuredCase(contenders: ContenderResult[], part = 'bert-base/en/mixed', fp32_gflops = 200): CaseResult {
  const gops_by_dtype = { bf16: 2 * fp32_gflops, q8: 4 * fp32_gflops };
  const peak = { threads: 2, isa: 'avx512', fp32_gflops, fp32_gflops_by_isa: {}, gops_by_dtype, read_gb_per_s: 25 };
  return { part, texts: 4096, batch_size: 32, peak, contenders };
}

function measuredRun(cases: CaseResult[], others: Partial<Run> = {}): Run {
  return {
    started: '2026-01-02T03:04:05.000Z',
    machine: { processor: 'Some CPU', cores: 2, memory_gb: 16, platform: 'linux-x64', load_average: 0.1 },
    threads: 2,
    isa: 'avx512',
    idle_node_rss_mb: 40,
    versions: { node: 'v20.0.0', 'bert-native': '0.1.0 (abc)', 'onnxruntime-node': '1.30.0' },
    settings: { rounds: 3, time_budget_s: 20, seed: 1 },
    cases,
    ...others,
  };
}

const rowsOf = (report: string, part: string) =>
  report
    .split('\n')
    .filter((line) => line.startsWith(`| ${part} |`))
    .map((line) => line.split('|').map((cell) => cell.trim()));

describe('the table', () => {
  test('medians, ratios, shares of the peak', () => {
    const report = renderReport([
      measuredRun([
        measuredCase([
          result('transformers.js-fp32', [100, 300, 200]),
          result('transformers.js-q8', [250]),
          result('native', [900, 1000, 1100]),
        ]),
      ]),
    ]);
    const rows = rowsOf(report, 'bert-base/en/mixed').map((cells) => cells.slice(2, -1));
    expect(rows.slice(0, 3)).toEqual([
      ['label of native', '75%', '1,000', '85%', '3.0e-7', '5.00×', '4.00×'],
      ['label of transformers.js-fp32', '75%', '200', '17%', '3.0e-7', '', ''],
      ['label of transformers.js-q8', '75%', '250', '5.3%', '3.0e-7', '', ''], // of q8's own peak
    ]);
    expect(report).toContain('| ÷ label of transformers.js-fp32 | ÷ label of transformers.js-q8 |');
    expect(rows[5]).toContain('900, 1,000, 1,100');
    expect(rows[5]).toContain('2.00'); // cores used
    expect(rows[8]).toContain('540 MB (500)');
    expect(rows[8]).toContain('68%'); // 0.34 GB in 20 ms of 25 GB/s
    expect(report).not.toMatch(/[†‡]|NaN|undefined/);
  });

  test('dtypes side by side: each against every peer, with its own error and its own size of a weight', () => {
    const inDtype = (dtype: string, rate: number, error: number) =>
      result(`native-${dtype}`, [rate], {
        facts: { dtype, fp32_precision: 'highest' },
        accuracy: { texts: 8, max_mixed_error: 1, max_relative_l2: error, bar: '', passed: true },
      });
    const peers = [result('transformers.js-fp32', [500]), result('transformers.js-q8', [1000])];
    const own = [inDtype('fp16', 1000, 5e-4), inDtype('bf16', 2000, 4e-3), inDtype('q8', 4000, 2e-2)];
    const report = renderReport([measuredRun([measuredCase([...peers, result('native', [1000]), ...own])])]);
    const rows = rowsOf(report, 'bert-base/en/mixed').map((cells) => cells.slice(2, -1));
    expect(rows.slice(0, 4)).toEqual([
      ['label of native', '75%', '1,000', '85%', '3.0e-7', '2.00×', '1.00×'],
      ['label of native-fp16', '75%', '1,000', '85%', '5.0e-4', '2.00×', '1.00×'], // computed in fp32
      ['label of native-bf16', '75%', '2,000', '85%', '4.0e-3', '4.00×', '2.00×'],
      ['label of native-q8', '75%', '4,000', '85%', '2.0e-2', '8.00×', '4.00×'],
    ]);
    const shares = rows.slice(-4).map((cells) => cells.at(-2)); // of memory rate
    expect(shares).toEqual(['68%', '34%', '34%', '17%']);
  });

  test('a failure is told, and has no ratio', () => {
    const failed = { failure: 'no such | file', accuracy: null, sample: null };
    const report = renderReport([
      measuredRun([measuredCase([result('transformers.js-fp32', [], failed), result('native', [1000])])]),
    ]);
    const [own, peer] = rowsOf(report, 'bert-base/en/mixed');
    expect(own!.slice(4, -1)).toEqual(['1,000', '85%', '3.0e-7']); // nothing to compare with
    expect(peer!.slice(3, -1)).toEqual(['', 'failed', '', '']);
    expect(report).toContain('failed: no such \\| file');
  });

  test('the reference engine and disturbed rounds are marked, and the marks explained', () => {
    const report = renderReport([
      measuredRun([
        measuredCase([result('native', [1000, 1000], {}, 0.5), result('reference', [5], { accuracy: null })]),
      ]),
    ]);
    const [own, reference] = rowsOf(report, 'bert-base/en/mixed');
    expect(own!.slice(4, -1)).toEqual(['1,000‡', '85%', '3.0e-7', '200×']);
    expect(reference!.slice(4, -1)).toEqual(['5†', '0.4%', 'the reference', '']);
    expect(report).toMatch(/^† /m);
    expect(report).toMatch(/^‡ /m);
  });

  test('the peak is the highest that was measured on the machine', () => {
    const of = (part: string, peak: number) => measuredCase([result('native', [1000])], part, peak);
    const report = renderReport([measuredRun([of('bert-base/en/mixed', 170), of('bert-base/en/16', 340)])]);
    expect(report).toContain('340 GFLOP/s');
    expect(rowsOf(report, 'bert-base/en/mixed')[0]![5]).toBe('50%');
  });
});

describe('several runs', () => {
  const both = (rate: number) => measuredCase([result('native', [rate]), result('transformers.js-fp32', [100])]);
  const alone = measuredCase([result('native', [5000])]);
  const nothing = measuredCase([result('native', []), result('transformers.js-fp32', [])]);

  test('the newest with a peer beside it counts; figures of two runs never make a ratio', () => {
    const runs = [measuredRun([both(1000)]), measuredRun([both(2000)]), measuredRun([alone]), measuredRun([nothing])];
    expect(casesToReport(runs).map(({ run }) => runs.indexOf(run))).toEqual([1]);
    const report = renderReport(runs);
    expect(report).toContain('20.0×');
    expect(report).not.toContain('5,000');
  });

  test('a peer beside any dtype of this library is a peer', () => {
    const low = measuredCase([result('native-q8', [3000]), result('transformers.js-q8', [100])]);
    expect(casesToReport([measuredRun([low]), measuredRun([alone])])[0]!.result).toBe(low);
  });

  test('without a peer the newest counts', () => {
    expect(casesToReport([measuredRun([alone]), measuredRun([alone])])[0]!.run).toBeDefined();
    expect(renderReport([measuredRun([alone])])).toContain('5,000');
  });

  test('other machines, threads and versions have tables of their own; another commit has not', () => {
    const other = (changes: Partial<Run>) => renderReport([measuredRun([both(1000)]), measuredRun([alone], changes)]);
    expect(other({ threads: 1 })).toContain('1 thread,');
    expect(other({ threads: 1 }).match(/^## /gm)).toHaveLength(2);
    expect(other({ versions: { node: 'v22.0.0' } }).match(/^## /gm)).toHaveLength(2);
    const versions = { ...measuredRun([]).versions, 'bert-native': '0.1.0 (def)' };
    expect(other({ versions }).match(/^## /gm)).toHaveLength(1);
  });

  test('nothing measured, nothing reported', () => {
    expect(renderReport([measuredRun([nothing])])).not.toContain('##');
  });
});

describe('the chart', () => {
  const both = [result('transformers.js-fp32', [500]), result('native', [1000])];
  const base = measuredCase(both);
  const large = measuredCase([result('native', [250]), result('reference', [5])], 'bert-large/ko/mixed');
  const sorted = measuredCase(both, 'bert-base/en/sorted');

  /** Length and class of the bars, from top to bottom. */
  const barsOf = (svg: string) =>
    [...svg.matchAll(/<rect x="[^"]+" y="[^"]+" width="([^"]+)" height="16" class="(\w+)"/g)].map(
      ([, length, kind]) => [Number(length), kind],
    );
  const textsOf = (svg: string) => [...svg.matchAll(/<text [^>]*>([^<]*)</g)].map(([, text]) => text);

  test('bars are as long as rates are high, on an axis for each model', () => {
    const bars = barsOf(renderChart([measuredRun([base, large])], 'mixed')!);
    expect(bars.map(([, kind]) => kind)).toEqual(['own', 'peer', 'own', 'reference']);
    const [own, peer, largeOwn, reference] = bars.map(([length]) => length as number);
    expect(peer! / own!).toBeCloseTo(0.5, 2);
    expect(largeOwn).toBe(own);
    expect(reference! / largeOwn!).toBeCloseTo(0.02, 2);
  });

  test('says what, where and how exact', () => {
    const svg = renderChart([measuredRun([base, large])], 'mixed')!;
    expect(textsOf(svg)).toEqual(
      expect.arrayContaining([
        'Some CPU, 2 threads, avx512; 2026-01-02; bert-native 0.1.0 (abc), transformers.js ',
        'bert-large',
        'English, 3 to 250 words, as they come (75% padding where batches are padded)',
        'label of native',
        '1,000, error 3.0e-7',
        'tokens/s',
      ]),
    );
    expect(svg).toContain('<desc id="description">bert-base/en/mixed: label of native 1,000 tokens/s, label of tra');
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg).not.toMatch(/NaN|undefined|null/);
  });

  test('mixed lengths and the others have charts of their own, or none', () => {
    expect(textsOf(renderChart([measuredRun([base, sorted])], 'equal')!)).not.toContain('bert-large');
    expect(barsOf(renderChart([measuredRun([base, sorted])], 'equal')!)).toHaveLength(2);
    expect(renderChart([measuredRun([base])], 'equal')).toBeNull();
    expect(renderChart([], 'mixed')).toBeNull();
  });

  test('what was not measured has no bar; other settings are left out', () => {
    const failed = result('transformers.js-q8', [], { failure: 'no', sample: null, accuracy: null });
    const run = measuredRun([measuredCase([...both, failed])]);
    expect(barsOf(renderChart([measuredRun([large], { threads: 9 }), run], 'mixed')!)).toHaveLength(2);
  });

  test('is XML whatever the names are', () => {
    const odd = measuredCase([result('native', [10], { label: 'a < b & "c"' })]);
    const svg = renderChart([measuredRun([odd])], 'mixed')!;
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    expect(svg.match(/&(?!amp;|lt;|gt;|quot;)/g)).toBeNull();
  });
});

test('a file that holds no results is refused, a missing one is empty', () => {
  const path = join(temporaryFolder(), 'results.json');
  expect(readResults(path)).toEqual({ format: 1, runs: [] });
  writeFileSync(path, '{"format": 2, "runs": []}');
  expect(() => readResults(path)).toThrow('no file of results');
});
