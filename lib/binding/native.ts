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
  /** @throws BertNativeError `ERR_OPTION` for a description that does not hold together */
  create_tokenizer(description: NativeTokenizerDescription): NativeTokenizer;
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

/** A tokenizer's parts as flat data: files are read in TypeScript, text is turned into ids in C++. */
export interface NativeTokenizerDescription {
  readonly vocabulary: FlatStrings;
  readonly added_tokens: readonly NativeAddedToken[];
  readonly normalizer: {
    readonly type: 'bert';
    readonly clean_text: boolean;
    readonly handle_chinese_chars: boolean;
    readonly strip_accents: boolean;
    readonly lowercase: boolean;
  };
  readonly pre_tokenizer: {
    readonly type: 'bert';
    /**
     * Words, as they stand between white space after cleaning and lower-casing (BertTokenizer lower-cases first), that
     * keep their accents, are not split at punctuation and are looked up whole.
     */
    readonly never_split: readonly string[];
  };
  readonly model: {
    readonly type: 'wordpiece';
    readonly unk_id: number;
    readonly continuing_subword_prefix: string;
    readonly max_input_chars_per_word: number;
  };
  /** Special tokens around one text and around a pair, as in `tokenizer.json`'s TemplateProcessing. */
  readonly post_processor: {
    readonly type: 'template';
    readonly single: readonly TemplatePiece[];
    readonly pair: readonly TemplatePiece[];
  };
  readonly decoder: { readonly type: 'wordpiece'; readonly prefix: string };
}

export type TemplatePiece =
  | { readonly special_id: number; readonly type_id: number }
  | { readonly sequence: 'A' | 'B'; readonly type_id: number };

/** Strings as one block of UTF-8: string i lies between `starts[i]` and `starts[i + 1]`; its index is its id. */
export interface FlatStrings {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

/** A token that is found in the raw text before anything else happens to it. */
export interface NativeAddedToken {
  readonly content: string;
  readonly id: number;
  /** Left out by `skip_special_tokens`, and not matched when a caller switches special tokens in the text off. */
  readonly special: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
}

/** Safe to share between calls; `encode` runs on the calling thread, `encode_async` on a thread of the library. */
export interface NativeTokenizer {
  /** @throws BertNativeError `ERR_TRUNCATION`, `ERR_OPTION`, `ERR_MEMORY` */
  encode(input: NativeEncodeInput, options: NativeEncodeOptions): NativeEncoding;
  encode_async(input: NativeEncodeInput, options: NativeEncodeOptions): Promise<NativeEncoding>;
  /** One string per row; row i's ids lie between `row_starts[i]` and `row_starts[i + 1]`. @throws `ERR_TOKEN_ID` */
  decode(ids: Int32Array, row_starts: Int32Array, options: NativeDecodeOptions): string[];
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
