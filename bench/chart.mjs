/** Results as bar charts in SVG: one file that is legible on light and dark pages alike, without scripts or fonts. */

import { isOwn } from './contenders.mjs';
import { isOtherFamily } from './parts.mjs';
import { inOrder, integer, markNotes, marksOf, medianRate, partIndex } from './render.mjs';
import { casesToReport, settingOf } from './results.mjs';

/** @import { CaseToReport } from './results.mjs' */
/** @import { ContenderResult, Run } from './types.ts' */

/** @typedef {'mixed' | 'equal' | 'families'} ChartKind */

/** @type {Readonly<Record<ChartKind, { title: string, shows: (set: string, model: string) => boolean }>>} */
const charts = {
  mixed: {
    title: 'Throughput on texts of mixed lengths',
    shows: (set, model) => set === 'mixed' && !isOtherFamily(model),
  },
  equal: {
    title: 'Throughput on texts sorted by length, and of equal length',
    shows: (set, model) => set !== 'mixed' && !isOtherFamily(model),
  },
  families: { title: 'Throughput of other families', shows: (_, model) => isOtherFamily(model) },
};

const width = 860;
const margin = 24;
/** Names end where the bars begin; behind the longest bar there is room for its figures. */
const barStart = 272;
const longestBar = 350;
const barHeight = 16;
const barStep = 21;
const lineHeight = 18;

/** Colours stand twice rather than in variables, which not every viewer of SVG knows. */
const style = `
  text { font: 13px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2328;
    paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
  .faint { font-size: 12px; fill: #59636e; } .texts { font-weight: 600; }
  .model { font-size: 15px; font-weight: 600; } .title { font-size: 18px; font-weight: 600; }
  .end { text-anchor: end; } .middle { text-anchor: middle; }
  .page { fill: #ffffff; } .grid { stroke: #d1d9e0; }
  .own { fill: #0b6bcb; } .peer { fill: #bc5b00; } .reference { fill: #7d8590; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; stroke: #0d1117; } .faint { fill: #9198a1; }
    .page { fill: #0d1117; } .grid { stroke: #3d444d; }
    .own { fill: #4c9bef; } .peer { fill: #e08a33; } .reference { fill: #8b949e; }
  }
`;

/**
 * The newest figures of one kind of texts, of the setting that was measured last; a panel with an axis of its own for
 * every model.
 *
 * @param {readonly Run[]} runs oldest first
 * @param {ChartKind} kind
 * @returns {string | null} null where there is nothing to show
 */
export function renderChart(runs, kind) {
  const newest = runs.filter((run) => casesToReport([run]).some((of) => isShown(of, kind))).at(-1);
  if (newest === undefined) return null;
  const ofSetting = runs.filter((run) => settingOf(run) === settingOf(newest));
  const cases = casesToReport(ofSetting)
    .filter((of) => isShown(of, kind))
    .sort((a, b) => partIndex(a) - partIndex(b));
  const measured = cases.flatMap(({ result }) => result.contenders.filter(isMeasured));

  const page = new Page();
  page.down(30).text(margin, charts[kind].title, 'title');
  for (const line of subtitle(cases)) page.down(lineHeight).text(margin, line, 'faint');
  for (const model of new Set(cases.map(modelOf))) {
    drawPanel(
      page,
      model,
      cases.filter((of) => modelOf(of) === model),
    );
  }
  for (const line of markNotes(measured)) page.down(lineHeight).text(margin, line, 'faint');
  return page.finish(charts[kind].title, describe(cases));
}

/** @param {CaseToReport} of @param {ChartKind} kind */
function isShown({ result }, kind) {
  const [model = '', , set = ''] = result.part.split('/');
  return charts[kind].shows(set, model) && result.contenders.some(isMeasured);
}

/** @param {ContenderResult} result */
const isMeasured = (result) => medianRate(result) !== null;

/** @param {CaseToReport} of */
const modelOf = ({ result }) => result.part.split('/')[0] ?? '';

/** @param {readonly CaseToReport[]} cases */
function subtitle(cases) {
  const runs = cases.map(({ run }) => run);
  const { machine, threads, isa } = /** @type {Run} */ (runs[0]);
  const each = (/** @type {(run: Run) => string} */ text) => [...new Set(runs.map(text))].sort().join(', ');
  return [
    'Real tokens per second, without padding: longer is better. Error: relative L2 of the worst vector, against double precision.',
    `${machine.processor}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${isa}; ` +
      `${each((run) => run.started.slice(0, 10))}; bert-native ${each((run) => run.versions['bert-native'] ?? '')}, ` +
      `transformers.js ${each((run) => run.versions['@huggingface/transformers'] ?? '')}`,
  ];
}

// ---------- drawing ----------

/** @param {Page} page @param {string} model @param {readonly CaseToReport[]} cases of that model */
function drawPanel(page, model, cases) {
  const groups = cases.map(({ result }) => ({ result, bars: inOrder(result.contenders.filter(isMeasured)) }));
  const highest = Math.max(...groups.flatMap(({ bars }) => bars.map(rateOf)));
  const step = tickStep(highest);
  const xOf = (/** @type {number} */ rate) => barStart + (rate / highest) * longestBar;

  page.down(38).text(margin, model, 'model');
  const top = page.y + 8;
  for (const { result, bars } of groups) {
    page.down(26).text(margin, nameOfTexts(result.part, bars), 'texts').down(8);
    for (const bar of bars) drawBar(page, bar, xOf(rateOf(bar)));
  }
  page.down(6);
  for (let rate = 0; rate <= highest; rate += step) {
    page.line(xOf(rate), top, page.y).text(xOf(rate), integer(rate), 'faint middle', 15);
  }
  page.down(15).text(margin, 'tokens/s', 'faint').down(4);
}

/** @param {Page} page @param {ContenderResult} result @param {number} end of the bar */
function drawBar(page, result, end) {
  const { contender, label, accuracy } = result;
  const kind = contender === 'reference' ? 'reference' : isOwn(contender) ? 'own' : 'peer';
  const error = accuracy === null ? '' : `, error ${accuracy.max_relative_l2.toExponential(1)}`;
  page.text(barStart - 8, label, 'end', 12).bar(barStart, Math.max(end - barStart, 1), kind);
  page.text(end + 6, `${integer(rateOf(result))}${marksOf(result)}${error}`, '', 12).down(barStep);
}

/** @param {ContenderResult} result */
const rateOf = (result) => medianRate(result) ?? 0;

const languages = /** @type {Record<string, string>} */ ({ en: 'English', ko: 'Korean' });

/** @param {string} part @param {readonly ContenderResult[]} bars */
function nameOfTexts(part, bars) {
  const [, language = '', set = ''] = part.split('/');
  const padding = bars.find(({ contender, sample }) => contender !== 'reference' && sample)?.sample?.padding ?? 0;
  const sets = /** @type {Record<string, string>} */ ({
    mixed: `3 to 250 words, as they come (${Math.round(100 * padding)}% padding where batches are padded)`,
    sorted: '3 to 250 words, sorted by length',
  });
  return `${languages[language] ?? language}, ${sets[set] ?? `${set} tokens each`}`;
}

/** 1, 2 or 5 times a power of ten, three to seven of which reach the highest value. @param {number} highest */
function tickStep(highest) {
  const power = 10 ** Math.floor(Math.log10(highest));
  const digit = highest / power;
  return (digit < 1.5 ? 0.2 : digit < 3.5 ? 0.5 : digit < 7 ? 1 : 2) * power;
}

/** The chart in words, for those who do not see it. @param {readonly CaseToReport[]} cases */
function describe(cases) {
  return cases
    .map(({ result }) => {
      const bars = inOrder(result.contenders.filter(isMeasured));
      return `${result.part}: ${bars.map((bar) => `${bar.label} ${integer(rateOf(bar))} tokens/s`).join(', ')}.`;
    })
    .join(' ');
}

/** Elements from top to bottom, with the line where the next one goes. */
class Page {
  /** @type {string[]} */
  #elements = [];
  y = 0;

  /** @param {number} distance */
  down(distance) {
    this.y += distance;
    return this;
  }

  /** @param {number} x @param {string} text @param {string} [kind] classes @param {number} [below] the line */
  text(x, text, kind = '', below = 0) {
    const classes = kind === '' ? '' : ` class="${kind}"`;
    this.#elements.push(`<text x="${round(x)}" y="${round(this.y + below)}"${classes}>${escapeXml(text)}</text>`);
    return this;
  }

  /** @param {number} x @param {number} length @param {string} kind */
  bar(x, length, kind) {
    this.#elements.push(
      `<rect x="${round(x)}" y="${round(this.y)}" width="${round(length)}" height="${barHeight}" class="${kind}"/>`,
    );
    return this;
  }

  /** A vertical one, behind everything. @param {number} x @param {number} top @param {number} bottom */
  line(x, top, bottom) {
    this.#elements.unshift(
      `<line x1="${round(x)}" y1="${round(top)}" x2="${round(x)}" y2="${round(bottom)}" class="grid"/>`,
    );
    return this;
  }

  /** @param {string} title @param {string} description */
  finish(title, description) {
    const height = Math.ceil(this.y + margin);
    return `${[
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
      `<title id="title">${escapeXml(title)}</title>`,
      `<desc id="description">${escapeXml(description)}</desc>`,
      `<style>${style}</style>`,
      `<rect class="page" width="${width}" height="${height}" rx="6"/>`,
      ...this.#elements,
      '</svg>',
    ].join('\n')}\n`;
  }
}

/** @param {number} value */
const round = (value) => Math.round(10 * value) / 10;

/** @param {string} text */
function escapeXml(text) {
  const entities = /** @type {Record<string, string>} */ ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' });
  return text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? character);
}
