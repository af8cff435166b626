import * as rust from 'tokenizers';
import { describe, expect, test } from 'vitest';
import type { NativePreTokenizer } from '../../lib/binding/native.ts';
import { partsTokenizer } from './native-support.ts';
import { codePointsToUnits, randomTexts } from './random-texts.ts';

const string = (text: string) => ({ type: 'String', string: text }) as const;
const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
/** As the Rust package's JavaScript face spells them. */
const rustBehavior = (behavior: string): string => behavior[0]!.toLowerCase() + behavior.slice(1);

const cases: readonly (readonly [name: string, ours: NativePreTokenizer, theirs: () => rust.PreTokenizer])[] = [
  ['Bert', { type: 'BertPreTokenizer', never_split: [] }, () => rust.bertPreTokenizer()],
  ['Whitespace', { type: 'Whitespace' }, () => rust.whitespacePreTokenizer()],
  ['WhitespaceSplit', { type: 'WhitespaceSplit' }, () => rust.whitespaceSplitPreTokenizer()],
  ...[true, false].flatMap((add_prefix_space) =>
    [true, false].map(
      (use_regex) =>
        [
          `ByteLevel ${add_prefix_space} ${use_regex}`,
          { type: 'ByteLevel', add_prefix_space, use_regex },
          () => rust.byteLevelPreTokenizer(add_prefix_space, use_regex),
        ] as const,
    ),
  ),
  ...(['always', 'never', 'first'] as const).flatMap((prepend_scheme) =>
    [true, false].map(
      (split) =>
        [
          `Metaspace ${prepend_scheme} ${split}`,
          { type: 'Metaspace', replacement: '▁', prepend_scheme, split },
          () => rust.metaspacePreTokenizer('▁', prepend_scheme as never, split as never),
        ] as const,
    ),
  ),
  ...behaviors.map(
    (behavior) =>
      [
        `Punctuation ${behavior}`,
        { type: 'Punctuation', behavior },
        () => rust.punctuationPreTokenizer(rustBehavior(behavior)),
      ] as const,
  ),
  ...[true, false].map(
    (individual_digits) =>
      [
        `Digits ${individual_digits}`,
        { type: 'Digits', individual_digits },
        () => rust.digitsPreTokenizer(individual_digits),
      ] as const,
  ),
  ['CharDelimiterSplit', { type: 'CharDelimiterSplit', delimiter: 'a' }, () => rust.charDelimiterSplit('a')],
  ...behaviors.flatMap((behavior) =>
    [true, false].map(
      (invert) =>
        [
          `Split ${behavior} ${invert}`,
          { type: 'Split', pattern: string(' '), behavior, invert },
          () => rust.splitPreTokenizer(' ', rustBehavior(behavior), invert),
        ] as const,
    ),
  ),
  [
    'Sequence',
    {
      type: 'Sequence',
      pretokenizers: [
        { type: 'WhitespaceSplit' },
        { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
        { type: 'Digits', individual_digits: true },
      ],
    },
    () =>
      rust.sequencePreTokenizer([
        rust.whitespaceSplitPreTokenizer(),
        rust.metaspacePreTokenizer('▁'),
        rust.digitsPreTokenizer(true),
      ]),
  ],
];

describe('pre-tokenizers cut as the Rust library cuts', () => {
  const texts = [
    '',
    ' ',
    '  a  b ',
    "it's we'll 'tis",
    'a\n\n b\t',
    '\u3000한국어 text 2026½',
    ...randomTexts(300, 20),
  ];

  test.each(cases)('%s', (_, ours, theirs) => {
    const tokenizer = partsTokenizer({ pre_tokenizer: ours });
    const reference = theirs();
    for (const text of texts) {
      const { pieces, offsets } = tokenizer.pre_tokenize(text);
      const found = pieces.map((piece, i) => [piece, [offsets[2 * i], offsets[2 * i + 1]]]);
      const unitOf = codePointsToUnits(text);
      const expected = reference
        .preTokenizeString(text)
        .map(([piece, [start, end]]) => [piece, [unitOf[start], unitOf[end]]]);
      expect(found, JSON.stringify(text)).toEqual(expected);
    }
  });
});
