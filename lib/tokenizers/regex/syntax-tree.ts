import type { CodePointSet } from './code-point-set.ts';

/** Which letters are the same but for case: none, those of ASCII, or all of Unicode's. */
export type IgnoreCase = 'no' | 'ascii' | 'unicode';

export type RepeatMode = 'greedy' | 'lazy' | 'possessive';

export type Assertion = 'textStart' | 'textEnd' | 'textEndOrLastNewline' | 'lineStart' | 'lineEnd';

/** What a regular expression says. The matcher reports where a match lies and nothing else, so groups have no numbers. */
export type RegexNode =
  | { readonly type: 'character'; readonly codePoint: number; readonly ignoreCase: IgnoreCase }
  /** One code point of the set, or else one of the strings: what its characters are folded to, such as ss for ß. */
  | { readonly type: 'class'; readonly set: CodePointSet; readonly strings: readonly (readonly number[])[] }
  | { readonly type: 'sequence'; readonly items: readonly RegexNode[] }
  | { readonly type: 'alternation'; readonly branches: readonly RegexNode[] }
  | {
      readonly type: 'repeat';
      readonly body: RegexNode;
      readonly min: number;
      /** Or Infinity. */
      readonly max: number;
      readonly mode: RepeatMode;
    }
  /** Characters inside and outside of it are not folded together. */
  | { readonly type: 'capture'; readonly body: RegexNode }
  | { readonly type: 'atomic'; readonly body: RegexNode }
  | { readonly type: 'lookahead' | 'lookbehind'; readonly negative: boolean; readonly body: RegexNode }
  | { readonly type: 'assertion'; readonly assertion: Assertion }
  | { readonly type: 'wordBoundary'; readonly negative: boolean; readonly word: CodePointSet };
