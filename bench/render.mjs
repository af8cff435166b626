/** Results as Markdown. */

import { casesToReport, settingOf } from './results.mjs';
import { median } from './statistics.mjs';

/** @import { CaseResult, ContenderResult, Measurement, Run } from './types.ts' */

const native = 'native';
/** From this many processors in use by others on, a figure is marked. */
const disturbance = 0.1;

/** @param {readonly Run[]} runs of one or several machines, oldest first @returns {string} */
export function renderReport(runs) {
  /** @type {Map<string, Run[]>} */
  const settings = new Map();
  for (const run of runs) settings.set(settingOf(run), [...(settings.get(settingOf(run)) ?? []), run]);
  const sections = [...settings.values()].map(renderSetting).filter((section) => section !== '');
  return `# Measurements\n\nMade by \`npm run bench\`; [README.md](../README.md) says what is measured and how to read it.\n\n${sections.join('\n')}`;
}

/** @param {readonly Run[]} runs of one setting */
function renderSetting(runs) {
  const cases = casesToReport(runs);
  const newest = runs.at(-1);
  if (newest === undefined || cases.length === 0) return '';
  const { machine, threads, isa, versions } = newest;
  const dates = [...new Set(cases.map(({ run }) => run.started.slice(0, 10)))].sort();
  const loads = cases.map(({ run }) => run.machine.load_average);
  const peak = cases.map(({ result }) => result.peak).find((value) => value !== null);
  return [
    `## ${machine.processor}, ${threads} threads, ${isa}`,
    '',
    `${machine.cores} processors, ${machine.memory_gb} GB, ${machine.platform}; load average at the start ${range(loads, 1)}. ${dates.join(', ')}.`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ') + '.',
    peak
      ? `Measured peak: ${Math.round(peak.fp32_gflops)} GFLOP/s in fp32 (${peak.isa}, registers only), ${peak.read_gb_per_s.toFixed(1)} GB/s read from memory.`
      : 'The peak was not measured.',
    '',
    '### Throughput',
    '',
    throughputTable(cases.map(({ result }) => result)),
    '',
    '### Start, latency, memory, event loop',
    '',
    detailsTable(cases),
    '',
    ...notes(cases.map(({ result }) => result)),
  ].join('\n');
}

/** Real tokens per second of all contenders side by side. @param {readonly CaseResult[]} cases */
function throughputTable(cases) {
  const names = [...new Set(cases.flatMap(({ contenders }) => contenders.map(({ contender }) => contender)))];
  names.sort((a, b) => Number(b === native) - Number(a === native));
  const labels = names.map((name) => labelOf(cases, name));
  const header = [
    'texts',
    'padding',
    ...labels.flatMap((label, i) => (names[i] === native ? [label, 'of peak'] : [label, 'native ÷ it'])),
  ];
  const rows = cases.map((result) => {
    const own = result.contenders.find(({ contender }) => contender === native);
    const cells = names.flatMap((name) => {
      const found = result.contenders.find(({ contender }) => contender === name);
      const rate = rateCell(found);
      if (name === native) return [rate, shareCell(found, result)];
      return [
        `${rate}${found?.failure === null && shareCell(found, result) !== '' ? ` (${shareCell(found, result)})` : ''}`,
        ratioCell(own, found),
      ];
    });
    const padding = result.contenders.find(
      ({ sample, contender }) => sample !== null && contender !== 'reference',
    )?.sample;
    return [result.part, padding ? percent(padding.padding) : '', ...cells];
  });
  return table(header, rows);
}

/** @param {readonly { run: Run, result: CaseResult }[]} cases */
function detailsTable(cases) {
  const header = [
    'texts',
    'contender',
    'texts timed',
    'tokens/s: min, median, max',
    'texts/s',
    'one short text: median, p95',
    'import',
    'loaded',
    'first vector',
    'peak memory (above idle Node)',
    'loop delay: p50, p99, max (idle p50)',
    'loop busy',
    'cores used',
    'error',
  ];
  const rows = cases.flatMap(({ run, result }) =>
    result.contenders.map((contender) => [result.part, contender.label, ...detailCells(run, contender)]),
  );
  return table(header, rows);
}

/** @param {Run} run @param {ContenderResult} contender */
function detailCells(run, { rounds, sample, accuracy, failure }) {
  if (rounds.length === 0 || sample === null) return [failure === null ? 'not measured' : `failed: ${escape(failure)}`];
  const of = (/** @type {(round: Measurement) => number} */ value) => median(rounds.map(value));
  const rates = rounds.map(({ tokens_per_s }) => tokens_per_s);
  const memory = of(({ peak_rss_mb }) => peak_rss_mb);
  return [
    String(sample.texts),
    `${integer(Math.min(...rates))}, ${integer(median(rates))}, ${integer(Math.max(...rates))}`,
    of(({ texts_per_s }) => texts_per_s).toPrecision(3),
    `${of(({ latency }) => latency.median_ms).toFixed(1)}, ${of(({ latency }) => latency.p95_ms).toFixed(1)} ms`,
    `${of(({ import_ms }) => import_ms).toFixed(0)} ms`,
    `${(of(({ load_ms }) => load_ms) / 1000).toFixed(2)} s`,
    `${(of(({ first_vector_ms }) => first_vector_ms) / 1000).toFixed(2)} s`,
    `${integer(memory)} MB (${integer(memory - run.idle_node_rss_mb)})`,
    `${of(({ throughput }) => throughput.loop_delay.p50_ms).toFixed(1)}, ` +
      `${of(({ throughput }) => throughput.loop_delay.p99_ms).toFixed(1)}, ` +
      `${of(({ throughput }) => throughput.loop_delay.max_ms).toFixed(1)} ms ` +
      `(${of(({ idle_loop_delay }) => idle_loop_delay.p50_ms).toFixed(1)})`,
    percent(of(({ throughput }) => throughput.loop_busy)),
    of(({ throughput }) => throughput.cpu_ms / throughput.wall_ms).toFixed(2),
    accuracy ? accuracy.max_relative_l2.toExponential(1) : 'the reference',
    ...(failure === null ? [] : [`then failed: ${escape(failure)}`]),
  ];
}

/** @param {readonly CaseResult[]} cases */
function notes(cases) {
  const all = cases.flatMap(({ contenders }) => contenders);
  const shaky = all.some(({ rounds }) => rounds.some(isDisturbed));
  return [
    'Throughput is the median of the rounds, in real tokens per second, special tokens included and padding not. In brackets:',
    "the share of the machine's measured fp32 peak, where the arithmetic is fp32.",
    ...(all.some(({ contender }) => contender === 'reference')
      ? ['† One round over fewer texts, one at a time: an order of magnitude.']
      : []),
    ...(shaky
      ? ['‡ Other processes used the processors in at least one round: measure again on a quiet machine.']
      : []),
    '',
  ];
}

/** @param {Measurement} round */
function isDisturbed({ throughput }) {
  return (throughput.foreign_cores ?? 0) > disturbance;
}

/** @param {ContenderResult | undefined} result */
function medianRate(result) {
  if (result === undefined || result.rounds.length === 0) return null;
  return median(result.rounds.map(({ tokens_per_s }) => tokens_per_s));
}

/** @param {ContenderResult | undefined} result */
function rateCell(result) {
  if (result === undefined) return '';
  const rate = medianRate(result);
  if (rate === null) return result.failure === null ? '' : 'failed';
  const mark = `${result.contender === 'reference' ? '†' : ''}${result.rounds.some(isDisturbed) ? '‡' : ''}`;
  return `${integer(rate)}${mark}`;
}

/** Within one case only: the same texts, machine and hour. @param {ContenderResult | undefined} own @param {ContenderResult | undefined} other */
function ratioCell(own, other) {
  const [a, b] = [medianRate(own), medianRate(other)];
  return a === null || b === null ? '' : `${(a / b).toPrecision(3)}×`;
}

/** @param {ContenderResult | undefined} result @param {CaseResult} of */
function shareCell(result, { peak }) {
  if (result === undefined || result.rounds.length === 0 || peak === null || !isFp32(result)) return '';
  return percent(median(result.rounds.map(({ gflops }) => gflops)) / peak.fp32_gflops);
}

/** @param {ContenderResult} result */
const isFp32 = ({ facts }) => facts.dtype !== 'q8';

/** @param {readonly CaseResult[]} cases @param {string} name */
function labelOf(cases, name) {
  const found = cases.flatMap(({ contenders }) => contenders).find(({ contender }) => contender === name);
  return found?.label ?? name;
}

/** @param {readonly string[]} header @param {readonly (readonly string[])[]} rows shorter rows are filled up */
function table(header, rows) {
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${header.map((_, i) => cells[i] ?? '').join(' | ')}${cells
      .slice(header.length)
      .map((cell) => `; ${cell}`)
      .join('')} |`;
  return [line(header), `|${header.map((_, i) => (i === 0 ? ' --- |' : ' ---: |')).join('')}`, ...rows.map(line)].join(
    '\n',
  );
}

/** @param {number} value */
const integer = (value) => Math.round(value).toLocaleString('en');

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;

/** @param {readonly number[]} values @param {number} digits */
function range(values, digits) {
  const [least, most] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)];
  return least === most ? least : `${least} to ${most}`;
}

/** @param {string} text for a cell of a table */
const escape = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
