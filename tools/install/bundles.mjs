// An application with a worker, bundled by esbuild in the ways that docs/install.md describes.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { application, applicationWorker } from './programs.mjs';

/** CommonJS inside of an ES module calls require(), which ES modules have to make. */
const banner =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);";

export function bundleApplication({ check, folder, sandbox, app, installed, model }) {
  const sources = { 'app.mjs': application, 'worker.mjs': applicationWorker };
  for (const [name, text] of Object.entries(sources)) writeFileSync(join(app, name), text);
  const entryPoints = Object.keys(sources).map((name) => join(app, name));
  const largeVocabulary = vocabularyOfManyTokens(join(folder, 'large-vocabulary'), model);
  const common = { bundle: true, platform: 'node', format: 'esm', target: 'node20', outExtension: { '.js': '.mjs' } };
  const runBundle = (outdir, parseWorkers) =>
    sandbox
      .succeed(process.execPath, [join(outdir, 'app.mjs'), model, largeVocabulary, String(parseWorkers)], {
        cwd: folder,
      })
      .trim();

  check('esbuild, bert-native external', () => {
    const outdir = join(app, 'out');
    buildSync({ ...common, entryPoints, outdir, external: ['bert-native'] });
    return runBundle(outdir, 1);
  });

  // Away from every node_modules: the bundle has to be all that there is.
  const inside = join(folder, 'bundle');
  const bundleInside = (entries) =>
    buildSync({ ...common, entryPoints: entries, outdir: inside, banner: { js: banner }, entryNames: '[name]' });
  check('esbuild, bert-native inside, without its addon: what the error says', () => {
    bundleInside(entryPoints);
    const { status, stderr } = sandbox.run(process.execPath, [join(inside, 'app.mjs'), model], { cwd: folder });
    if (status === 0 || !stderr.includes('copy node_modules/bert-native/prebuilds beside the bundle')) {
      throw new Error(stderr);
    }
  });
  check('esbuild, bert-native inside, its addon copied', () => {
    cpSync(join(installed, 'prebuilds'), join(inside, 'prebuilds'), { recursive: true });
    return runBundle(inside, 0);
  });
  check('esbuild, the same with parse-worker', () => {
    bundleInside([...entryPoints, join(installed, 'dist', 'tokenizers', 'loading', 'parse-worker.js')]);
    return runBundle(inside, 1);
  });
}

/** A WordPiece vocabulary of more than 1 MiB, which takes long enough to parse for a thread of its own. */
function vocabularyOfManyTokens(folder, model) {
  mkdirSync(folder);
  const made = Array.from({ length: 60_000 }, (_, i) => `made-up-token-${i.toString(36)}`);
  const own = readFileSync(join(model, 'vocab.txt'), 'utf8').trimEnd();
  writeFileSync(join(folder, 'vocab.txt'), `${[own, ...made].join('\n')}\n`);
  cpSync(join(model, 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'));
  return folder;
}
