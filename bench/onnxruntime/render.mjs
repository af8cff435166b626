/** Results of the engine over ONNX Runtime as Markdown. */

import { isOwn } from '../contenders.mjs';
import {
  describeRuns,
  integer,
  isDisturbed,
  medianOver,
  medianRate,
  milliseconds,
  partIndex,
  renderCases,
  short,
  table,
} from '../render.mjs';
import { casesToReport, settingOf } from '../results.mjs';
import { disturbance } from '../statistics.mjs';

/** @import { CaseResult, LoopDelay } from '../types.ts' */
/** @import { OnnxRuntimeRun, ProbeContenderResult, ProbeMeasurement, ProbeName, ProbeResult } from './types.ts' */

/** What the engine has to reach. */
const bars = { mixed: 2.5, equal: 1, delay_ms: 4, growth: 0.02 };

/** @param {readonly OnnxRuntimeRun[]} runs of one or several settings, oldest first */
export function renderOnnxRuntime(runs) {
  const settings = [...new Set(runs.map(settingOf))];
  const sections = settings.flatMap((setting) => renderSetting(runs.filter((run) => settingOf(run) === setting)));
  const introduction =
    'Made by `npm run bench:onnxruntime`. [README.md](../../README.md) beside the benchmark says what is measured.';
  return `${['# ONNX Runtime as the engine', '', introduction, '', ...sections].join('\n').trim()}\n`;
}

/** @param {readonly OnnxRuntimeRun[]} runs of one setting */
function renderSetting(runs) {
  const cases = casesToReport(runs).sort((a, b) => partIndex(a) - partIndex(b));
  const probed = newestProbes(runs);
  if (cases.length === 0 && probed.length === 0) return [];
  const reported = [...cases, ...probed].map(({ run }) => run);
  const results = cases.map(({ result }) => result);
  const probes = probed.map(({ probe }) => probe);
  const disturbed = probes
    .flatMap(({ contenders }) => contenders.flatMap(({ rounds }) => rounds))
    .some(isDisturbedRound);
  return [
    ...describeRuns(reported),
    '',
    '### Bars',
    '',
    barsTable(results, probes),
    '',
    ...(results.length > 0 ? ['### Throughput', '', ...renderCases(cases)] : []),
    ...probes.flatMap((probe) => ['', `### ${titles[probe.probe]}, ${probe.model}`, '', tables[probe.probe](probe)]),
    ...(disturbed ? ['', '‡ Other processes used the processors: to be measured again on a quiet machine.'] : []),
    '',
  ];
}

/** Of each probe and model the newest in which somebody was measured. @param {readonly OnnxRuntimeRun[]} runs oldest first */
function newestProbes(runs) {
  /** @type {Map<string, { run: OnnxRuntimeRun, probe: ProbeResult }>} */
  const newest = new Map();
  for (const run of runs) {
    for (const probe of run.probes) {
      const tried = probe.contenders.some(({ rounds, failure }) => rounds.length > 0 || failure !== null);
      if (tried) newest.set(`${probe.probe} ${probe.model}`, { run, probe });
    }
  }
  return [...newest.values()];
}

// ---------- bars ----------

/** @param {readonly CaseResult[]} cases @param {readonly ProbeResult[]} probes */
function barsTable(cases, probes) {
  const rows = [
    ...cases.flatMap(throughputBars),
    ...probes.flatMap(({ probe, contenders }) =>
      contenders
        .filter(({ contender, rounds }) => contender.startsWith('onnxruntime-') && rounds.length > 0)
        .flatMap((result) => (probe === 'delay' ? [delayBar(result)] : probe === 'memory' ? [memoryBar(result)] : [])),
    ),
  ];
  return table(['what', 'who', 'bar', 'measured', 'met'], 2, rows);
}

/** Ratios to transformers.js on the same file, where texts come as they are or are equally long. @param {CaseResult} result */
function throughputBars({ part, contenders }) {
  const set = part.split('/')[2] ?? '';
  const bar = set === 'mixed' ? bars.mixed : bars.equal;
  return contenders.flatMap((own) => {
    if (!own.contender.startsWith('onnxruntime')) return [];
    const peer = contenders.find(({ contender }) => contender === `transformers.js-${own.facts.dtype ?? 'fp32'}`);
    const [a, b] = [medianRate(own), medianRate(peer)];
    if (a === null || b === null) return [];
    const mark = isDisturbed(own) || (peer && isDisturbed(peer)) ? '‡' : '';
    return [[part, own.label, `${bar}× ${peer?.label}`, `${short(a / b)}×${mark}`, a / b >= bar ? 'yes' : 'no']];
  });
}

/** @param {ProbeContenderResult} result */
function delayBar(result) {
  const above = aboveIdle(result.rounds);
  const bar = `${bars.delay_ms} ms above idle at p99`;
  return [
    'event loop',
    result.label,
    bar,
    `${milliseconds(above)}${markOf(result)}`,
    above <= bars.delay_ms ? 'yes' : 'no',
  ];
}

/** @param {ProbeContenderResult} result */
function memoryBar(result) {
  const growth = growthOf(result.rounds);
  const bar = `second half of the runs: at most ${100 * bars.growth}%`;
  return ['memory', result.label, bar, `${(100 * growth).toFixed(1)}%`, growth <= bars.growth ? 'yes' : 'no'];
}

// ---------- tables ----------

/** @type {Readonly<Record<ProbeName, string>>} */
const titles = {
  delay: 'Event loop during back-to-back runs',
  latency: 'Single calls',
  memory: 'Memory over runs of changing shapes',
};

/** @type {Readonly<Record<ProbeName, (result: ProbeResult) => string>>} */
const tables = {
  delay: ({ contenders }) => {
    const header = [
      'function',
      'idle: p50, p99, max',
      'runs: p50, p99, max',
      'p99 above idle',
      'loop busy',
      'cores used',
    ];
    const cells = (/** @type {readonly ProbeMeasurement[]} */ rounds) => {
      const of = medianOver(rounds.flatMap(({ delay }) => delay ?? []));
      const three = (/** @type {(of: typeof rounds[0]['delay'] & {}) => LoopDelay} */ which) =>
        milliseconds(
          of((delay) => which(delay).p50_ms),
          of((delay) => which(delay).p99_ms),
          of((delay) => which(delay).max_ms),
        );
      return [
        three(({ idle }) => idle),
        three(({ runs }) => runs.loop_delay),
        milliseconds(aboveIdle(rounds)),
        `${(100 * of(({ runs }) => runs.loop_busy)).toFixed(1)}%`,
        of(({ runs }) => runs.cpu_ms / runs.wall_ms).toFixed(2),
      ];
    };
    return table(header, 1, rowsOf(contenders, cells));
  },

  latency: ({ contenders }) => {
    const measured = contenders.flatMap(({ rounds }) => rounds);
    const lengths = [...new Set(measured.flatMap(({ latency }) => Object.keys(latency ?? {})))];
    const base = contenders.find(
      ({ contender, rounds }) => contender === 'plain-onnxruntime-node' && rounds.length > 0,
    );
    const header = [
      'function',
      ...lengths.flatMap((tokens) => [`1 × ${tokens} tokens: median, p95`, '÷ onnxruntime-node']),
    ];
    const medianOf = (/** @type {readonly ProbeMeasurement[]} */ rounds, /** @type {string} */ tokens) =>
      medianOver(rounds)(({ latency }) => latency?.[tokens].median_ms ?? Number.NaN);
    const cells = (/** @type {readonly ProbeMeasurement[]} */ rounds) =>
      lengths.flatMap((tokens) => [
        milliseconds(
          medianOf(rounds, tokens),
          medianOver(rounds)(({ latency }) => latency?.[tokens].p95_ms ?? Number.NaN),
        ),
        base ? `${short(medianOf(rounds, tokens) / medianOf(base.rounds, tokens))}×` : '',
      ]);
    return table(header, 1, rowsOf(contenders, cells));
  },

  memory: ({ contenders }) => {
    const header = ['function', 'runs', 'MB resident after 10%', '50%', '100%', 'second half'];
    const cells = (/** @type {readonly ProbeMeasurement[]} */ rounds) => {
      const { runs, resident_mb } = /** @type {NonNullable<ProbeMeasurement['memory']>} */ (rounds[0].memory);
      const at = [0, Math.ceil(resident_mb.length / 2) - 1, resident_mb.length - 1].map((i) => integer(resident_mb[i]));
      return [integer(runs), ...at, `${(100 * growthOf(rounds)).toFixed(1)}%`];
    };
    return table(header, 1, rowsOf(contenders, cells));
  },
};

/**
 * This library first.
 *
 * @param {readonly ProbeContenderResult[]} contenders
 * @param {(rounds: readonly ProbeMeasurement[]) => string[]} cells
 */
function rowsOf(contenders, cells) {
  return [...contenders]
    .sort((a, b) => Number(isOwn(b.contender)) - Number(isOwn(a.contender)))
    .map((result) => {
      const { label, rounds, failure } = result;
      if (rounds.length > 0) return [`${label}${markOf(result)}`, ...cells(rounds)];
      return failure === null ? [label] : [label, `failed: ${failure.replaceAll('|', '\\|')}`];
    });
}

/** @param {ProbeContenderResult} result */
const markOf = ({ rounds }) => (rounds.some(isDisturbedRound) ? '‡' : '');

/** @param {ProbeMeasurement} round */
const isDisturbedRound = ({ delay }) => (delay?.runs.foreign_cores ?? 0) > disturbance;

/** Milliseconds, the median of the rounds. @param {readonly ProbeMeasurement[]} rounds */
const aboveIdle = (rounds) =>
  medianOver(rounds.flatMap(({ delay }) => delay ?? []))(({ idle, runs }) => runs.loop_delay.p99_ms - idle.p99_ms);

/** Of what was resident after half of the runs, how much more it was at most afterwards. @param {readonly ProbeMeasurement[]} rounds */
function growthOf(rounds) {
  const { resident_mb = [] } = rounds[0]?.memory ?? {};
  const half = Math.ceil(resident_mb.length / 2);
  return Math.max(...resident_mb.slice(half)) / Math.max(...resident_mb.slice(0, half)) - 1;
}
