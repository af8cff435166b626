const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

type Signal = keyof typeof exitCodes;

/** One Ctrl-C may arrive twice: from the terminal and passed on by npx or timeout, which it reached as well. */
const echo_ms = 300;

/** Turns the first Ctrl-C, or SIGTERM, into an abort that a job can answer; a second one ends the process at once. */
export class Interruption {
  readonly #controller = new AbortController();
  #received: Signal | undefined;
  #received_at = 0;

  constructor() {
    for (const signal of Object.keys(exitCodes) as Signal[]) process.on(signal, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the process should end with, by the shells' convention of 128 and the signal's number; undefined: none came. */
  get exit_code(): number | undefined {
    return this.#received && exitCodes[this.#received];
  }

  /** From here on signals end the process as usual. */
  end(): void {
    for (const signal of Object.keys(exitCodes) as Signal[]) process.off(signal, this.#onSignal);
  }

  readonly #onSignal = (signal: Signal): void => {
    if (this.#received !== undefined) {
      if (performance.now() - this.#received_at >= echo_ms) process.exit(exitCodes[signal]);
      return;
    }
    this.#received = signal;
    this.#received_at = performance.now();
    this.#controller.abort(new Error(signal));
  };
}
