import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Tensor } from '../../lib/tensor/tensor.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Goldens that the repository carries. */
export const fixturesFolder = join(root, 'test', 'fixtures');
/** More of them, and other people's vocabularies, which may lie beside the checkout. */
const sharedFolder = join(root, '..', 'shared');
export const sharedFixturesFolder = join(sharedFolder, 'fixtures');
export const tokenizerGoldensFolder = join(sharedFixturesFolder, 'tokenizer');
export const vocabularyFolder = join(sharedFolder, 'vocab');
export const demoModelFolder = join(root, 'examples', 'demo-model');

/** Whether the data beside the checkout are there; says loudly when not. */
export function hasShared(folder: string): boolean {
  const present = existsSync(folder);
  if (!present) console.warn(`SKIPPED: ${folder} is not there; tests that need it do not run`);
  return present;
}

/** The model folders that `isWanted` picks: the repository's, and those beside the checkout that it does not carry. */
export function fixtureFolders(isWanted: (folder: string) => boolean): [name: string, folder: string][] {
  const own = readdirSync(fixturesFolder);
  const beside = hasShared(sharedFixturesFolder) ? readdirSync(sharedFixturesFolder) : [];
  const further = beside.filter((name) => !own.includes(name));
  return [
    ...own.map((name): [string, string] => [name, join(fixturesFolder, name)]),
    ...further.map((name): [string, string] => [name, join(sharedFixturesFolder, name)]),
  ].filter(([, folder]) => isWanted(folder));
}

export interface Golden {
  readonly shape: number[];
  readonly data: number[];
}

export interface Case {
  readonly name: string;
  readonly model_class: string;
  /** In multiple choice these have a level more. */
  readonly input_ids: number[][];
  readonly attention_mask: number[][] | null;
  readonly token_type_ids: number[][] | null;
  /** What the ids were made from, in folders with a vocabulary. */
  readonly texts?: string[];
  readonly text_pairs?: string[] | null;
  /** sentence-transformers: tokens of the prompt. */
  readonly prompt_length?: number | null;
  readonly outputs: Record<string, Golden>;
}

export function readCases(folder: string): Case[] {
  return JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
}

/** Whether a folder has cases, of a class where one is named. */
export function hasCases(folder: string, model_class?: string): boolean {
  if (!existsSync(join(folder, 'cases.json'))) return false;
  return readCases(folder).some((golden) => model_class === undefined || golden.model_class === model_class);
}

/** The bar of every golden: |a − b| ≤ 2e-5 + 2e-5·|b|. Returns the largest difference. */
export function expectClose(actual: Tensor | undefined, golden: Golden, what: string): number {
  expect(actual, what).toBeDefined();
  expect([...actual!.dims], `${what}: dims`).toEqual(golden.shape);
  return expectValuesClose(actual!.data as Float32Array, golden.data, what);
}

export function expectValuesClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): number {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= 2e-5 + 2e-5 * Math.abs(expected[i]!))) {
      expect.fail(`${what}: element ${i} is ${actual[i]}, the reference has ${expected[i]} (difference ${difference})`);
    }
    largest = Math.max(largest, difference);
  }
  return largest;
}
