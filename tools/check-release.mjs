#!/usr/bin/env node
// Whether the repository is ready for a release of the version in package.json: the changelog has a dated section for it and
// nothing left under Unreleased, package-lock.json and the tag agree. Prints that section.
// Usage: node tools/check-release.mjs [--tag v1.2.3] [--notes release-notes.md]

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { releaseOf } from './release/changelog.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { tag: { type: 'string' }, notes: { type: 'string' } } });
const read = (name) => readFileSync(join(root, name), 'utf8');

const { notes, problems } = releaseOf({
  changelog: read('CHANGELOG.md'),
  packageJson: JSON.parse(read('package.json')),
  lock: JSON.parse(read('package-lock.json')),
  tag: values.tag,
});
for (const problem of problems) console.error(`check-release: ${problem}`);
if (problems.length > 0) process.exit(1);
console.log(notes);
if (values.notes !== undefined) writeFileSync(values.notes, `${notes}\n`);
