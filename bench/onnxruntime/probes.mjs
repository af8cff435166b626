/** What is measured beside throughput: every contender in a fresh process, several rounds, in turn. */

import { compareVectors } from '../accuracy.mjs';
import { childEnvironment, describeLatency, firstLine, othersNote } from '../case.mjs';
import { ContenderProcess } from '../child-process.mjs';
import { itemsToVerify, referenceVectors } from '../prepare.mjs';
import { intoBatches } from '../sample.mjs';
import { Random } from '../text/random.mjs';

/** @import { ModelFolder } from '../prepare.mjs' */
/** @import { TextMaker } from '../text/texts.mjs' */
/** @import { BenchText } from '../types.ts' */
/** @import { ProbeMeasurement, ProbeName, ProbeResult, RowContender, TokenizedText } from './types.ts' */

/**
 * @typedef {object} ProbeSettings
 * @property {number} rounds
 * @property {number} time_budget_s of back-to-back runs in one round
 * @property {number} latency_runs
 * @property {number} memory_runs
 * @property {number} batch_size of the runs whose delays are measured
 * @property {number} threads
 * @property {string | undefined} isa
 * @property {string} cache
 */

/**
 * @typedef {object} Probe
 * @property {(maker: TextMaker, settings: ProbeSettings) => BenchText[][]} batches
 * @property {(process: ContenderProcess, batches: TokenizedText[][], settings: ProbeSettings,
 *   contender: RowContender) => Promise<Omit<ProbeMeasurement, 'round'>>} measure
 * @property {(measurement: ProbeMeasurement) => string} describe
 * @property {(rounds: number) => number} rounds
 */

const idleMs = 2000;
const delayTokens = 128;
const delayRuns = { least: 3, distinct: 8 };
const latencyTokens = [16, 128];
const latencyWarmUp = 3;
const latencyLimitMs = 20_000;
const memorySamples = 10;
const memoryShapes = { rows: 16, tokens: 128 };
const verifiedTexts = { tokens: [5, 128], count: 2 };

/** @type {Readonly<Record<ProbeName, Probe>>} */
export const probes = {
  /** Batches of equal lengths, back to back. */
  delay: {
    rounds: (rounds) => rounds,
    batches: (maker, { batch_size }) =>
      intoBatches(maker.make(delayTokens, batch_size * delayRuns.distinct), batch_size),
    async measure(process, batches, { time_budget_s }, { feeding }) {
      const [warmUp, ...others] = batches;
      const [, run_ms = 0] = await process.warmUp([warmUp, warmUp]);
      const runs = Math.max(delayRuns.least, Math.ceil((time_budget_s * 1000) / run_ms));
      const idle = await process.idle(idleMs);
      const timed = Array.from({ length: runs }, (_, i) => others[i % others.length]);
      return { delay: { idle, runs: await process.throughput(timed, feeding) } };
    },
    describe({ delay }) {
      const { idle, runs } = /** @type {NonNullable<typeof delay>} */ (delay);
      const { p99_ms, max_ms } = runs.loop_delay;
      return (
        `loop delay p99 ${p99_ms.toFixed(1)} ms, idle ${idle.p99_ms.toFixed(1)} ms, at most ${max_ms.toFixed(1)} ms ` +
        `in ${(runs.wall_ms / 1000).toFixed(1)} s${othersNote(runs)}`
      );
    },
  },

  /** One row alone, one call after another. */
  latency: {
    rounds: (rounds) => rounds,
    batches: (maker, { latency_runs }) =>
      latencyTokens.map((tokens) => maker.make(tokens, latency_runs + latencyWarmUp)),
    async measure(process, batches) {
      /** @type {Record<string, ReturnType<typeof describeLatency>>} */
      const latency = {};
      for (const items of batches) {
        await process.latency(items.slice(0, latencyWarmUp), latencyLimitMs);
        const times = await process.latency(items.slice(latencyWarmUp), latencyLimitMs);
        latency[items[0].ids.length] = describeLatency(times);
      }
      return { latency };
    },
    describe: ({ latency = {} }) =>
      Object.entries(latency)
        .map(([tokens, { median_ms, p95_ms }]) => `1 × ${tokens}: ${median_ms.toFixed(1)}, p95 ${p95_ms.toFixed(1)} ms`)
        .join('; '),
  },

  /** Runs of ever changing shapes. Once: it takes long, and a second process would say the same. */
  memory: {
    rounds: () => 1,
    batches: (maker, { memory_runs }) => shapedBatches(maker, memory_runs),
    async measure(process, batches) {
      return { memory: { runs: batches.length, resident_mb: await process.growth(batches, memorySamples) } };
    },
    describe({ memory }) {
      const { runs, resident_mb } = /** @type {NonNullable<typeof memory>} */ (memory);
      return `MB after each tenth of ${runs} runs: ${resident_mb.map(Math.round).join(', ')}`;
    },
  },
};

/** Of a few texts the rows that each batch takes, of random numbers and lengths. @param {TextMaker} maker @param {number} runs */
function shapedBatches(maker, runs) {
  const random = new Random('shapes');
  const texts = new Map();
  return Array.from({ length: runs }, () => {
    const tokens = 4 + random.below(memoryShapes.tokens - 3);
    if (!texts.has(tokens)) texts.set(tokens, maker.make(tokens, memoryShapes.rows));
    return texts.get(tokens).slice(0, 1 + random.below(memoryShapes.rows));
  });
}

export class ProbeRunner {
  #probe;
  #contenders;
  #model;
  #settings;
  #log;
  #signal;
  #environment;
  #batches;
  #verified;
  /** @type {Float32Array} */
  #expected = new Float32Array(0);
  /** @type {ProbeResult} */
  result;

  /**
   * @param {ProbeName} name
   * @param {string} modelName
   * @param {readonly RowContender[]} contenders
   * @param {ModelFolder} model
   * @param {TextMaker} maker
   * @param {(text: string) => number[]} tokenize
   * @param {ProbeSettings} settings
   * @param {(line: string) => void} log
   * @param {AbortSignal} signal
   */
  constructor(name, modelName, contenders, model, maker, tokenize, settings, log, signal) {
    this.#probe = probes[name];
    this.#contenders = contenders;
    this.#model = model;
    this.#settings = settings;
    this.#log = log;
    this.#signal = signal;
    this.#environment = childEnvironment(settings);
    /** @type {Map<BenchText, TokenizedText>} */
    const tokenized = new Map();
    const rowOf = (/** @type {BenchText} */ text) => {
      const row = tokenized.get(text) ?? { text: text.text, ids: tokenize(text.text) };
      if (row.ids.length !== text.tokens) throw new Error(`${row.ids.length} tokens where ${text.tokens} are expected`);
      tokenized.set(text, row);
      return row;
    };
    this.#batches = this.#probe.batches(maker, settings).map((batch) => batch.map(rowOf));
    const { tokens, count } = verifiedTexts;
    this.#verified = itemsToVerify(tokens.flatMap((length) => maker.make(length, count))).map(rowOf);
    this.result = {
      probe: name,
      model: modelName,
      contenders: contenders.map(({ name: contender, label }) => ({
        contender,
        label,
        facts: {},
        accuracy: null,
        rounds: [],
        failure: null,
      })),
    };
  }

  /** @param {() => void} save called whenever there is something new */
  async run(save) {
    const texts = this.#verified.map(({ text }) => text);
    const { cache } = this.#settings;
    this.#expected = await referenceVectors(this.#model, texts, cache, this.#environment, this.#signal, this.#log);
    const rounds = this.#probe.rounds(this.#settings.rounds);
    for (let round = 1; round <= rounds; round++) {
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

  /** @param {RowContender} contender @param {ProbeResult['contenders'][number]} result @param {number} round */
  async #measure(contender, result, round) {
    const { folder } = this.#model;
    const job = { folder, threads: this.#settings.threads, options: contender.options };
    const [first] = this.#verified;
    const { process, start } = await ContenderProcess.start(contender, job, first, this.#environment, this.#signal);
    try {
      result.facts = start.facts;
      if (round === 1) await this.#verify(process, result);
      const measurement = { round, ...(await this.#probe.measure(process, this.#batches, this.#settings, contender)) };
      result.rounds.push(measurement);
      this.#log(`  round ${round}  ${contender.name.padEnd(22)} ${this.#probe.describe(measurement)}`);
    } finally {
      await process.stop();
    }
  }

  /** @param {ContenderProcess} process @param {ProbeResult['contenders'][number]} result */
  async #verify(process, result) {
    const vectors = await process.results(this.#verified);
    result.accuracy = compareVectors(vectors, this.#expected, this.#verified.length, 'fp32');
    if (result.accuracy.passed) return;
    const { bar, max_relative_l2 } = result.accuracy;
    throw new Error(
      `not measured, its vectors are not the reference's: expected ${bar}, got relative L2 error ` +
        max_relative_l2.toExponential(1),
    );
  }
}
