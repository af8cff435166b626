/** Measures one task with one model: every contender in a fresh process, several rounds, in turn. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment, describeLatency, firstLine, othersNote } from '../case.mjs';
import { ContenderProcess } from '../child-process.mjs';
import { hashOfCode, itemsToVerify, libraryFolder, sha256, writeAtomically } from '../prepare.mjs';
import { batchesToTime, intoBatches, spreadSample } from '../sample.mjs';
import { sum } from '../statistics.mjs';
import { TextMaker } from '../text/texts.mjs';
import { compareResults } from './agreement.mjs';
import { taskContenders } from './contenders.mjs';
import { tasks } from './tasks.mjs';

/** @import { ModelFolder } from '../prepare.mjs' */
/** @import { Contender } from '../types.ts' */
/** @import { Entry, TaskCaseResult, TaskContenderResult, TaskItem, TaskPart } from './types.ts' */

/**
 * @typedef {object} TaskSettings
 * @property {number} items in all, of which a sample is timed
 * @property {number} rounds
 * @property {number} time_budget_s of one contender's throughput in one round
 * @property {number} latency_runs
 * @property {number} threads
 * @property {string | undefined} isa
 * @property {string} cache
 */

const latencyWarmUp = 3;
const latencyLimitMs = 10_000;
const leastBatches = 2;
/** Of the time budget: what throughput lasts at least where there are items enough. */
const leastShareOfBudget = 0.2;

export class TaskRunner {
  #part;
  #contenders;
  #model;
  #settings;
  #log;
  #signal;
  #environment;
  #batches;
  #single;
  #verified;
  /** @type {Entry[][]} what the results of all contenders are compared with */
  #expected = [];
  /** @type {Map<string, number[]>} indices of the batches that a contender is given */
  #samples = new Map();
  /** @type {number | undefined} how many batches all are given */
  #sharedBatches;
  /** @type {TaskCaseResult} */
  result;

  /**
   * @param {TaskPart} part
   * @param {readonly string[]} contenders names
   * @param {ModelFolder} model
   * @param {readonly string[]} vocabulary
   * @param {TaskSettings} settings
   * @param {(line: string) => void} log
   * @param {AbortSignal} signal
   */
  constructor(part, contenders, model, vocabulary, settings, log, signal) {
    this.#part = part;
    this.#contenders = taskContenders(contenders, part.task);
    this.#model = model;
    this.#settings = settings;
    this.#log = log;
    this.#signal = signal;
    this.#environment = childEnvironment(settings);
    const { items, batch_size } = tasks[part.task];
    const singles = settings.latency_runs + latencyWarmUp + 1;
    const made = items(new TextMaker('en', vocabulary), settings.items + singles);
    this.#single = made.slice(settings.items).map(({ item }) => item);
    this.#batches = intoBatches(made.slice(0, settings.items), batch_size);
    this.#verified = itemsToVerify(made.slice(0, settings.items)).map(({ item }) => item);
    this.result = {
      part: part.name,
      items: settings.items,
      batch_size,
      contenders: this.#contenders.map(({ name, label }) => ({
        contender: name,
        label,
        facts: {},
        agreement: null,
        sample: null,
        rounds: [],
        failure: null,
      })),
    };
  }

  /** @param {() => void} save called whenever there is something new */
  async run(save) {
    this.#expected = await this.#referenceResults();
    for (let round = 1; round <= this.#settings.rounds; round++) {
      const turns = this.#contenders.map((contender, i) => ({ contender, result: this.result.contenders[i] }));
      if (round % 2 === 0) turns.reverse();
      for (const { contender, result } of turns) {
        this.#signal.throwIfAborted();
        if (result.failure !== null) continue;
        try {
          await this.#measure(contender, result, round);
        } catch (error) {
          if (this.#signal.aborted) throw error;
          result.failure = firstLine(error);
          this.#log(`  ${contender.name}: FAILED: ${result.failure}`);
        }
        save();
      }
    }
  }

  /** @param {Contender} contender @param {TaskContenderResult} result @param {number} round */
  async #measure(contender, result, round) {
    const [first, ...others] = this.#single;
    const { process, start } = await this.#start(contender, first);
    try {
      result.facts = start.facts;
      if (round === 1) await this.#verify(process, contender, result);
      const [warmUp, ...rest] = this.#batches;
      // Not the batch of the warm-up, whose words a tokenizer may remember.
      const batches = rest.length > 0 ? rest : [warmUp];
      const [warmUpMs = 0] = await process.warmUp([itemsOf(warmUp)]);
      const sample = this.#sample(contender.name, batches, warmUpMs / sum(tokensOf(warmUp)));
      const chosen = sample.map((i) => batches[i]);
      const items = sum(chosen.map(({ length }) => length));
      result.sample = { batches: chosen.length, items };

      await process.latency(others.slice(0, latencyWarmUp), latencyLimitMs);
      const latencies = await process.latency(others.slice(latencyWarmUp), latencyLimitMs);
      const throughput = await process.throughput(chosen.map(itemsOf), 'one-by-one');
      const items_per_s = items / (throughput.wall_ms / 1000);
      const latency = describeLatency(latencies);
      const peak_rss_mb = await process.peakMemory();
      const { load_ms, first_result_ms } = start;
      result.rounds.push({ round, load_ms, first_result_ms, latency, throughput, items_per_s, peak_rss_mb });
      this.#log(
        `  round ${round}  ${contender.name.padEnd(22)} ${items_per_s.toFixed(1).padStart(8)} items/s over ${items}, ` +
          `one ${latency.median_ms.toFixed(1)} ms, ${Math.round(peak_rss_mb)} MB${othersNote(throughput)}`,
      );
    } finally {
      await process.stop();
    }
  }

  /** @param {Contender} contender @param {unknown} first */
  #start(contender, first) {
    const { folder } = this.#model;
    const job = { folder, threads: this.#settings.threads, options: contender.options };
    return ContenderProcess.start(contender, job, first, this.#environment, this.#signal);
  }

  /** @param {ContenderProcess} process @param {Contender} contender @param {TaskContenderResult} result */
  async #verify(process, contender, result) {
    const agreement = compareResults(await process.results(this.#verified), this.#expected, contender.arithmetic);
    result.agreement = agreement;
    if (agreement.passed) return;
    const { bar, same_labels, max_score_error } = agreement;
    throw new Error(
      `not timed, its results are not the reference's: expected ${bar}, got ${(100 * same_labels).toFixed(1)}% ` +
        `of the labels and scores within ${max_score_error.toExponential(1)}`,
    );
  }

  /** The reference engine's results, computed unless they are kept from before. @returns {Promise<Entry[][]>} */
  async #referenceResults() {
    const { weights_sha256 } = this.#model;
    const key = sha256(JSON.stringify([weights_sha256, this.#part, this.#verified, hashOfCode(libraryFolder)]));
    const path = join(this.#settings.cache, 'reference', `${key.slice(0, 32)}.json`);
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'));
    this.#log(`  the reference engine computes ${this.#verified.length} results that the others are compared with`);
    const [reference] = taskContenders(['reference'], this.#part.task);
    const { process } = await this.#start(reference, this.#verified[0]);
    try {
      const results = await process.results(this.#verified);
      writeAtomically(path, JSON.stringify(results));
      return results;
    } finally {
      await process.stop();
    }
  }

  /**
   * The batches that a contender is given, the same in every round: the first contender decides how many fit into its time,
   * the others get these, and more where they would be over at once.
   *
   * @param {string} name @param {readonly TaskItem[][]} batches @param {number} ms_per_token
   */
  #sample(name, batches, ms_per_token) {
    const known = this.#samples.get(name);
    if (known !== undefined) return known;
    const lengths = batches.map(tokensOf);
    const available = batches.length;
    const batch_ms = (sum(lengths.flat()) / available) * ms_per_token;
    const budget_ms = this.#settings.time_budget_s * 1000;
    this.#sharedBatches ??= Math.min(Math.max(Math.floor(budget_ms / batch_ms), leastBatches), available);
    const shared = this.#sharedBatches;
    const count = batchesToTime({ shared, available, batch_ms, least_ms: budget_ms * leastShareOfBudget });
    const sample = spreadSample(lengths, count);
    this.#samples.set(name, sample);
    return sample;
  }
}

/** @param {readonly TaskItem[]} batch */
const itemsOf = (batch) => batch.map(({ item }) => item);

/** @param {readonly TaskItem[]} batch */
const tokensOf = (batch) => batch.map(({ tokens }) => tokens);
