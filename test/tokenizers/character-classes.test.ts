import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { nativeBinding } from '../../lib/binding/load.ts';
import { hasShared, tokenizerGoldensFolder } from '../support/fixtures.ts';
import { type BertSettings, bertDescription, plainOptions, rowsOf, texts } from './native-support.ts';

// Every code point on its own, straight through the addon: the tokenizer's class would take many times as long.

describe.skipIf(!hasShared(tokenizerGoldensFolder))('character classes', () => {
  interface CharacterClasses {
    readonly range: [number, number];
    readonly classes: [first: number, last: number, kind: 'keep' | 'remove' | 'space' | 'isolate'][];
    readonly lower_strip: [number, string][];
    readonly lower_keep: [number, string][];
  }

  // A vocabulary of single characters and their continuations spells out what the tokenizer made of a text.
  function spelling(golden: CharacterClasses, settings: BertSettings): (text: string) => string[] {
    const characters = new Set('ab');
    for (let c = golden.range[0]; c <= golden.range[1]; c++) characters.add(String.fromCodePoint(c));
    for (const [, mapped] of [...golden.lower_strip, ...golden.lower_keep]) {
      for (const character of mapped) characters.add(character);
    }
    const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
    const vocabulary = [...special, ...characters, ...Array.from(characters, (character) => `##${character}`)];
    const native = nativeBinding().create_tokenizer(bertDescription(vocabulary, settings));
    const options = { ...plainOptions, add_special_tokens: false, return_word_ids: true };
    return (text) => {
      const [row] = rowsOf(native.encode({ first: texts(text), second: null }, options));
      const words: string[] = [];
      row!.ids.forEach((id, i) => {
        const word = row!.word_ids![i]!;
        words[word] = (words[word] ?? '') + vocabulary[id]!.replace(/^##/, '');
      });
      return words;
    };
  }

  let golden: CharacterClasses;

  beforeAll(() => {
    golden = JSON.parse(readFileSync(join(tokenizerGoldensFolder, 'charclass.json'), 'utf8'));
  });

  test('what each code point does between two letters', () => {
    const spell = spelling(golden, { do_lower_case: false });
    for (const [first, last, kind] of golden.classes) {
      for (let c = first; c <= last; c++) {
        const character = String.fromCodePoint(c);
        const expected = {
          keep: [`a${character}b`],
          remove: ['ab'],
          space: ['a', 'b'],
          isolate: ['a', character, 'b'],
        }[kind];
        expect(spell(`a${character}b`), `U+${c.toString(16)}`).toEqual(expected);
      }
    }
  });

  test.each([
    ['with accents stripped', 'lower_strip', { do_lower_case: true }],
    ['with accents kept', 'lower_keep', { do_lower_case: true, strip_accents: false }],
  ] as const)('lower-casing %s', (_, list, settings) => {
    const spell = spelling(golden, settings);
    const mapped = new Map(golden[list]);
    for (const [first, last, kind] of golden.classes) {
      if (kind !== 'keep') continue;
      for (let c = first; c <= last; c++) {
        const character = String.fromCodePoint(c);
        // A mapping may yield punctuation, which stands apart: joined, the words have to spell it.
        expect(spell(`a${character}b`).join(''), `U+${c.toString(16)}`).toBe(`a${mapped.get(c) ?? character}b`);
      }
    }
  });
});
