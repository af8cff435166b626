// The declarations, as several tools and settings of TypeScript read them.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../prebuilds/npm-package.mjs';

export function checkTypes({ check, root, tarball, app, write, source }) {
  const bin = (...path) => join(root, 'node_modules', ...path);
  check('publint', () => {
    const output = run(process.execPath, [bin('publint', 'src', 'cli.js'), tarball, '--strict'], { cwd: root });
    if (!output.includes('All good')) throw new Error(output);
  });
  // require() of an ES module is what this package offers to CommonJS, on purpose.
  check('are the types wrong?', () => {
    run(process.execPath, [bin('@arethetypeswrong', 'cli', 'dist', 'index.js'), tarball, '--profile', 'esm-only'], {
      cwd: root,
    });
  });
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['preserve', 'bundler'],
  ]) {
    check(`TypeScript, moduleResolution ${moduleResolution}`, () => {
      write('typed.mts', source);
      const compilerOptions = {
        target: 'es2023',
        lib: ['es2023', 'esnext.disposable'],
        module,
        moduleResolution,
        strict: true,
        noEmit: true,
        types: ['node'],
        typeRoots: [bin('@types')],
      };
      writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.mts'] }));
      run(process.execPath, [bin('typescript', 'bin', 'tsc'), '-p', app], { cwd: app });
    });
  }
}
