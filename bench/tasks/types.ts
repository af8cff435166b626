import type { Latency, Run, Throughput } from '../types.ts';

export type TaskName =
  | 'text-classification'
  | 'token-classification'
  | 'fill-mask'
  | 'question-answering'
  | 'zero-shot-classification';

/** A model with a task's head. */
export interface TaskPart {
  /** As on the command line: `distilbert-base/fill-mask`. */
  readonly name: string;
  readonly model: string;
  readonly task: TaskName;
}

/** What a pipeline is called with, and about how many tokens the model sees for it. */
export interface TaskItem {
  readonly item: string | { readonly question: string; readonly context: string };
  readonly tokens: number;
}

/** One label, token or answer of an item's result. */
export interface Entry {
  readonly label: string;
  readonly score: number;
}

export interface Agreement {
  readonly items: number;
  /** Entries whose label is the reference engine's, of all. */
  readonly same_labels: number;
  /** The largest |a - b| / b of scores at the same place. */
  readonly max_score_error: number;
  readonly bar: string;
  readonly passed: boolean;
}

/** One contender, one process. */
export interface TaskMeasurement {
  readonly round: number;
  readonly load_ms: number;
  readonly first_result_ms: number;
  /** Of one item alone, of every length. */
  readonly latency: Latency;
  readonly throughput: Throughput;
  readonly items_per_s: number;
  readonly peak_rss_mb: number;
}

export interface TaskContenderResult {
  readonly contender: string;
  readonly label: string;
  facts: Readonly<Record<string, string | number>>;
  agreement: Agreement | null;
  sample: { readonly batches: number; readonly items: number } | null;
  readonly rounds: TaskMeasurement[];
  failure: string | null;
}

export interface TaskCaseResult {
  readonly part: string;
  readonly items: number;
  readonly batch_size: number;
  readonly contenders: TaskContenderResult[];
}

export interface TaskRun extends Omit<Run, 'cases'> {
  readonly cases: TaskCaseResult[];
}
