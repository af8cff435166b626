import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { CaseRunner, type Settings } from '../../bench/case.mjs';
import { selectContenders } from '../../bench/contenders.mjs';
import { selectParts } from '../../bench/parts.mjs';
import { ensureModel, type ModelFolder } from '../../bench/prepare.mjs';
import { makeVocabulary } from '../../bench/text/vocabulary.mjs';
import type { Contender } from '../../bench/types.ts';

// The tiny model, and whatever figures come out: what is tested is what is refused, kept and stopped.
const root = join(import.meta.dirname, '..', '..');
const settings: Settings = {
  texts: 12,
  batch_size: 3,
  rounds: 2,
  time_budget_s: 1,
  latency_runs: 2,
  threads: 2,
  isa: undefined,
  cache: join(root, 'build', 'bench-test', 'case'),
};
const [native] = selectContenders(['native']) as [Contender];
const faulty = (fault: string): Contender => ({
  ...native,
  name: fault,
  module: new URL('support/faulty-contender.mjs', import.meta.url).href,
  options: { engine: 'native', fault },
});

let model: ModelFolder;
beforeAll(() => {
  model = ensureModel('tiny', settings.cache, () => {});
});

function runner(
  contenders: Contender[],
  log: string[] = [],
  signal = new AbortController().signal,
  rounds = settings.rounds,
): CaseRunner {
  const [part] = selectParts(['tiny/en/mixed']);
  const how = { ...settings, rounds };
  return new CaseRunner(part!, contenders, model, makeVocabulary(), null, how, (line) => log.push(line), signal);
}

test('a contender that fails says why and stops nobody else', async () => {
  const log: string[] = [];
  const run = runner([...['load', 'vectors', 'crash', 'tokens'].map(faulty), native], log);
  await run.run(() => {});
  const failures = run.result.contenders.map(({ contender, failure, rounds }) => [contender, failure, rounds.length]);
  expect(failures).toEqual([
    ['load', expect.stringContaining('this contender does not load'), 0],
    ['vectors', expect.stringMatching(/^not timed, its vectors are not the reference's: .*2e-5/), 0],
    ['crash', expect.stringContaining('ended with status 7'), 0],
    ['tokens', expect.stringMatching(/^\d+ tokens where \d+ are expected: /), 0],
    ['native', null, 2],
  ]);
  expect(log.filter((line) => line.includes('FAILED'))).toHaveLength(4);
});

test('all contenders are given the same texts, in fresh processes, in turn', async () => {
  const log: string[] = [];
  const contenders = selectContenders(['transformers.js-fp32', 'native', 'native-overlapped', 'native-all-at-once']);
  const run = runner(contenders, log);
  await run.run(() => {});
  const [peer, own, overlapped, atOnce] = run.result.contenders;
  expect(run.result.contenders.map(({ failure }) => failure)).toEqual([null, null, null, null]);
  // One of four batches warms up, the other three are timed.
  expect(peer!.sample).toMatchObject({ batches: 3, texts: 9 });
  for (const other of [own, overlapped, atOnce]) expect(other!.sample).toEqual(peer!.sample);
  expect(own!.rounds[0]!.throughput.batch_ms).toHaveLength(3);
  expect(overlapped!.rounds[0]!.throughput.batch_ms).toHaveLength(3);
  expect(atOnce!.rounds[0]!.throughput.batch_ms).toHaveLength(1);
  expect(own!.facts).toMatchObject({ threads: 2 });
  const order = log.filter((line) => line.startsWith('  round')).map((line) => line.trim().split(/\s+/)[2]);
  const names = contenders.map(({ name }) => name);
  expect(order).toEqual([...names, ...names.toReversed()]);
  for (const { rounds, sample } of run.result.contenders) {
    for (const { tokens_per_s, throughput, load_ms, first_vector_ms, import_ms, peak_rss_mb } of rounds) {
      expect(tokens_per_s).toBeCloseTo(sample!.tokens / (throughput.wall_ms / 1000), 6);
      expect(first_vector_ms).toBeGreaterThan(load_ms);
      expect(load_ms).toBeGreaterThan(import_ms);
      expect(peak_rss_mb).toBeGreaterThan(20);
      expect(throughput.loop_delay.max_ms).toBeGreaterThanOrEqual(throughput.loop_delay.p50_ms);
    }
  }
});

test('every arithmetic is asked for, says what it is and meets its bar', async () => {
  const names = ['native', 'native-fp32-high', 'native-fp16', 'native-bf16', 'native-q8'];
  const run = runner(selectContenders(names), [], undefined, 1);
  await run.run(() => {});
  const measured = run.result.contenders.map(({ facts, accuracy, failure }) => [
    failure,
    facts.dtype,
    facts.fp32_precision,
    accuracy!.passed,
  ]);
  expect(measured).toEqual([
    [null, 'fp32', 'highest', true],
    [null, 'fp32', 'high', true],
    [null, 'fp16', 'highest', true],
    [null, 'bf16', 'highest', true],
    [null, 'q8', 'highest', true],
  ]);
});

test('an interruption keeps what was measured', async () => {
  const controller = new AbortController();
  const run = runner([native, faulty('none')], [], controller.signal);
  let saved = 0;
  const running = run.run(() => {
    saved++;
    controller.abort();
  });
  await expect(running).rejects.toThrow(/abort/i);
  expect(saved).toBe(1);
  expect(run.result.contenders.map(({ rounds, failure }) => [rounds.length, failure])).toEqual([
    [1, null],
    [0, null],
  ]);
});
