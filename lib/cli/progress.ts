/** A line on the terminal that shows how far a long job has come; silent where standard error is no terminal. */
export class Progress {
  readonly #unit: string;
  readonly #started = performance.now();
  #shown = 0;

  constructor(unit: string) {
    this.#unit = unit;
  }

  update(done: number): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shown < 200) return;
    this.#shown = now;
    const rate = done / ((now - this.#started) / 1000);
    process.stderr.write(
      `\r\x1b[K${done.toLocaleString('en')} ${this.#unit}, ${Math.round(rate).toLocaleString('en')} per second`,
    );
  }

  end(): void {
    if (this.#shown > 0) process.stderr.write('\r\x1b[K');
  }
}
