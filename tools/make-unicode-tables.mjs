#!/usr/bin/env node
// Writes native/tokenizer/unicode_tables.h and .cc from the Unicode data inside this Node (its ICU), and records the
// version. Usage: node tools/make-unicode-tables.mjs

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'native', 'tokenizer');
const lastCodePoint = 0x10ffff;
const hangulSyllables = [0xac00, 0xd7a3];

// The blocks that BERT's original tokenization.py sets apart; not the same as any Unicode property.
const chineseRanges = [
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b820, 0x2ceaf],
  [0x2f800, 0x2fa1f],
];

const within = (ranges, c) => ranges.some(([first, last]) => c >= first && c <= last);

// Each property is one bit of a code point's record; the names become kName in the header.
const properties = [
  {
    name: 'Removed',
    comment: 'dropped by clean_text: category C (controls, formats, surrogates, private use, unassigned) and U+FFFD',
    test: (text, c) => (/^\p{C}$/u.test(text) && !'\t\n\r'.includes(text)) || c === 0xfffd,
  },
  { name: 'WhiteSpace', comment: 'White_Space', test: (text) => /^\p{White_Space}$/u.test(text) },
  {
    name: 'Punctuation',
    comment: 'category P, and every ASCII character that is neither letter, digit, space nor control',
    test: (text) => /^(?:\p{P}|[!-/:-@[-`{-~])$/u.test(text),
  },
  { name: 'Chinese', comment: "the blocks of BERT's tokenize_chinese_chars", test: (_, c) => within(chineseRanges, c) },
  { name: 'NonspacingMark', comment: 'category Mn', test: (text) => /^\p{Mn}$/u.test(text) },
  {
    name: 'Lowercases',
    comment: 'lowercase_mapping() differs from the character',
    test: (text) => lower(text) !== text,
  },
  {
    name: 'Decomposes',
    comment: 'has a canonical decomposition in the table (Hangul syllables decompose by arithmetic)',
    test: (text, c) => !within([hangulSyllables], c) && text.normalize('NFD') !== text,
  },
  {
    name: 'WordCharacter',
    comment: 'what \\w means in Unicode TS 18, annex C: Alphabetic, M, Nd, Pc, Join_Control',
    test: (text) => /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u.test(text),
  },
  { name: 'Nonstarter', comment: 'canonical combining class other than 0', test: (text) => isNonstarter(text) },
];

// A lone surrogate joins a neighbour, so it is never combined with other text.
const isSurrogate = (text) => /^\p{Cs}$/u.test(text);

/** One code point in lower case by itself: no context such as a final sigma. */
function lower(text) {
  return text.toLowerCase();
}

// ICU does not hand out combining classes, but canonical ordering tells them: a pair of marks changes places exactly if
// the class of the first is above that of the second and neither is 0.
const overlay = '\u0334'; // class 1, the lowest
const iotaSubscript = '\u0345'; // class 240, the highest
function isNonstarter(text) {
  if (isSurrogate(text) || text.normalize('NFD') !== text) return false;
  const swaps = (a, b) => (a + b).normalize('NFD') === b + a && a !== b;
  return swaps(text, overlay) || swaps(iotaSubscript, text) || text === overlay || text === iotaSubscript;
}

function codePointsOf(text) {
  return Array.from(text, (character) => character.codePointAt(0));
}

function collect() {
  const records = new Uint16Array(lastCodePoint + 1);
  const lowercase = new Map();
  const decompositions = new Map();
  const orderedNonstarters = [];
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    properties.forEach(({ test }, bit) => {
      if (test(text, c)) records[c] |= 1 << bit;
    });
    if (has(records[c], 'Lowercases')) lowercase.set(c, codePointsOf(lower(text)));
    if (has(records[c], 'Decomposes')) decompositions.set(c, codePointsOf(text.normalize('NFD')));
    if (has(records[c], 'Nonstarter') && !has(records[c], 'NonspacingMark')) orderedNonstarters.push(text);
  }
  return { records, lowercase, decompositions, ranks: rankByCombiningClass(orderedNonstarters) };
}

function has(record, name) {
  return (record >> properties.findIndex((property) => property.name === name)) & 1;
}

/** Nonstarters that are not Mn, in runs of equal combining class, lowest class first; ranks count from 1. */
function rankByCombiningClass(texts) {
  const above = (a, b) => (a + b).normalize('NFD') === b + a && a !== b;
  const sorted = [...texts].sort((a, b) => (above(a, b) ? 1 : above(b, a) ? -1 : 0));
  const ranks = new Map();
  let rank = 0;
  sorted.forEach((text, i) => {
    if (i === 0 || above(text, sorted[i - 1])) rank++;
    ranks.set(text.codePointAt(0), rank);
  });
  return ranks;
}

/** Cuts `values` into blocks, keeps each distinct block once: `values[c] = blocks[index[c >> shift] << shift | low bits]`. */
function twoStage(values, shift) {
  const size = 1 << shift;
  const known = new Map();
  const index = [];
  const blocks = [];
  for (let start = 0; start < values.length; start += size) {
    const block = Array.from({ length: size }, (_, i) => values[start + i] ?? 0);
    const key = block.join();
    if (!known.has(key)) {
      known.set(key, known.size);
      blocks.push(...block);
    }
    index.push(known.get(key));
  }
  if (known.size > 256) throw new Error(`${known.size} distinct blocks do not fit a byte`);
  return { index, blocks };
}

/** Sequences in one pool, each behind its length, and for every code point up to the last mapped one where it stands. */
function pooled(mapping, shift) {
  const pool = [0]; // position 0: nothing
  const positions = new Map();
  const values = new Array(Math.max(...mapping.keys()) + 1).fill(0);
  for (const [c, sequence] of mapping) {
    const key = sequence.join();
    if (!positions.has(key)) {
      positions.set(key, pool.length);
      pool.push(sequence.length, ...sequence);
    }
    values[c] = positions.get(key);
  }
  if (pool.length > 0xffff) throw new Error(`a pool of ${pool.length} entries needs more than 16 bits`);
  return { pool, ...twoStage(values, shift) };
}

function array(type, name, values) {
  const lines = [];
  let line = '   ';
  for (const value of values) {
    const text = ` ${value},`;
    if (line.length + text.length > 120) {
      lines.push(line);
      line = '   ';
    }
    line += text;
  }
  return `const ${type} ${name}[${values.length}] = {\n${[...lines, line].join('\n')}\n};\n`;
}

const banner = `// Generated by tools/make-unicode-tables.mjs from Unicode ${process.versions.unicode}. Do not edit.\n`;

function header({ ranks }, flags) {
  const bits = properties.map(
    ({ name, comment }, bit) => `// ${comment}\ninline constexpr uint16_t k${name} = 1u << ${bit};`,
  );
  return `#pragma once

${banner}
#include <cstdint>

namespace bert_native::unicode {

// A code point's record: flags, and above them the rank of its combining class.
${bits.join('\n')}
// Nonstarters other than Mn, ranked by combining class from 1 (${Math.max(...ranks.values())} classes have any); 0 for all other characters. Only the
// order matters: these are what is left to be put in canonical order once the marks of category Mn are gone.
inline constexpr int kRankShift = ${properties.length};

// record(c) = kRecords[kRecordIndex[c >> ${flags.shift}] << ${flags.shift} | low bits]
inline constexpr int kRecordShift = ${flags.shift};
extern const uint8_t kRecordIndex[];
extern const uint16_t kRecords[];

// Mappings: a two-stage table of positions in a pool, where a sequence stands behind its length. To be asked only for
// code points that have kLowercases or kDecomposes: the tables end with the last of them.
inline constexpr int kMappingShift = ${flags.mappingShift};
extern const uint8_t kLowercaseIndex[];
extern const uint16_t kLowercasePositions[];
extern const char32_t kLowercasePool[];
extern const uint8_t kDecompositionIndex[];
extern const uint16_t kDecompositionPositions[];
extern const char32_t kDecompositionPool[];

}  // namespace bert_native::unicode
`;
}

function source(data, shift, mappingShift) {
  for (const [c, rank] of data.ranks) data.records[c] |= rank << properties.length;
  const records = twoStage(data.records, shift);
  const lowercase = pooled(data.lowercase, mappingShift);
  const decompositions = pooled(data.decompositions, mappingShift);
  const arrays = [
    array('uint8_t', 'kRecordIndex', records.index),
    array('uint16_t', 'kRecords', records.blocks),
    array('uint8_t', 'kLowercaseIndex', lowercase.index),
    array('uint16_t', 'kLowercasePositions', lowercase.blocks),
    array('char32_t', 'kLowercasePool', lowercase.pool),
    array('uint8_t', 'kDecompositionIndex', decompositions.index),
    array('uint16_t', 'kDecompositionPositions', decompositions.blocks),
    array('char32_t', 'kDecompositionPool', decompositions.pool),
  ];
  return `${banner}
#include "tokenizer/unicode_tables.h"

namespace bert_native::unicode {

// clang-format off
${arrays.join('\n')}// clang-format on

}  // namespace bert_native::unicode
`;
}

const data = collect();
const shift = 7;
const mappingShift = 6;
writeFileSync(join(folder, 'unicode_tables.h'), header(data, { ...data, shift, mappingShift }));
writeFileSync(join(folder, 'unicode_tables.cc'), source(data, shift, mappingShift));
