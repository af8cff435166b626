import { setTimeout } from 'node:timers/promises';
import { rejectOnAbort } from '../abort.ts';
import { env } from '../env.ts';
import { BertNativeError } from '../errors.ts';
import { type EmbedOptions, EncoderModel, embedRules } from '../models/encoder-model.ts';
import { checkOptions, type GivenOptions, integerRule, type OptionRules, optionError } from '../options.ts';
import type { TokenRows } from '../tokenizers/token-rows.ts';
import { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';
import { planBatches, TaskQueue } from './batches.ts';
import { type StreamSource, TextSource } from './text-source.ts';

/** How a stream of texts becomes one of vectors. */
export interface EmbedStreamOptions extends Pick<EmbedOptions, 'pooling' | 'normalize'> {
  readonly model: EncoderModel;
  readonly tokenizer: PreTrainedTokenizer;
  /** Texts are cut to so many tokens, special ones included; default, and at most: what model and tokenizer take. */
  readonly max_length?: number | null;
  /** Padded tokens of one call of the model; default 2048. Has no influence on the vectors. */
  readonly batch_tokens?: number | null;
  /** The most texts that are read and tokenized together; default 1024. At most twice as many are on their way at once. */
  readonly window?: number | null;
  /** Ends the stream with `ERR_ABORTED`. */
  readonly signal?: AbortSignal | null;
  readonly text?: null;
}

/** The same for items that hold a text. */
export interface EmbedItemsOptions<T> extends Omit<EmbedStreamOptions, 'text'> {
  /** The text of an item. */
  readonly text: (item: T, index: number) => string;
}

/** An item of the source with what became of its text. */
export interface EmbeddedItem<T> {
  readonly item: T;
  /** float32, `[H]`, in memory of its own. */
  readonly vector: Float32Array;
  /** Tokens that the model saw, special ones included. */
  readonly tokens: number;
  /** Whether the text had more tokens than `max_length`. */
  readonly truncated: boolean;
}

/** Enough that the engine never waits for JavaScript, and fills its threads on a large machine. */
const batchesInFlight = 4;
/** UTF-16 units of a window's texts: what bounds memory where texts are long. */
const windowCharacters = 4 << 20;

/** How long a stream waits for room in a queue that is full. */
const retry_ms = 20;

const rules: OptionRules<EmbedItemsOptions<unknown>> = {
  model: {
    expected: 'an encoder, such as AutoModel.from_pretrained gives',
    accepts: (value) => value instanceof EncoderModel,
  },
  tokenizer: {
    expected: 'a tokenizer, such as AutoTokenizer.from_pretrained gives',
    accepts: (value) => value instanceof PreTrainedTokenizer,
  },
  pooling: embedRules.pooling,
  normalize: embedRules.normalize,
  max_length: integerRule(1),
  batch_tokens: integerRule(1),
  window: integerRule(1),
  signal: embedRules.signal,
  text: { expected: 'a function that gives the text of an item', accepts: (value) => typeof value === 'function' },
};

/**
 * Turns texts into vectors, one by one, in order, with memory that does not grow with their number.
 *
 * Texts are read as vectors are asked for, a bounded number ahead: one window is computed while the next is read and
 * tokenized. A source that pauses does not hold vectors back; a queue of the engine that others have filled
 * (`env.maxQueuedTokens`) is waited for. Leaving the loop early stops the work and closes the source.
 * With `text`, items of any kind come in and `{ item, vector, tokens, truncated }` come out.
 *
 * @returns vectors, float32 `[H]`, each in memory of its own: the bits that `model.embed` gives for the text alone
 * @throws BertNativeError at the call: `ERR_OPTION`, `ERR_TRUNCATION` (no room beside the special tokens). From the
 *   stream, after the vectors before it: `ERR_OPTION` for an item that is no string, what the source throws, what
 *   tokenizer and model throw; `ERR_ABORTED`, at once, with the signal's reason as its cause
 */
export function embedStream(
  texts: StreamSource<string>,
  options: EmbedStreamOptions,
): AsyncGenerator<Float32Array, void, undefined>;
export function embedStream<T>(
  items: StreamSource<T>,
  options: EmbedItemsOptions<T>,
): AsyncGenerator<EmbeddedItem<T>, void, undefined>;
export function embedStream<T>(
  items: StreamSource<T>,
  options: EmbedStreamOptions | EmbedItemsOptions<T>,
): AsyncGenerator<unknown, void, undefined> {
  const settings = checkStreamOptions('embedStream()', options);
  const { text } = options as EmbedItemsOptions<T>;
  const stream = new EmbedStream(new TextSource(items, text ?? ((item) => item)), settings);
  return text == null ? vectorsOf(stream.run()) : stream.run();
}

async function* vectorsOf(
  results: AsyncGenerator<EmbeddedItem<unknown>>,
): AsyncGenerator<Float32Array, void, undefined> {
  for await (const { vector } of results) yield vector;
}

interface StreamSettings
  extends Required<
    Pick<GivenOptions<EmbedStreamOptions>, 'model' | 'tokenizer' | 'max_length' | 'batch_tokens' | 'window'>
  > {
  readonly embed: Pick<EmbedOptions, 'pooling' | 'normalize' | 'signal'>;
}

function checkStreamOptions(call: string, options: unknown): StreamSettings {
  const given = checkOptions(call, options, rules);
  const { model, tokenizer, pooling, normalize, batch_tokens = 2048, window = 1024, signal } = given;
  if (model === undefined) throw optionError('model', model, rules.model.expected);
  if (tokenizer === undefined) throw optionError('tokenizer', tokenizer, rules.tokenizer.expected);
  const max_length = checkMaxLength(given.max_length, model, tokenizer);
  return { model, tokenizer, embed: { pooling, normalize, signal }, max_length, batch_tokens, window };
}

function checkMaxLength(given: number | undefined, model: EncoderModel, tokenizer: PreTrainedTokenizer): number {
  const positions = model.max_sequence_length;
  if (given !== undefined && given > positions) {
    throw optionError('max_length', given, `at most ${positions}: the model has no more positions`);
  }
  const special = tokenizer.num_special_tokens_to_add();
  const max_length = given ?? Math.min(positions, tokenizer.model_max_length);
  if (max_length < special) {
    throw new BertNativeError(
      'ERR_TRUNCATION',
      `max_length is ${max_length}: expected at least ${special}, the number of special tokens around a text`,
    );
  }
  return max_length;
}

/** A text on its way: its row of a batch. */
interface Entry<T> {
  readonly item: T;
  readonly tokens: number;
  readonly truncated: boolean;
  readonly vectors: Promise<readonly Float32Array[]>;
  readonly row: number;
}

interface Window<T> {
  readonly entries: readonly Entry<T>[];
  readonly ended: boolean;
  readonly failure: { readonly error: unknown } | undefined;
}

class EmbedStream<T> {
  readonly #source: TextSource<T>;
  readonly #settings: StreamSettings;
  readonly #batches = new TaskQueue(batchesInFlight);
  #closed = false;

  constructor(source: TextSource<T>, settings: StreamSettings) {
    this.#source = source;
    this.#settings = settings;
  }

  async *run(): AsyncGenerator<EmbeddedItem<T>, void, undefined> {
    let failed = true;
    try {
      let upcoming = this.#startWindow();
      for (let ended = false; !ended; ) {
        const window = await this.#orAborted(upcoming);
        ended = window.ended;
        if (!ended) upcoming = this.#startWindow();
        for (const { item, tokens, truncated, vectors, row } of window.entries) {
          const vector = (await this.#orAborted(vectors))[row]!;
          failed = false; // a consumer that leaves does so at the yield
          yield { item, vector, tokens, truncated };
          failed = true;
        }
        if (window.failure !== undefined) throw window.failure.error;
      }
      failed = false;
    } finally {
      this.#closed = true;
      this.#batches.close();
      // As in for-await: what closing the source throws does not hide an error before it.
      await this.#source.close().catch((error) => {
        if (!failed) throw error;
      });
    }
  }

  /** Reads and tokenizes a window and queues its batches; does not wait for them. */
  #startWindow(): Promise<Window<T>> {
    const window = this.#readWindow();
    window.catch(() => {}); // reported when its turn comes, if it does
    return window;
  }

  async #readWindow(): Promise<Window<T>> {
    const { model, tokenizer, max_length, window } = this.#settings;
    // What is more than the engine's queue may hold would never be accepted.
    const most = model.engine === 'native' ? env.maxQueuedTokens : Number.POSITIVE_INFINITY;
    const batch_tokens = Math.min(this.#settings.batch_tokens, most);
    const limits = { texts: window, characters: windowCharacters };
    const { items, texts, ended, failure } = await this.#source.read(limits, (idle) => this.#batches.whenIdle(idle));
    if (texts.length === 0) return { entries: [], ended, failure };
    const rows = await tokenizer.encode_rows(texts, { truncation: true, max_length, verbose: false });
    const entries = new Array<Entry<T>>(rows.size);
    const { lengths } = rows;
    for (const batch of planBatches(lengths, batch_tokens)) {
      const vectors = this.#batches.add(() => this.#embed(rows.select(batch)));
      batch.forEach((index, row) => {
        const truncated = rows.isTruncated(index);
        entries[index] = { item: items[index]!, tokens: lengths[index]!, truncated, vectors, row };
      });
    }
    return { entries, ended, failure };
  }

  async #embed(rows: TokenRows): Promise<Float32Array[]> {
    const data = await this.#embedWhenThereIsRoom(rows);
    const size = data.length / rows.size;
    return Array.from({ length: rows.size }, (_, row) => data.slice(row * size, (row + 1) * size));
  }

  /** Where others have filled the engine's queue, a stream waits; a batch that is more than the queue may hold fails. */
  async #embedWhenThereIsRoom(rows: TokenRows): Promise<Float32Array> {
    const { model, embed } = this.#settings;
    const tokens = rows.lengths.reduce((sum, length) => sum + length, 0);
    for (;;) {
      try {
        return (await model.embed(rows, embed)).data;
      } catch (error) {
        const isFull = error instanceof BertNativeError && error.code === 'ERR_QUEUE_FULL';
        if (!isFull || tokens > env.maxQueuedTokens || this.#closed) throw error;
        await setTimeout(retry_ms);
      }
    }
  }

  async #orAborted<V>(promise: Promise<V>): Promise<V> {
    const { signal } = this.#settings.embed;
    return signal ? rejectOnAbort(promise, signal) : promise;
  }
}
