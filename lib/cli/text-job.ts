import { BertNativeError } from '../errors.ts';
import { Interruption } from './interruption.ts';
import type { Output } from './job-files.ts';
import { Progress, type Reached } from './progress.ts';
import { ResultFile, type ResultFileOptions, type RowSink } from './result-file.ts';
import type { RecordId, RowFormat } from './row-formats.ts';
import { openStreamSink } from './stream-sink.ts';

/** What became of one text of the input. */
export interface JobResult<Row> {
  readonly row: Row;
  readonly id: RecordId;
  /** How much of the input is read behind it. */
  readonly end_bytes: number;
  /** Tokens that the model saw, where that is counted. */
  readonly tokens?: number;
  /** Whether it lost tokens. */
  readonly truncated?: boolean;
}

export interface TextJobOptions<Row> {
  /** `-`: standard input. */
  readonly input: string;
  /** Undefined: not known. */
  readonly size_bytes: number | undefined;
  readonly output: Output<string>;
  readonly format: RowFormat<Row>;
  readonly record: () => Promise<ResultFileOptions<Row>['record']>;
  readonly resume: boolean;
  readonly restart: boolean;
  /** What happens to texts: `embedded`. */
  readonly done: string;
  /** Whether results say how many tokens there were. */
  readonly counts_tokens: boolean;
  /** What texts are cut to, for a message. */
  readonly limit: string;
}

/** Moves results from a stream into a sink, and keeps what is there when the stream ends too early. */
export class TextJob<Row> {
  readonly #options: TextJobOptions<Row>;
  readonly #sink: RowSink<Row>;
  readonly #interruption: Interruption;
  #reached: Reached = { bytes: 0, texts: 0, tokens: 0 };
  #truncated = 0;

  /** Opens the output and says what becomes of an earlier run's. */
  static async open<Row>(options: TextJobOptions<Row>): Promise<TextJob<Row>> {
    const { output, format, record, resume, restart } = options;
    const interruption = new Interruption();
    if (output.streamed) {
      return new TextJob(options, openStreamSink(output.path, format, interruption.signal), interruption);
    }
    const file = await ResultFile.open({ path: output.path, resume, restart, format, record: await record() });
    if (file.rows_before > 0) console.error(`going on after ${countOf(file.rows_before)}`);
    else if (resume) console.error('nothing to go on with: from the first text');
    return new TextJob(options, file, interruption);
  }

  private constructor(options: TextJobOptions<Row>, sink: RowSink<Row>, interruption: Interruption) {
    this.#options = options;
    this.#sink = sink;
    this.#interruption = interruption;
  }

  /** Texts in the output, those of an earlier run included. */
  get count(): number {
    return this.#sink.rows_before + this.#reached.texts;
  }

  /**
   * @param start gives the results of the texts from number `skip` on, until the signal aborts
   * @throws BertNativeError what the results throw; after an interruption the process ends
   */
  async run(start: (skip: number, signal: AbortSignal) => AsyncIterable<JobResult<Row>>): Promise<void> {
    try {
      await this.#write(start(this.#sink.rows_before, this.#interruption.signal));
      await this.#sink.finish();
      this.#reportTruncated();
    } catch (error) {
      const interrupted = error instanceof BertNativeError && error.code === 'ERR_ABORTED';
      if (!interrupted) await this.#keepAfter(error);
      await this.#keepAfterInterruption();
      // Neither a batch that still runs nor a pipe that still waits for input should hold the process.
      process.exit(this.#interruption.exit_code);
    } finally {
      this.#interruption.end();
      // A pipe that is open and silent would hold the process.
      if (this.#options.input === '-') process.stdin.destroy();
    }
  }

  async #write(results: AsyncIterable<JobResult<Row>>): Promise<void> {
    const { size_bytes, counts_tokens } = this.#options;
    const progress = new Progress(size_bytes, { counts_tokens });
    try {
      for await (const { row, id, end_bytes, tokens = 0, truncated } of results) {
        await this.#sink.write(row, id);
        const { texts, tokens: before } = this.#reached;
        this.#reached = { bytes: end_bytes, texts: texts + 1, tokens: before + tokens };
        if (truncated) this.#truncated++;
        progress.update(this.#reached);
      }
    } finally {
      progress.end();
    }
  }

  async #keepAfter(error: unknown): Promise<never> {
    // What went wrong first is what to tell.
    const kept = await this.#sink.stop('failed').catch(() => undefined);
    if (kept !== undefined)
      console.error(`${countOf(kept.count)} kept in ${kept.path}; --resume goes on there if the input stays as it is`);
    throw error;
  }

  async #keepAfterInterruption(): Promise<void> {
    const kept = await this.#sink.stop('interrupted');
    const { bytes } = this.#reached;
    const { size_bytes, done } = this.#options;
    const share = size_bytes && bytes ? ` (${Math.floor((100 * bytes) / size_bytes)}% of the input)` : '';
    const where = kept === undefined ? '' : `, kept in ${kept.path}; go on with --resume`;
    this.#reportTruncated();
    console.error(`interrupted: ${countOf(kept?.count ?? this.count)} ${done}${share}${where}`);
  }

  #reportTruncated(): void {
    if (this.#truncated === 0) return;
    console.error(`${countOf(this.#truncated)} had more tokens than ${this.#options.limit} and lost the rest`);
  }
}

export function countOf(count: number): string {
  return `${count.toLocaleString('en')} ${count === 1 ? 'text' : 'texts'}`;
}
