#!/usr/bin/env node
// Writes a page for each class, function and type of the library, of its docstrings. Usage: npm run docs:api [-- <folder>]
// The generator is a package of its own (package.json beside this file), which is installed the first time.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const output = resolve(process.argv[2] ?? join(root, 'build', 'api'));

if (!existsSync(join(here, 'node_modules', 'typedoc'))) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const options = { cwd: here, stdio: 'inherit', shell: process.platform === 'win32' };
  const { status } = spawnSync(npm, ['ci', '--no-audit', '--no-fund'], options);
  if (status !== 0) {
    console.error('bert-native: typedoc could not be installed; npm says why above');
    process.exit(1);
  }
}

const { Application, OptionDefaults } = await import(
  pathToFileURL(join(here, 'node_modules', 'typedoc', 'dist', 'index.js')).href
);
const application = await Application.bootstrapWithPlugins({
  entryPoints: [join(root, 'lib', 'index.ts')],
  tsconfig: join(root, 'tsconfig.json'),
  name: 'bert-native',
  readme: join(root, 'README.md'),
  projectDocuments: [join(root, 'docs', '*.md')],
  highlightLanguages: [...OptionDefaults.highlightLanguages, 'docker', 'dockerfile'],
  excludeInternal: true,
  excludePrivate: true,
  sort: ['kind', 'alphabetical'],
  disableSources: true,
  includeVersion: true,
  validation: { notExported: false, invalidLink: true, notDocumented: false },
});
const project = await application.convert();
if (project === undefined) process.exit(1);
application.validate(project);
await application.generateDocs(project, output);
if (application.logger.hasErrors() || application.logger.hasWarnings()) process.exit(1);
console.log(`\n${join(relative(process.cwd(), output) || '.', 'index.html')}`);
