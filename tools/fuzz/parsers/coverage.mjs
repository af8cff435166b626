import { Session } from 'node:inspector/promises';

/** Which blocks of a script ran, and how often, since it was last asked: V8's own counts. */
export class Coverage {
  #session = new Session();
  #url;
  #seen = new Set();

  /** @param {string} url of the script that counts */
  static async start(url) {
    const coverage = new Coverage();
    coverage.#url = url;
    coverage.#session.connect();
    await coverage.#session.post('Profiler.enable');
    await coverage.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    return coverage;
  }

  get blocks() {
    return this.#seen.size;
  }

  /** @returns {Promise<Set<string>>} what ran since the last call that never ran before, or many times more often */
  async takeNew() {
    const found = new Set([...(await this.take())].filter((key) => !this.#seen.has(key)));
    for (const key of found) this.#seen.add(key);
    return found;
  }

  /** @returns {Promise<Set<string>>} what ran since the last call: the blocks, each with about how often */
  async take() {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    const keys = new Set();
    for (const { url, functions } of result) {
      if (!url.startsWith(this.#url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count === 0) continue;
          // As libFuzzer counts: by powers of two, and no further than some.
          keys.add(`${startOffset}-${endOffset}-${Math.min(8, 32 - Math.clz32(count))}`);
        }
      }
    }
    return keys;
  }
}
