#!/usr/bin/env node
// Writes a Markdown table beside every file of results. Usage: npm run bench:report [-- <results.json> …]

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAtomically } from './prepare.mjs';
import { renderReport } from './render.mjs';
import { readResults, resultFiles } from './results.mjs';

const given = process.argv.slice(2);
const files = given.length > 0 ? given : resultFiles(join(dirname(fileURLToPath(import.meta.url)), 'results'));
if (files.length === 0) console.error('there are no results yet: npm run bench makes them');
for (const file of files) {
  const path = file.replace(/(\.json)?$/, '.md');
  writeAtomically(path, renderReport(readResults(file).runs));
  console.log(path);
}
