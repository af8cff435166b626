#!/usr/bin/env node
// ONNX Runtime as the engine, beside transformers.js and onnxruntime-node; README.md beside this file says what is measured.
// Usage: npm run bench:onnxruntime [-- --help]

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CaseRunner } from './case.mjs';
import { forEachPart, positive, root, settingHere, warnOfLoad } from './command-line.mjs';
import { selectContenders } from './contenders.mjs';
import { describeMachine, describeVersions, idleNodeRssMb, processorName } from './machine.mjs';
import { probeContenders, rowContenders, withSessionOptions } from './onnxruntime/contenders.mjs';
import { ProbeRunner } from './onnxruntime/probes.mjs';
import { renderOnnxRuntime } from './onnxruntime/render.mjs';
import { modelSeed, models, selectParts } from './parts.mjs';
import { ensureModel, writeAtomically } from './prepare.mjs';
import { writeOnnxRuntimeReport } from './report-files.mjs';
import { readResults } from './results.mjs';
import { TextMaker } from './text/texts.mjs';
import { makeVocabulary } from './text/vocabulary.mjs';

/** @import { Part } from './types.ts' */
/** @import { OnnxRuntimeRun, ProbeName } from './onnxruntime/types.ts' */

const defaultParts = ['bert-base/en/mixed', 'bert-base/ko/mixed', 'bert-base/en/sorted', 'bert-base/en/128'];
const defaultContenders = ['transformers.js-fp32', 'transformers.js-q8', 'native', 'onnxruntime', 'onnxruntime-q8'];
/** @type {readonly ProbeName[]} */
const probeNames = ['delay', 'latency', 'memory'];
const sections = ['throughput', ...probeNames];

const help = `Measures bert-native over ONNX Runtime beside transformers.js and onnxruntime-node, on the same files.

npm run bench:onnxruntime                          everything: about half an hour
npm run bench:onnxruntime -- --only delay,latency  some of: ${sections.join(', ')}
npm run bench:report                               writes tables again from all results

  --part <names>         of throughput, default ${defaultParts.join(', ')}
  --contenders <names>   of throughput, default ${defaultContenders.join(', ')}
  --functions <names>    of the others: ${rowContenders.map(({ name }) => name).join(', ')}
  --model <name>         of delay and latency, default bert-base
  --memory-model <name>  default minilm-l6
  --rounds <n>           processes of each contender, default 3
  --time-budget <s>      throughput of the slowest peer, and runs whose delays are measured, in each round; default 15
  --texts <n>            to take batches from, default 4096
  --batch-size <n>       texts in a call, default 32
  --latency-runs <n>     single calls, default 50
  --memory-runs <n>      runs of changing shapes, default 2000
  --session-options <o>  JSON, of bert-native over ONNX Runtime: '{"intraOpNumThreads":1}'
  --threads <n>          of every contender, default all that this process may use
  --isa <name>           kernels of bert-native
  --out <file>           results, default bench/results/onnxruntime/<processor>-<threads>t-<isa>.json; runs accumulate in it
  --cache <folder>       models and reference vectors, default build/bench`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    only: { type: 'string' },
    part: { type: 'string', multiple: true },
    contenders: { type: 'string' },
    functions: { type: 'string' },
    model: { type: 'string', default: 'bert-base' },
    'memory-model': { type: 'string', default: 'minilm-l6' },
    rounds: { type: 'string', default: '3' },
    'time-budget': { type: 'string', default: '15' },
    texts: { type: 'string', default: '4096' },
    'batch-size': { type: 'string', default: '32' },
    'latency-runs': { type: 'string', default: '50' },
    'memory-runs': { type: 'string', default: '2000' },
    'session-options': { type: 'string' },
    threads: { type: 'string' },
    isa: { type: 'string' },
    out: { type: 'string' },
    cache: { type: 'string', default: join(root, 'build', 'bench') },
  },
});

try {
  await main();
} catch (error) {
  console.error(`bench:onnxruntime: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function main() {
  if (values.help) return console.log(help);
  const machine = describeMachine();
  const { isa, threads } = await settingHere(values);
  const settings = {
    texts: positive('texts', values.texts),
    batch_size: positive('batch-size', values['batch-size']),
    rounds: positive('rounds', values.rounds),
    time_budget_s: positive('time-budget', values['time-budget']),
    latency_runs: positive('latency-runs', values['latency-runs']),
    memory_runs: positive('memory-runs', values['memory-runs']),
    threads,
    isa: values.isa,
    cache: values.cache,
  };
  const session_options = sessionOptions();
  const contenders = withSessionOptions(
    selectContenders(values.contenders?.split(',') ?? defaultContenders),
    session_options,
  );
  const functions = chosenFunctions();
  const steps = chosenSteps();
  const { rounds, time_budget_s } = settings;
  /** @type {OnnxRuntimeRun} */
  const run = {
    started: new Date().toISOString(),
    machine,
    threads,
    isa,
    idle_node_rss_mb: idleNodeRssMb(),
    versions: describeVersions(),
    settings: { rounds, time_budget_s, seed: modelSeed },
    cases: [],
    probes: [],
  };
  const name = `${processorName(machine)}-${threads}t-${isa}.json`;
  const out = values.out ?? join(root, 'bench', 'results', 'onnxruntime', name);
  /** @type {OnnxRuntimeRun[]} */
  const earlier = readResults(out).runs;
  const save = () => writeAtomically(out, `${JSON.stringify({ format: 1, runs: [...earlier, run] }, null, 2)}\n`);
  console.log(`${machine.processor}, ${machine.cores} processors; ${threads} threads, ${isa}`);
  warnOfLoad(machine);

  const log = (/** @type {string} */ line) => console.log(line);
  const vocabulary = makeVocabulary();
  await forEachPart(steps, async ({ part, probe, model: modelName }, signal) => {
    const model = ensureModel(modelName, settings.cache, log);
    if (part) {
      const runner = new CaseRunner(part, contenders, model, vocabulary, null, settings, log, signal);
      run.cases.push(runner.result);
      return runner.run(save);
    }
    const chosen = withSessionOptions(probeContenders(probe, functions), session_options);
    const maker = new TextMaker('en', vocabulary);
    const tokenize = await tokenizerOf(model.folder);
    const runner = new ProbeRunner(probe, modelName, chosen, model, maker, tokenize, settings, log, signal);
    run.probes.push(runner.result);
    return runner.run(save);
  });
  if (run.cases.length + run.probes.length === 0) return;
  const path = writeOnnxRuntimeReport(out, [...earlier, run]);
  console.log(`\n${renderOnnxRuntime([run])}\nThese and all earlier runs are in:\n${out}\n${path}`);
}

/** @param {string} folder @returns {Promise<(text: string) => number[]>} */
async function tokenizerOf(folder) {
  const { AutoTokenizer } = await import('bert-native');
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  return (text) => Array.from(tokenizer(text, { truncation: true }).input_ids.data, Number);
}

/** @typedef {{ name: string, model: string } & ({ part: Part, probe?: never } | { part?: never, probe: ProbeName })} Step */

/** @returns {Step[]} */
function chosenSteps() {
  const only = values.only?.split(',') ?? sections;
  const unknown = only.find((name) => !sections.includes(name));
  if (unknown !== undefined) throw new Error(`--only has '${unknown}': expected some of ${sections.join(', ')}`);
  const parts = selectParts(values.part?.flatMap((names) => names.split(',')) ?? defaultParts);
  /** @type {Step[]} */
  const throughput = parts.map((part) => ({ name: part.name, model: part.model, part }));
  const probed = probeNames
    .filter((name) => only.includes(name))
    .map((probe) => {
      const model = probe === 'memory' ? values['memory-model'] : values.model;
      if (!Object.hasOwn(models, model)) {
        throw new Error(`there is no model '${model}': expected one of ${Object.keys(models).join(', ')}`);
      }
      return { name: `${model}: ${probe}`, model, probe };
    });
  return [...(only.includes('throughput') ? throughput : []), ...probed];
}

function chosenFunctions() {
  const chosen = values.functions?.split(',') ?? null;
  const names = rowContenders.map(({ name }) => name);
  const unknown = chosen?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`there is no function '${unknown}': expected some of ${names.join(', ')}`);
  return chosen;
}

/** As JSON, checked. */
function sessionOptions() {
  const text = values['session-options'];
  if (text === undefined) return undefined;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    throw new Error(`--session-options is ${text}: expected JSON`);
  }
}
