/** No call takes so long, however busy the machine is. */
const lost_ms = 120_000;

/**
 * Calls that are under way. One that is never settled would be waited for without end, or would let the process end as if
 * nothing had been: it is named on standard error, and the thread ends with status 1.
 */
export class CallsUnderWay {
  #tool;
  #calls = new Set();
  #timer = setInterval(() => this.#look(), 1000); // keeps the process alive, too

  /** @param {string} tool what messages begin with */
  constructor(tool) {
    this.#tool = tool;
  }

  /**
   * @template T
   * @param {string} name
   * @param {() => Promise<T> | T} call
   * @returns {Promise<T>}
   */
  async settle(name, call) {
    const own = { name, start: performance.now() };
    this.#calls.add(own);
    try {
      return await call();
    } finally {
      this.#calls.delete(own);
    }
  }

  end() {
    clearInterval(this.#timer);
  }

  #look() {
    const now = performance.now();
    const lost = [...this.#calls].filter(({ start }) => now - start > lost_ms).map(({ name }) => name);
    if (lost.length === 0) return;
    console.error(`${this.#tool}: not settled after ${lost_ms / 1000} s: ${lost.join(', ')}`);
    process.exit(1);
  }
}
