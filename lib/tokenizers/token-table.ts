import type { NativeAddedToken } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import type { AddedToken } from './special-tokens.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A vocabulary and the tokens that were added to it, which are found as a whole whether the vocabulary has them or not. */
export class TokenTable {
  readonly vocabulary: Vocabulary;
  /** Whether added tokens have to stand right behind the vocabulary, as readers of `tokenizer.json` number them. */
  readonly #consecutive: boolean;
  readonly #added = new Map<string, NativeAddedToken>();
  /** Contents of the added tokens whose ids the vocabulary does not have. */
  readonly #beyond = new Map<number, string>();
  /** The lowest id above all that are taken. */
  #nextId: number;

  constructor(vocabulary: Vocabulary, consecutive: boolean) {
    this.vocabulary = vocabulary;
    this.#consecutive = consecutive;
    this.#nextId = vocabulary.length;
  }

  /** Every added token, in the order of being added. */
  get added(): Iterable<NativeAddedToken> {
    return this.#added.values();
  }

  /** The added tokens that the vocabulary does not have, by id. */
  get beyond(): NativeAddedToken[] {
    return [...this.#added.values()].filter(({ id }) => this.#beyond.has(id)).sort((a, b) => a.id - b.id);
  }

  addedToken(content: string): NativeAddedToken | undefined {
    return this.#added.get(content);
  }

  id(token: string): number | undefined {
    return this.#added.get(token)?.id ?? this.vocabulary.id(token);
  }

  token(id: number): string | undefined {
    return this.#beyond.get(id) ?? this.vocabulary.token(id);
  }

  /**
   * Adds a token under its id if it has one, else under the next one above all others.
   *
   * @param keepFlags leaves a token that was added before as it is, but for making it special
   * @returns whether it is new: unknown until now
   */
  add(token: AddedToken, keepFlags = false): boolean {
    const before = this.#added.get(token.content);
    const known = this.id(token.content);
    this.#place(
      keepFlags && before !== undefined ? { ...before, special: token.special } : token,
      known ?? this.#nextId,
    );
    return known === undefined;
  }

  /**
   * Adds a token under the id that a file gives it.
   *
   * @throws BertNativeError `ERR_FILE_FORMAT` if the token has another id already, or the id another token
   */
  addAt(token: AddedToken, id: number, where: string): void {
    const knownId = this.id(token.content);
    const knownToken = this.token(id);
    const problem =
      knownId !== undefined && knownId !== id
        ? `whose id is ${knownId}`
        : knownId === undefined && knownToken !== undefined
          ? `but that is the id of ${JSON.stringify(knownToken)}`
          : knownId === undefined && this.#consecutive && id > this.#nextId
            ? `but no token has the id ${this.#nextId}`
            : null;
    if (problem !== null) {
      const content = JSON.stringify(token.content);
      throw new BertNativeError('ERR_FILE_FORMAT', `${where} gives the id ${id} to ${content}, ${problem}`);
    }
    this.#place(token, id);
  }

  #place(token: AddedToken, id: number): void {
    const special = token.special || this.#added.get(token.content)?.special === true;
    this.#added.set(token.content, { ...token, special, id });
    if (this.vocabulary.token(id) === token.content) return;
    this.#beyond.set(id, token.content);
    this.#nextId = Math.max(this.#nextId, id + 1);
  }
}
