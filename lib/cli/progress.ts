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
  /** What was reached when counting began: what an earlier run had done has no part in the rates. */
  #start: { readonly reached: Reached; readonly time: number } | undefined;
  #drawn = 0;

  /**
   * @param total_bytes undefined: not known
   * @param counts_tokens whether tokens are counted; default true
   */
  constructor(
    total_bytes: number | undefined,
    {
      counts_tokens = true,
      stream = process.stderr,
    }: { readonly counts_tokens?: boolean; readonly stream?: NodeJS.WritableStream } = {},
  ) {
    this.#total_bytes = total_bytes;
    const counts = `{texts} texts, {texts_rate} texts/s${counts_tokens ? ', {tokens_rate} tokens/s' : ''}`;
    const format = total_bytes === undefined ? counts : `[{bar}] {percentage}% | ${counts} | {left} left`;
    this.#bar = new cliProgress.SingleBar({ format, stream, fps, barsize: 24, clearOnComplete: true });
  }

  update(reached: Reached): void {
    const now = performance.now();
    if (now - this.#drawn < 1000 / fps) return;
    this.#drawn = now;
    this.#start ??= { reached, time: now };
    const { bytes, texts } = reached;
    const payload = { texts: texts.toLocaleString('en'), ...this.#rates(reached, (now - this.#start.time) / 1000) };
    if (this.#bar.isActive) this.#bar.update(bytes, payload);
    else this.#bar.start(this.#total_bytes ?? 0, bytes, payload);
  }

  /** Takes the line away. */
  end(): void {
    this.#bar.stop();
  }

  #rates({ bytes, texts, tokens }: Reached, seconds: number): Record<'texts_rate' | 'tokens_rate' | 'left', string> {
    const first = this.#start!.reached;
    const rate = (count: number) => (seconds > 0 ? Math.round(count / seconds).toLocaleString('en') : '…');
    const bytes_left = (this.#total_bytes ?? bytes) - bytes;
    return {
      texts_rate: rate(texts - first.texts),
      tokens_rate: rate(tokens - first.tokens),
      left: bytes > first.bytes ? duration((seconds * bytes_left) / (bytes - first.bytes)) : '…',
    };
  }
}

/** `42s`, `3m 05s`, `2h 07m`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const padded = (value: number) => String(value).padStart(2, '0');
  if (hours > 0) return `${hours}h ${padded(minutes)}m`;
  return minutes > 0 ? `${minutes}m ${padded(whole % 60)}s` : `${whole}s`;
}
