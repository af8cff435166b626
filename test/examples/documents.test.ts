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

test.each(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'bench/README.md', 'examples/README.md'])(
  'the links of %s lead somewhere',
  expectLinks,
);

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
