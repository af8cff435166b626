import type { OptionRule } from '../options.ts';

/** What `progress_callback` is told, in the form of transformers.js: of one file, or of all together (`progress_total`). */
export type ProgressInfo =
  | { readonly status: 'initiate' | 'download' | 'done'; readonly name: string; readonly file: string }
  | {
      readonly status: 'progress';
      /** The model's id. */
      readonly name: string;
      readonly file: string;
      /** 0 to 100. */
      readonly progress: number;
      /** Bytes. */
      readonly loaded: number;
      readonly total: number;
    }
  | {
      readonly status: 'progress_total';
      readonly name: string;
      readonly progress: number;
      readonly loaded: number;
      readonly total: number;
      readonly files: Readonly<Record<string, { readonly loaded: number; readonly total: number }>>;
    }
  | { readonly status: 'ready'; readonly task: string; readonly model: string };

/** Is told how the files of a model come. */
export type ProgressCallback = (info: ProgressInfo) => void;

export const callbackRule: OptionRule = { expected: 'a function', accepts: (value) => typeof value === 'function' };

/** Between two reports of one file. */
const every_ms = 50;

/** Tells a callback how the files of one model come. */
export class ProgressReporter {
  readonly #name: string;
  readonly #callback: ProgressCallback | undefined;
  readonly #files: Record<string, { loaded: number; total: number }> = Object.create(null);
  readonly #reported = new Map<string, number>();

  constructor(name: string, callback: ProgressCallback | null | undefined) {
    this.#name = name;
    this.#callback = callback ?? undefined;
  }

  /** What is going to be loaded, so that the total is known from the start. */
  initiate(file: string, total: number): void {
    this.#files[file] = { loaded: 0, total };
    this.#callback?.({ status: 'initiate', name: this.#name, file });
  }

  download(file: string): void {
    this.#callback?.({ status: 'download', name: this.#name, file });
  }

  progress(file: string, loaded: number): void {
    const state = this.#files[file]!;
    state.loaded = loaded;
    const now = performance.now();
    if (loaded < state.total && now - (this.#reported.get(file) ?? -every_ms) < every_ms) return;
    this.#reported.set(file, now);
    this.#report(file);
  }

  done(file: string): void {
    const state = this.#files[file]!;
    if (state.loaded < state.total || !this.#reported.has(file)) {
      state.loaded = state.total;
      this.#report(file);
    }
    this.#callback?.({ status: 'done', name: this.#name, file });
  }

  #report(file: string): void {
    if (this.#callback === undefined) return;
    const { loaded, total } = this.#files[file]!;
    this.#callback({ status: 'progress', name: this.#name, file, progress: percent(loaded, total), loaded, total });
    const states = Object.values(this.#files);
    const all = states.reduce((sum, state) => sum + state.loaded, 0);
    const whole = states.reduce((sum, state) => sum + state.total, 0);
    const files = Object.fromEntries(Object.entries(this.#files).map(([name, state]) => [name, { ...state }]));
    const progress = percent(all, whole);
    this.#callback({ status: 'progress_total', name: this.#name, progress, loaded: all, total: whole, files });
  }
}

function percent(loaded: number, total: number): number {
  return total === 0 ? 100 : (loaded / total) * 100;
}
