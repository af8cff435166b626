import cliProgress from 'cli-progress';

/** How far a job has come. */
export interface Reached {
  /** Of the whole input; texts and tokens are those of this run. */
  readonly bytes: number;
  readonly texts: number;
  readonly tokens: number;
}

/** Redraws per second. */
const fps = 5;

/**
 * A line on the terminal: how much of the input is done, texts and tokens per second, time left. Without a total, as of a
 * pipe, only numbers. Silent where the stream is no terminal.
 */
export class Progress {
  readonly #bar: cliProgress.SingleBar;
  readonly #total_bytes: number | undefined;
  readonly #started = performance.now();
  #drawn = 0;
  #begun = false;

  /** @param total_bytes undefined: not known */
  constructor(total_bytes: number | undefined, stream: NodeJS.WritableStream = process.stderr) {
    this.#total_bytes = total_bytes;
    const counts = '{texts} texts, {texts_rate} texts/s, {tokens_rate} tokens/s';
    const format = total_bytes === undefined ? counts : `[{bar}] {percentage}% | ${counts} | {eta_formatted} left`;
    const barsize = 24;
    // The time left follows the rate of the last 20 seconds; the cursor is left alone, as a killed process cannot restore it.
    this.#bar = new cliProgress.SingleBar({
      format,
      stream,
      fps,
      barsize,
      etaBuffer: 20 * fps,
      hideCursor: false,
      clearOnComplete: true,
      gracefulExit: false,
    });
  }

  update({ bytes, texts, tokens }: Reached): void {
    const now = performance.now();
    if (now - this.#drawn < 1000 / fps) return;
    this.#drawn = now;
    const seconds = (now - this.#started) / 1000;
    const rate = (count: number) => Math.round(count / seconds).toLocaleString('en');
    const payload = { texts: texts.toLocaleString('en'), texts_rate: rate(texts), tokens_rate: rate(tokens) };
    if (!this.#begun) {
      this.#begun = true;
      this.#bar.start(this.#total_bytes ?? 0, bytes, payload);
    }
    this.#bar.update(bytes, payload);
  }

  /** Takes the line away. */
  end(): void {
    this.#bar.stop();
  }
}
