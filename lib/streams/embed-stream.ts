import { type EmbedOptions, EncoderModel, embedRules } from '../models/encoder-model.ts';
import { checkOptions, type GivenOptions, integerRule, type OptionRules, optionError } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { PreTrainedTokenizer } from '../tokenizers/tokenizer.ts';
import { checkMaxLength } from './limits.ts';
import { OrderedStream, oneRowEach } from './ordered-stream.ts';
import { type StreamSource, TextSource, textReader } from './text-source.ts';

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
  const stream = embedSteps(new TextSource(items, textReader(text ?? ((item) => item))), settings);
  return text == null ? vectorsAlone(stream.run()) : stream.run();
}

async function* vectorsAlone(
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
  const max_length = checkMaxLength({ model, tokenizer }, given.max_length);
  return { model, tokenizer, embed: { pooling, normalize, signal }, max_length, batch_tokens, window };
}

/** The steps of {@link OrderedStream} that make vectors of texts. */
function embedSteps<T>(
  source: TextSource<T, string>,
  settings: StreamSettings,
): OrderedStream<T, string, Float32Array, EmbeddedItem<T>> {
  const { model, tokenizer, max_length, batch_tokens, window, embed } = settings;
  return new OrderedStream({
    source,
    window,
    batch_tokens,
    signal: embed.signal,
    async prepare(texts, items) {
      const rows = await tokenizer.encode_rows(texts, { truncation: true, max_length, verbose: false });
      const { lengths } = rows;
      return {
        costs: lengths,
        row_starts: oneRowEach(items.length),
        compute: async (batch) => vectorsOf(await model.embed(rows.select(batch), embed)),
        finish: (i, [vector]) => ({
          item: items[i]!,
          vector: vector!,
          tokens: lengths[i]!,
          truncated: rows.isTruncated(i),
        }),
      };
    },
  });
}

/** The rows of `[B, H]`, each in memory of its own. */
function vectorsOf({ data, dims }: Tensor<'float32'>): Float32Array[] {
  const [count, size] = dims as [number, number];
  return Array.from({ length: count }, (_, row) => data.slice(row * size, (row + 1) * size));
}
