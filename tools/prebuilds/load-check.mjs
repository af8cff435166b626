// Loads an addon in a process of its own and embeds with it.

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { arm64Node, arm64Runner } from './arm64-node.mjs';
import { muslRuntime } from './musl.mjs';
import { hostLibc, isForeignMusl } from './targets.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/** @returns {{ command: string, args: string[] } | null} what runs a script on `target` here */
function nodeFor(target) {
  const isSystem = target.platform === process.platform && target.libc === hostLibc();
  if (isSystem && target.arch === process.arch) return { command: process.execPath, args: [] };
  if (isSystem && target.platform === 'linux' && target.arch === 'arm64') {
    const runner = arm64Runner();
    return 'missing' in runner ? null : { command: runner.command, args: [...runner.args, arm64Node()] };
  }
  return isForeignMusl(target) ? muslRuntime() : null;
}

/** @returns {{ verdict: string, problem?: string }} */
export function loadCheck(file, target) {
  const node = nodeFor(target);
  if (node === null) return { verdict: 'not here' };
  const script = join(here, 'embed-with-addon.mjs');
  const result = spawnSync(node.command, [...node.args, script], {
    encoding: 'utf8',
    env: { ...process.env, BERT_NATIVE_ADDON: file },
  });
  if (result.status === 0) return { verdict: result.stdout.trim() };
  const output = `${result.stdout}${result.stderr}`.trim();
  return { verdict: 'FAILED', problem: `does not load and embed: ${result.error?.message ?? output}` };
}
