import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { AutoTokenizer, type EncodeOptions, type PreTrainedTokenizerFast } from '../../lib/index.ts';
import { hasShared, tokenizerGoldensFolder, vocabularyFolder } from '../support/fixtures.ts';

// The goldens of the Rust library tokenizers for tokenizers read from tokenizer.json.

interface FastGolden {
  readonly cases: readonly {
    text: string;
    ids: number[] | null;
    tokens?: string[];
    offsets: number[];
    word_ids?: number[];
    decoded?: [string, string];
  }[];
}

interface Pair {
  readonly text: string;
  readonly text_pair: string;
}

interface Row {
  readonly input_ids: number[];
  readonly token_type_ids: number[];
  readonly attention_mask: number[];
}

interface FastPairsGolden {
  readonly cases: readonly (Pair & Row & { options: EncodeOptions })[];
  readonly windows: readonly (Pair & {
    max_length: number;
    stride: number;
    windows: { input_ids: number[]; token_type_ids: number[]; offsets: number[]; sequence_ids: number[] }[];
  })[];
}

const golden = <T>(file: string): T => JSON.parse(readFileSync(join(tokenizerGoldensFolder, file), 'utf8'));

/** Offsets as `[start, end)` pairs, from code points of the text to UTF-16 units. */
function toUtf16(text: string, offsets: readonly number[]): [number, number][] {
  const unitOf = [0];
  for (const character of text) unitOf.push(unitOf.at(-1)! + character.length);
  return Array.from({ length: offsets.length / 2 }, (_, i) => [unitOf[offsets[2 * i]!]!, unitOf[offsets[2 * i + 1]!]!]);
}

const nullFor = (ids: readonly number[]): (number | null)[] => ids.map((id) => (id === -1 ? null : id));

const berts = ['bert-base-uncased', 'bert-base-cased', 'kcbert-base'];
const haveGoldens = [tokenizerGoldensFolder, vocabularyFolder].map((folder) => hasShared(folder)).every(Boolean);

describe.skipIf(!haveGoldens)('the goldens of the Rust library', () => {
  describe.each(['roberta-base', 'xlm-roberta-trunc', ...berts])('%s', (name) => {
    const isBert = berts.includes(name);
    let tokenizer: PreTrainedTokenizerFast;

    beforeAll(async () => {
      tokenizer = await AutoTokenizer.from_pretrained(join(vocabularyFolder, name));
    });

    test('ids, tokens, offsets, word ids, and the text of the ids', () => {
      const { cases } = golden<FastGolden>(`fast-${name}.json`);
      const slow = isBert
        ? golden<{ cases: { text: string; ids: number[][] }[] }>(`encode-${name}.json`).cases
        : undefined;
      const slowIds = new Map(slow?.map(({ text, ids }) => [text, ids[0]!]));
      expect(cases.length).toBeGreaterThanOrEqual(250);
      for (const { text, ids, tokens, offsets, word_ids, decoded } of cases) {
        const found = tokenizer(text, { return_tensor: false, return_offsets_mapping: true, verbose: false });
        const what = JSON.stringify(text);
        expect(found.input_ids, what).toEqual(ids ?? slowIds.get(text));
        // The reference spells unknown tokens, and added ones with the white space they took, as in the text.
        const own = found.tokens();
        const spelled = own.map((token, i) =>
          token === tokenizer.unk_token || tokens?.[i]?.trim() === token ? tokens?.[i] : token,
        );
        if (tokens !== undefined) expect(spelled, what).toEqual(tokens);
        expect(found.offset_mapping, what).toEqual(toUtf16(text, offsets));
        if (word_ids !== undefined) expect(found.word_ids(), what).toEqual(nullFor(word_ids));
        if (decoded === undefined) continue;
        const again = [false, true].map((skip_special_tokens) =>
          tokenizer.decode(found.input_ids, { skip_special_tokens, clean_up_tokenization_spaces: false }),
        );
        expect(again, what).toEqual(decoded);
      }
    });

    // Those of BERT hold only pairs that the slow tokenizer answers otherwise.
    test('pairs: truncation, padding and sides', () => {
      const { cases } = golden<FastPairsGolden>(`fast-pairs-${name}.json`);
      expect(cases.length).toBeGreaterThanOrEqual(5);
      for (const { text, text_pair, options, input_ids, token_type_ids, attention_mask } of cases) {
        const given = { ...options, text_pair, return_tensor: false, return_token_type_ids: true } as const;
        const { max_length = Number.POSITIVE_INFINITY, truncation } = options;
        // The reference leaves a row as it is where the special tokens alone are longer, and lets one text vanish.
        const vanishes = max_length === tokenizer.num_special_tokens_to_add(true) && truncation !== 'longest_first';
        if (input_ids.length > max_length! || vanishes) {
          expect(() => tokenizer(text, given)).toThrow(expect.objectContaining({ code: 'ERR_TRUNCATION' }));
          continue;
        }
        const found = { ...tokenizer(text, given) };
        expect(found, JSON.stringify([text, text_pair, options])).toEqual({
          input_ids,
          token_type_ids,
          attention_mask,
        });
      }
    });

    test('sliding windows over the second text', () => {
      const { windows: cases } = golden<FastPairsGolden>(`fast-pairs-${name}.json`);
      expect(cases.length).toBeGreaterThanOrEqual(5);
      for (const { text, text_pair, max_length, stride, windows } of cases) {
        const found = tokenizer(text, {
          text_pair,
          max_length,
          stride,
          truncation: 'only_second',
          return_overflowing_tokens: true,
          return_offsets_mapping: true,
          return_token_type_ids: true,
          return_tensor: false,
        });
        const what = JSON.stringify([text, text_pair, max_length, stride]);
        // The reference stops reading the second text after max_length tokens: its last window may end early.
        const whole = windows.slice(0, -1);
        expect(found.input_ids.slice(0, whole.length), what).toEqual(whole.map(({ input_ids }) => input_ids));
        expect(found.input_ids.length, what).toBeGreaterThanOrEqual(windows.length);
        const last = windows.at(-1)!;
        const ends = tokenizer.num_special_tokens_to_add(false) === 0 ? 0 : 1;
        const begun = last.input_ids.slice(0, last.input_ids.length - ends);
        expect(found.input_ids[whole.length]!.slice(0, begun.length), what).toEqual(begun);
        for (const [row, { offsets, sequence_ids, token_type_ids }] of whole.entries()) {
          // In overflow rows the reference forgets the type ids of a template.
          if (row === 0 || isBert) expect(found.token_type_ids[row], what).toEqual(token_type_ids);
          expect(found.sequence_ids(row), what).toEqual(nullFor(sequence_ids));
          const inUnits = sequence_ids.map((sequence, t) =>
            sequence === -1 ? [0, 0] : toUtf16(sequence === 0 ? text : text_pair, offsets.slice(2 * t, 2 * t + 2))[0],
          );
          expect(found.offset_mapping![row], what).toEqual(inUnits);
        }
      }
    });

    test('streams: the pieces, joined, are the text', () => {
      const { cases } = golden<FastGolden>(`fast-${name}.json`);
      for (const { text } of cases) {
        const ids = tokenizer.encode(text, { verbose: false });
        for (const skip_special_tokens of [true, false]) {
          const stream = tokenizer.decode_stream({ skip_special_tokens });
          const pieces = [...ids.map((id) => stream.step(id)), stream.flush()];
          const whole = tokenizer.decode(ids, { skip_special_tokens, clean_up_tokenization_spaces: false });
          expect(pieces.join(''), JSON.stringify(text)).toBe(whole);
        }
      }
    });
  });
});
