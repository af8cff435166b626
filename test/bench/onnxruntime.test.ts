import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { probeContenders, rowContenders, withSessionOptions } from '../../bench/onnxruntime/contenders.mjs';
import { renderOnnxRuntime } from '../../bench/onnxruntime/render.mjs';
import { padded, pooledByHand } from '../../bench/onnxruntime/rows.mjs';
import type {
  OnnxRuntimeRun,
  ProbeContenderResult,
  ProbeMeasurement,
  ProbeResult,
} from '../../bench/onnxruntime/types.ts';
import { temporaryFolder } from '../support/temporary.ts';

const root = join(import.meta.dirname, '..', '..');

describe('rows', () => {
  const rows = [
    { text: 'a', ids: [101, 5, 102] },
    { text: 'b', ids: [101, 102] },
  ];

  test('shorter ones end in zeros that the mask leaves out', () => {
    const { ids, mask, dims } = padded(rows, BigInt64Array);
    expect([...ids]).toEqual([101n, 5n, 102n, 101n, 102n, 0n]);
    expect([...mask]).toEqual([1n, 1n, 1n, 1n, 1n, 0n]);
    expect(dims).toEqual([2, 3]);
    const plain = padded(rows, Int32Array);
    expect([[...plain.ids], [...plain.mask]]).toEqual([[...ids].map(Number), [...mask].map(Number)]);
  });

  test('a mean is of the tokens alone', () => {
    const data = [1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 99, 99];
    expect([...pooledByHand(rows, { data, dims: [2, 3, 2] })]).toEqual([3, 4, 20, 30]);
  });
});

describe('contenders', () => {
  test('streams take part where they differ', () => {
    const names = (probe: 'delay' | 'latency') => probeContenders(probe, null).map(({ name }) => name);
    expect(names('delay')).toContain('onnxruntime-stream');
    expect(names('latency')).not.toContain('onnxruntime-stream');
    expect(probeContenders('delay', ['native-model']).map(({ name }) => name)).toEqual(['native-model']);
  });

  test("session options are this library's, over ONNX Runtime", () => {
    const given = withSessionOptions(rowContenders, '{"intraOpNumThreads":1}');
    const changed = given.filter(({ options }) => options.session_options !== undefined).map(({ name }) => name);
    expect(changed).toEqual(rowContenders.map(({ name }) => name).filter((name) => name.startsWith('onnxruntime-')));
    expect(withSessionOptions(rowContenders, undefined)).toEqual(rowContenders);
  });
});

describe('the table', () => {
  const throughput = (p99_ms: number, foreign_cores = 0) => ({
    wall_ms: 5000,
    batch_ms: [5000],
    cpu_ms: 9000,
    loop_delay: { p50_ms: 1.1, p99_ms, max_ms: 20 },
    loop_busy: 0.01,
    foreign_cores,
  });
  const delayOf = (idle: number, runs: number, foreign = 0): Omit<ProbeMeasurement, 'round'> => ({
    delay: { idle: { p50_ms: 1.1, p99_ms: idle, max_ms: 2 }, runs: throughput(runs, foreign) },
  });
  const result = (
    contender: string,
    rounds: Omit<ProbeMeasurement, 'round'>[],
    failure: string | null = null,
  ): ProbeContenderResult => ({
    contender,
    label: `label of ${contender}`,
    facts: {},
    accuracy: null,
    rounds: rounds.map((measured, i) => ({ round: i + 1, ...measured })),
    failure,
  });
  const rate = (contender: string, tokens_per_s: number, dtype = 'fp32') => ({
    contender,
    label: `label of ${contender}`,
    facts: { dtype },
    accuracy: null,
    sample: { batches: 1, texts: 1, tokens: 1, padding: 0, padding_of_all: 0, gflop: 1 },
    rounds: [
      {
        round: 1,
        import_ms: 1,
        load_ms: 1,
        first_vector_ms: 1,
        latency: { runs: 1, median_ms: 1, p95_ms: 1 },
        busy_latency: null,
        idle_loop_delay: { p50_ms: 1, p99_ms: 1, max_ms: 1 },
        throughput: throughput(2),
        tokens_per_s,
        texts_per_s: 1,
        gflops: 1,
        peak_rss_mb: 500,
      },
    ],
    failure: null,
  });
  const run = (probes: ProbeResult[], cases: OnnxRuntimeRun['cases'] = []): OnnxRuntimeRun => ({
    started: '2026-01-02T03:04:05.000Z',
    machine: { processor: 'Some CPU', cores: 2, memory_gb: 16, platform: 'linux-x64', load_average: 0.1 },
    threads: 2,
    isa: 'avx512',
    idle_node_rss_mb: 40,
    versions: { node: 'v20.0.0', 'bert-native': '0.1.0 (abc)' },
    settings: { rounds: 3, time_budget_s: 20, seed: 1 },
    cases,
    probes,
  });
  const barsIn = (report: string) =>
    report
      .slice(report.indexOf('### Bars'))
      .split('\n')
      .slice(4)
      .filter((line, i, all) => line.startsWith('|') && all.slice(0, i).every((above) => above.startsWith('|')))
      .map((line) =>
        line
          .split('|')
          .map((cell) => cell.trim())
          .slice(1, -1),
      );

  test('throughput has a bar where texts come as they are, another where they are equally long', () => {
    const contenders = (own: number) => [
      rate('transformers.js-fp32', 100),
      rate('transformers.js-q8', 400, 'q8'),
      rate('native', 900),
      rate('onnxruntime', own),
      rate('onnxruntime-q8', own, 'q8'),
    ];
    const part = (name: string, own: number) => ({
      part: name,
      texts: 1,
      batch_size: 32,
      peak: null,
      contenders: contenders(own),
    });
    const report = renderOnnxRuntime([run([], [part('bert-base/en/128', 300), part('bert-base/en/mixed', 240)])]);
    expect(barsIn(report)).toEqual([
      ['bert-base/en/mixed', 'label of onnxruntime', '2.5× label of transformers.js-fp32', '2.40×', 'no'],
      ['bert-base/en/mixed', 'label of onnxruntime-q8', '2.5× label of transformers.js-q8', '0.600×', 'no'],
      ['bert-base/en/128', 'label of onnxruntime', '1× label of transformers.js-fp32', '3.00×', 'yes'],
      ['bert-base/en/128', 'label of onnxruntime-q8', '1× label of transformers.js-q8', '0.750×', 'no'],
    ]);
    expect(report).not.toMatch(/NaN|undefined/);
  });

  test('a loop that is late counts from what it is when idle, as the median of the rounds', () => {
    const contenders = [
      result('onnxruntime-embed', [delayOf(1.2, 5.1), delayOf(1.3, 5.4), delayOf(1.2, 9)]),
      result('onnxruntime-model', [delayOf(1.2, 3), delayOf(1.2, 2.9), delayOf(5, 40, 0.5)]),
      result('transformers.js', [delayOf(1.2, 900)]),
    ];
    const report = renderOnnxRuntime([run([{ probe: 'delay', model: 'bert-base', contenders }])]);
    expect(barsIn(report)).toEqual([
      ['event loop', 'label of onnxruntime-embed', '4 ms above idle at p99', '4.1 ms', 'no'],
      ['event loop', 'label of onnxruntime-model', '4 ms above idle at p99', '1.8 ms‡', 'yes'],
    ]);
    expect(report).toContain('‡ Other processes');
  });

  test('memory may not grow in the second half', () => {
    const memory = (...resident_mb: number[]) => ({ memory: { runs: 2000, resident_mb } });
    const contenders = [
      result('onnxruntime-model', [memory(300, 310, 312, 311)]),
      result('onnxruntime-embed', [memory(300, 320, 340, 360)]),
      result('transformers.js', [memory(300, 400, 500, 600)]),
    ];
    const report = renderOnnxRuntime([run([{ probe: 'memory', model: 'minilm-l6', contenders }])]);
    expect(barsIn(report).map((row) => row.slice(3))).toEqual([
      ['0.6%', 'yes'],
      ['12.5%', 'no'],
    ]);
  });

  test('single calls stand beside those of onnxruntime-node', () => {
    const latency = (median_ms: number) => ({ latency: { 16: { runs: 9, median_ms, p95_ms: 2 * median_ms } } });
    const contenders = [
      result('plain-onnxruntime-node', [latency(20)]),
      result('onnxruntime-model', [latency(22)]),
      result('onnxruntime-embed', [], 'no | engine'),
    ];
    const report = renderOnnxRuntime([run([{ probe: 'latency', model: 'bert-base', contenders }])]);
    expect(report).toContain('| label of onnxruntime-model | 22.0, 44.0 ms | 1.10× |');
    expect(report).toContain('failed: no \\| engine');
  });

  test('the newest measurement counts, and one in which nobody took part is none', () => {
    const measured = (p99: number): ProbeResult => ({
      probe: 'delay',
      model: 'tiny',
      contenders: [result('onnxruntime-embed', [delayOf(1, p99)])],
    });
    const nobody: ProbeResult = { probe: 'delay', model: 'tiny', contenders: [result('onnxruntime-embed', [])] };
    const report = renderOnnxRuntime([run([measured(2)]), run([measured(3)]), run([nobody])]);
    expect(barsIn(report)).toHaveLength(1);
    expect(report).toContain('| 2.0 ms | yes |');
  });
});

type Measured = Pick<ProbeContenderResult, 'contender' | 'accuracy'> & { readonly rounds: readonly unknown[] };

function bench(...args: string[]) {
  const cache = join(root, 'build', 'bench-test', 'onnxruntime');
  const command = [join(root, 'bench', 'onnxruntime.mjs'), '--cache', cache, ...args];
  return spawnSync(process.execPath, command, { encoding: 'utf8' });
}

test('the whole way, with a model that takes no time', () => {
  const out = join(temporaryFolder(), 'results.json');
  const some = ['--texts', '8', '--batch-size', '2', '--rounds', '1', '--time-budget', '1', '--latency-runs', '2'];
  const { status, stdout, stderr } = bench(
    ...['--model', 'tiny', '--memory-model', 'tiny', '--part', 'tiny/ko/mixed', '--memory-runs', '20', '--out', out],
    ...some,
  );
  expect(stderr).toBe('');
  expect(stdout).not.toContain('FAILED');
  expect(status).toBe(0);
  const [{ cases, probes }] = JSON.parse(readFileSync(out, 'utf8')).runs as [OnnxRuntimeRun];
  const contenders = [cases, probes].flatMap((all) => all.flatMap((measured): Measured[] => [...measured.contenders]));
  expect(contenders.map(({ accuracy, rounds }) => [accuracy?.passed, rounds.length])).toEqual(
    contenders.map(() => [true, 1]),
  );
  expect(probes.map(({ probe, contenders }) => [probe, contenders.map(({ contender }) => contender)])).toEqual(
    (['delay', 'latency', 'memory'] as const).map((probe) => [
      probe,
      probeContenders(probe, null).map(({ name }) => name),
    ]),
  );
  const grown = probes.at(-1)!.contenders[0]!.rounds[0]!.memory!;
  expect([grown.runs, grown.resident_mb.length]).toEqual([20, 10]);
  expect(readFileSync(out.replace('.json', '.md'), 'utf8')).not.toMatch(/NaN|undefined|failed/);
});

test('what cannot be asked for is said', () => {
  expect(bench('--help').stdout).toContain('--memory-runs');
  for (const [args, message] of [
    [['--only', 'delay,speed'], "--only has 'speed'"],
    [['--functions', 'onnxruntime-run'], "no function 'onnxruntime-run'"],
    [['--model', 'huge'], "no model 'huge'"],
    [['--session-options', '{'], '--session-options is {: expected JSON'],
  ] as const) {
    const { status, stderr } = bench(...args);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
  }
});
