/** What a contender of the tokenizers' benchmark can do. Ids have the special tokens. */
export interface LoadedTokenizer {
  /** Texts to ids back to back: text i has those between `row_starts[i]` and `row_starts[i + 1]`. */
  packed(texts: readonly string[]): Packed | Promise<Packed>;
  /** What a call gives of itself, without padding. */
  plain(texts: readonly string[]): unknown;
  /** Tensors, cut at the model's length and padded to the longest; null: there is no such call. */
  tensors: ((texts: readonly string[]) => unknown) | null;
}

export interface Packed {
  readonly ids: Int32Array;
  readonly row_starts: Int32Array;
}

export interface TokenizerJob {
  readonly contender: string;
  readonly folder: string;
  readonly threads: number;
}

export type Way = 'packed' | 'plain' | 'tensors';

/** One contender, one process. */
export interface TokenizerRound {
  readonly load_ms: number;
  /** Bytes of UTF-8 per second, for each way that there is. */
  readonly bytes_per_s: Partial<Record<Way, number>>;
}

export interface TokenizerResult {
  readonly contender: string;
  readonly threads: number;
  /** Texts whose ids are not those of the Rust library. */
  different: number | null;
  readonly rounds: TokenizerRound[];
  /** Why there is no figure. */
  failure: string | null;
}

export interface SpeedCase {
  readonly vocabulary: string;
  readonly language: string;
  readonly texts: number;
  readonly bytes: number;
  readonly results: TokenizerResult[];
}

export interface MemoryResult {
  readonly vocabulary: string;
  readonly contender: string;
  readonly peak_mb: number | null;
  readonly failure: string | null;
}

export interface HostileResult {
  readonly vocabulary: string;
  readonly text: string;
  readonly contender: string;
  /** Seconds by size in bytes; null: not within the limit. */
  readonly seconds: readonly (number | null)[];
}
