import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ErrorCode } from '../../../lib/errors.ts';
import { fileMark } from '../../../tools/fuzz/parsers/mutate.mjs';

export { fileMark };

/** A parser of what may come from anywhere, and how to tell whether it did what it promises. */
export interface FuzzTarget {
  /** Codes that it may refuse an input with. */
  readonly codes: readonly ErrorCode[];
  /** How inputs are best changed. */
  readonly kind: 'binary' | 'text' | 'json' | 'files';
  /** Words that inputs are made of. */
  readonly words?: readonly string[];
  /** Throws an Error of another kind where what was read cannot be. */
  run(bytes: Uint8Array): void | Promise<void>;
}

export function require(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`does not hold: ${what}`);
}

/** Several files in one input: each begins with a line of its own that names it. */
export function filesOf(bytes: Uint8Array): Map<string, Uint8Array> {
  const parts = `\n${Buffer.from(bytes).toString('latin1')}`.split(fileMark).slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      const [name, content] = end < 0 ? [part, ''] : [part.slice(0, end), part.slice(end + 1)];
      return [name, Uint8Array.from(Buffer.from(content, 'latin1'))] as const;
    }),
  );
}

/** Runs with a folder that has these files, and disappears. */
export async function withFolder<Result>(
  files: ReadonlyMap<string, Uint8Array>,
  run: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'bert-native-fuzz-'));
  try {
    for (const [name, content] of files) {
      // Only the reader decides what a path in a file leads to: here, files lie where a download puts them.
      if (!/^[\w.-]{1,80}(\/[\w.-]{1,80})?$/.test(name) || /(^|\/)\.\.?(\/|$)/.test(name)) continue;
      const path = join(folder, name);
      try {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content);
      } catch {} // a file has the name of another's folder
    }
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const fileCodes = ['ERR_FILE_FORMAT'] as const;
