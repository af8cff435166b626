import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const isPackage = (id) => Object.keys(dependencies).some((name) => id === name || id.startsWith(`${name}/`));

const made = new Map();

/**
 * Makes JavaScript of a file of test/fuzz and all that it imports of the library: Node 20 runs no TypeScript. It lies
 * below the repository, so that it finds its packages and the addon.
 *
 * @param {'targets' | 'seeds'} name
 * @returns {Promise<string>} the script
 */
export function bundleOf(name) {
  if (!made.has(name)) made.set(name, makeBundle(name));
  return made.get(name);
}

async function makeBundle(name) {
  const dir = join(root, 'build', 'fuzz', 'parsers');
  mkdirSync(dir, { recursive: true });
  const bundle = await rolldown({
    cwd: root,
    input: { [name]: join(root, 'test', 'fuzz', `${name}.ts`) },
    platform: 'node',
    transform: { target: 'es2023' },
    external: (id) => id.startsWith('node:') || isPackage(id),
    logLevel: 'warn',
  });
  await bundle.write({ dir, format: 'esm', codeSplitting: false });
  await bundle.close();
  return join(dir, `${name}.js`);
}
