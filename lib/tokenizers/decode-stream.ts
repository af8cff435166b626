import { BertNativeError } from '../errors.ts';
import { describe } from '../options.ts';
import { isTokenId } from './token-ids.ts';

/** What a stream asks of its tokenizer. */
export interface StreamDecoder {
  decode(ids: readonly number[]): string;
  isSkipped(id: number): boolean;
}

/** The mark of bytes that are no text, or not yet. */
const incomplete = '\ufffd';
/** A character has at most four bytes, so after as many tokens without a complete one there is none to come. */
const maxHeldBack = 8;

/**
 * Text from ids that come one by one. The texts, joined, are what `decode` makes of all ids, without clean-up.
 *
 * Follows DecodeStream of the Rust library tokenizers: what was handed out last is decoded again together with what is new,
 * so that a token's text may depend on the one before it.
 */
export class DecodeStream {
  readonly #decoder: StreamDecoder;
  /** Ids whose text was handed out last, then those that wait. */
  #ids: number[] = [];
  /** How many of them wait. */
  #waiting = 0;
  /** The text of those that do not wait. */
  #prefix = '';

  /** Made by `tokenizer.decode_stream()`. */
  constructor(decoder: StreamDecoder) {
    this.#decoder = decoder;
  }

  /**
   * Takes the next id.
   *
   * @returns the text that is complete with it; null while a character lacks bytes, or where the id adds nothing
   * @throws BertNativeError `ERR_TOKEN_ID`, `ERR_DTYPE`
   */
  step(id: number | bigint): string | null {
    const number = Number(id);
    if (typeof id !== 'number' && typeof id !== 'bigint') {
      throw new BertNativeError('ERR_DTYPE', `id is ${describe(id)}: expected a token id`);
    }
    if (!isTokenId(number)) {
      throw new BertNativeError('ERR_TOKEN_ID', `id is ${id}: expected the id of a token, an integer from 0 up`);
    }
    if (this.#decoder.isSkipped(number)) return null;
    const ids = [...this.#ids, number];
    const text = this.#decoder.decode(ids);
    this.#ids = ids;
    this.#waiting++;
    return text.endsWith(incomplete) && this.#waiting < maxHeldBack ? null : this.#handOut(text);
  }

  /** The text that was held back, complete or not; null where there is none. The stream begins anew. */
  flush(): string | null {
    const text = this.#waiting === 0 ? null : this.#handOut(this.#decoder.decode(this.#ids));
    this.#ids = [];
    this.#waiting = 0;
    this.#prefix = '';
    return text;
  }

  #handOut(text: string): string | null {
    const known = commonLength(this.#prefix, text);
    const isLonger = known === this.#prefix.length && known < text.length;
    // Tokens without a text of their own wait for one that has some, but not forever.
    if (!isLonger && this.#waiting < maxHeldBack) return null;
    this.#ids = this.#ids.slice(-this.#waiting);
    this.#waiting = 0;
    this.#prefix = this.#decoder.decode(this.#ids);
    return text.slice(known) || null;
  }
}

/** How many units two texts start with in common. */
function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
