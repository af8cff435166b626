import type { FlatStrings } from '../binding/native.ts';

/** Tokens by id and ids by token. Where a token stands more than once, its last id is the one that text is turned into. */
export class Vocabulary {
  /** Every token; its index is its id. */
  readonly tokens: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  /** @param tokens well-formed strings */
  constructor(tokens: readonly string[]) {
    this.tokens = tokens;
    const ids = new Map<string, number>();
    tokens.forEach((token, id) => {
      ids.set(token, id);
    });
    this.#ids = ids;
  }

  /** The number of different tokens, which is what transformers calls `vocab_size`. */
  get size(): number {
    return this.#ids.size;
  }

  id(token: string): number | undefined {
    return this.#ids.get(token);
  }

  entries(): Iterable<[token: string, id: number]> {
    return this.#ids.entries();
  }

  /** As the native tokenizer takes it. */
  flatten(): FlatStrings {
    const starts = new Uint32Array(this.tokens.length + 1);
    this.tokens.forEach((token, id) => {
      starts[id + 1] = starts[id]! + Buffer.byteLength(token);
    });
    return { bytes: Buffer.from(this.tokens.join('')), starts };
  }
}
