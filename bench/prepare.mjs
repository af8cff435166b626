/** What is made once and kept in the cache folder: models, and the reference engine's vectors. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ContenderProcess } from './child-process.mjs';
import { contenders } from './contenders.mjs';
import { modelNamed, modelSeed } from './parts.mjs';
import { sum } from './statistics.mjs';
import { taskNamed } from './tasks/tasks.mjs';
import { makeVocabulary } from './text/vocabulary.mjs';

/** @import { BenchText, Contender } from './types.ts' */

const benchFolder = dirname(fileURLToPath(import.meta.url));
export const libraryFolder = join(dirname(benchFolder), 'lib');

/** @param {string | Uint8Array} bytes */
export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Every file below a folder, as paths relative to it. @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** One hash for the code below a folder of the library. @param {string} folder */
export function hashOfCode(folder) {
  const hash = createHash('sha256');
  for (const name of filesBelow(folder).filter((file) => file.endsWith('.ts'))) {
    hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}

/**
 * @typedef {object} ModelFolder
 * @property {string} folder
 * @property {string} weights_sha256 of `model.safetensors`
 */

/**
 * The folder of a model, made unless it is there: by this library as it is now, with the same settings, and with every
 * file of the size that it had.
 *
 * @param {string} name
 * @param {string} cacheFolder
 * @param {(line: string) => void} log
 * @returns {ModelFolder}
 */
export function ensureModel(name, cacheFolder, log) {
  const folder = join(cacheFolder, 'models', name);
  const manifestPath = join(cacheFolder, 'models', `${name}.json`);
  const { size, task } = modelNamed(name);
  const what = [size, task === undefined ? null : taskNamed(task), modelSeed, sha256(makeVocabulary().join('\n'))];
  const made_from = sha256(JSON.stringify([...what, hashOfCode(libraryFolder)]));
  if (existsSync(manifestPath)) {
    const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
    const files = existsSync(folder) ? sizesOf(folder) : {};
    if (manifest.made_from === made_from && JSON.stringify(manifest.files) === JSON.stringify(files)) {
      return { folder, weights_sha256: manifest.weights_sha256 };
    }
  }
  log(`  making the model ${name} in ${folder}`);
  rmSync(manifestPath, { force: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync(process.execPath, ['--no-warnings', join(benchFolder, 'make-model.mjs'), name, folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const weights_sha256 = sha256(readFileSync(join(folder, 'model.safetensors')));
  // Written last: a folder without it was not finished.
  writeAtomically(manifestPath, JSON.stringify({ made_from, weights_sha256, files: sizesOf(folder) }, null, 2));
  return { folder, weights_sha256 };
}

/** @param {string} folder @returns {Record<string, number>} */
function sizesOf(folder) {
  return Object.fromEntries(filesBelow(folder).map((name) => [name, statSync(join(folder, name)).size]));
}

/** @param {string} path @param {string | Uint8Array | Float32Array} content */
export function writeAtomically(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.tmp`, content);
  renameSync(`${path}.tmp`, path);
}

const verifiedTexts = 8;
const verifiedTokens = 512; // the reference engine computes some ten tokens of BERT-base a second

/**
 * The texts whose vectors are compared: spread evenly over the lengths, so many that the reference engine can compute
 * them.
 *
 * @param {readonly BenchText[]} texts
 */
export function textsToVerify(texts) {
  return itemsToVerify(texts).map(({ text }) => text);
}

/** @template {{ tokens: number }} Item @param {readonly Item[]} items @returns {Item[]} */
export function itemsToVerify(items) {
  const sorted = [...items].sort((a, b) => a.tokens - b.tokens);
  for (let count = Math.min(verifiedTexts, sorted.length); ; count--) {
    const chosen = Array.from({ length: count }, (_, i) => sorted[Math.floor(((i + 0.5) / count) * sorted.length)]);
    if (count === 1 || sum(chosen.map(({ tokens }) => tokens)) <= verifiedTokens) return chosen;
  }
}

/**
 * The reference engine's vectors, computed unless they are kept from before: for the same weights, texts and code.
 *
 * @param {ModelFolder} model
 * @param {readonly string[]} texts
 * @param {string} cacheFolder
 * @param {NodeJS.ProcessEnv} environment
 * @param {AbortSignal} signal
 * @param {(line: string) => void} log
 * @returns {Promise<Float32Array>}
 */
export async function referenceVectors(model, texts, cacheFolder, environment, signal, log) {
  const code = hashOfCode(join(libraryFolder, 'engines', 'reference'));
  const key = sha256(JSON.stringify([model.weights_sha256, texts, code]));
  const path = join(cacheFolder, 'reference', `${key.slice(0, 32)}.f32`);
  if (existsSync(path)) return new Float32Array(new Uint8Array(readFileSync(path)).buffer);
  log(`  the reference engine computes ${texts.length} vectors that the others are compared with`);
  const reference = /** @type {Contender} */ (contenders.find(({ name }) => name === 'reference'));
  const job = { folder: model.folder, threads: 1, options: reference.options };
  const first = texts[0];
  const { process } = await ContenderProcess.start(reference, job, first, environment, signal);
  try {
    const vectors = await process.results(texts);
    writeAtomically(path, vectors);
    return vectors;
  } finally {
    await process.stop();
  }
}
