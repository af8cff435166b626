/** Results as Markdown. */

import { isOwn } from './contenders.mjs';
import { encoderWeightGb } from './flops.mjs';
import { models, parts } from './parts.mjs';
import { casesToReport, settingOf } from './results.mjs';
import { disturbance, median } from './statistics.mjs';

/** @import { CaseToReport } from './results.mjs' */
/** @import { CaseResult, ContenderResult, Measurement, Peak, ReportedRun, Run } from './types.ts' */

/**
 * @param {readonly Run[]} runs of one or several settings, oldest first
 * @returns {string} empty tables are left out
 */
export function renderReport(runs) {
  const settings = [...new Set(runs.map(settingOf))];
  const sections = settings.flatMap((setting) => renderSetting(runs.filter((run) => settingOf(run) === setting)));
  const introduction =
    'Made by `npm run bench`. [README.md](../README.md) beside the benchmark says what is measured and how to read it.';
  return `${['# Measurements', '', introduction, '', ...sections].join('\n').trim()}\n`;
}

/** @param {readonly Run[]} runs of one setting @returns {string[]} lines */
function renderSetting(runs) {
  const cases = casesToReport(runs).sort((a, b) => partIndex(a) - partIndex(b));
  if (cases.length === 0) return [];
  const peak = highestPeak(runs);
  const results = cases.map(({ result }) => result);
  return [
    ...describeSetting(cases, peak),
    '',
    '### Throughput',
    '',
    throughputTable(results, peak),
    '',
    ...notes(results),
    '### Rounds, event loop',
    '',
    roundsTable(results),
    '',
    '### Start, one short text, memory',
    '',
    startTable(cases, peak),
    '',
  ];
}

/** Where a case stands among the parts. @param {CaseToReport} of */
export const partIndex = ({ result }) => parts.findIndex(({ name }) => name === result.part);

/**
 * Other work only ever lowers it: the highest of all measurements on the machine counts.
 *
 * @param {readonly Run[]} runs
 * @returns {Peak | null}
 */
function highestPeak(runs) {
  const peaks = runs.flatMap(({ cases }) => cases.flatMap(({ peak }) => peak ?? []));
  if (peaks.length === 0) return null;
  const highest = peaks.reduce((best, peak) => (peak.fp32_gflops > best.fp32_gflops ? peak : best));
  const rates = peaks.map(({ gops_by_dtype }) => gops_by_dtype ?? {});
  const dtypes = /** @type {('bf16' | 'q8')[]} */ ([...new Set(rates.flatMap(Object.keys))].sort());
  return {
    ...highest,
    gops_by_dtype: Object.fromEntries(
      dtypes.map((dtype) => [dtype, Math.max(...rates.map((rate) => rate[dtype] ?? 0))]),
    ),
    read_gb_per_s: Math.max(...peaks.map(({ read_gb_per_s }) => read_gb_per_s)),
  };
}

/** @param {readonly CaseToReport[]} cases @param {Peak | null} peak */
function describeSetting(cases, peak) {
  return [
    ...describeRuns(cases.map(({ run }) => run)),
    peak === null
      ? "The machine's peak was not measured."
      : `The machine's peak on registers alone: ${peakRates(peak)}; ${peak.read_gb_per_s.toFixed(1)} GB/s read from memory.`,
  ];
}

/** Throughput, rounds and start of cases whose machine's peak was not measured. @param {readonly CaseToReport[]} cases */
export function renderCases(cases) {
  const results = cases.map(({ result }) => result);
  return [throughputTable(results, null), '', ...notes(results), roundsTable(results), '', startTable(cases, null)];
}

/** The machine and the versions of runs of one setting. @param {readonly ReportedRun[]} all at least one */
export function describeRuns(all) {
  const runs = [...new Set(all)];
  const { machine, threads, isa, versions } = /** @type {ReportedRun} */ (runs.at(-1));
  const each = (/** @type {(run: ReportedRun) => string} */ text) => [...new Set(runs.map(text))].sort().join(', ');
  const loads = runs.map((run) => run.machine.load_average);
  const { 'bert-native': _, ...others } = versions;
  const load = `load average at the start ${Math.max(...loads).toFixed(1)}`;
  return [
    `## ${machine.processor}, ${plural(threads, 'thread')}, ${isa}`,
    '',
    `${plural(machine.cores, 'processor')}, ${machine.memory_gb} GB, ${machine.platform}; ` +
      `${load}${runs.length > 1 ? ' at most' : ''}.`,
    `Measured ${each((run) => run.started.slice(0, 10))}. ` +
      `bert-native ${each((run) => run.versions['bert-native'] ?? '')}, ${versionLine(others)}.`,
  ];
}

/** @param {Peak} peak */
function peakRates({ isa, fp32_gflops, gops_by_dtype = {} }) {
  const others = Object.entries(gops_by_dtype).map(([dtype, gops]) => `${Math.round(gops)} in ${dtype}`);
  return [`${Math.round(fp32_gflops)} GFLOP/s in fp32 (${isa})`, ...others].join(', ');
}

/** @param {Readonly<Record<string, string>>} versions */
export function versionLine(versions) {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

// ---------- tables ----------

/**
 * Speed and exactness side by side, a row for every contender: this library first, then what it is compared with.
 *
 * @param {readonly CaseResult[]} cases
 * @param {Peak | null} peak
 */
function throughputTable(cases, peak) {
  const all = cases.flatMap(({ contenders }) => contenders);
  const measured = all.filter(({ rounds }) => rounds.length > 0);
  const bases = [...new Set(measured.map(({ contender }) => contender))].filter((name) => !isOwn(name));
  const labelOf = (/** @type {string} */ name) => measured.find(({ contender }) => contender === name)?.label ?? name;
  const header = ['texts', 'contender', 'padding', 'tokens/s', 'of peak', 'relative L2 error'];
  header.push(...bases.map((name) => `÷ ${labelOf(name)}`));
  const rows = cases.flatMap(({ part, contenders }) => {
    const find = (/** @type {string} */ name) => contenders.find(({ contender }) => contender === name);
    return inOrder(contenders).map((result) => [
      part,
      result.label,
      result.sample ? percent(result.sample.padding) : '',
      rateCell(result),
      shareCell(result, peak),
      errorCell(result),
      ...bases.map((name) => (isOwn(result.contender) ? ratioCell(result, find(name)) : '')),
    ]);
  });
  return table(header, 2, rows);
}

/**
 * This library's native engine first, each group as it was measured.
 *
 * @template {{ contender: string }} Result @param {readonly Result[]} results
 */
export function inOrder(results) {
  return [...results].sort((a, b) => Number(isOwn(b.contender)) - Number(isOwn(a.contender)));
}

/** @param {readonly CaseResult[]} cases */
function roundsTable(cases) {
  const header = [
    'texts',
    'contender',
    'texts timed',
    'padding of sample (of all)',
    'tokens/s: min, median, max',
    'texts/s',
    'loop delay: p50, p99, max',
    'idle: p50, p99',
    'loop busy',
    'cores used',
  ];
  const rows = rowsOf(cases, ({ rounds, sample }) => {
    const rates = rounds.map(({ tokens_per_s }) => tokens_per_s);
    const of = medianOver(rounds);
    return [
      integer(sample.texts),
      `${percent(sample.padding)} (${percent(sample.padding_of_all)})`,
      [Math.min(...rates), median(rates), Math.max(...rates)].map(integer).join(', '),
      short(of(({ texts_per_s }) => texts_per_s)),
      milliseconds(
        of(({ throughput }) => throughput.loop_delay.p50_ms),
        of(({ throughput }) => throughput.loop_delay.p99_ms),
        of(({ throughput }) => throughput.loop_delay.max_ms),
      ),
      milliseconds(
        of(({ idle_loop_delay }) => idle_loop_delay.p50_ms),
        of(({ idle_loop_delay }) => idle_loop_delay.p99_ms),
      ),
      percent(of(({ throughput }) => throughput.loop_busy)),
      of(({ throughput }) => throughput.cpu_ms / throughput.wall_ms).toFixed(2),
    ];
  });
  return table(header, 2, rows);
}

/** @param {readonly CaseToReport[]} cases @param {Peak | null} peak */
function startTable(cases, peak) {
  const header = [
    'texts',
    'contender',
    'imported',
    'loaded',
    'first vector',
    'one short text: median, p95',
    'while batches run',
    'of memory rate',
    'peak memory (above idle Node)',
  ];
  const rows = cases.flatMap(({ run, result }) =>
    rowsOf([result], ({ rounds, facts }) => {
      const of = medianOver(rounds);
      const latency_ms = of(({ latency }) => latency.median_ms);
      const memory = of(({ peak_rss_mb }) => peak_rss_mb);
      const weightGb = encoderWeightGb(models[modelOf(result)], weightBytes(facts));
      return [
        milliseconds(of(({ import_ms }) => import_ms)),
        seconds(of(({ load_ms }) => load_ms)),
        seconds(of(({ first_vector_ms }) => first_vector_ms)),
        milliseconds(
          latency_ms,
          of(({ latency }) => latency.p95_ms),
        ),
        busyLatencyCell(rounds),
        peak === null ? '' : percent((weightGb / latency_ms) * (1000 / peak.read_gb_per_s)),
        `${integer(memory)} MB (${integer(memory - run.idle_node_rss_mb)})`,
      ];
    }),
  );
  return table(header, 2, rows);
}

/**
 * One row for every contender of every case; a failure takes the place of figures, or stands in the last column.
 *
 * @param {readonly CaseResult[]} cases
 * @param {(result: ContenderResult & { sample: NonNullable<ContenderResult['sample']> }) => string[]} cells
 */
function rowsOf(cases, cells) {
  return cases.flatMap(({ part, contenders }) =>
    contenders.flatMap((result) => {
      const { sample, failure, label } = result;
      const failed = failure === null ? [] : [`failed: ${failure.replaceAll('|', '\\|')}`];
      if (sample === null || result.rounds.length === 0) return failed.length > 0 ? [[part, label, ...failed]] : [];
      const found = cells({ ...result, sample });
      return [[part, label, ...found.slice(0, -1), [...found.slice(-1), ...failed].join('; ')]];
    }),
  );
}

/** @param {readonly CaseResult[]} cases */
function notes(cases) {
  const all = cases.flatMap(({ contenders }) => contenders);
  const lines = [
    'Real tokens per second, special tokens included and padding not: the median of the rounds. ÷: how many times',
    'as many as another contender. Of peak: of that of the dtype computed in; fp16 is computed in fp32. Relative L2',
    'error: of the worst vector of those compared with double precision.',
  ];
  return [...lines, ...markNotes(all), ''];
}

/** What the marks at some of the results mean. @param {readonly ContenderResult[]} results */
export function markNotes(results) {
  const lines = [];
  if (results.some(isSlow)) lines.push('† One round over fewer texts, one at a time: an order of magnitude.');
  if (results.some(isDisturbed)) {
    lines.push('‡ Other processes used the processors in at least one round: to be measured again on a quiet machine.');
  }
  return lines;
}

// ---------- cells ----------

/** @param {ContenderResult} result */
const isSlow = ({ contender }) => contender === 'reference';

/** Bytes of a weight; what names no dtype is fp32. @param {ContenderResult['facts']} facts */
const weightBytes = ({ dtype = 'fp32' }) => ({ fp32: 4, fp16: 2, bf16: 2, q8: 1 })[String(dtype)] ?? 4;

/** fp16 is computed in fp32; the others have other peaks. @param {ContenderResult['facts']} facts */
const computesInFp32 = ({ dtype = 'fp32' }) => dtype === 'fp32' || dtype === 'fp16';

/** @param {{ rounds: readonly Pick<Measurement, 'throughput'>[] }} result */
export const isDisturbed = ({ rounds }) =>
  rounds.some(({ throughput }) => (throughput.foreign_cores ?? 0) > disturbance);

/** @param {CaseResult} result */
const modelOf = ({ part }) => part.split('/')[0];

/** @template Round @param {readonly Round[]} rounds @returns {(value: (round: Round) => number) => number} */
export const medianOver = (rounds) => (value) => median(rounds.map(value));

/** @param {readonly Measurement[]} rounds */
function busyLatencyCell(rounds) {
  const busy = rounds.find(({ busy_latency }) => busy_latency)?.busy_latency;
  return busy ? milliseconds(busy.median_ms, busy.p95_ms) : '';
}

/** @param {ContenderResult | undefined} result */
export function medianRate(result) {
  return result === undefined || result.rounds.length === 0
    ? null
    : medianOver(result.rounds)(({ tokens_per_s }) => tokens_per_s);
}

/** @param {ContenderResult} result */
function rateCell(result) {
  const rate = medianRate(result);
  if (rate === null) return result.failure === null ? '' : 'failed';
  return `${integer(rate)}${marksOf(result)}`;
}

/** @param {ContenderResult} result */
export const marksOf = (result) => `${isSlow(result) ? '†' : ''}${isDisturbed(result) ? '‡' : ''}`;

/** @param {ContenderResult} result @param {Peak | null} peak */
function shareCell({ rounds, facts }, peak) {
  if (peak === null || rounds.length === 0) return '';
  const rate = peakOf(facts, peak);
  return rate === undefined ? '' : percent(medianOver(rounds)(({ gflops }) => gflops) / rate);
}

/** What a contender computes in, at most. @param {ContenderResult['facts']} facts @param {Peak} peak */
function peakOf(facts, peak) {
  if (computesInFp32(facts)) return peak.fp32_gflops;
  return peak.gops_by_dtype?.[/** @type {'bf16' | 'q8'} */ (facts.dtype)];
}

/** @param {ContenderResult} result */
function errorCell({ contender, accuracy }) {
  if (accuracy !== null) return accuracy.max_relative_l2.toExponential(1);
  return contender === 'reference' ? 'the reference' : '';
}

/**
 * Only ever within one case: the same texts, the same machine, the same hour.
 *
 * @param {ContenderResult} own
 * @param {ContenderResult | undefined} other
 */
function ratioCell(own, other) {
  const [a, b] = [medianRate(own), medianRate(other)];
  return a === null || b === null ? '' : `${short(a / b)}×`;
}

/**
 * @param {readonly string[]} header
 * @param {number} texts columns of text, which come first
 * @param {readonly (readonly string[])[]} rows shorter ones are filled up
 */
export function table(header, texts, rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${header.map((_, i) => cells[i] ?? '').join(' | ')} |`;
  const alignment = header.map((_, i) => (i < texts ? '---' : '---:'));
  return [header, alignment, ...rows].map(line).join('\n');
}

/** @param {number} value */
export const integer = (value) => Math.round(value).toLocaleString('en');

/** Three digits, or all before the point. @param {number} value */
export const short = (value) => (value >= 100 ? integer(value) : value.toPrecision(3));

/** @param {number} share */
export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;

/** @param {number[]} values */
export const milliseconds = (...values) => `${values.map((value) => value.toFixed(value < 100 ? 1 : 0)).join(', ')} ms`;

/** @param {number} ms */
export const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

/** @param {number} count @param {string} noun */
const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
