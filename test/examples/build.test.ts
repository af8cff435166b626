import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import * as library from '../../lib/index.ts';

// What tools/build-lib.mjs makes: messages name classes, so that no name may be lost in fewer files.

const dist = join(import.meta.dirname, '..', '..', 'dist');

test('the built library exports what lib/index.ts does, with the same names', async () => {
  const built: Record<string, unknown> = await import(pathToFileURL(join(dist, 'index.js')).href);
  const namesOf = (exported: object) =>
    Object.entries(exported).map(([key, value]) => [key, typeof value === 'function' ? value.name : typeof value]);
  expect(namesOf(built).sort()).toEqual(namesOf(library).sort());
});

test('every file of the library has its types', () => {
  const files = (folder: string, ending: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(ending))
      .map((name) => name.slice(0, -ending.length))
      .sort();
  expect(files(dist, '.d.ts')).toEqual(files(join(dist, '..', 'lib'), '.ts'));
});
