#!/usr/bin/env node
// Writes Markdown tables and SVG charts beside every file of results. Usage: npm run bench:report [-- <results.json> …]

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeOnnxRuntimeReport, writeReport, writeTaskReport } from './report-files.mjs';
import { readResults, resultFiles } from './results.mjs';

const given = process.argv.slice(2);
const results = join(dirname(fileURLToPath(import.meta.url)), 'results');
const files = given.length > 0 ? given : resultFiles(results);
const [taskFiles, graphFiles] = ['tasks', 'onnxruntime'].map((folder) =>
  given.length > 0 ? [] : resultFiles(join(results, folder)),
);
if (files.length + taskFiles.length + graphFiles.length === 0)
  console.error('there are no results yet: npm run bench makes them');
for (const file of files) {
  for (const path of writeReport(file, readResults(file).runs)) console.log(path);
}
for (const file of taskFiles) console.log(writeTaskReport(file, readResults(file).runs));
for (const file of graphFiles) console.log(writeOnnxRuntimeReport(file, readResults(file).runs));
