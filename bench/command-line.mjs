/** What the benchmarks' command lines have in common. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * The instruction set that bert-native takes here, and its default number of threads: what its addon says.
 *
 * @returns {Promise<{ isa: string, available_isas: string[], threads: number }>}
 */
export async function systemInfo() {
  const path = join(root, 'dist', 'binding', 'load.js');
  if (!existsSync(path)) throw new Error('the library is not built: npm run build');
  const { nativeBinding } = await import(path);
  return nativeBinding().system_info();
}

/**
 * What `--threads` and `--isa` come to on this machine.
 *
 * @param {{ threads?: string | undefined, isa?: string | undefined }} values
 */
export async function settingHere({ threads, isa }) {
  const info = await systemInfo();
  if (isa !== undefined && !info.available_isas.includes(isa)) {
    throw new Error(`--isa is ${isa}: this processor has ${info.available_isas.join(', ')}`);
  }
  return { isa: isa ?? info.isa, threads: threads === undefined ? info.threads : positive('threads', threads) };
}

/** @param {string} name @param {string} text */
export function positive(name, text) {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`--${name} is ${text}: expected a whole number, at least 1`);
  return Number(text);
}

/**
 * Does something for each part until it is interrupted; what fails for one part stops none of the others.
 *
 * @template {{ name: string }} Part
 * @param {readonly Part[]} parts
 * @param {(part: Part, signal: AbortSignal) => Promise<void>} measure
 */
export async function forEachPart(parts, measure) {
  const controller = new AbortController();
  let interrupted = Infinity;
  const interrupt = () => {
    // npm passes on what the terminal has sent already: only a later signal is a second one.
    if (performance.now() - interrupted > 2000) process.exit(130);
    if (controller.signal.aborted) return;
    interrupted = performance.now();
    console.error('\ninterrupted: what was measured so far is kept');
    controller.abort();
    process.exitCode = 130;
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  for (const [i, part] of parts.entries()) {
    if (controller.signal.aborted) break;
    console.log(`\n[${i + 1}/${parts.length}] ${part.name}`);
    try {
      await measure(part, controller.signal);
    } catch (error) {
      if (controller.signal.aborted) break;
      console.error(`  FAILED: ${error instanceof Error ? error.message : error}`);
      process.exitCode = 1;
    }
  }
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
}

/** @param {import('./types.ts').Run['machine']} machine */
export function warnOfLoad({ load_average, cores }) {
  if (load_average <= cores / 4) return;
  console.log(`WARNING: the load average is ${load_average.toFixed(1)}: other work will disturb the measurement`);
}
