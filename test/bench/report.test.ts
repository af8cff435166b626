import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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
  const peak = { threads: 2, isa: 'avx512', fp32_gflops, fp32_gflops_by_isa: {}, read_gb_per_s: 25 };
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
    const [throughput, ...details] = rowsOf(report, 'bert-base/en/mixed');
    expect(throughput!.slice(1, -1)).toEqual([
      'bert-base/en/mixed',
      '75%',
      '1,000 (85%)',
      '200 (17%)',
      '5.00×',
      '250', // q8 has another peak
      '4.00×',
    ]);
    expect(details[2]).toContain('900, 1,000, 1,100');
    expect(details[2]).toContain('2.00'); // cores used
    expect(details[5]).toContain('540 MB (500)');
    expect(details[5]).toContain('68%'); // 0.34 GB in 20 ms of 25 GB/s
    expect(report).not.toMatch(/[†‡]|NaN|undefined/);
  });

  test('a failure is told, and has no ratio', () => {
    const failed = { failure: 'no such | file', accuracy: null, sample: null };
    const report = renderReport([
      measuredRun([measuredCase([result('transformers.js-fp32', [], failed), result('native', [1000])])]),
    ]);
    const [throughput] = rowsOf(report, 'bert-base/en/mixed');
    expect(throughput!.slice(4, 6)).toEqual(['failed', '']);
    expect(report).toContain('failed: no such \\| file');
  });

  test('the reference engine and disturbed rounds are marked, and the marks explained', () => {
    const report = renderReport([
      measuredRun([measuredCase([result('native', [1000, 1000], {}, 0.5), result('reference', [5])])]),
    ]);
    expect(rowsOf(report, 'bert-base/en/mixed')[0]!.slice(3, 6)).toEqual(['1,000‡ (85%)', '5† (0.4%)', '200×']);
    expect(report).toMatch(/^† /m);
    expect(report).toMatch(/^‡ /m);
  });

  test('the peak is the highest that was measured on the machine', () => {
    const of = (part: string, peak: number) => measuredCase([result('native', [1000])], part, peak);
    const report = renderReport([measuredRun([of('bert-base/en/mixed', 170), of('bert-base/en/16', 340)])]);
    expect(report).toContain('340 GFLOP/s');
    expect(rowsOf(report, 'bert-base/en/mixed')[0]![3]).toBe('1,000 (50%)');
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

test('a file that holds no results is refused, a missing one is empty', () => {
  const path = join(temporaryFolder(), 'results.json');
  expect(readResults(path)).toEqual({ format: 1, runs: [] });
  writeFileSync(path, '{"format": 2, "runs": []}');
  expect(() => readResults(path)).toThrow('no file of results');
});
