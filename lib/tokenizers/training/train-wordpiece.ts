import { onAbort, rejectOnAbort, throwIfAborted } from '../../abort.ts';
import { nativeBinding } from '../../binding/load.ts';
import type { NativeTrainerOptions, NativeWordPieceTrainer } from '../../binding/native.ts';
import {
  arrayRule,
  booleanRule,
  checkOptions,
  type GivenOptions,
  integerRule,
  type OptionRule,
  type OptionRules,
  signalRule,
} from '../../options.ts';
import { BertTokenizer, type BertTokenizerOptions } from '../bert.ts';
import { stringsOf } from '../flat-strings.ts';
import { TextBatches } from './text-batches.ts';
import { TrainedWordPiece } from './trained-wordpiece.ts';

/** Which vocabulary {@link train_wordpiece} makes. */
export interface TrainWordPieceOptions
  extends Pick<BertTokenizerOptions, 'do_lower_case' | 'strip_accents' | 'tokenize_chinese_chars'> {
  /**
   * Tokens of the vocabulary; default 30000. It has fewer where the texts do not give so many, and more only where special
   * tokens and characters alone are more.
   */
  readonly vocab_size?: number | null;
  /** How often two pieces must stand side by side to become one; default 2. */
  readonly min_frequency?: number | null;
  /**
   * How many characters are kept, the most frequent ones; default 1000. Words lose the others. A cased Korean vocabulary
   * needs more: its syllables are characters.
   */
  readonly limit_alphabet?: number | null;
  /** Characters that are kept before all others, whether the texts have them or not: of each string the first. */
  readonly initial_alphabet?: readonly string[] | null;
  /** What the vocabulary begins with; default `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`. */
  readonly special_tokens?: readonly string[] | null;
  /** What marks a piece that continues a word; default `##`, the only one that BertTokenizer reads. */
  readonly continuing_subword_prefix?: string | null;
  /** Called some ten times a second. What it throws ends the training. */
  readonly progress_callback?: ((progress: TrainingProgress) => void) | null;
  /** Ends the training with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | null;
}

/** How far a training has come. */
export interface TrainingProgress {
  /** Words of the texts are counted, then pairs of characters in them, then pairs are merged to pieces. */
  readonly phase: 'words' | 'pairs' | 'merges';
  /** Distinct words found; those of them that were looked at; tokens of the vocabulary. */
  readonly done: number;
  /** null while texts are read, since nobody knows how many come. */
  readonly total: number | null;
  /** Texts read. */
  readonly texts: number;
}

const wellFormed: OptionRule = {
  expected: 'a string, not empty, without line breaks and lone surrogates',
  accepts: (value) => typeof value === 'string' && value !== '' && !/[\r\n\p{Surrogate}]/u.test(value),
};

/** What the addon counts with. */
const maxInt32 = 2 ** 31 - 1;

function countRule(minimum: number): OptionRule {
  const { accepts } = integerRule(minimum);
  return {
    expected: `an integer from ${minimum} to ${maxInt32}`,
    accepts: (value) => accepts(value) && (value as number) <= maxInt32,
  };
}

const rules: OptionRules<TrainWordPieceOptions> = {
  do_lower_case: booleanRule,
  strip_accents: booleanRule,
  tokenize_chinese_chars: booleanRule,
  vocab_size: countRule(1),
  min_frequency: countRule(0),
  limit_alphabet: countRule(0),
  initial_alphabet: arrayRule(wellFormed, 'an array of characters, without line breaks and lone surrogates'),
  special_tokens: arrayRule(wellFormed, 'an array of strings, not empty, without line breaks and lone surrogates'),
  continuing_subword_prefix: wellFormed,
  progress_callback: { expected: 'a function', accepts: (value) => typeof value === 'function' },
  signal: signalRule,
};

const progressEvery_ms = 100;

/**
 * Makes a vocabulary of WordPiece from texts, off the event loop. Texts are read as they are needed; memory grows with the
 * distinct words in them alone.
 *
 * Words are what BertTokenizer makes of the texts before it looks them up; the most frequent pairs of pieces in them are
 * merged, one after another. The vocabulary and its order are those of `WordPieceTrainer` of the Rust tokenizers, with the
 * defaults of its `BertWordPieceTokenizer.train`; where that one follows the order of a hash table, which is another in
 * every run, this one follows code points, so equal texts and options give an equal vocabulary.
 *
 * @param texts an array, an iterable or an async iterable of strings
 * @throws BertNativeError (rejects) `ERR_OPTION`, also for an item that is no string; `ERR_ABORTED`; `ERR_MEMORY`; and what
 *   the source or the callback throws
 */
export async function train_wordpiece(
  texts: Iterable<string> | AsyncIterable<string>,
  options?: TrainWordPieceOptions | null,
): Promise<TrainedWordPiece> {
  const given = checkOptions('train_wordpiece()', options, rules);
  const batches = new TextBatches(texts);
  throwIfAborted(given.signal);
  const native = nativeOptions(given);
  const trainer = nativeBinding().create_wordpiece_trainer(native);
  const watch = new Watch(trainer, batches, given);
  try {
    await countWords(trainer, batches, given.signal);
    const vocab = [...stringsOf(await trainer.train())];
    watch.end();
    // The last report may be where the caller aborts.
    throwIfAborted(given.signal);
    return new TrainedWordPiece(vocab, native.continuing_subword_prefix, tokenizerOptions(given));
  } catch (error) {
    trainer.abort();
    throwIfAborted(given.signal);
    throw watch.failure ?? error;
  } finally {
    watch.stop();
    await batches.close();
  }
}

async function countWords(
  trainer: NativeWordPieceTrainer,
  batches: TextBatches,
  signal: AbortSignal | undefined,
): Promise<void> {
  // While one batch is counted, the next is read.
  let counted = Promise.resolve();
  for (;;) {
    const next = batches.next();
    const batch = await (signal === undefined ? next : rejectOnAbort(next, signal));
    await counted;
    if (batch === null) return;
    counted = trainer.count(batch);
    counted.catch(() => {});
  }
}

/** Tells a callback how far a training is, and a training that a signal has aborted. */
class Watch {
  /** What the callback threw. */
  failure: unknown;
  readonly #trainer: NativeWordPieceTrainer;
  readonly #batches: TextBatches;
  readonly #callback: ((progress: TrainingProgress) => void) | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #release: (() => void) | undefined;

  constructor(
    trainer: NativeWordPieceTrainer,
    batches: TextBatches,
    { signal, progress_callback }: GivenOptions<TrainWordPieceOptions>,
  ) {
    this.#trainer = trainer;
    this.#batches = batches;
    this.#callback = progress_callback;
    this.#release = signal && onAbort(signal, () => trainer.abort());
    if (progress_callback) this.#timer = setInterval(() => this.#reportOrAbort(), progressEvery_ms);
  }

  /** Reports for the last time. @throws what the callback throws, now or earlier */
  end(): void {
    if (this.failure !== undefined) throw this.failure;
    this.#report();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#release?.();
  }

  #reportOrAbort(): void {
    try {
      this.#report();
    } catch (error) {
      this.failure ??= error;
      this.#trainer.abort();
      clearInterval(this.#timer);
    }
  }

  #report(): void {
    const { phase, done, total } = this.#trainer.progress();
    this.#callback?.({ phase, done, total: phase === 'words' ? null : total, texts: this.#batches.read });
  }
}

function nativeOptions(given: GivenOptions<TrainWordPieceOptions>): NativeTrainerOptions {
  const { do_lower_case = true, strip_accents = do_lower_case, tokenize_chinese_chars = true } = given;
  const { unk_token, sep_token, pad_token, cls_token, mask_token } = BertTokenizer.family.special_tokens;
  return {
    vocab_size: given.vocab_size ?? 30_000,
    min_frequency: given.min_frequency ?? 2,
    limit_alphabet: given.limit_alphabet ?? 1000,
    initial_alphabet: (given.initial_alphabet ?? []).map((string) => [...string][0]).join(''),
    special_tokens: given.special_tokens ?? [pad_token, unk_token, cls_token, sep_token, mask_token].map(String),
    continuing_subword_prefix: given.continuing_subword_prefix ?? '##',
    normalizer: { handle_chinese_chars: tokenize_chinese_chars, strip_accents, lowercase: do_lower_case },
  };
}

function tokenizerOptions(given: GivenOptions<TrainWordPieceOptions>): BertTokenizerOptions {
  const { do_lower_case, strip_accents, tokenize_chinese_chars } = given;
  return { do_lower_case, strip_accents, tokenize_chinese_chars };
}
