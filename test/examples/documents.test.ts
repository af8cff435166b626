import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorCodes } from '../../lib/errors.ts';
import { piecesOf, root, usePieces } from './pieces.ts';

const names = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const run = usePieces();

describe.each(names)('docs/%s', (name) => {
  const pieces = piecesOf(join('docs', name));
  if (pieces.length > 0) test.each(pieces)('$name', (piece) => run(piece));

  test('links lead somewhere', () => expectLinks(join('docs', name)));
});

const others = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'bench/README.md',
  'examples/README.md',
  'prebuilds/README.md',
];
const documents = [...others, ...names.map((name) => join('docs', name))];

test.each(others)('the links of %s lead somewhere', expectLinks);

test.each(documents)('files that %s names are there', (path) => {
  const named = [...readText(path).matchAll(/`((?:lib|native|test|tools|docs|bench|examples)\/[^`*<>…{}\s]+)`/g)];
  const lost = named
    .map(([, file]) => file!)
    .filter((file) => ![root, join(root, dirname(path))].some((folder) => existsSync(join(folder, file))));
  expect(lost).toEqual([]);
});

test('the layout in ARCHITECTURE.md has every folder', () => {
  const [, layout] = /^## Layout\n+```\n([\s\S]*?)^```$/m.exec(readText('ARCHITECTURE.md'))!;
  const made = /^(?:\.git|node_modules|dist|build.*|coverage)$/;
  const foldersOf = (...path: string[]) =>
    readdirSync(join(root, ...path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !made.test(entry.name))
      .map(({ name }) => `${name}/`);
  const folders = [foldersOf(), ...['lib', 'native', 'tools'].map((name) => foldersOf(name))].flat();
  expect(folders.filter((name) => !layout!.includes(name))).toEqual([]);
});

describe('commands in documents', () => {
  const texts = documents.map((path) => ({ path, text: readText(path) }));

  test('are scripts of package.json', () => {
    const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
    const lost = texts.flatMap(({ path, text }) =>
      [...text.matchAll(/\bnpm run (?:--silent )?([a-z][a-z0-9:-]*[a-z0-9])/g)]
        .map(([, name]) => name!)
        .filter((name) => scripts[name] === undefined)
        .map((name) => `${path}: ${name}`),
    );
    expect(lost).toEqual([]);
  });

  test('and are commands and options of bert-native', () => {
    const help = (...args: string[]) =>
      execFileSync(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args, '--help'], { encoding: 'utf8' });
    const commands = new Map(
      [...help().matchAll(/^ {2}([a-z][a-z-]+) /gm)].map(([, name]) => [name!, name === 'help' ? '' : help(name!)]),
    );
    const lost: string[] = [];
    for (const { path, text } of texts) {
      for (const [line, names] of text.matchAll(/(?<=\bbert-native )([a-z][a-z-]+(?: \| [a-z-]+)*)[^\n`#]*/g)) {
        const own = names!.split(' | ').filter((name) => commands.has(name));
        if (own.length === 0) continue; // a sentence about the library
        for (const [option] of line.matchAll(/(?<!\S)--[a-z][a-z-]+/g)) {
          if (!own.every((name) => commands.get(name)!.includes(option))) lost.push(`${path}: ${line}`);
        }
      }
      for (const [line, name] of text.matchAll(/\bnpx bert-native ([a-z][a-z-]*)/g)) {
        if (!commands.has(name!)) lost.push(`${path}: ${line}`);
      }
    }
    expect(lost).toEqual([]);
  });
});

function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Files and headings of this project that a document links to. */
function expectLinks(path: string): void {
  const document = readFileSync(join(root, path), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
  const lost: string[] = [];
  for (const [, link] of document.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(link!)) continue;
    const [file, heading] = link!.split('#');
    const target = file === '' ? join(root, path) : join(root, dirname(path), file!);
    if (!existsSync(target) || (heading !== undefined && !headingsOf(target).has(heading))) lost.push(link!);
  }
  expect(lost).toEqual([]);
}

/** As they are named in links. */
function headingsOf(path: string): Set<string> {
  const headings = [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, text]) => text!);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('every error code has its remedies in docs/troubleshooting.md', () => {
  const document = readFileSync(join(root, 'docs', 'troubleshooting.md'), 'utf8');
  const described = [...document.matchAll(/^### (ERR_[A-Z_]+)$/gm)].map(([, code]) => code!);
  expect(described.sort()).toEqual(Object.keys(errorCodes).sort());
});
