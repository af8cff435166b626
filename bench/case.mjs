/** Measures one part: every contender in a fresh process, several rounds, one after another within each round. */

import { compareVectors } from './accuracy.mjs';
import { ContenderProcess } from './child-process.mjs';
import { encoderGflop } from './flops.mjs';
import { models } from './parts.mjs';
import { referenceVectors, textsToVerify } from './prepare.mjs';
import { batchesToTime, intoBatches, spreadSample } from './sample.mjs';
import { disturbance, median, paddingShare, quantile, sum } from './statistics.mjs';
import { TextMaker } from './text/texts.mjs';

/** @import { ModelFolder } from './prepare.mjs' */
/** @import { BenchText, CaseResult, Contender, ContenderResult, Measurement } from './types.ts' */
/** @import { ModelSize, Part, Peak, Sample, Throughput } from './types.ts' */

/**
 * @typedef {object} Settings
 * @property {number} texts in all, of which a sample is timed
 * @property {number} batch_size
 * @property {number} rounds
 * @property {number} time_budget_s of one contender's throughput in one round
 * @property {number} latency_runs
 * @property {number} threads
 * @property {string | undefined} isa
 * @property {string} cache
 */

/** Mixed batches differ: fewer would not stand for all. */
const leastBatches = { mixed: 4, exact: 2 };
/** A contender that is measured on a sample of its own may be given no more than this. */
const mostSlowBatches = 32;
/** Of the time budget: what throughput lasts at least where there are texts enough. */
const leastShareOfBudget = 0.2;
const latencyTokens = 16;
const latencyLimitMs = 10_000;
const latencyWarmUp = 5;
const idleMs = 500;

export class CaseRunner {
  #part;
  #contenders;
  #model;
  #settings;
  #log;
  #signal;
  #environment;
  /** The texts in batches of the case, and the ones of latency and first vector. */
  #batches;
  #shortTexts;
  /** @type {Map<string, number[]>} indices of the batches that a contender is given */
  #samples = new Map();
  /** @type {number | undefined} how many batches all are given */
  #sharedBatches;
  // What the vectors of all contenders are compared with, and the texts that they are of.
  /** @type {{ texts: string[], vectors: Float32Array }} */
  #verified = { texts: [], vectors: new Float32Array(0) };
  /** @type {CaseResult} */
  result;

  /**
   * @param {Part} part
   * @param {readonly Contender[]} contenders
   * @param {ModelFolder} model
   * @param {readonly string[]} vocabulary
   * @param {Peak | null} peak
   * @param {Settings} settings
   * @param {(line: string) => void} log
   * @param {AbortSignal} signal
   */
  constructor(part, contenders, model, vocabulary, peak, settings, log, signal) {
    this.#part = part;
    this.#contenders = contenders;
    this.#model = model;
    this.#settings = settings;
    this.#log = log;
    this.#signal = signal;
    this.#environment = childEnvironment(settings);

    const maker = new TextMaker(part.language, vocabulary);
    const texts = maker.make(part.set, settings.texts);
    if (part.sorted) texts.sort((a, b) => a.tokens - b.tokens);
    this.#batches = (/** @type {number} */ size) => intoBatches(texts, size);
    // A set of its own: where the case's texts have this length too, its first would come twice.
    this.#verified.texts = textsToVerify(texts);
    const used = new Set(texts.map(({ text }) => text));
    const shortCount = settings.latency_runs + latencyWarmUp + 1;
    this.#shortTexts = maker
      .make(latencyTokens, (part.set === latencyTokens ? texts.length : 0) + shortCount)
      .map(({ text }) => text)
      .filter((text) => !used.has(text))
      .slice(0, shortCount);
    this.result = {
      part: part.name,
      texts: texts.length,
      batch_size: settings.batch_size,
      peak,
      contenders: contenders.map(({ name, label }) => ({
        contender: name,
        label,
        facts: {},
        accuracy: null,
        sample: null,
        rounds: [],
        failure: null,
      })),
    };
  }

  /** @param {() => void} save called whenever there is something new */
  async run(save) {
    const { texts } = this.#verified;
    this.#verified.vectors = await referenceVectors(
      this.#model,
      texts,
      this.#settings.cache,
      this.#environment,
      this.#signal,
      this.#log,
    );
    for (let round = 1; round <= this.#settings.rounds; round++) {
      const results = this.#contenders.map((contender, i) => ({
        contender,
        result: this.result.contenders[i],
      }));
      // Every other round backwards, so that a machine that becomes slower or faster is unfair to none.
      if (round % 2 === 0) results.reverse();
      for (const { contender, result } of results) {
        this.#signal.throwIfAborted();
        if (result.failure !== null || (contender.slow && round > 1)) continue;
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

  /** @param {Contender} contender @param {ContenderResult} result @param {number} round */
  async #measure(contender, result, round) {
    const { threads, latency_runs } = this.#settings;
    const job = { folder: this.#model.folder, threads, options: contender.options };
    const [firstText = '', ...shortTexts] = this.#shortTexts;
    const { process, start } = await ContenderProcess.start(contender, job, firstText, this.#environment, this.#signal);
    try {
      result.facts = { ...result.facts, ...start.facts };
      if (round === 1) await this.#verify(process, contender, result);

      const batches = this.#batches(contender.batch_size ?? this.#settings.batch_size);
      const warmUpAt = Math.floor(batches.length / 2);
      const warmUp = batches[warmUpAt];
      const [warmUpMs = 0] = await process.warmUp([textsOf(warmUp)]);
      // Not the batch of the warm-up, whose words a tokenizer may remember.
      const others = batches.length > 1 ? batches.toSpliced(warmUpAt, 1) : batches;
      const sample = this.#sample(contender, others, warmUpMs / paddedTokens(warmUp));
      const chosen = sample.map((i) => others[i]);
      result.sample = describeSample(chosen, batches, this.#size);

      const warm = contender.slow ? [] : shortTexts.slice(0, latencyWarmUp);
      const timed = shortTexts.slice(latencyWarmUp, latencyWarmUp + (contender.slow ? 3 : latency_runs));
      await process.latency(warm, latencyLimitMs);
      const latencies = await process.latency(timed, latencyLimitMs);

      const idle_loop_delay = await process.idle(idleMs);
      const throughput = await process.throughput(chosen.map(textsOf), contender.feeding);
      const peak_rss_mb = await process.peakMemory();
      const busyLatencies =
        round === 1 && !contender.slow ? await process.busyLatency(timed, latencyLimitMs, chosen.map(textsOf)) : null;
      if (round === 1) await verifyTokens(process, chosen.flat());

      const seconds = throughput.wall_ms / 1000;
      /** @type {Measurement} */
      const measurement = {
        round,
        import_ms: start.import_ms,
        load_ms: start.load_ms,
        first_vector_ms: start.first_result_ms,
        latency: describeLatency(latencies),
        busy_latency: busyLatencies && describeLatency(busyLatencies),
        idle_loop_delay,
        throughput,
        tokens_per_s: result.sample.tokens / seconds,
        texts_per_s: result.sample.texts / seconds,
        gflops: result.sample.gflop / seconds,
        peak_rss_mb,
      };
      result.rounds.push(measurement);
      this.#log(`  round ${round}  ${contender.name.padEnd(29)} ${describeMeasurement(measurement, result.sample)}`);
    } finally {
      await process.stop();
    }
  }

  get #size() {
    return models[this.#part.model];
  }

  /**
   * Compares vectors with the reference engine's before anything is timed.
   *
   * @param {ContenderProcess} process @param {Contender} contender @param {ContenderResult} result
   */
  async #verify(process, contender, result) {
    if (contender.options.engine === 'reference') return; // what the others are compared with
    const { texts, vectors } = this.#verified;
    const accuracy = compareVectors(await process.results(texts), vectors, texts.length, contender.arithmetic);
    result.accuracy = accuracy;
    if (!accuracy.passed) {
      throw new Error(
        `not timed, its vectors are not the reference's: expected ${accuracy.bar}, ` +
          `got relative L2 error ${accuracy.max_relative_l2.toExponential(1)}`,
      );
    }
  }

  /**
   * The batches that a contender is given, the same in every round. The first in the first round decides how many fit into
   * its time, and the others get these too, so that all are compared over equal texts. Who is so fast that they are over at
   * once gets more, chosen to be like all of them in the same way.
   *
   * @param {Contender} contender
   * @param {readonly BenchText[][]} batches
   * @param {number} ms_per_position of the contender, padding included
   */
  #sample({ name, slow }, batches, ms_per_position) {
    const known = this.#samples.get(name);
    if (known !== undefined) return known;
    const available = slow ? Math.min(batches.length, mostSlowBatches) : batches.length;
    const positions = sum(batches.map(paddedTokens)) / batches.length;
    const batch_ms = positions * ms_per_position;
    const budget_ms = this.#settings.time_budget_s * 1000;
    const least = slow ? 2 : leastBatches[this.#part.set === 'mixed' ? 'mixed' : 'exact'];
    const fitting = Math.min(Math.max(Math.floor(budget_ms / batch_ms), least), available);
    if (!slow) this.#sharedBatches ??= fitting;
    const shared = slow ? fitting : (this.#sharedBatches ?? fitting);
    const count = batchesToTime({ shared, available, batch_ms, least_ms: budget_ms * leastShareOfBudget });
    const sample = spreadSample(batches.map(lengthsOf), count);
    this.#samples.set(name, sample);
    return sample;
  }
}

/** @param {Pick<Settings, 'isa' | 'threads'>} settings @returns {NodeJS.ProcessEnv} */
export function childEnvironment({ isa, threads }) {
  /** @type {NodeJS.ProcessEnv} */
  const environment = { ...process.env, BERT_NATIVE_THREADS: String(threads) };
  if (isa !== undefined) environment.BERT_NATIVE_ISA = isa;
  return environment;
}

/** @param {readonly number[]} times_ms */
export const describeLatency = (times_ms) => ({
  runs: times_ms.length,
  median_ms: median(times_ms),
  p95_ms: quantile(times_ms, 0.95),
});

/** @param {readonly BenchText[]} batch */
const textsOf = (batch) => batch.map(({ text }) => text);

/** @param {readonly BenchText[]} batch */
const lengthsOf = (batch) => batch.map(({ tokens }) => tokens);

/** Positions of a batch as wide as its longest text. @param {readonly BenchText[]} batch */
const paddedTokens = (batch) => batch.length * Math.max(...lengthsOf(batch));

/** @param {BenchText[][]} chosen @param {BenchText[][]} all @param {ModelSize} size @returns {Sample} */
function describeSample(chosen, all, size) {
  const lengths = chosen.flatMap(lengthsOf);
  return {
    batches: chosen.length,
    texts: lengths.length,
    tokens: sum(lengths),
    padding: paddingShare(chosen.map(lengthsOf)),
    padding_of_all: paddingShare(all.map(lengthsOf)),
    gflop: encoderGflop(size, lengths),
  };
}

/**
 * Real tokens are counted once, by the maker of the texts. Every contender's own tokenizer must give as many, in the
 * first round and behind the clock.
 *
 * @param {ContenderProcess} process @param {readonly BenchText[]} texts
 */
async function verifyTokens(process, texts) {
  const ids = await process.tokenize(textsOf(texts));
  const at = ids.findIndex((row, i) => row.length !== texts[i]?.tokens);
  if (at >= 0) {
    throw new Error(
      `${ids[at]?.length} tokens where ${texts[at]?.tokens} are expected: ${texts[at]?.text.slice(0, 80)}`,
    );
  }
}

/** @param {Measurement} measurement @param {Sample} sample */
function describeMeasurement({ tokens_per_s, latency, load_ms, peak_rss_mb, throughput }, { texts }) {
  return [
    `${Math.round(tokens_per_s).toLocaleString('en').padStart(8)} tokens/s over ${texts} texts`,
    `one short text ${latency.median_ms.toFixed(1)} ms`,
    `load ${(load_ms / 1000).toFixed(1)} s`,
    `${Math.round(peak_rss_mb)} MB${othersNote(throughput)}`,
  ].join(', ');
}

/** @param {Throughput} throughput */
export function othersNote({ foreign_cores }) {
  const others = foreign_cores ?? 0;
  return others > disturbance ? `, DISTURBED: others used ${others.toFixed(1)} cores` : '';
}

/** @param {unknown} error */
export function firstLine(error) {
  const message = error instanceof Error ? error.message : String(error);
  const lines = message.split('\n').filter((line) => !/^\s+at /.test(line)); // without the stack
  return lines.join('\n').trim().split('\n').slice(0, 2).join(' ').slice(0, 400);
}
