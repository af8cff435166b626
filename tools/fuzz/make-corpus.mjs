#!/usr/bin/env node
// Writes what fuzzing of the parsers begins with: test/fuzz/corpus, of test/fuzz/seeds.ts.
// Usage: node tools/fuzz/make-corpus.mjs

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleOf, root } from './bundle.mjs';

const { seeds } = await import(pathToFileURL(await bundleOf('seeds')).href);
for (const [target, inputs] of Object.entries(await seeds())) {
  const folder = join(root, 'test', 'fuzz', 'corpus', target);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [index, input] of inputs.entries()) writeFileSync(join(folder, String(index)), input);
}
