/** Results of tasks as Markdown. */

import { isOwn } from '../contenders.mjs';
import {
  describeRuns,
  inOrder,
  integer,
  isDisturbed,
  medianOver,
  milliseconds,
  percent,
  seconds,
  short,
  table,
} from '../render.mjs';
import { casesToReport, settingOf } from '../results.mjs';
import { median } from '../statistics.mjs';
import { taskParts } from './parts.mjs';

/** @import { TaskCaseResult, TaskContenderResult, TaskRun } from './types.ts' */

/** @param {readonly TaskRun[]} runs of one or several settings, oldest first */
export function renderTasks(runs) {
  const settings = [...new Set(runs.map(settingOf))];
  const sections = settings.flatMap((setting) => renderSetting(runs.filter((run) => settingOf(run) === setting)));
  const introduction =
    'Made by `npm run bench:tasks`. [README.md](../../README.md) beside the benchmark says what is measured.';
  return `${['# Tasks', '', introduction, '', ...sections].join('\n').trim()}\n`;
}

/** @param {readonly TaskRun[]} runs of one setting */
function renderSetting(runs) {
  const place = (/** @type {TaskCaseResult} */ { part }) => taskParts.findIndex(({ name }) => name === part);
  const reported = casesToReport(runs).sort((a, b) => place(a.result) - place(b.result));
  if (reported.length === 0) return [];
  const cases = reported.map(({ result }) => result);
  const disturbed = cases.some(({ contenders }) => contenders.some(isDisturbed));
  return [
    ...describeRuns(reported.map(({ run }) => run)),
    '',
    resultsTable(cases),
    '',
    'Items are texts, or questions with their contexts: the median of the rounds. ÷: how many times as many as another',
    'contender. Same labels and score error: beside the reference engine, which computes in double precision; the error of a',
    'score as a share of it, at its worst.',
    ...(disturbed ? ['‡ Other processes used the processors: to be measured again on a quiet machine.'] : []),
    '',
  ];
}

/** @param {readonly TaskCaseResult[]} cases */
function resultsTable(cases) {
  const measured = cases.flatMap(({ contenders }) => contenders.filter(({ rounds }) => rounds.length > 0));
  const peers = [...new Map(measured.map(({ contender, label }) => [contender, label]))].filter(
    ([name]) => !isOwn(name),
  );
  const header = [
    ...['task', 'contender', 'items/s', 'min, max', 'same labels', 'score error'],
    ...peers.map(([, label]) => `÷ ${label}`),
    ...['one item: median, p95', 'first result', 'peak memory'],
  ];
  const rows = cases.flatMap(({ part, contenders }) =>
    inOrder(contenders).map((result) => {
      const { contender, label, rounds, failure } = result;
      const others = peers.map(([name]) => {
        const peer = contenders.find((other) => other.contender === name);
        return isOwn(contender) && peer ? ratio(result, peer) : '';
      });
      if (rounds.length > 0) return [part, label, ...figures(result), ...others, ...aloneFigures(result)];
      return failure === null ? [part, label] : [part, label, `failed: ${failure.replaceAll('|', '\\|')}`];
    }),
  );
  return table(header, 2, rows);
}

/** @param {TaskContenderResult} result */
function figures(result) {
  const rates = result.rounds.map(({ items_per_s }) => items_per_s);
  const { agreement } = result;
  return [
    `${short(median(rates))}${isDisturbed(result) ? '‡' : ''}`,
    `${short(Math.min(...rates))}, ${short(Math.max(...rates))}`,
    agreement === null ? '' : percent(agreement.same_labels),
    agreement === null ? '' : agreement.max_score_error.toExponential(1),
  ];
}

/** @param {TaskContenderResult} result */
function aloneFigures({ rounds }) {
  const of = medianOver(rounds);
  return [
    milliseconds(
      of(({ latency }) => latency.median_ms),
      of(({ latency }) => latency.p95_ms),
    ),
    seconds(of(({ first_result_ms }) => first_result_ms)),
    `${integer(of(({ peak_rss_mb }) => peak_rss_mb))} MB`,
  ];
}

/** @param {TaskContenderResult} own @param {TaskContenderResult} other of the same case */
function ratio(own, other) {
  if (own.rounds.length === 0 || other.rounds.length === 0) return '';
  const rate = (/** @type {TaskContenderResult} */ { rounds }) => median(rounds.map(({ items_per_s }) => items_per_s));
  return `${short(rate(own) / rate(other))}×`;
}
