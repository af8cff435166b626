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
export const vocabularyFolder = join(sharedFolder, 'vocab');
export const demoModelFolder = join(root, 'examples', 'demo-model');

/** Whether the data beside the checkout are there; says loudly when not. */
export function hasShared(folder: string): boolean {
  const present = existsSync(folder);
  if (!present) console.warn(`SKIPPED: ${folder} is not there; tests that need it do not run`);
  return present;
}

export interface Golden {
  readonly shape: number[];
  readonly data: number[];
}

export interface Case {
  readonly name: string;
  readonly model_class: string;
  readonly input_ids: number[][];
  readonly attention_mask: number[][] | null;
  readonly token_type_ids: number[][] | null;
  /** sentence-transformers: tokens of the prompt. */
  readonly prompt_length?: number | null;
  readonly outputs: Record<string, Golden>;
}

export function readCases(folder: string): Case[] {
  return JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
}

/** Folders under `root` with cases of a class. */
export function foldersWithCases(folder: string, model_class: string): string[] {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'cases.json')))
    .filter((name) => readCases(join(folder, name)).some((golden) => golden.model_class === model_class));
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
