import type { FlatStrings, NativeTokenizerModel } from '../binding/native.ts';
import { countOf, stringsOf } from './flat-strings.ts';
import { isWellFormed } from './special-tokens.ts';

/**
 * Tokens by id and ids by token, as the native model over them answers. Where a token stands more than once, its last id is
 * the one that text is turned into.
 */
export class Vocabulary {
  /** Every token; its index is its id. */
  readonly strings: FlatStrings;
  readonly model: NativeTokenizerModel;
  /** Ids that belong to no token of the vocabulary. */
  readonly holes: ReadonlySet<number>;
  #size: number | undefined;

  /** @param size the number of different tokens, where it is known */
  constructor(strings: FlatStrings, model: NativeTokenizerModel, holes: Iterable<number> = [], size?: number) {
    this.strings = strings;
    this.model = model;
    this.holes = new Set(holes);
    this.#size = size;
  }

  /** Ids run from 0 up to this. */
  get length(): number {
    return countOf(this.strings);
  }

  /** The number of different tokens, which is what transformers calls `vocab_size`. */
  get size(): number {
    this.#size ??= this.entries().size;
    return this.#size;
  }

  id(token: string): number | undefined {
    const id = isWellFormed(token) ? this.model.token_to_id(token) : -1;
    return id < 0 || this.holes.has(id) ? undefined : id;
  }

  token(id: number): string | undefined {
    return this.holes.has(id) ? undefined : (this.model.id_to_token(id) ?? undefined);
  }

  /** Every different token with its id. */
  entries(): Map<string, number> {
    const ids = new Map<string, number>();
    let id = 0;
    for (const token of stringsOf(this.strings)) {
      if (!this.holes.has(id)) ids.set(token, id);
      id++;
    }
    return ids;
  }
}
