import { join } from 'node:path';
import { AutoModel, AutoTokenizer, type EncoderModel, type PreTrainedTokenizer } from '../../lib/index.ts';
import { fixturesFolder } from '../support/fixtures.ts';

export const folder = join(fixturesFolder, 'bert-text-embedding');

export async function load(): Promise<{ model: EncoderModel; tokenizer: PreTrainedTokenizer }> {
  return { model: await AutoModel.from_pretrained(folder), tokenizer: await AutoTokenizer.from_pretrained(folder) };
}

const words = ['good', 'movie', '안녕하세요', 'the', 'not', '한국', '날씨', '좋네요', 'a', '!'];

/** Texts of 0 to 40 words, short and long ones mixed. */
export function manyTexts(count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: (i * i * 7 + i) % 41 }, (_, k) => words[(i * 3 + k * k) % words.length]).join(' '),
  );
}

/** A source that counts what was pulled from it and remembers whether it was closed. */
export class Source<T> implements AsyncIterable<T> {
  pulled = 0;
  closed = 0;
  readonly #items: Iterator<T>;

  constructor(items: Iterable<T>) {
    this.#items = items[Symbol.iterator]();
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: async () => {
        const step = this.#items.next();
        if (!step.done) this.pulled++;
        return step;
      },
      return: async () => {
        this.closed++;
        return { done: true, value: undefined };
      },
    };
  }
}

export function* endless(): Generator<string> {
  for (let i = 0; ; i++) yield `the movie ${i}`;
}

/** Lets everything that is ready happen, several turns of the event loop long. */
export async function settle(turns = 50): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve, 1));
}
