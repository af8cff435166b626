import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { findAddon } from '../../lib/binding/load.ts';
import { fileOf, targets } from '../../tools/prebuilds/targets.mjs';
import { temporaryFolder } from '../support/temporary.ts';
import { root } from './pieces.ts';

// The pieces of docs/install.md, as they stand there. npm run test:install does the same with the packed package.

const text = readFileSync(join(root, 'docs', 'install.md'), 'utf8');
const pieces = [...text.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
const pieceWith = (words: string) => pieces.find((code) => code.includes(words))!;

const program = `
  import { AutoModel, AutoTokenizer } from 'bert-native';
  async function main() {
    const folder = ${JSON.stringify(join(root, 'examples', 'demo-model'))};
    const tokenizer = await AutoTokenizer.from_pretrained(folder);
    const model = await AutoModel.from_pretrained(folder);
    const vectors = await model.embed(tokenizer(['오늘 날씨가 좋네요', 'Nice weather'], { padding: true }));
    console.log(vectors.dims.join());
  }
  main();
`;

function application(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['bert-native', 'esbuild']) {
    const target = name === 'bert-native' ? root : join(root, 'node_modules', name);
    symlinkSync(target, join(folder, 'node_modules', name), 'junction');
  }
  writeFileSync(join(folder, 'app.js'), program);
  writeFileSync(join(folder, 'worker.js'), program);
  return folder;
}

function run(folder: string, file: string, env: NodeJS.ProcessEnv = {}): string {
  const options = { cwd: folder, encoding: 'utf8', env: { ...process.env, ...env } } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], options);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.trim();
}

test('the bundle of the piece for esbuild runs', () => {
  const folder = application();
  writeFileSync(join(folder, 'build.mjs'), pieceWith("from 'esbuild'"));
  run(folder, 'build.mjs');
  const env = { BERT_NATIVE_ADDON: findAddon() }; // a clone has it elsewhere
  for (const name of ['app.mjs', 'worker.mjs']) expect(run(folder, join('out', name), env)).toBe('2,48');
});

test('so does one in CommonJS, in a single executable whose asset is the addon', () => {
  const folder = application();
  const [, define] = /`define: (\{[^`]*\})`/.exec(text)!;
  const [, banner] = /`banner: (\{[^`]*\})`/.exec(text)!;
  writeFileSync(
    join(folder, 'build.mjs'),
    `import { build } from 'esbuild';
    const outfile = 'app.cjs';
    const define = ${define}, banner = ${banner};
    await build({ entryPoints: ['app.js'], outfile, bundle: true, platform: 'node', format: 'cjs', define, banner });`,
  );
  run(folder, 'build.mjs');
  writeFileSync(
    join(folder, 'main.cjs'),
    `const Module = require('node:module');
    const { _load } = Module;
    const asset = require('node:fs').readFileSync(${JSON.stringify(findAddon())});
    Module._load = (name, ...rest) => (name === 'node:sea' ? { getRawAsset: () => asset } : _load(name, ...rest));
    ${pieceWith('node:sea')}
    require('./app.cjs');`,
  );
  expect(run(folder, 'main.cjs')).toBe('2,48');
});

test('the piece for Next.js names the package and a folder of a release', async () => {
  const file = join(temporaryFolder(), 'next.config.mjs');
  writeFileSync(file, pieceWith('next.config.mjs'));
  const { default: config } = await import(pathToFileURL(file).href);
  expect(config.serverExternalPackages).toEqual(['bert-native']);
  const [traced] = config.outputFileTracingIncludes['/**'];
  const folders = targets.map(
    (target) => `./node_modules/bert-native/prebuilds/${fileOf(target).split(/[/\\]/)[0]}/**`,
  );
  expect(folders).toContain(traced);
});
