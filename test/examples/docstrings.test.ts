import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './pieces.ts';

// What npm run docs:api makes pages of.

interface Exported {
  readonly name: string;
  readonly file: string;
}

/** What a file exports from others, by the names that it has there. */
function exportsOf(file: string): Exported[] {
  const source = readFileSync(file, 'utf8');
  return [...source.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';/gm)].flatMap(([, names, from]) =>
    names!
      .split(',')
      .map((name) =>
        name
          .replace(/ as .*/, '')
          .replace(/\btype /, '')
          .trim(),
      )
      .filter((name) => name !== '')
      .map((name) => ({ name, file: join(dirname(file), from!) })),
  );
}

/** Whether one of the declarations of the name, of which a callable class has two, has a docstring. */
function hasDocstring({ name, file }: Exported): boolean {
  const passed = exportsOf(file).find((other) => other.name === name);
  if (passed !== undefined) return hasDocstring(passed);
  const source = readFileSync(file, 'utf8').replaceAll(/^\/\/ biome-ignore .*\n/gm, '');
  const declaration = new RegExp(
    String.raw`(\*/\n)?^export [a-z ]*(?:class|function\*?|interface|type|const) ${name}\b`,
    'gm',
  );
  const own = new RegExp(String.raw`^export \{[^}]*?\b(\w+) as ${name}\b`, 'm').exec(source)?.[1];
  if (own !== undefined) return hasDocstring({ name: own, file });
  return [...source.matchAll(declaration)].some(([, docstring]) => docstring !== undefined);
}

test('every export has a docstring', () => {
  const exported = exportsOf(join(root, 'lib', 'index.ts'));
  expect(exported.length).toBeGreaterThan(150);
  const lacking = exported.filter((each) => !hasDocstring(each));
  expect(lacking.map(({ name, file }) => `${file.slice(root.length + 1)}: ${name}`)).toEqual([]);
});
