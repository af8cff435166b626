import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { BertNativeError } from '../errors.ts';
import {
  fileError,
  makeFolder,
  readJsonObjectIfPresent,
  syncFolder,
  writeFileAtomically,
  writeFully,
} from '../files.ts';
import type { RecordId, RowFormat, WrittenRows } from './row-formats.ts';

/** Takes rows as they come. */
export interface RowSink<Row> {
  /** Rows that an earlier run wrote. */
  readonly rows_before: number;
  /** @throws BertNativeError `ERR_IO` */
  write(row: Row, id: RecordId): Promise<void>;
  /** Everything was written. @throws BertNativeError `ERR_IO` */
  finish(): Promise<void>;
  /**
   * Nothing more will come. Leaves whole rows and a header that counts them, for people to read and for another run to go
   * on with.
   *
   * @param why `interrupted`: by the user, who gets a file even without rows; `failed`: by an error
   * @returns undefined: nothing is left that could be gone on with
   * @throws BertNativeError `ERR_IO`
   */
  stop(why: 'interrupted' | 'failed'): Promise<KeptRows | undefined>;
}

/** What a run that did not finish has left. */
export interface KeptRows {
  readonly path: string;
  /** Those of an earlier run included. */
  readonly count: number;
}

/** The files that a run writes. */
export function resultFiles(path: string): string[] {
  return Object.values(resultPaths(path));
}

/** What two runs must have in common to be one: values by what they are called in messages. */
export type RunRecord = Readonly<Record<string, string | number | boolean | null>>;

export interface ResultFileOptions<Row> {
  readonly path: string;
  readonly format: RowFormat<Row>;
  readonly record: RunRecord;
  /** Go on with what an earlier run of the same record left. */
  readonly resume: boolean;
  /** Drop it. */
  readonly restart: boolean;
}

/** Rows are gathered up to so many bytes, or for so long, before they are written. */
const bufferBytes = 1 << 20;
const buffer_ms = 500;

/**
 * A file that grows as `<path>.partial` and takes its name when it is whole. `<path>.partial.json`, beside it, says what it
 * is made from. A run that is interrupted gives its file the final name too, unless another lies there; the record stays
 * and tells that it is not whole.
 */
export class ResultFile<Row> implements RowSink<Row> {
  readonly rows_before: number;
  readonly #paths: ResultPaths;
  readonly #format: RowFormat<Row>;
  readonly #record: RunRecord;
  readonly #handle: FileHandle;
  /** Rows in the file, and where they end. */
  #rows: number;
  #end: number;
  #buffered: Uint8Array[] = [];
  #bufferedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The last flush; once one has failed, so do those after it. */
  #flushed: Promise<void> = Promise.resolve();

  /**
   * @throws BertNativeError `ERR_IO`; `ERR_OPTION` where an earlier run left something and it is not said what becomes of
   *   that, and where that run's record differs, naming what does;
   *   `ERR_FILE_FORMAT` for a partial file or record that no run left
   */
  static async open<Row>({ path, format, record, resume, restart }: ResultFileOptions<Row>): Promise<ResultFile<Row>> {
    const paths = resultPaths(path);
    await makeFolder(dirname(path));
    return guarded(paths.partial, async () => {
      if (resume && (await findPartial(paths, record))) {
        const handle = await open(paths.partial, 'r+');
        const rows = await format.rowsOf(paths.partial, handle).catch(async (error) => {
          await handle.close();
          throw error;
        });
        await handle.truncate(rows.end_bytes);
        if (rows.end_bytes === 0) await writeFully(handle, format.header(0), 0);
        const end_bytes = Math.max(rows.end_bytes, format.header(0).length);
        return new ResultFile(paths, format, record, handle, { count: rows.count, end_bytes });
      }
      if (!restart && (await exists(paths.record))) {
        throw new BertNativeError(
          'ERR_OPTION',
          `a run that did not finish has left ${basename(paths.record)} beside ${path}: --resume goes on with it, ` +
            '--restart drops what it did',
        );
      }
      await rm(paths.partial, { force: true });
      await writeRecord(paths, record, false);
      const handle = await open(paths.partial, 'w');
      const header = format.header(0);
      await writeFully(handle, header, 0);
      return new ResultFile(paths, format, record, handle, { count: 0, end_bytes: header.length });
    });
  }

  private constructor(
    paths: ResultPaths,
    format: RowFormat<Row>,
    record: RunRecord,
    handle: FileHandle,
    { count, end_bytes }: WrittenRows,
  ) {
    this.#paths = paths;
    this.#format = format;
    this.#record = record;
    this.#handle = handle;
    this.rows_before = count;
    this.#rows = count;
    this.#end = end_bytes;
  }

  async write(row: Row, id: RecordId): Promise<void> {
    const bytes = this.#format.row(row, id);
    this.#buffered.push(bytes);
    this.#bufferedBytes += bytes.length;
    if (this.#bufferedBytes >= bufferBytes) return this.#flush();
    // A source that pauses does not hold rows back. A failure is told by the next flush.
    this.#timer ??= setTimeout(() => this.#flush().catch(() => {}), buffer_ms);
  }

  async finish(): Promise<void> {
    await this.#flush();
    const { partial, final, record } = this.#paths;
    await guarded(final, async () => {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(partial, final);
      await rm(record, { force: true });
      await syncFolder(dirname(final));
    });
  }

  async stop(why: 'interrupted' | 'failed'): Promise<KeptRows | undefined> {
    const { partial, final, record } = this.#paths;
    // A disk that is full takes no more rows; those it has are kept.
    await this.#flush().catch(() => {});
    return guarded(partial, async () => {
      await this.#handle.truncate(this.#end);
      await this.#handle.sync().catch(() => {});
      await this.#handle.close();
      if (this.#rows === 0 && why === 'failed') {
        await rm(partial, { force: true });
        await rm(record, { force: true });
        return undefined;
      }
      if (why === 'failed' || (await exists(final))) return { path: partial, count: this.#rows };
      await writeRecord(this.#paths, this.#record, true);
      await rename(partial, final);
      return { path: final, count: this.#rows };
    });
  }

  #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushed = this.#flushed.then(() => this.#writeBuffered());
    return this.#flushed;
  }

  async #writeBuffered(): Promise<void> {
    const bytes = Buffer.concat(this.#buffered);
    const rows = this.#buffered.length;
    [this.#buffered, this.#bufferedBytes] = [[], 0];
    await guarded(this.#paths.partial, async () => {
      await writeFully(this.#handle, bytes, this.#end);
      // Counted only now: the header never promises rows that are not there.
      await writeFully(this.#handle, this.#format.header(this.#rows + rows), 0);
    });
    this.#rows += rows;
    this.#end += bytes.length;
  }
}

interface ResultPaths {
  readonly final: string;
  readonly partial: string;
  readonly record: string;
}

function resultPaths(path: string): ResultPaths {
  return { final: path, partial: `${path}.partial`, record: `${path}.partial.json` };
}

/** Says whether there is something to go on with, and puts it where it grows. */
async function findPartial(paths: ResultPaths, record: RunRecord): Promise<boolean> {
  const found = await readJsonObjectIfPresent(paths.record);
  if (found === undefined) {
    if (!(await exists(paths.partial))) return false;
    throw new BertNativeError(
      'ERR_FILE_FORMAT',
      `${paths.partial} has no ${basename(paths.record)} beside it that says what it was made from: cannot go on with it`,
    );
  }
  const inPlace = await exists(paths.partial);
  const underItsName = !inPlace && found.under_its_name === true && (await exists(paths.final));
  if (!inPlace && !underItsName) return false;
  checkRecord(paths, found.made_from, record);
  if (underItsName) await rename(paths.final, paths.partial);
  return true;
}

function checkRecord(paths: ResultPaths, found: unknown, record: RunRecord): void {
  if (typeof found !== 'object' || found === null) {
    throw new BertNativeError('ERR_FILE_FORMAT', `${paths.record} does not say what the partial file was made from`);
  }
  const was = found as RunRecord;
  const differences = [...new Set([...Object.keys(was), ...Object.keys(record)])]
    .filter((name) => was[name] !== record[name])
    .map((name) => `${name}: ${shown(was[name])} then, ${shown(record[name])} now`);
  if (differences.length === 0) return;
  throw new BertNativeError(
    'ERR_OPTION',
    `--resume: the run that left ${basename(paths.final)} incomplete differs from this one (${differences.join('; ')}); ` +
      'call it as that one was, or drop what it did with --restart',
  );
}

function shown(value: unknown): string {
  return value === undefined || value === null ? 'none' : String(value);
}

async function writeRecord(paths: ResultPaths, made_from: RunRecord, under_its_name: boolean): Promise<void> {
  const record = { note: 'what the incomplete file is made from', under_its_name, made_from };
  await writeFileAtomically(paths.record, `${JSON.stringify(record, null, 2)}\n`);
}

async function guarded<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw fileError('writing', path, cause);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
