import * as rust from 'tokenizers';
import { compileRegex } from '../../../lib/tokenizers/regex/compile.ts';
import { partsTokenizer } from '../native-support.ts';

/** What a regular expression does to texts, seen from outside: as a splitter, with and without what matched, and replaced. */
export interface Behavior {
  isolated(text: string): string[];
  removed(text: string): string[];
  replaced(text: string): string;
}

/** Stands for each match, empty ones as well. */
const mark = '\u{f0000}';

/** @throws BertNativeError `ERR_UNSUPPORTED_TOKENIZER` */
export function ours(pattern: string): Behavior {
  const regex = { type: 'Regex', ...compileRegex(pattern) } as const;
  const split = (behavior: 'Isolated' | 'Removed') =>
    partsTokenizer({ pre_tokenizer: { type: 'Split', pattern: regex, behavior, invert: false } });
  const [isolated, removed] = [split('Isolated'), split('Removed')];
  const replacing = partsTokenizer({ normalizer: { type: 'Replace', pattern: regex, content: mark } });
  return {
    isolated: (text) => isolated.pre_tokenize(text).pieces,
    removed: (text) => removed.pre_tokenize(text).pieces,
    replaced: (text) => replacing.normalize(text),
  };
}

/** The same from the Rust library. Throws for a pattern that Oniguruma refuses. */
export function theirs(pattern: string): Behavior {
  const make = (behavior: string) =>
    rust.Tokenizer.fromString(
      JSON.stringify({
        version: '1.0',
        added_tokens: [],
        normalizer: { type: 'Replace', pattern: { Regex: pattern }, content: mark },
        pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior, invert: false },
        post_processor: null,
        decoder: null,
        model: { type: 'WordLevel', vocab: { '[UNK]': 0 }, unk_token: '[UNK]' },
      }),
    );
  const [isolated, removed] = [make('Isolated'), make('Removed')];
  const pieces = (tokenizer: rust.Tokenizer, text: string) =>
    tokenizer
      .getPreTokenizer()!
      .preTokenizeString(text)
      .map(([piece]) => piece);
  return {
    isolated: (text) => pieces(isolated, text),
    removed: (text) => pieces(removed, text),
    replaced: (text) => isolated.getNormalizer()!.normalizeString(text),
  };
}

export function seen(behavior: Behavior, text: string) {
  return {
    text,
    isolated: behavior.isolated(text),
    removed: behavior.removed(text),
    replaced: behavior.replaced(text).replaceAll(mark, '#'),
  };
}
