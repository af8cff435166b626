/** Tables of what bench/tokenizer.mjs measured. */

import { median } from '../statistics.mjs';
import { contenders } from './contenders.mjs';

/** @import { HostileResult, MemoryResult, SpeedCase, TokenizerResult, Way } from './types.ts' */

/**
 * @typedef {object} TokenizerFigures
 * @property {string} measured
 * @property {import('../types.ts').Run['machine']} machine
 * @property {Record<string, string>} versions
 * @property {number} rounds
 * @property {readonly string[]} notRead
 * @property {readonly number[]} hostileSizes
 * @property {readonly SpeedCase[]} speed
 * @property {readonly MemoryResult[]} memory
 * @property {readonly HostileResult[]} hostile
 */

/** @type {Record<string, string>} */
const languageNames = { en: 'English', ko: 'Korean', mixed: 'mixed' };

/** @type {readonly { way: Way, title: string, explained: string }[]} */
const ways = [
  {
    way: 'packed',
    title: 'From strings to packed ids',
    explained: 'Every token id in one Int32Array, and where each text begins in it; 1,024 texts a call.',
  },
  {
    way: 'plain',
    title: "The call's own result",
    explained: 'What a call on 1,024 texts gives of itself: arrays, or encodings whose ids are not fetched yet.',
  },
  {
    way: 'tensors',
    title: 'Padded tensors',
    explained: "int64 tensors of 32 texts a call, cut at the model's length and padded to the longest.",
  },
];

/** @param {TokenizerFigures} figures */
export function renderTokenizers(figures) {
  const { measured, machine, versions, rounds } = figures;
  const sections = [
    `# Tokenizers: ${machine.processor}, ${machine.cores} threads`,
    `Measured ${measured}, load average ${machine.load_average.toFixed(1)}; ${Object.entries(versions)
      .filter(([name]) => name !== 'onnxruntime-node')
      .map(([name, version]) => `${name} ${version}`)
      .join(
        ', ',
      )}. MB/s of UTF-8, the median of ${rounds} rounds, each in a fresh process; (×) is how many times as fast
bert-native is, on one thread beside one thread. Ids of every text were compared with the Rust library's first.`,
    ...ways.flatMap((way) => speedSection(way, figures.speed)),
    ...differences(figures.speed),
    ...failures(figures.speed),
    ...memorySection(figures.memory),
    ...hostileSection(figures),
    ...(figures.notRead.length > 0
      ? [`Not read by this version, so not measured: ${figures.notRead.join(', ')}.`]
      : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** @param {{ way: Way, title: string, explained: string }} way @param {readonly SpeedCase[]} cases */
function speedSection({ way, title, explained }, cases) {
  if (!cases.some(({ results }) => results.some(({ rounds }) => rounds.some((round) => way in round.bytes_per_s)))) {
    return [];
  }
  const columns = cases[0].results.filter((result) => way !== 'tensors' || hasWay(cases, result, way));
  const rows = cases.map(({ vocabulary, language, results }) => {
    const own = speedOf(
      results.find(({ contender, threads }) => contender === 'bert-native' && threads === 1),
      way,
    );
    const cells = columns.map((column) => {
      const result = results.find((one) => one.contender === column.contender && one.threads === column.threads);
      const speed = speedOf(result, way);
      if (speed === null) return result?.failure ? 'failed' : '';
      const ratio =
        own === null || column.contender === 'bert-native' || column.threads > 1
          ? ''
          : ` (${(own / speed).toFixed(1)}×)`;
      return `${(speed / 1e6).toFixed(speed < 1e7 ? 1 : 0)}${ratio}`;
    });
    return [vocabulary, languageNames[language], ...cells];
  });
  const titles = columns.map(
    ({ contender, threads }) => `${labelOf(contender)}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
  );
  return [`## ${title}`, explained, table(['vocabulary', 'texts', ...titles], rows)];
}

/** @param {readonly SpeedCase[]} cases @param {TokenizerResult} column @param {Way} way */
function hasWay(cases, column, way) {
  return cases.some(({ results }) =>
    results.some(
      (result) =>
        result.contender === column.contender && result.threads === column.threads && speedOf(result, way) !== null,
    ),
  );
}

/** @param {TokenizerResult | undefined} result @param {Way} way */
function speedOf(result, way) {
  const speeds = (result?.rounds ?? []).flatMap(({ bytes_per_s }) => bytes_per_s[way] ?? []);
  return speeds.length === 0 ? null : median(speeds);
}

/** @param {readonly SpeedCase[]} cases */
function differences(cases) {
  const found = cases.flatMap(({ vocabulary, language, results }) =>
    results
      .filter(({ different, threads }) => threads === 1 && different !== null && different > 0)
      .map(
        ({ contender, different }) =>
          `${labelOf(contender)}, ${vocabulary}, ${languageNames[language]}: ${different} texts`,
      ),
  );
  return found.length === 0 ? [] : [`Other ids than the Rust library's: ${found.join('; ')}.`];
}

/** @param {readonly SpeedCase[]} cases */
function failures(cases) {
  const found = cases.flatMap(({ vocabulary, language, results }) =>
    results
      .filter(({ failure }) => failure !== null)
      .map(
        ({ contender, threads, failure }) =>
          `- ${labelOf(contender)}, ${threads} threads, ${vocabulary}, ${language}: ${failure}`,
      ),
  );
  return found.length === 0 ? [] : [`Failed:\n\n${found.join('\n')}`];
}

/** @param {readonly MemoryResult[]} results */
function memorySection(results) {
  if (results.length === 0) return [];
  const rows = results.map(({ vocabulary, contender, peak_mb, failure }) => [
    vocabulary,
    labelOf(contender),
    peak_mb === null ? (failure ?? '') : peak_mb.toFixed(0),
  ]);
  return [
    '## Memory',
    '10 MB of mixed texts in one call, to packed ids: the most that was resident beyond what was there before the call, its result included.',
    table(['vocabulary', 'contender', 'MB'], rows),
  ];
}

/** @param {TokenizerFigures} figures */
function hostileSection({ hostile, hostileSizes }) {
  if (hostile.length === 0) return [];
  const rows = hostile.map(({ vocabulary, text, contender, seconds }) => {
    const perMegabyte = seconds.map((time, i) => (time === null ? null : (1e9 * time) / hostileSizes[i]));
    const cells = perMegabyte.map((ms) => (ms === null ? 'not within 30 s' : ms.toFixed(ms < 10 ? 1 : 0)));
    const [small, large] = perMegabyte;
    const growth = small === null || large === null ? '' : (large / small).toFixed(1);
    return [vocabulary, text, labelOf(contender), ...cells, growth];
  });
  const sizes = hostileSizes.map((size) => `ms/MB at ${size / 1e6} MB`);
  return [
    '## Texts made to be slow',
    'One text, one thread. Linear time: the last column stays near 1.',
    table(['vocabulary', 'text', 'contender', ...sizes, 'growth'], rows),
  ];
}

/** @param {string} name */
const labelOf = (name) => contenders.find((contender) => contender.name === name)?.label ?? name;

/** @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
function table(head, rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`;
  const alignments = head.map((_, i) => (i < 2 ? '---' : '---:'));
  return [line(head), line(alignments), ...rows.map(line)].join('\n');
}
