import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const program = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');

/** Runs the command line, which must succeed. @returns what it writes to standard output */
export function run(...args: string[]): string {
  return execFileSync(process.execPath, [program, ...args], { encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 28 });
}

/** Runs the command line, whatever comes of it. */
export function attempt(args: readonly string[], input: string | Buffer = '') {
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', input, maxBuffer: 1 << 28 });
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** What it ended with. */
  readonly ended: Promise<{ status: number | null; signal: string | null; stdout: string; stderr: string }>;
}

/** Starts the command line and leaves it running. */
export function start(...args: string[]): Running {
  return startNode([program, ...args]);
}

/**
 * Starts the command line, which sends itself a signal as soon as a file has more than so many bytes: in the middle of
 * what it does, however slow whoever started it is.
 */
export function startInterrupted(
  { signal, file, size_bytes }: { signal: NodeJS.Signals; file: string; size_bytes: number },
  ...args: string[]
): Running {
  const module = pathToFileURL(join(import.meta.dirname, 'interrupt-itself.mjs')).href;
  return startNode(['--import', module, program, ...args], {
    INTERRUPT_SIGNAL: signal,
    INTERRUPT_FILE: file,
    INTERRUPT_SIZE_BYTES: String(size_bytes),
  });
}

function startNode(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...environment } });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk) => stdout.push(chunk));
  child.stderr.on('data', (chunk) => stderr.push(chunk));
  child.stdin.on('error', () => {}); // it may end before it has read everything
  const ended = once(child, 'close').then(([status, signal]) => ({
    status,
    signal,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  }));
  return { child, ended };
}

/** Waits until something holds; fails when it still does not after a minute. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 6000) throw new Error(`waited for a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
