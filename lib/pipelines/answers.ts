/**
 * Where an answer lies, by the probabilities that it begins and ends at each token: the question answering pipeline of
 * Python's transformers.
 */
import { softmax } from './scores.ts';

/** A piece of a context. */
export interface AnswerSpan {
  readonly score: number;
  /** In the context, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

/** The tokens of one window as answers see them: S positions. */
export interface AnswerWindow {
  /** `[S]`. */
  readonly start_logits: ArrayLike<number>;
  readonly end_logits: ArrayLike<number>;
  /** Whether a token belongs to the context. */
  isContext(position: number): boolean;
  /** The position of the token that stands for no answer, -1: there is none. */
  readonly null_position: number;
  /** What an answer from one token to another is in the context. */
  span(first: number, last: number): { readonly start: number; readonly end: number };
}

/** Sorting them out is not worth while for fewer. */
const spareCandidates = 64;

/** The best answers of one or several windows of a context, best first, each piece of the context once. */
export class BestAnswers {
  readonly #count: number;
  readonly #max_answer_len: number;
  /** By their piece of the context; more than asked for, now and then. */
  #candidates = new Map<string, AnswerSpan>();
  /** What a candidate has to be better than. */
  #least = Number.NEGATIVE_INFINITY;
  /** The least that any window says for there being no answer. */
  null_score = Number.POSITIVE_INFINITY;

  /**
   * @param count how many
   * @param max_answer_len tokens of the longest answer
   */
  constructor(count: number, max_answer_len: number) {
    this.#count = count;
    this.#max_answer_len = max_answer_len;
  }

  get found(): readonly AnswerSpan[] {
    return [...this.#candidates.values()].sort((a, b) => b.score - a.score).slice(0, this.#count);
  }

  /** An answer's score is the product of the probabilities of its ends among the context's tokens and the null position. */
  add(window: AnswerWindow): void {
    const { null_position } = window;
    const S = window.start_logits.length;
    const positions = Array.from({ length: S }, (_, position) => position).filter(
      (position) => position === null_position || window.isContext(position),
    );
    const starts = softmax(positions.map((position) => window.start_logits[position]!));
    const ends = softmax(positions.map((position) => window.end_logits[position]!));
    const null_index = positions.indexOf(null_position);
    if (null_index >= 0) this.null_score = Math.min(this.null_score, starts[null_index]! * ends[null_index]!);
    for (let first = 0; first < positions.length; first++) {
      if (first === null_index) continue;
      for (let last = first; last < positions.length; last++) {
        if (positions[last]! - positions[first]! >= this.#max_answer_len) break;
        if (last !== null_index) this.#offer(starts[first]! * ends[last]!, window, positions[first]!, positions[last]!);
      }
    }
  }

  #offer(score: number, window: AnswerWindow, first: number, last: number): void {
    if (!(score > this.#least)) return;
    const { start, end } = window.span(first, last);
    const key = `${start} ${end}`;
    const known = this.#candidates.get(key);
    if (known === undefined || score > known.score) this.#candidates.set(key, { score, start, end });
    if (this.#candidates.size < 2 * this.#count + spareCandidates) return;
    const kept = this.found;
    this.#candidates = new Map(kept.map((answer) => [`${answer.start} ${answer.end}`, answer]));
    this.#least = kept.at(-1)!.score;
  }
}
