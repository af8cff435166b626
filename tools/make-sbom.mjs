#!/usr/bin/env node
// Writes the bill of materials of the package (CycloneDX 1.5) and checks it: everything that npm installs with it is there,
// nothing that only its development needs, and what is compiled into the addons.
// Usage: node tools/make-sbom.mjs [--out build/bert-native.cdx.json]

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { printTable } from './prebuilds/table.mjs';
import { billOfMaterials, problemsOfBill } from './release/bill-of-materials.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { out: { type: 'string' } } });
const out = resolve(values.out ?? join(root, 'build', 'bert-native.cdx.json'));

const [packageJson, lock] = ['package.json', 'package-lock.json'].map((name) =>
  JSON.parse(readFileSync(join(root, name), 'utf8')),
);
const bill = billOfMaterials(packageJson, lock);
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, `${JSON.stringify(bill, null, 2)}\n`);

printTable(
  ['part', 'version', 'licence'],
  bill.components.map(({ name, version = '', licenses: [{ expression, license }] }) => [
    name,
    version,
    expression ?? license.id ?? license.name,
  ]),
);
console.log(`\n${bill.components.length} parts of ${packageJson.name} ${packageJson.version}: ${out}`);
const problems = problemsOfBill(bill, packageJson, lock);
for (const problem of problems) console.error(`make-sbom: ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);
