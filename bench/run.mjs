#!/usr/bin/env node
// The benchmark's command line; README.md beside this file says what is measured.
// Usage: npm run bench [-- --help]

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CaseRunner } from './case.mjs';
import { forEachPart, positive, root, settingHere, warnOfLoad } from './command-line.mjs';
import { contenders, defaultContenders, familyContenders, selectContenders } from './contenders.mjs';
import { estimateSeconds } from './estimate.mjs';
import {
  buildProgram,
  describeMachine,
  describeVersions,
  idleNodeRssMb,
  measurePeak,
  processorName,
} from './machine.mjs';
import { allParts, familyParts, modelSeed, parts, quickParts, selectParts } from './parts.mjs';
import { ensureModel, writeAtomically } from './prepare.mjs';
import { renderReport, versionLine } from './render.mjs';
import { writeReport } from './report-files.mjs';
import { readResults } from './results.mjs';
import { makeVocabulary } from './text/vocabulary.mjs';

/** @import { Settings } from './case.mjs' */
/** @import { Contender, Part, Run } from './types.ts' */

const help = `Measures bert-native beside its peers, every contender in processes of its own.

npm run bench                        the quick set of parts
npm run bench -- --list              the parts, with about how long each takes
npm run bench -- --part <names>      some parts: bert-base/en/mixed,minilm-l6/*/sorted
npm run bench -- --families          encoders of other families than BERT
npm run bench -- --all               every part
npm run bench:report                 writes tables and charts again from all results

  --contenders <names>   of: ${contenders.map(({ name }) => name).join(', ')}
                         (default ${defaultContenders.join(', ')};
                         of --families ${familyContenders.join(', ')})
  --rounds <n>           processes of each contender and part, default 3
  --time-budget <s>      throughput of the slowest peer in each round, default 15: as many batches as fit, at least 4
                         (2 where all texts are equally long); the others get these batches, and more where they last
                         less than a fifth of it
  --texts <n>            texts to take the batches from, and to sort, default 4096
  --batch-size <n>       texts in a call, default 32
  --latency-runs <n>     single short texts, default 50
  --threads <n>          of every contender, default all that this process may use
  --isa <name>           kernels of bert-native, of those that "bert-native info" lists; the peers choose theirs
  --out <file>           results, default bench/results/<processor>-<threads>t-<isa>.json; runs accumulate in it
  --cache <folder>       models and reference vectors, default build/bench`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    list: { type: 'boolean' },
    families: { type: 'boolean' },
    all: { type: 'boolean' },
    part: { type: 'string', multiple: true },
    contenders: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    'time-budget': { type: 'string', default: '15' },
    texts: { type: 'string', default: '4096' },
    'batch-size': { type: 'string', default: '32' },
    'latency-runs': { type: 'string', default: '50' },
    threads: { type: 'string' },
    isa: { type: 'string' },
    out: { type: 'string' },
    cache: { type: 'string', default: join(root, 'build', 'bench') },
  },
});

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function main() {
  if (values.help) return console.log(help);
  const rounds = positive('rounds', values.rounds);
  const machine = describeMachine();
  const { isa, threads } = await settingHere(values);
  /** @type {Settings} */
  const settings = {
    texts: positive('texts', values.texts),
    batch_size: positive('batch-size', values['batch-size']),
    rounds,
    time_budget_s: positive('time-budget', values['time-budget']),
    latency_runs: positive('latency-runs', values['latency-runs']),
    threads,
    isa: values.isa,
    cache: values.cache,
  };
  const standard = values.families ? familyContenders : defaultContenders;
  const chosen = selectContenders(values.contenders?.split(',') ?? standard);
  if (values.list) return list(chosen, settings);
  const patterns = values.part?.flatMap((names) => names.split(','));
  const named = values.all ? allParts : values.families ? familyParts : quickParts;
  const chosenParts = patterns ? selectParts(patterns) : named;

  /** @type {Run} */
  const run = {
    started: new Date().toISOString(),
    machine,
    threads,
    isa,
    idle_node_rss_mb: idleNodeRssMb(),
    versions: describeVersions(),
    settings: { rounds, time_budget_s: settings.time_budget_s, seed: modelSeed },
    cases: [],
  };
  const out = values.out ?? join(root, 'bench', 'results', `${processorName(machine)}-${threads}t-${isa}.json`);
  const earlier = readResults(out).runs;
  const save = () => writeAtomically(out, `${JSON.stringify({ format: 1, runs: [...earlier, run] }, null, 2)}\n`);
  announce(run, chosenParts, chosen, settings);
  await measureAll(run, chosenParts, chosen, settings, save);
  if (run.cases.length === 0) return;
  const files = writeReport(out, [...earlier, run]);
  console.log(`\n${renderReport([run])}\nThese and all earlier runs are in:\n${[out, ...files].join('\n')}`);
}

/**
 * @param {Run} run
 * @param {readonly Part[]} chosenParts
 * @param {readonly Contender[]} chosen
 * @param {Settings} settings
 * @param {() => void} save
 */
async function measureAll(run, chosenParts, chosen, settings, save) {
  const log = (/** @type {string} */ line) => console.log(line);
  const machinePeak = buildProgram('machine_peak', settings.cache);
  const vocabulary = makeVocabulary();
  await forEachPart(chosenParts, async (part, signal) => {
    const model = ensureModel(part.model, settings.cache, log);
    const peak = await measurePeak(machinePeak, settings.threads);
    const runner = new CaseRunner(part, chosen, model, vocabulary, peak, settings, log, signal);
    run.cases.push(runner.result);
    await runner.run(save);
  });
}

/** @param {readonly Contender[]} chosen @param {Settings} settings */
function list(chosen, settings) {
  const line = (/** @type {Part} */ part) => {
    const minutes = estimateSeconds(part, chosen, settings) / 60;
    const quick = quickParts.includes(part) ? '  quick' : '';
    return `${part.name.padEnd(26)} about ${minutes < 1 ? '1' : minutes.toFixed(0)} min${quick}`;
  };
  console.log(parts.map(line).join('\n'));
  const total = (/** @type {readonly Part[]} */ some) =>
    (some.reduce((seconds, part) => seconds + estimateSeconds(part, chosen, settings), 0) / 60).toFixed(0);
  console.log(
    `quick: about ${total(quickParts)} min; --families: about ${total(familyParts)} min; ` +
      `--all: about ${total(allParts)} min. Estimated for a server's processor.`,
  );
  console.log(
    'The first time, minutes more: models are made, and the reference engine computes what the others must give.',
  );
}

/**
 * @param {Run} run
 * @param {readonly Part[]} chosenParts
 * @param {readonly Contender[]} chosen
 * @param {Settings} settings
 */
function announce({ machine, threads, isa, versions }, chosenParts, chosen, settings) {
  const seconds = chosenParts.reduce((total, part) => total + estimateSeconds(part, chosen, settings), 0);
  console.log(`${machine.processor}, ${machine.cores} processors; ${threads} threads, ${isa}`);
  console.log(versionLine(versions));
  console.log(
    `${chosenParts.length} parts, about ${Math.ceil(seconds / 60)} min; Ctrl-C keeps what was measured so far`,
  );
  warnOfLoad(machine);
}
