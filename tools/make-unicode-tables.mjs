#!/usr/bin/env node
// Writes native/tokenizer/unicode_tables.h and .cc from the Unicode data inside this Node (its ICU) and from what the Rust
// library tokenizers makes of every code point, and records the versions. Usage: node tools/make-unicode-tables.mjs

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codePointsOf, lastCodePoint, normalize } from './unicode/code-points.mjs';
import { graphemeBreakOfEach, graphemeBreaks, indicConjuncts } from './unicode/graphemes.mjs';
import {
  combiningRankOfEach,
  compatibilityDecompositions,
  compositions,
  forms,
  newNonstarterBit,
  normalizationFlags,
  normalizationFlagsOfEach,
} from './unicode/normalization.mjs';
import { categories, categoryOfEach, lower, properties, scriptOfEach, scripts } from './unicode/properties.mjs';
import { rustIsMark, rustNormalize, rustVersion } from './unicode/rust-library.mjs';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'native', 'tokenizer');

const alphabeticBit = 5;

function has(record, name) {
  return (record >> properties.findIndex((property) => property.name === name)) & 1;
}

function collect() {
  const records = new Uint16Array(lastCodePoint + 1);
  const lowercase = new Map();
  const decompositions = new Map();
  const nonstarters = [];
  const categoryRecords = categoryOfEach();
  for (let c = 0; c <= lastCodePoint; c++) {
    const text = String.fromCodePoint(c);
    properties.forEach(({ test }, bit) => {
      if (test(text, c)) records[c] |= 1 << bit;
    });
    if (has(records[c], 'Lowercases')) lowercase.set(c, codePointsOf(lower(text)));
    if (has(records[c], 'Decomposes')) decompositions.set(c, codePointsOf(normalize(text, 'NFD')));
    checkDecomposition(text);
    if (has(records[c], 'Nonstarter')) nonstarters.push(text);
    if (/^\p{Alphabetic}$/u.test(text)) categoryRecords[c] |= 1 << alphabeticBit;
  }
  const pairs = compositions(rustNormalize);
  return {
    records,
    tables: {
      Record: twoStage(records, 7),
      Category: smallest(categoryRecords),
      Script: smallest(scriptOfEach()),
      GraphemeBreak: smallest(graphemeBreakOfEach()),
      CombiningRank: smallest(combiningRankOfEach(nonstarters, normalize, rustNormalize)),
      Normalization: smallest(normalizationFlagsOfEach(pairs, rustNormalize, rustIsMark)),
    },
    mappings: {
      Lowercase: pooled(lowercase, 6),
      Decomposition: pooled(decompositions, 6),
      Compatibility: pooled(compatibilityDecompositions(rustNormalize), 6),
      Composition: pooled(pairs, 6),
    },
  };
}

// Decompositions never change once a character has one, so one table serves both versions.
function checkDecomposition(text) {
  const old = rustNormalize(text, 'NFD');
  if (old !== text && old !== normalize(text, 'NFD')) {
    throw new Error(`U+${text.codePointAt(0).toString(16)} decomposed in another way`);
  }
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
  return { shift, index, blocks, indexType: known.size > 256 ? 'uint16_t' : 'uint8_t' };
}

/** The two stages of bytes that take the least memory. */
function smallest(values) {
  const size = ({ index, blocks, indexType }) => index.length * (indexType === 'uint8_t' ? 1 : 2) + blocks.length;
  return [5, 6, 7, 8].map((shift) => twoStage(values, shift)).reduce((a, b) => (size(b) < size(a) ? b : a));
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
  return { pool, last: values.length - 1, ...twoStage(values, shift) };
}

function wrap(words, indent) {
  const lines = [];
  let line = indent;
  for (const word of words) {
    const text = line === indent ? word : ` ${word}`;
    if (line.length + text.length > 120) {
      lines.push(line);
      line = indent + word;
    } else {
      line += text;
    }
  }
  return [...lines, line].join('\n');
}

function array(type, name, values) {
  const words = Array.from(values, (value) => `${value},`);
  return `const ${type} ${name}[${values.length}] = {\n${wrap(words, '    ')}\n};\n`;
}

const banner = `// Generated by tools/make-unicode-tables.mjs from Unicode ${process.versions.unicode} and the Rust library tokenizers ${rustVersion}. Do not edit.
`;

function enumeration(comment, name, values) {
  const words = values.map((value) => `k${value.replaceAll('_', '')},`);
  return `${comment}\nenum class ${name} : uint8_t {\n${wrap(words, '  ')}\n};\n`;
}

function tableDeclarations(tables) {
  return Object.entries(tables).map(
    ([name, { shift, indexType }]) => `inline constexpr int k${name}Shift = ${shift};
extern const ${indexType} k${name}Index[];
extern const ${name === 'Record' ? 'uint16_t' : 'uint8_t'} k${name}Values[];
`,
  );
}

function mappingDeclarations(mappings) {
  return Object.entries(mappings).map(
    ([name, { indexType, last }]) => `inline constexpr char32_t kLast${name} = ${last};
extern const ${indexType} k${name}Index[];
extern const uint16_t k${name}Positions[];
extern const char32_t k${name}Pool[];
`,
  );
}

function header({ tables, mappings }) {
  const bits = properties.map(
    ({ name, comment }, bit) => `// ${comment}\ninline constexpr uint16_t k${name} = 1u << ${bit};`,
  );
  return `#pragma once

${banner}
#include <cstdint>

namespace bert_native::unicode {

// A code point's record of flags.
${bits.join('\n')}

// clang-format off
${enumeration('// General_Category.', 'Category', categories)}
${enumeration('// The scripts of Unicode 9.0; what is newer, or has none, is kAny.', 'Script', scripts)}
${enumeration('// Grapheme_Cluster_Break, and Extended_Pictographic, which only others of its have.', 'GraphemeBreak', graphemeBreaks)}
${enumeration('// Indic_Conjunct_Break.', 'IndicConjunct', indicConjuncts)}// clang-format on

// Alphabetic, beside the category.
inline constexpr uint8_t kAlphabetic = 1u << ${alphabeticBit};
// The Indic_Conjunct_Break stands above the Grapheme_Cluster_Break.
inline constexpr int kIndicConjunctShift = 4;

// The normalization forms are those of the Rust library, of an older version of Unicode.
// May change in the form, or change with what stands before it.
${forms.map((form, bit) => `inline constexpr uint8_t kChangesIn${form[0]}${form.slice(1).toLowerCase()} = 1u << ${bit};`).join('\n')}
${normalizationFlags.map(({ name, comment }, i) => `// ${comment}\ninline constexpr uint8_t k${name} = 1u << ${forms.length + i};`).join('\n')}

// Combining classes by rank, from 1; only their order matters. Those that the forms do not know yet have this bit, too.
inline constexpr uint8_t kNewNonstarter = 1u << ${newNonstarterBit};

// Two stages: the value of c is kNameValues[kNameIndex[c >> kNameShift] << kNameShift | low bits].
${tableDeclarations(tables).join('\n')}
// Mappings: two stages of positions in a pool, where a sequence stands behind its length. To be asked only up to the
// last code point that has one.
inline constexpr int kMappingShift = ${mappings.Lowercase.shift};
${mappingDeclarations(mappings).join('\n')}
}  // namespace bert_native::unicode
`;
}

function source({ tables, mappings }) {
  const arrays = [
    ...Object.entries(tables).flatMap(([name, { index, blocks, indexType }]) => [
      array(indexType, `k${name}Index`, index),
      array(name === 'Record' ? 'uint16_t' : 'uint8_t', `k${name}Values`, blocks),
    ]),
    ...Object.entries(mappings).flatMap(([name, { index, blocks, pool, indexType }]) => [
      array(indexType, `k${name}Index`, index),
      array('uint16_t', `k${name}Positions`, blocks),
      array('char32_t', `k${name}Pool`, pool),
    ]),
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
for (const [name, { shift, index, blocks, indexType }] of Object.entries({ ...data.tables, ...data.mappings })) {
  console.log(`${name}: blocks of ${1 << shift}, ${indexType} index of ${index.length}, ${blocks.length} values`);
}
writeFileSync(join(folder, 'unicode_tables.h'), header(data));
writeFileSync(join(folder, 'unicode_tables.cc'), source(data));
