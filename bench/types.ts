import type { Language } from './text/words.mjs';

/** `mixed` lengths, or the number of tokens that every text has. */
export type TextSet = 'mixed' | number;

export interface BenchText {
  readonly text: string;
  readonly words: number;
  /** With [CLS] and [SEP], after truncation. */
  readonly tokens: number;
}

/** Model types that there are sizes of. */
export type Family = 'bert' | 'distilbert' | 'roberta' | 'mpnet' | 'deberta-v2' | 'modernbert' | 'nomic_bert' | 'new';

/** A model's size, under BERT's names whatever the family calls it. */
export interface ModelSize {
  /** BERT, unless given. */
  readonly family?: Family;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly max_position_embeddings: number;
  /** Whether the MLPs have a third matrix, whose output the activation gates. */
  readonly gated?: boolean;
  /** Layers of which only one in so many sees everything; the others the positions at most half the size away. */
  readonly window?: { readonly size: number; readonly full_every: number };
  /** Products of queries or keys with vectors of distances that enter each score. */
  readonly distance_terms?: number;
}

/** A model with texts: what every contender is given in the same form. */
export interface Part {
  /** As on the command line: `bert-base/en/mixed`. */
  readonly name: string;
  readonly model: string;
  readonly language: Language;
  readonly set: TextSet;
  /** All texts are sorted by length before they are put into batches. */
  readonly sorted: boolean;
}

/** Something that makes results of items, loaded: of texts mean-pooled vectors, one after another, unless a task says else. */
export interface LoadedContender<Item = string, Results = Float32Array> {
  /** The library's own `import`, in milliseconds. */
  readonly import_ms: number;
  run(items: Item[]): Promise<Results>;
  /** What is compared with the reference, where that is not what `run` gives. */
  compared?(items: Item[]): Promise<unknown>;
  /** Token ids of one text alone, truncated as `run` does. */
  tokenize?(text: string): ArrayLike<number | bigint>;
  /** What it runs on, for the record: instruction set, threads. */
  readonly facts: Readonly<Record<string, string | number>>;
}

export interface ContenderModule {
  load(job: ContenderJob): Promise<LoadedContender<never, unknown>>;
}

export interface ContenderJob {
  readonly folder: string;
  readonly threads: number;
  readonly options: Readonly<Record<string, string>>;
}

/** How weights are held and multiplied; `fp32-high` is fp32 with `fp32_precision: 'high'`. */
export type Arithmetic = 'fp32' | 'fp32-high' | 'fp16' | 'bf16' | 'q8';

/** How batches are handed over. */
export type Feeding = 'one-by-one' | 'two-in-flight' | 'all-at-once';

export interface Contender {
  readonly name: string;
  readonly label: string;
  readonly module: string;
  readonly options: Readonly<Record<string, string>>;
  readonly feeding: Feeding;
  /** Texts of a batch, where the contender does not take the case's. */
  readonly batch_size?: number;
  /** Measured once, on a sample of its own: too slow for the others'. */
  readonly slow?: boolean;
  /** Decides the bar that its vectors have to meet. */
  readonly arithmetic: Arithmetic;
}

export interface LoopDelay {
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

export interface Throughput {
  readonly wall_ms: number;
  /** Of each call in turn. */
  readonly batch_ms: readonly number[];
  readonly cpu_ms: number;
  readonly loop_delay: LoopDelay;
  /** Share of the time that JavaScript's thread was busy or blocked. */
  readonly loop_busy: number;
  /** Processors that others kept busy meanwhile, on average; null where the system does not tell. */
  readonly foreign_cores: number | null;
}

export interface Accuracy {
  readonly texts: number;
  /** max |a - b| / (1 + |b|): to compare with the 2e-5 of the bar |a - b| ≤ 2e-5 + 2e-5·|b|. */
  readonly max_mixed_error: number;
  /** The largest ‖a - b‖ / ‖b‖ of one vector. */
  readonly max_relative_l2: number;
  readonly bar: string;
  readonly passed: boolean;
}

export interface Latency {
  readonly runs: number;
  readonly median_ms: number;
  readonly p95_ms: number;
}

/** One contender, one process. */
export interface Measurement {
  readonly round: number;
  readonly import_ms: number;
  readonly load_ms: number;
  readonly first_vector_ms: number;
  readonly latency: Latency;
  /** The same while batches run; in the first round, and not of the slow. */
  readonly busy_latency: Latency | null;
  readonly idle_loop_delay: LoopDelay;
  readonly throughput: Throughput;
  readonly tokens_per_s: number;
  readonly texts_per_s: number;
  readonly gflops: number;
  readonly peak_rss_mb: number;
}

/** The texts that were timed. */
export interface Sample {
  readonly batches: number;
  readonly texts: number;
  /** Real tokens: no padding. */
  readonly tokens: number;
  /** Share of padding in batches padded to their longest text, in the sample and in all batches. */
  readonly padding: number;
  readonly padding_of_all: number;
  readonly gflop: number;
}

export interface ContenderResult {
  readonly contender: string;
  readonly label: string;
  /** What it ran on, as it says itself. */
  facts: Readonly<Record<string, string | number>>;
  accuracy: Accuracy | null;
  sample: Sample | null;
  readonly rounds: Measurement[];
  /** Why there is no figure, or no further one. */
  failure: string | null;
}

export interface Peak {
  readonly threads: number;
  /** Instruction set with the highest rate. */
  readonly isa: string;
  readonly fp32_gflops: number;
  readonly fp32_gflops_by_isa: Readonly<Record<string, number>>;
  /** The fastest multiply-adds there are for other weights: those of fp32 where the processor has no others. */
  readonly gops_by_dtype?: Readonly<Partial<Record<'bf16' | 'q8', number>>>;
  readonly read_gb_per_s: number;
}

export interface CaseResult {
  readonly part: string;
  readonly texts: number;
  readonly batch_size: number;
  readonly peak: Peak | null;
  readonly contenders: ContenderResult[];
}

export interface Run {
  readonly started: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memory_gb: number;
    readonly platform: string;
    readonly load_average: number;
  };
  readonly threads: number;
  readonly isa: string;
  readonly idle_node_rss_mb: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: { readonly rounds: number; readonly time_budget_s: number; readonly seed: number };
  readonly cases: CaseResult[];
}

/** What runs of all kinds have in common. */
export interface ReportedRun extends Omit<Run, 'cases'> {
  readonly cases: readonly ReportedCase[];
}

export interface ReportedCase {
  readonly part: string;
  readonly contenders: readonly {
    readonly contender: string;
    readonly rounds: readonly unknown[];
    readonly failure: string | null;
  }[];
}

export interface ResultsFile<Of = Run> {
  readonly format: 1;
  readonly runs: Of[];
}
