import cliProgress from 'cli-progress';
import type { ProgressInfo } from '../hub/progress.ts';
import { findModel, type ModelPlace } from '../hub/resolve.ts';
import { modelWish } from '../models/auto.ts';
import type { EngineOptions } from '../models/modeling.ts';
import { duration } from './progress.ts';

/** Redraws per second. */
const fps = 5;
/** Between two lines about a file that takes long, where there is no terminal. */
const line_ms = 10_000;

/** How far a download has come: a bar on a terminal, a line for each file elsewhere. */
export class DownloadProgress {
  readonly #stream: NodeJS.WritableStream & { isTTY?: boolean };
  readonly #bar: cliProgress.SingleBar | undefined;
  readonly #sizes = new Map<string, number>();
  readonly #begun = performance.now();
  /** What was there before, which has no part in the rate. */
  #found_bytes = 0;
  #last = performance.now();
  #downloads = false;

  constructor(stream: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr) {
    this.#stream = stream;
    if (!stream.isTTY) return;
    this.#bar = new cliProgress.SingleBar({
      format: '[{bar}] {percentage}% | {loaded} of {size} | {rate}/s | {left} left | {file}',
      stream,
      fps,
      barsize: 24,
      clearOnComplete: true,
      hideCursor: false,
      gracefulExit: false,
    });
  }

  /** A `progress_callback`. */
  readonly update = (info: ProgressInfo): void => {
    if (info.status === 'progress') {
      if (!this.#sizes.has(info.file)) this.#found_bytes += info.loaded;
      this.#sizes.set(info.file, info.total);
    } else if (info.status === 'progress_total') this.#draw(info);
    else if (info.status === 'done' && this.#bar === undefined) {
      this.#stream.write(`${bytesText(this.#sizes.get(info.file) ?? 0).padStart(10)}  ${info.file}\n`);
    }
  };

  /** A `progress_callback` that is silent while nothing is downloaded. */
  readonly updateDownloads = (info: ProgressInfo): void => {
    if (info.status === 'download') this.#downloads = true;
    if (this.#downloads) this.update(info);
  };

  /** Takes the bar away. */
  end(): void {
    this.#bar?.stop();
  }

  #draw({ loaded, total, files }: Extract<ProgressInfo, { status: 'progress_total' }>): void {
    const now = performance.now();
    if (this.#bar === undefined) {
      if (now - this.#last < line_ms) return;
      this.#last = now;
      this.#stream.write(`${bytesText(loaded).padStart(10)} of ${bytesText(total)}\n`);
      return;
    }
    const rate = (1000 * Math.max(0, loaded - this.#found_bytes)) / Math.max(1, now - this.#begun);
    const payload = {
      loaded: bytesText(loaded),
      size: bytesText(total),
      rate: bytesText(rate),
      left: rate > 0 ? duration((total - loaded) / rate) : '…',
      file: Object.entries(files).find(([, file]) => file.loaded < file.total)?.[0] ?? '',
    };
    if (this.#bar.isActive) this.#bar.update(loaded, payload);
    else this.#bar.start(total, loaded, payload);
  }
}

/** `812 B`, `34.1 kB`, `438.0 MB`. */
function bytesText(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** The folder of a model that a command works with; a download is shown. */
export async function findModelFolder(pathOrId: string, engine: EngineOptions = {}): Promise<string> {
  return (await findModelPlace(pathOrId, engine)).folder;
}

/** The same, or the ONNX file that was named. */
export async function findModelPlace(pathOrId: string, engine: EngineOptions = {}): Promise<ModelPlace> {
  const progress = new DownloadProgress();
  try {
    return await findModel(pathOrId, { progress_callback: progress.updateDownloads }, 'everything', modelWish(engine));
  } finally {
    progress.end();
  }
}
