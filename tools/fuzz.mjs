#!/usr/bin/env node
// Fuzzes what reads files and requests of others: the native core by libFuzzer (clang), the parsers in TypeScript by
// tools/fuzz/parsers. Prints a table; status 1 where something was found, which lies in build/fuzz/found then.
// Usage: npm run fuzz -- [target…] [--seconds 130] [--seed 1] [--without-native]        --list names the targets
//   --seconds         for each target; what stands here takes an hour for all of them
//   --seed            of what is random
//   --without-native  only the parsers, which need no compiler

import { parseArgs } from 'node:util';
import { buildNative, fuzzNative, nativeTargets, whyNoNative } from './fuzz/native.mjs';
import { fuzzParser, parserTargets } from './fuzz/parsers.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '130' },
    seed: { type: 'string', default: '1' },
    'without-native': { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
if (!(seconds > 0)) fail('--seconds is a number above 0');
if (!Number.isSafeInteger(seed) || seed < 1 || seed >= 2 ** 31) fail('--seed is a whole number from 1 to 2^31 - 1');

const parsers = await parserTargets();
const natives = Object.keys(nativeTargets);
if (values.list) {
  console.log(`native core: ${natives.join(', ')}\nparsers: ${parsers.join(', ')}`);
  process.exit(0);
}
const unknown = positionals.filter((name) => !parsers.includes(name) && !natives.includes(name));
if (unknown.length > 0) fail(`no target ${unknown.join(', ')}; there are ${[...natives, ...parsers].join(', ')}`);
const wanted = (name) => positionals.length === 0 || positionals.includes(name);

const rows = [];
const wantedNatives = natives.filter((name) => wanted(name) && !values['without-native']);
const missing = wantedNatives.length > 0 ? whyNoNative() : null;
if (missing !== null) {
  console.warn(`SKIPPED: ${wantedNatives.length} targets of the native core are not fuzzed: ${missing}`);
  for (const name of wantedNatives) rows.push([name, 'C++', 'SKIPPED', '', '', '', '', '']);
} else if (wantedNatives.length > 0) {
  console.log('building the native targets …');
  buildNative(wantedNatives);
  for (const name of wantedNatives) report(name, 'C++', fuzzNative(name, { seconds, seed }));
}
for (const name of parsers.filter(wanted)) report(name, 'TypeScript', await fuzzParser(name, { seconds, seed }));

console.log('');
const header = ['target', 'code', 'found', 'inputs', 'accepted', 'corpus', 'blocks', 'refused as'];
const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => String(row[i]).length)));
for (const row of [header, ...rows]) {
  console.log(`  ${row.map((cell, i) => String(cell).padEnd(widths[i])).join('  ')}`.trimEnd());
}
const skipped = rows.filter((row) => row[2] === 'SKIPPED').length;
const found = rows.reduce((sum, row) => sum + (Number(row[2]) || 0), 0);
console.log(
  `\n${seconds} s for each target, seed ${seed}: ${found === 0 ? 'nothing was found' : `${found} findings, in build/fuzz/found`}${skipped > 0 ? `, ${skipped} targets SKIPPED` : ''}`,
);
process.exit(found === 0 ? 0 : 1);

function report(name, code, { findings, inputs, corpus, blocks, outcomes }) {
  const refused = Object.entries(outcomes ?? {}).filter(([outcome]) => outcome !== 'accepted');
  const codes = refused.map(([outcome, count]) => `${outcome} ${count}`).join(', ');
  rows.push([name, code, findings.length, inputs, outcomes?.accepted ?? '', corpus, blocks, codes]);
  console.log(`${name}: ${inputs} inputs, ${findings.length} findings`);
}

/** @returns {never} */
function fail(message) {
  console.error(`fuzz: ${message}`);
  process.exit(2);
}
