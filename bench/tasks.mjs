#!/usr/bin/env node
// Pipelines beside those of transformers.js; README.md beside this file says what is measured.
// Usage: npm run bench:tasks [-- --help]

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { forEachPart, positive, root, settingHere, warnOfLoad } from './command-line.mjs';
import { describeMachine, describeVersions, idleNodeRssMb, processorName } from './machine.mjs';
import { modelSeed } from './parts.mjs';
import { ensureModel, writeAtomically } from './prepare.mjs';
import { writeTaskReport } from './report-files.mjs';
import { readResults } from './results.mjs';
import { TaskRunner } from './tasks/case.mjs';
import { defaultTaskContenders, taskContenderNames, taskContenders } from './tasks/contenders.mjs';
import { quickTaskParts, selectTaskParts, taskParts } from './tasks/parts.mjs';
import { renderTasks } from './tasks/render.mjs';
import { makeVocabulary } from './text/vocabulary.mjs';

/** @import { TaskRun } from './tasks/types.ts' */

const help = `Measures bert-native's pipelines beside those of transformers.js.

npm run bench:tasks                         every task with a model of DistilBERT's size: about ten minutes
npm run bench:tasks -- --list               the parts
npm run bench:tasks -- --part 'bert-base/fill-mask,distilbert-base/*'
npm run bench:report                        writes tables again from all results

  --contenders <names>   of: ${taskContenderNames.join(', ')}
                         (default ${defaultTaskContenders.join(', ')})
  --rounds <n>           processes of each contender and part, default 3
  --time-budget <s>      throughput of the slowest peer in each round, default 10, at least 2 calls
  --items <n>            items to take the calls' from, default 1024
  --latency-runs <n>     single items, default 30
  --threads <n>          of every contender, default all that this process may use
  --isa <name>           kernels of bert-native
  --out <file>           results, default bench/results/tasks/<processor>-<threads>t-<isa>.json; runs accumulate in it
  --cache <folder>       models and reference results, default build/bench`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    list: { type: 'boolean' },
    part: { type: 'string', multiple: true },
    contenders: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    'time-budget': { type: 'string', default: '10' },
    items: { type: 'string', default: '1024' },
    'latency-runs': { type: 'string', default: '30' },
    threads: { type: 'string' },
    isa: { type: 'string' },
    out: { type: 'string' },
    cache: { type: 'string', default: join(root, 'build', 'bench') },
  },
});

try {
  await main();
} catch (error) {
  console.error(`bench:tasks: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function main() {
  if (values.help) return console.log(help);
  if (values.list) return console.log(taskParts.map(({ name }) => name).join('\n'));
  const machine = describeMachine();
  const { isa, threads } = await settingHere(values);
  const settings = {
    items: positive('items', values.items),
    rounds: positive('rounds', values.rounds),
    time_budget_s: positive('time-budget', values['time-budget']),
    latency_runs: positive('latency-runs', values['latency-runs']),
    threads,
    isa: values.isa,
    cache: values.cache,
  };
  const chosen = values.contenders?.split(',') ?? defaultTaskContenders;
  taskContenders(chosen, 'fill-mask'); // says at once which there are not
  const patterns = values.part?.flatMap((names) => names.split(','));
  const parts = patterns ? selectTaskParts(patterns) : quickTaskParts;
  const { rounds, time_budget_s } = settings;
  /** @type {TaskRun} */
  const run = {
    started: new Date().toISOString(),
    machine,
    threads,
    isa,
    idle_node_rss_mb: idleNodeRssMb(),
    versions: describeVersions(),
    settings: { rounds, time_budget_s, seed: modelSeed },
    cases: [],
  };
  const name = `${processorName(machine)}-${threads}t-${isa}.json`;
  const out = values.out ?? join(root, 'bench', 'results', 'tasks', name);
  /** @type {TaskRun[]} */
  const earlier = readResults(out).runs;
  const save = () => writeAtomically(out, `${JSON.stringify({ format: 1, runs: [...earlier, run] }, null, 2)}\n`);
  console.log(`${machine.processor}, ${machine.cores} processors; ${threads} threads, ${isa}; ${parts.length} parts`);
  warnOfLoad(machine);
  const log = (/** @type {string} */ line) => console.log(line);
  const vocabulary = makeVocabulary();
  await forEachPart(parts, async (part, signal) => {
    const model = ensureModel(`${part.model}+${part.task}`, settings.cache, log);
    const runner = new TaskRunner(part, chosen, model, vocabulary, settings, log, signal);
    run.cases.push(runner.result);
    await runner.run(save);
  });
  if (run.cases.length === 0) return;
  const path = writeTaskReport(out, [...earlier, run]);
  console.log(`\n${renderTasks([run])}\nThese and all earlier runs are in:\n${out}\n${path}`);
}
