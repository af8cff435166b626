import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Contender, ContenderJob, Feeding, LoopDelay, Throughput } from './types.ts' */

const program = fileURLToPath(new URL('child.mjs', import.meta.url));

/** @typedef {{ load_ms: number, first_result_ms: number, import_ms: number, facts: Record<string, string | number> }} Start */

/** A contender that runs in a process of its own. */
export class ContenderProcess {
  #child;
  #errors = '';

  /** @param {ChildProcess} child */
  constructor(child) {
    this.#child = child;
    child.on('error', () => {}); // when aborted between two requests; within one, the request rejects
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
  }

  /**
   * @param {Contender} contender
   * @param {ContenderJob} job
   * @param {unknown} first what the first result is of
   * @param {NodeJS.ProcessEnv} environment
   * @param {AbortSignal} signal
   */
  static async start(contender, job, first, environment, signal) {
    const module = new URL(contender.module, import.meta.url).href;
    const child = fork(program, [JSON.stringify({ module, job, first })], {
      serialization: 'advanced', // typed arrays as they are
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: environment,
      execArgv: ['--no-warnings'],
      killSignal: 'SIGKILL',
      signal,
    });
    const process = new ContenderProcess(child);
    const start = /** @type {Start} */ (await process.#answer());
    return { process, start };
  }

  /** @param {readonly unknown[]} items @returns {Promise<any>} what the contender's `run` gives */
  results(items) {
    return this.#ask({ request: 'results', items });
  }

  /** @param {string[]} texts @returns {Promise<Int32Array[]>} */
  tokenize(texts) {
    return this.#ask({ request: 'tokenize', texts });
  }

  /** @param {readonly unknown[][]} batches @returns {Promise<number[]>} */
  warmUp(batches) {
    return this.#ask({ request: 'warmUp', batches });
  }

  /** @param {readonly unknown[]} items @param {number} limit_ms @returns {Promise<number[]>} */
  latency(items, limit_ms) {
    return this.#ask({ request: 'latency', items, limit_ms });
  }

  /**
   * @param {readonly unknown[]} items @param {number} limit_ms @param {readonly unknown[][]} batches
   * @returns {Promise<number[]>}
   */
  busyLatency(items, limit_ms, batches) {
    return this.#ask({ request: 'busyLatency', items, limit_ms, batches });
  }

  /** @param {number} ms @returns {Promise<LoopDelay>} */
  idle(ms) {
    return this.#ask({ request: 'idle', ms });
  }

  /** @param {readonly unknown[][]} batches @param {Feeding} feeding @returns {Promise<Throughput>} */
  throughput(batches, feeding) {
    return this.#ask({ request: 'throughput', batches, feeding });
  }

  /** @param {readonly unknown[][]} batches @param {number} samples @returns {Promise<number[]>} */
  growth(batches, samples) {
    return this.#ask({ request: 'growth', batches, samples });
  }

  /** @returns {Promise<number>} */
  peakMemory() {
    return this.#ask({ request: 'peakMemory' });
  }

  /** Ends the process, whatever it is doing, and waits until it is gone. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await new Promise((resolve) => {
      this.#child.once('exit', resolve);
      this.#child.kill('SIGKILL');
    });
  }

  /** @param {object} request @returns {Promise<any>} */
  #ask(request) {
    const answer = this.#answer();
    this.#child.send(request);
    return answer;
  }

  /** The next message; rejects when the process ends without one. @returns {Promise<unknown>} */
  #answer() {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const done = () => {
        child.off('message', onMessage).off('exit', onExit).off('error', onError);
      };
      const onMessage = (/** @type {any} */ { answer, error }) => {
        done();
        if (error === undefined) resolve(answer);
        else reject(new Error(error));
      };
      const onExit = (/** @type {number | null} */ code, /** @type {string | null} */ signal) => {
        done();
        reject(new Error(`the process ended with ${signal ?? `status ${code}`}. ${this.#errors.trim()}`));
      };
      const onError = (/** @type {Error} */ error) => {
        done();
        reject(error);
      };
      child.on('message', onMessage).on('exit', onExit).on('error', onError);
    });
  }
}
