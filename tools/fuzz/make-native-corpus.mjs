#!/usr/bin/env node
// Writes what fuzzing of the native core begins with, and what its tests begin with: test/fuzz/corpus/native-<target>.
// Fuzzes first, from what is there; then takes those inputs that reach most, as libFuzzer's merge counts it.
// Usage: node tools/fuzz/make-native-corpus.mjs [target…] [--seconds 200] [--seed 1]      --seconds 0: only takes anew

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative, featuresOf, fuzzNative, keptCorpus, nativeTargets, whyNoNative } from './native.mjs';

const mostFiles = 40;
const mostBytes = 40_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
});
const names = positionals.length > 0 ? positionals : Object.keys(nativeTargets);
const problem = whyNoNative() ?? (names.every((name) => name in nativeTargets) ? null : 'there is no such target');
if (problem !== null) {
  console.error(`make-native-corpus: ${problem}`);
  process.exit(2);
}
buildNative(names);
for (const name of names) {
  const seconds = Number(values.seconds);
  const { findings } = seconds > 0 ? fuzzNative(name, { seconds, seed: Number(values.seed) }) : { findings: [] };
  if (findings.length > 0) {
    console.error(`make-native-corpus: ${name}: mend what was found first: ${findings.join(', ')}`);
    process.exit(1);
  }
  const inputs = featuresOf(name);
  const all = new Set(inputs.flatMap(({ features }) => features));
  const chosen = choose(inputs);
  const folder = keptCorpus(name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { bytes } of chosen) {
    writeFileSync(join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 12)), bytes);
  }
  const size = chosen.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const reached = new Set(chosen.flatMap(({ features }) => features)).size;
  console.log(
    `${name}: ${chosen.length} of ${inputs.length} inputs, ${size} bytes, reach ${reached} of ${all.size} features`,
  );
}

/** One by one the input that reaches most of what is not reached yet, as far as there is room. */
function choose(inputs) {
  const left = inputs.map(({ path, features }) => ({
    bytes: readFileSync(path),
    features,
    missing: new Set(features),
  }));
  const chosen = [];
  let room = mostBytes;
  while (chosen.length < mostFiles) {
    const fits = left.filter(({ bytes, missing }) => missing.size > 0 && bytes.length <= room);
    if (fits.length === 0) break;
    const best = fits.reduce((a, b) => (gain(b) > gain(a) ? b : a));
    chosen.push(best);
    room -= best.bytes.length;
    const reached = [...best.missing];
    for (const { missing } of left) for (const feature of reached) missing.delete(feature);
  }
  return chosen;
}

/** A long input has to bring more: there is room for so many of about a thousand bytes. */
function gain({ bytes, missing }) {
  return missing.size / (1000 + bytes.length);
}
