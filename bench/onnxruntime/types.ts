import type { Accuracy, CaseResult, Contender, Latency, LoopDelay, Run, Throughput } from '../types.ts';

/** What a contender is called with: one text, and its token ids with [CLS] and [SEP]. */
export interface TokenizedText {
  readonly text: string;
  readonly ids: readonly number[];
}

/** What is measured beside throughput. */
export type ProbeName = 'delay' | 'latency' | 'memory';

/** A contender, and the function of its library that is called. */
export interface RowContender extends Contender {
  /** The probes that it takes part in. */
  readonly probes: readonly ProbeName[];
}

/** One contender, one process. */
export interface ProbeMeasurement {
  readonly round: number;
  readonly delay?: { readonly idle: LoopDelay; readonly runs: Throughput };
  /** Of single calls, by the number of tokens. */
  readonly latency?: Readonly<Record<string, Latency>>;
  /** Megabytes resident after each tenth of the runs. */
  readonly memory?: { readonly runs: number; readonly resident_mb: readonly number[] };
}

export interface ProbeContenderResult {
  readonly contender: string;
  readonly label: string;
  facts: Readonly<Record<string, string | number>>;
  accuracy: Accuracy | null;
  readonly rounds: ProbeMeasurement[];
  failure: string | null;
}

export interface ProbeResult {
  readonly probe: ProbeName;
  readonly model: string;
  readonly contenders: ProbeContenderResult[];
}

export interface OnnxRuntimeRun extends Omit<Run, 'cases'> {
  /** Throughput, as of the embeddings' benchmark. */
  readonly cases: CaseResult[];
  readonly probes: ProbeResult[];
}
