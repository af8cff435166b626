import type { NativeAddedToken } from '../binding/native.ts';
import { BertNativeError } from '../errors.ts';
import type { AddedToken } from './special-tokens.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A vocabulary and the tokens that were added to it, which are found as a whole whether the vocabulary has them or not. */
export class TokenTable {
  readonly vocabulary: Vocabulary;
  readonly #added = new Map<string, NativeAddedToken>();
  /** Contents of the added tokens whose ids lie outside the vocabulary. */
  readonly #beyond = new Map<number, string>();
  /** The lowest id above all that are taken. */
  #nextId: number;

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    this.#nextId = vocabulary.length;
  }

  /** Every added token, in the order of being added. */
  get added(): Iterable<NativeAddedToken> {
    return this.#added.values();
  }

  id(token: string): number | undefined {
    return this.#added.get(token)?.id ?? this.vocabulary.id(token);
  }

  token(id: number): string | undefined {
    return this.#beyond.get(id) ?? this.vocabulary.token(id);
  }

  /** Whether the id is one of the vocabulary's own. */
  isInVocabulary(id: number): boolean {
    return id < this.vocabulary.length;
  }

  /**
   * Adds a token under its id if it has one, else under the next one above all others.
   *
   * @returns whether it is new: unknown until now
   */
  add(token: AddedToken): boolean {
    const known = this.id(token.content);
    this.#place(token, known ?? this.#nextId);
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
    if (knownId !== id && (knownId !== undefined || knownToken !== undefined)) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${where} gives the id ${id} to ${JSON.stringify(token.content)}, ` +
          (knownId !== undefined ? `whose id is ${knownId}` : `but that is the id of ${JSON.stringify(knownToken)}`),
      );
    }
    this.#place(token, id);
  }

  #place(token: AddedToken, id: number): void {
    const special = token.special || this.#added.get(token.content)?.special === true;
    this.#added.set(token.content, { ...token, special, id });
    if (this.isInVocabulary(id)) return;
    this.#beyond.set(id, token.content);
    this.#nextId = Math.max(this.#nextId, id + 1);
  }
}
