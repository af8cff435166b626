import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Case, readCases } from '../support/fixtures.ts';

const examples = join(import.meta.dirname, '..', '..', 'examples');

/** Runs an example, which must succeed. @returns the lines that it prints */
export function runExample(name: string, ...args: string[]): string[] {
  return runWithInput('', name, ...args);
}

/** The same with something on standard input. */
export function runWithInput(input: string, name: string, ...args: string[]): string[] {
  const command = ['--no-warnings', join(examples, `${name}.mjs`), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', input });
  expect(stderr, name).toBe('');
  expect(status, name).toBe(0);
  return stdout.trimEnd().split('\n');
}

/** A case of a folder by its name. */
export function goldenCase(folder: string, name: string): Case {
  return readCases(folder).find((golden) => golden.name === name)!;
}

/** The rows of a golden. */
export function goldenRows(golden: Case, output: string): number[][] {
  const { shape, data } = golden.outputs[output]!;
  const width = shape.at(-1)!;
  return Array.from({ length: data.length / width }, (_, row) => data.slice(row * width, (row + 1) * width));
}

/** What a value looks like where an example prints it with so many digits; off by one in the last one is as good. */
export function expectPrinted(printed: string | undefined, value: number, digits: number): void {
  expect(printed).toMatch(new RegExp(`^-?[0-9]+\\.[0-9]{${digits}}$`));
  expect(Math.abs(Number(printed) - value)).toBeLessThanOrEqual(1.5 * 10 ** -digits);
}

export function softmax(values: readonly number[]): number[] {
  const most = Math.max(...values);
  const weights = values.map((value) => Math.exp(value - most));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
}

export function cosine(a: readonly number[], b: readonly number[]): number {
  const product = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}
