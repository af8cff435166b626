import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../lib/binding/load.ts';
import { temporaryFolder } from '../support/temporary.ts';

// SECURITY.md names a test for each limit, and where the limit stands: both have to be there, under those names.

const text = readFileSync(join(packageRoot, 'SECURITY.md'), 'utf8');

interface Row {
  readonly what: string;
  readonly where: string;
  readonly tests: string;
}

const rows: Row[] = text
  .slice(text.indexOf('\n## Limits\n'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| what |'))
  .map((line) => {
    const cells = line.split('|').slice(1, -1);
    expect(cells.length, line).toBe(4);
    const [what, , where, tests] = cells.map((cell) => cell.trim()) as [string, string, string, string];
    return { what, where, tests };
  });

const codesIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);
const quotesIn = (cell: string) => [...cell.matchAll(/"([^"]+)"/g)].map(([, quote]) => quote as string);
const isPath = (code: string) => code.includes('/');

/** Names of tests by file, as they run: those of tables are spelled out. */
const names = new Map<string, string>();

beforeAll(() => {
  const files = [...new Set(rows.flatMap(({ tests }) => codesIn(tests)).filter((path) => path.endsWith('.test.ts')))];
  const vitest = join(packageRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const list = join(temporaryFolder(), 'tests.json');
  const args = ['list', '--config', 'test/vitest.config.ts', '--project', 'all', `--json=${list}`, ...files];
  execFileSync(process.execPath, [vitest, ...args], { cwd: packageRoot, stdio: 'ignore' });
  const listed: { name: string; file: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const path of files) {
    const own = listed.filter(({ file }) => resolve(file) === resolve(packageRoot, path));
    names.set(path, own.map(({ name }) => name).join('\n'));
  }
});

test('the table of limits is read', () => {
  expect(rows.length).toBeGreaterThan(25);
});

test.each(rows)('$what: stands where the table says', ({ where }) => {
  const codes = codesIn(where);
  const paths = codes.filter(isPath);
  expect(paths.length).toBeGreaterThan(0);
  for (const path of paths) expect(existsSync(join(packageRoot, path)), path).toBe(true);
  const files = paths.filter((path) => /\.\w+$/.test(path));
  for (const name of codes.filter((code) => !isPath(code) && !code.includes('.'))) {
    const holds = files.some((path) => readFileSync(join(packageRoot, path), 'utf8').includes(name));
    expect(holds, `${name} in ${files.join(', ')}`).toBe(true);
  }
});

test.each(rows)('$what: has its tests, under these names', ({ tests }) => {
  const paths = codesIn(tests);
  const quotes = quotesIn(tests);
  expect(paths.length, 'a file of tests').toBeGreaterThan(0);
  expect(quotes.length, 'the name of a test').toBeGreaterThan(0);
  const known = paths.map((path) => names.get(path) ?? literalsIn(path)).join('\n');
  for (const quote of quotes) expect(known, quote).toContain(quote);
});

/** Of native tests: what stands in quotation marks. */
function literalsIn(path: string): string {
  const source = readFileSync(join(packageRoot, path), 'utf8');
  return [...source.matchAll(/\badd\([^"]*"([^"]+)"/g)].map(([, literal]) => literal).join('\n');
}
