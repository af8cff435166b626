#!/usr/bin/env node
// Writes Markdown tables and SVG charts beside every file of results. Usage: npm run bench:report [-- <results.json> …]

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeReport } from './report-files.mjs';
import { readResults, resultFiles } from './results.mjs';

const given = process.argv.slice(2);
const files = given.length > 0 ? given : resultFiles(join(dirname(fileURLToPath(import.meta.url)), 'results'));
if (files.length === 0) console.error('there are no results yet: npm run bench makes them');
for (const file of files) {
  for (const path of writeReport(file, readResults(file).runs)) console.log(path);
}
