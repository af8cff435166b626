/** Texts that a tokenizer might take more than linear time for. */

import { Random } from '../text/random.mjs';

const letters = [...'abcdefghijklmnopqrstuvwxyz'];

/** By name: a text of about so many bytes of UTF-8. @type {Record<string, (bytes: number) => string>} */
const makers = {
  'one letter, repeated': (bytes) => 'a'.repeat(bytes),
  'one word of random letters': (bytes) => {
    const random = new Random('hostile word');
    return Array.from({ length: bytes }, () => random.pick(letters)).join('');
  },
  'combining marks on one letter': (bytes) => `a${'\u0301\u0323'.repeat(bytes / 4)}`,
  spaces: (bytes) => ' '.repeat(bytes),
  'exclamation marks': (bytes) => '!'.repeat(bytes),
  'opening brackets': (bytes) => '['.repeat(bytes),
  'Hangul without spaces': (bytes) => '가나다라마바사아'.repeat(bytes / 24),
  digits: (bytes) => '1234567890'.repeat(bytes / 10),
};

export const hostileTexts = Object.keys(makers);

/** @param {string} name @param {number} bytes */
export const hostileText = (name, bytes) => makers[name](bytes);
