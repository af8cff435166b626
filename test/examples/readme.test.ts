import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { families } from '../../lib/models/families.ts';
import { piecesOf, root, usePieces } from './pieces.ts';

const run = usePieces();
const pieces = piecesOf('README.md');

test('there are pieces to run', () => {
  expect(pieces.length).toBe(5);
});

test.each(pieces)('$name', (piece) => run(piece));

test('every family is in the table', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const [, table] = /^## Models\n([\s\S]*?)^## /m.exec(readme)!;
  const listed = [...table!.matchAll(/^\| ((?:`[a-z0-9_-]+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
    names!.split(', '),
  );
  expect(listed.sort()).toEqual(families.map(({ config }) => `\`${config.model_type}\``).sort());
});
