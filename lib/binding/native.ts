import type { EncoderStats, ForwardRequest, ForwardResult, LoadOptions, ParameterSource } from '../engines/engine.ts';
import type { EncoderSpecification } from '../engines/specification.ts';

/** The typed surface of the addon: everything that `native/binding/addon.cc` exports. */
export interface NativeBinding {
  /** Hands over the class of every error from here on; the addon calls `new errorClass(code, message)`. */
  set_error_class(errorClass: new (code: never, message: string) => Error): void;
  system_info(): SystemInfo;
  /** Threads of the pool that all models of the process share. @throws BertNativeError `ERR_OPTION` outside 1 to 1024 */
  set_thread_count(threads: number): void;
  /** Tokens that may wait in the process, or Infinity; past them `forward` throws `ERR_QUEUE_FULL`. */
  set_max_queued_tokens(tokens: number): void;
  /** Loads on a thread of the library; equal loads of one process, with equal options, share their weights. */
  load_encoder(
    specification: EncoderSpecification,
    parameters: readonly (readonly [name: string, source: ParameterSource])[],
    options: NativeLoadOptions,
  ): Promise<NativeEncoder>;
  /**
   * ONNX Runtime as far as this process has opened it; `supported`: whether the addon was built with its headers. Opening
   * a library that is open already does nothing.
   *
   * @throws BertNativeError `ERR_ENGINE`, with the remedy
   */
  open_onnxruntime(path: string): NativeOnnxRuntime;
  /** For the end of the process: awaits what goes on in the library, ten seconds at most, and lets nothing begin any more. */
  end_onnxruntime(): void;
  onnxruntime_info(): { readonly supported: boolean; readonly opened: NativeOnnxRuntime | null };
  /**
   * Makes a session on a thread of the library. Needs `open_onnxruntime`. Equal loads of one process share it.
   *
   * @param source a file, which has been checked: its path, what tells it and the files of its external data from others
   *   (equal strings: the same contents), and how large they are together; or the bytes of a graph without external data
   * @throws (rejects) BertNativeError `ERR_FILE_FORMAT`, `ERR_UNSUPPORTED_MODEL`, `ERR_DEVICE`, `ERR_MEMORY`, `ERR_IO`
   */
  load_graph(
    source: { readonly path: string; readonly identity: readonly string[]; readonly size_bytes: number } | Uint8Array,
    specification: EncoderSpecification,
    binding: GraphBinding,
    settings: NativeSessionSettings,
  ): Promise<NativeGraphEncoder>;
  /** @throws BertNativeError `ERR_FILE_FORMAT`, naming the entry, for data that do not fit together */
  create_tokenizer_model(description: NativeTokenizerModelDescription): NativeTokenizerModel;
  /** The same on a thread of the library. The arrays are read at the call. */
  create_tokenizer_model_async(description: NativeTokenizerModelDescription): Promise<NativeTokenizerModel>;
  create_tokenizer(description: NativeTokenizerDescription): NativeTokenizer;
  /**
   * Vectors `[size, dimensions]` to search. They are copied, at the call, unless they lie in a SharedArrayBuffer: then they
   * are read where they are, and may not change while the index lives.
   *
   * @throws BertNativeError `ERR_SHAPE` where they are no whole number of vectors, or more than 2^31 - 1, `ERR_MEMORY`
   */
  create_vector_index(vectors: Float32Array, dimensions: number, score: 'dot' | 'cosine'): NativeVectorIndex;
  /** @throws BertNativeError `ERR_OPTION` */
  create_wordpiece_trainer(options: NativeTrainerOptions): NativeWordPieceTrainer;
}

export interface SystemInfo {
  /** The instruction set in use. */
  readonly isa: string;
  /** Those this processor can run, least preferred first. */
  readonly available_isas: readonly string[];
  /** How many threads forward passes run on. */
  readonly threads: number;
  readonly max_queued_tokens: number;
}

export interface NativeLoadOptions extends LoadOptions {
  /** Whether fp32 may use bf16 matrix units where the processor has them: `env.fp32MatrixUnits`. */
  readonly fp32_matrix_units: boolean;
}

/** Weights, packed for this processor, that this environment holds until `dispose`. */
export interface NativeEncoder {
  /** Copies the request, then computes off the JavaScript thread; the arrays of the result are its memory. */
  forward(request: ForwardRequest & { readonly call_id: number }): Promise<ForwardResult>;
  /** A number that no other call of this thread has. */
  new_call_id(): number;
  /** Rejects the call of that id, unless it has settled, with `ERR_ABORTED`; its memory is not written any more. */
  abort(call_id: number): void;
  /** Also after `dispose`. */
  stats(): EncoderStats;
  read_parameter(name: string): Promise<Float32Array>;
  /** Calls in flight finish; later ones throw `ERR_DISPOSED`. */
  dispose(): void;
  readonly weights_size_bytes: number;
}

/** ONNX Runtime's shared library. */
export interface NativeOnnxRuntime {
  readonly path: string;
  readonly version: string;
  /** As the library names them: `CPUExecutionProvider`, `CUDAExecutionProvider`, … */
  readonly providers: readonly string[];
}

/**
 * Which of a graph's inputs and outputs is what of a forward pass, by the graph's names; null: it has none. The widths are
 * the specification's.
 */
export interface GraphBinding {
  /** `[B, S]`, or `[B, C, S]` where `has_choices`. */
  readonly input_ids: string | null;
  readonly attention_mask: string | null;
  readonly token_type_ids: string | null;
  readonly position_ids: string | null;
  /** `[B, S, E]`. */
  readonly inputs_embeds: string | null;
  readonly has_choices: boolean;
  /** What stands where a row is shorter than its batch. */
  readonly padding_token_id: number;
  /** Static lengths of the inputs; 0: any. */
  readonly fixed_rows: number;
  readonly fixed_columns: number;
  readonly last_hidden_state: string | null;
  readonly pooler_output: string | null;
  readonly hidden_states: readonly string[];
  readonly attentions: readonly string[];
  /** For each of the specification's heads the outputs that hold its numbers: all of them (`column` -1) or one column. */
  readonly heads: readonly (readonly { readonly name: string; readonly column: number }[])[];
}

/** How a session is made, and how calls are cut for it. Names as in ONNX Runtime. */
export interface NativeSessionSettings {
  /** 0: as the addon finds best for the threads of the process. */
  readonly intra_op_threads: number;
  readonly inter_op_threads: number;
  readonly parallel_execution: boolean;
  readonly optimization: 'disabled' | 'basic' | 'extended' | 'layout' | 'all';
  /** Where the optimised graph is written; empty: nowhere. */
  readonly optimized_model_path: string;
  readonly memory_arena: boolean;
  readonly memory_pattern: boolean;
  /** 0 verbose … 4 fatal. */
  readonly log_severity: number;
  /** In order of preference: `cpu`, `cuda`, `coreml`, `dml`, … */
  readonly providers: readonly {
    readonly name: string;
    readonly settings: readonly (readonly [key: string, value: string])[];
  }[];
  readonly entries: readonly (readonly [key: string, value: string])[];
  readonly free_dimensions: readonly (readonly [name: string, length: number])[];
  /** Rows times columns of a batch, at most (a longer row alone); 0: as the addon finds best. */
  readonly token_budget: number;
}

/** A session that this environment holds until `dispose`. */
export interface NativeGraphEncoder {
  /**
   * As {@link NativeEncoder.forward}; outputs that the graph lacks throw `ERR_OPTION`. Rejects with `ERR_ABORTED` at once
   * where it is aborted.
   */
  forward(request: ForwardRequest & { readonly call_id: number }): Promise<ForwardResult>;
  new_call_id(): number;
  abort(call_id: number): void;
  stats(): EncoderStats;
  dispose(): void;
  /** Of the providers asked for, those that the session was made with, as asked for; `cpu` last. */
  readonly providers: readonly string[];
  /** The size of the graph's files. */
  readonly weights_size_bytes: number;
}

/** Vectors of which those are found that score highest with a query: exactly, all of them are compared. */
export interface NativeVectorIndex {
  /** N. */
  readonly size: number;
  /** D. */
  readonly dimensions: number;
  /** What the index takes beside a caller's shared memory. */
  readonly size_bytes: number;
  /**
   * The k best of each query `[Q, D]`, which are copied at the call. What is found for a query depends neither on the other
   * queries nor on the threads. Searches of the process run one after another.
   *
   * @param k results of each query; cut to `size`
   * @param call_id from `new_call_id`; 0: the call is never aborted
   * @throws BertNativeError `ERR_SHAPE` where they are no whole number of queries, `ERR_DISPOSED`, `ERR_MEMORY`
   */
  search(queries: Float32Array, k: number, call_id: number): Promise<NativeSearchResult>;
  new_call_id(): number;
  /** Rejects the search of that id, unless it has settled, with `ERR_ABORTED`. */
  abort(call_id: number): void;
  /** Searches in flight finish; later ones throw `ERR_DISPOSED`. */
  dispose(): void;
}

/** Best first; of equal scores the lower index first; NaN behind all numbers. */
export interface NativeSearchResult {
  /** `[Q, k]`. */
  readonly indices: Int32Array;
  readonly scores: Float32Array;
  /** Results of each query. */
  readonly k: number;
}

/**
 * The heavy part of a tokenizer: a vocabulary and the model over it. Built once, then shared by every tokenizer that is made
 * with it.
 */
export interface NativeTokenizerModelDescription {
  readonly vocabulary: FlatStrings;
  readonly model: NativeModelOptions;
}

export type NativeModelOptions =
  | {
      readonly type: 'WordPiece';
      readonly unk_id: number;
      readonly continuing_subword_prefix: string;
      readonly max_input_chars_per_word: number;
    }
  | {
      readonly type: 'BPE';
      /** Two strings for each merge, in the order of rank. */
      readonly merges: FlatStrings;
      readonly unk_id: number | null;
      readonly continuing_subword_prefix: string;
      readonly end_of_word_suffix: string;
      readonly fuse_unk: boolean;
      readonly byte_fallback: boolean;
      readonly ignore_merges: boolean;
    }
  | {
      readonly type: 'Unigram';
      /** Log probabilities, one for each entry of the vocabulary. */
      readonly scores: Float64Array;
      readonly unk_id: number | null;
      readonly byte_fallback: boolean;
    }
  | { readonly type: 'WordLevel'; readonly unk_id: number | null };

export interface NativeTokenizerModel {
  /** The number of entries, equal ones counted each. */
  readonly size: number;
  /** The id of an entry (the last, if several are equal), or -1. */
  token_to_id(token: string): number;
  /** An entry, or null for an id outside the vocabulary. */
  id_to_token(id: number): string | null;
}

/** A tokenizer's parts as flat data: files are read in TypeScript, text is turned into ids in C++. */
export interface NativeTokenizerDescription {
  readonly model: NativeTokenizerModel;
  readonly added_tokens: readonly NativeAddedToken[];
  readonly normalizer: NativeNormalizer | null;
  readonly pre_tokenizer: NativePreTokenizer | null;
  readonly post_processor: NativePostProcessor;
  /** null: tokens are joined with spaces. */
  readonly decoder: NativeDecoder | null;
}

// The types below are those of tokenizer.json, with every default filled in.

export type NativePattern =
  | { readonly type: 'String'; readonly string: string }
  | ({ readonly type: 'Regex' } & NativeRegex);

/** A regular expression as lib/tokenizers/regex/ compiles it. */
export interface NativeRegex {
  readonly code: Int32Array;
  readonly ranges: Uint32Array;
  /** As it was written; for messages. */
  readonly source: string;
}

export type NativeNormalizer =
  | {
      readonly type: 'BertNormalizer';
      readonly clean_text: boolean;
      readonly handle_chinese_chars: boolean;
      readonly strip_accents: boolean;
      readonly lowercase: boolean;
      /** Whose character classes: the original's of the newest Unicode, or those of the Rust library's older tables. */
      readonly characters: 'python' | 'rust';
    }
  | { readonly type: 'NFC' | 'NFD' | 'NFKC' | 'NFKD' | 'Lowercase' | 'StripAccents' | 'Nmt' | 'ByteLevel' }
  | { readonly type: 'Strip'; readonly strip_left: boolean; readonly strip_right: boolean }
  | { readonly type: 'Replace'; readonly pattern: NativePattern; readonly content: string }
  | { readonly type: 'Prepend'; readonly prepend: string }
  /** A SentencePiece character map: its double-array trie, and the replacements, each ended by a NUL. */
  | { readonly type: 'Precompiled'; readonly trie: Uint32Array; readonly normalized: Uint8Array }
  | { readonly type: 'Sequence'; readonly normalizers: readonly NativeNormalizer[] };

export type SplitBehavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';

export type NativePreTokenizer =
  | {
      readonly type: 'BertPreTokenizer';
      /**
       * Words, as they stand between white space after cleaning and lower-casing (the slow BertTokenizer lower-cases
       * first), that keep their accents, are not split at punctuation and are looked up whole. Only with BertNormalizer
       * and WordPiece.
       */
      readonly never_split: readonly string[];
    }
  | { readonly type: 'Whitespace' | 'WhitespaceSplit' | 'UnicodeScripts' }
  | { readonly type: 'ByteLevel'; readonly add_prefix_space: boolean; readonly use_regex: boolean }
  | {
      readonly type: 'Metaspace';
      /** One code point. */
      readonly replacement: string;
      readonly prepend_scheme: PrependScheme;
      readonly split: boolean;
    }
  | { readonly type: 'Punctuation'; readonly behavior: SplitBehavior }
  | { readonly type: 'Digits'; readonly individual_digits: boolean }
  | {
      readonly type: 'Split';
      readonly pattern: NativePattern;
      readonly behavior: SplitBehavior;
      readonly invert: boolean;
    }
  /** The delimiter is one code point. */
  | { readonly type: 'CharDelimiterSplit'; readonly delimiter: string }
  | { readonly type: 'Sequence'; readonly pretokenizers: readonly NativePreTokenizer[] };

export type PrependScheme = 'always' | 'never' | 'first';

/** Special tokens around one text and around a pair: what every post-processor of tokenizer.json comes down to. */
export interface NativePostProcessor {
  readonly single: readonly TemplatePiece[];
  readonly pair: readonly TemplatePiece[];
  /**
   * As in the Rust tokenizers: type ids follow the templates without special tokens, too, and where `longest_first` cuts
   * two texts to an odd number of tokens, the longer one keeps one more, or the second. Else, as in the slow Python ones:
   * type ids are 0 then, and the first text keeps one more.
   */
  readonly always_type_ids: boolean;
  /** Takes white space out of the offsets of byte-level tokens; null: it stays. */
  readonly trim_offsets: { readonly add_prefix_space: boolean } | null;
}

export type NativeDecoder =
  /** Like the slow BertTokenizer: added tokens are never joined to their neighbours. */
  | { readonly type: 'SlowWordPiece'; readonly prefix: string }
  | { readonly type: 'WordPiece'; readonly prefix: string; readonly cleanup: boolean }
  | { readonly type: 'ByteLevel' | 'ByteFallback' | 'Fuse' }
  | { readonly type: 'Metaspace'; readonly replacement: string; readonly prepend_scheme: PrependScheme }
  | { readonly type: 'BPEDecoder'; readonly suffix: string }
  | { readonly type: 'Strip'; readonly content: string; readonly start: number; readonly stop: number }
  | { readonly type: 'Replace'; readonly pattern: NativePattern; readonly content: string }
  | {
      readonly type: 'CTC';
      readonly pad_token: string;
      readonly word_delimiter_token: string;
      readonly cleanup: boolean;
    }
  | { readonly type: 'Sequence'; readonly decoders: readonly NativeDecoder[] };

export type TemplatePiece =
  | { readonly special_id: number; readonly type_id: number }
  | { readonly sequence: 'A' | 'B'; readonly type_id: number };

/** Strings as one block of UTF-8: string i lies between `starts[i]` and `starts[i + 1]`; its index is its id. */
export interface FlatStrings {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

/** A token that is found as a whole: in the raw text, or in the normalised one. */
export interface NativeAddedToken {
  readonly content: string;
  readonly id: number;
  /** Left out by `skip_special_tokens`, and not matched when a caller switches special tokens in the text off. */
  readonly special: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
  /** Found in the text after the normalizer, and its content goes through the normalizer, too. */
  readonly normalized: boolean;
}

/** Safe to share between calls; `encode` runs on the calling thread, `encode_async` on a thread of the library. */
export interface NativeTokenizer {
  /** @throws BertNativeError `ERR_TRUNCATION`, `ERR_OPTION`, `ERR_MEMORY` */
  encode(input: NativeEncodeInput, options: NativeEncodeOptions): NativeEncoding;
  encode_async(input: NativeEncodeInput, options: NativeEncodeOptions): Promise<NativeEncoding>;
  /**
   * Ids alone. One argument after the other, since a short text is soon tokenized; `truncation` is the index of a value
   * of {@link NativeEncodeOptions.truncation}.
   */
  encode_packed(...call: NativePackedCall): NativePackedEncoding;
  encode_packed_async(...call: NativePackedCall): Promise<NativePackedEncoding>;
  /** The same, kept where encoders find it. */
  encode_rows_async(...call: NativePackedCall): Promise<NativeTokenRows>;
  /** One string per row; row i's ids lie between `row_starts[i]` and `row_starts[i + 1]`. @throws `ERR_TOKEN_ID` */
  decode(ids: Int32Array, row_starts: Int32Array, options: NativeDecodeOptions): string[];
  /** The text of tokens, by the decoder alone. */
  join_tokens(tokens: readonly string[]): string;
  /** What the normalizer makes of a text; added tokens play no part. */
  normalize(text: string): string;
  /** What the model gets of a text: pieces, and `[start, end)` of each in UTF-16 units, flat. */
  pre_tokenize(text: string): { readonly pieces: string[]; readonly offsets: Int32Array };
}

export interface NativeEncodeInput {
  readonly first: SampleTexts;
  /** The second texts of the pairs, as many samples as `first`; null: no pairs. */
  readonly second: SampleTexts | null;
}

export interface SampleTexts {
  readonly texts: readonly string[];
  /**
   * null: every text is a sample. Else the texts are words that were split already and sample i is made of the texts
   * between `word_starts[i]` and `word_starts[i + 1]`; offsets then count inside the word, and word ids are its index.
   */
  readonly word_starts: Int32Array | null;
}

export interface NativeEncodeOptions {
  readonly add_special_tokens: boolean;
  readonly truncation: 'none' | 'longest_first' | 'only_first' | 'only_second';
  /** Tokens in a row, special ones included; ignored when `truncation` is `none`. */
  readonly max_length: number;
  /** Tokens that an overflow window repeats from the one before; only with `return_overflowing_tokens`. */
  readonly stride: number;
  readonly truncation_side: 'right' | 'left';
  /** What was cut off follows as further rows of the same sample. */
  readonly return_overflowing_tokens: boolean;
  readonly return_offsets: boolean;
  readonly return_word_ids: boolean;
}

export type NativePackedCall = [
  texts: readonly string[],
  pairs: readonly string[] | null,
  add_special_tokens: boolean,
  truncation: number,
  max_length: number,
  truncate_left: boolean,
  return_type_ids: boolean,
];

/** Rows of tokens in the addon's memory. */
export interface NativeTokenRows {
  /** Tokens of each row. */
  readonly lengths: Int32Array;
  /** 1 for rows that lost tokens. */
  readonly truncated: Uint8Array;
  /** Copies of one row's. */
  ids(row: number): Int32Array;
  type_ids(row: number): Int32Array;
}

/** What {@link NativeEncoding} calls so; `type_ids` null unless asked for. */
export interface NativePackedEncoding {
  readonly ids: Int32Array;
  readonly row_starts: Int32Array;
  readonly type_ids: Uint8Array | null;
}

/** Rows back to back, no padding: row r lies between `row_starts[r]` and `row_starts[r + 1]` of every array. */
export interface NativeEncoding {
  readonly ids: Int32Array;
  readonly row_starts: Int32Array;
  /** The sample that each row came from (rows of one sample follow each other). */
  readonly sample_of_row: Int32Array;
  readonly type_ids: Uint8Array;
  /** -1: special token added around the texts; 0: first text; 1: second. */
  readonly sequence_ids: Int8Array;
  /** `[start, end)` of each token in its text, in UTF-16 units; (0, 0) for special tokens. */
  readonly offsets: Int32Array | null;
  /** -1 for special tokens. */
  readonly word_ids: Int32Array | null;
}

export interface NativeDecodeOptions {
  readonly skip_special_tokens: boolean;
  readonly clean_up_tokenization_spaces: boolean;
}

/** What a vocabulary of WordPiece is made by; `train_wordpiece` says what each means. */
export interface NativeTrainerOptions {
  readonly vocab_size: number;
  readonly min_frequency: number;
  readonly limit_alphabet: number | null;
  /** Characters, back to back. */
  readonly initial_alphabet: string;
  readonly special_tokens: readonly string[];
  readonly continuing_subword_prefix: string;
  readonly normalizer: {
    readonly handle_chinese_chars: boolean;
    readonly strip_accents: boolean;
    readonly lowercase: boolean;
  };
}

/** Calls run one after another, each on a thread of its own. */
export interface NativeWordPieceTrainer {
  /** Counts the words of texts, which are read at the call. */
  count(texts: readonly string[]): Promise<void>;
  train(): Promise<FlatStrings>;
  progress(): NativeTrainingProgress;
  /** What runs, and what is called later, rejects with `ERR_ABORTED`. */
  abort(): void;
}

export interface NativeTrainingProgress {
  /** Words are counted, pairs in them are counted, pairs are merged. */
  readonly phase: 'words' | 'pairs' | 'merges';
  /** Distinct words so far; the same, of which `total` are to be looked at; tokens, of which `total` are wanted. */
  readonly done: number;
  readonly total: number;
}
