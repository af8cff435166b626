import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { packageRoot } from '../../../lib/binding/load.ts';
import { temporaryFolder } from '../../support/temporary.ts';

let bundled: Promise<string> | undefined;

/** The engine as JavaScript, inside the package, so that it finds the addon. */
function engine(): Promise<string> {
  bundled ??= (async () => {
    const folder = join(packageRoot, 'build', 'test', 'onnxruntime-engine');
    mkdirSync(folder, { recursive: true });
    const bundle = await rolldown({
      cwd: packageRoot,
      input: { engine: join(import.meta.dirname, 'child-engine.ts') },
      platform: 'node',
      external: (id) => id.startsWith('node:') || id.startsWith('@bufbuild/'),
      logLevel: 'warn',
    });
    await bundle.write({ dir: folder, format: 'esm' });
    await bundle.close();
    return join(folder, 'engine.js');
  })();
  return bundled;
}

/**
 * Runs a program in a process of its own, with `loadGraph`, `openOnnxRuntime`, `findOnnxRuntime`, `env`, `require`, the URL `engine` of
 * them, what it is `given`, and `result`, which hands over what the program found.
 */
export async function runChild<T>(
  program: string,
  given: unknown = null,
  environment: Readonly<Record<string, string>> = {},
): Promise<T> {
  const engineUrl = pathToFileURL(await engine()).href;
  const script = join(temporaryFolder(), 'program.mjs');
  writeFileSync(
    script,
    `import { env, findOnnxRuntime, loadGraph, openOnnxRuntime } from ${JSON.stringify(engineUrl)};
    import { createRequire } from 'node:module';
    const engine = ${JSON.stringify(engineUrl)};
    const require = createRequire(${JSON.stringify(import.meta.filename)});
    const given = ${JSON.stringify(given)};
    const result = (value) => console.log('\\n' + JSON.stringify(value));
    ${program}`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [script], {
    env: { ...process.env, ...environment },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}
