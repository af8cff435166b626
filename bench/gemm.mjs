#!/usr/bin/env node
/**
 * Measures the products of an encoder alone, in every kind of weights, as shares of what the processor's fastest
 * multiply-adds reach on registers: native/gemm_share.cc. Prints a Markdown table and writes it, and the figures, beside
 * the other results. Usage: npm run bench:gemm [-- --isa <name>] [--threads <n>] [--out <file.json>]
 */

import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { buildProgram, describeMachine, describeVersions, processorName } from './machine.mjs';

/**
 * @typedef {object} Product
 * @property {string} isa
 * @property {number} threads
 * @property {string} dtype
 * @property {string} product
 * @property {number} tokens
 * @property {number} outputs
 * @property {number} inputs
 * @property {number} giga_operations_per_s
 * @property {number} peak
 * @property {number} share_of_peak
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: { isa: { type: 'string' }, threads: { type: 'string' }, out: { type: 'string' } },
});

const machine = describeMachine();
const threads = values.threads ?? String(machine.cores);
const program = buildProgram('gemm_share', join(root, 'build', 'bench'));
if (program === null) process.exit(1);
if (machine.load_average > 0.5) {
  console.error(`WARNING: the load average is ${machine.load_average.toFixed(1)}: other work disturbs the measurement`);
}
const stdout = await measure(program, [threads, ...(values.isa === undefined ? [] : [values.isa])]);
/** @type {Product[]} */
const products = stdout
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

const { isa, tokens } = products[0];
const out = values.out ?? join(root, 'bench', 'results', 'gemm', `${processorName(machine)}-${threads}t-${isa}.json`);
mkdirSync(dirname(out), { recursive: true });
const measured = new Date().toISOString().slice(0, 10);
writeFileSync(out, `${JSON.stringify({ measured, machine, versions: describeVersions(), products }, null, 2)}\n`);
const table = [
  `# Products of BERT-base over ${tokens} tokens: ${machine.processor}, ${threads} threads, ${isa}`,
  '',
  `Measured ${measured}, load average ${machine.load_average.toFixed(1)}, bert-native ${describeVersions()['bert-native']}. Packing the`,
  'activations is part of it; the peak is that of the same kind of multiply-adds on registers alone. GFLOP/s, for q8 10⁹ integer',
  'operations per second.',
  '',
  '| dtype | product | outputs × inputs | reached | peak | share |',
  '| --- | --- | ---: | ---: | ---: | ---: |',
  ...products.map(
    (p) =>
      `| ${p.dtype} | ${p.product} | ${p.outputs} × ${p.inputs} | ${p.giga_operations_per_s.toFixed(0)} | ` +
      `${p.peak.toFixed(0)} | ${(100 * p.share_of_peak).toFixed(0)}% |`,
  ),
  '',
].join('\n');
writeFileSync(out.replace(/\.json$/, '.md'), table);
console.log(`${table}\n${out} and the .md beside it hold these.`);

/**
 * What the program prints; what it refuses is told as it says it.
 *
 * @param {string} program
 * @param {string[]} args
 */
async function measure(program, args) {
  try {
    return (await promisify(execFile)(program, args)).stdout;
  } catch (error) {
    console.error(/** @type {{ stderr?: string }} */ (error).stderr?.trim() || String(error));
    process.exit(1);
  }
}
