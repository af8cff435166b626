import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memorySource, withFileSource } from '../../lib/weights/byte-source.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { failure } from './support.ts';

async function fileOf(content: string): Promise<string> {
  const path = join(temporaryFolder(), 'file');
  writeFileSync(path, content);
  return path;
}

describe('withFileSource', () => {
  test('reads ranges', async () => {
    const bytes = await withFileSource(await fileOf('0123456789'), (source) => source.read(3, 4));
    expect(Buffer.from(bytes).toString()).toBe('3456');
  });

  test('an empty range at the end', async () => {
    expect(await withFileSource(await fileOf('01'), (source) => source.read(2, 0))).toHaveLength(0);
  });

  test('a file that is written to meanwhile', async () => {
    const path = await fileOf('0123456789');
    const error = await failure(
      withFileSource(path, async () => appendFileSync(path, 'more')),
      'ERR_IO',
    );
    expect(error.message).toContain('changed');
  });

  test('a file that is cut short meanwhile', async () => {
    const path = await fileOf('0123456789');
    const reading = withFileSource(path, (source) => {
      truncateSync(path, 4);
      return source.read(0, 10);
    });
    expect((await failure(reading, 'ERR_IO')).message).toContain('shorter');
  });

  test.skipIf(process.platform === 'win32')('a named pipe is refused without waiting', async () => {
    const path = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    expect(
      (
        await failure(
          withFileSource(path, async () => null),
          'ERR_IO',
        )
      ).message,
    ).toContain('not a regular file');
  });

  const rightsBind = process.platform !== 'win32' && process.getuid?.() !== 0;
  if (!rightsBind) console.warn('SKIPPED: unreadable files, because this user may read everything');
  test.skipIf(!rightsBind)('an unreadable file', async () => {
    const path = await fileOf('x');
    chmodSync(path, 0);
    await failure(
      withFileSource(path, async () => null),
      'ERR_IO',
    );
  });
});

describe.each(['file', 'memory'])('ranges outside a %s', (kind) => {
  test.each([
    [0, 11],
    [10, 1],
    [11, 0],
    [-1, 2],
    [0, -1],
    [2 ** 60, 1],
    [0, 2 ** 53],
    [1.5, 1],
    [Number.NaN, 1],
    [0, Number.POSITIVE_INFINITY],
  ])('offset %d, length %d', async (offset, length) => {
    const reading =
      kind === 'memory'
        ? memorySource(Buffer.from('0123456789')).read(offset, length)
        : withFileSource(await fileOf('0123456789'), (source) => source.read(offset, length));
    await failure(reading, 'ERR_FILE_FORMAT');
  });
});
