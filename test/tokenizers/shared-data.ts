import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';

/** The folder beside the repository that holds other people's vocabularies and the goldens made with them. */
const shared = new URL('../../../shared/', import.meta.url);
const present = existsSync(shared);

export const vocabularies = ['bert-base-uncased', 'bert-base-cased', 'kcbert-base'] as const;
export type VocabularyName = (typeof vocabularies)[number];

/** The folder of a published vocabulary. */
export function vocabularyFolder(name: VocabularyName): string {
  return fileURLToPath(new URL(`vocab/${name}`, shared));
}

/** A file of reference answers. */
export function golden(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`fixtures/tokenizer/${file}`, shared), 'utf8'));
}

/** A group of tests that need the shared data. */
export function describeWithSharedData(name: string, define: () => void): void {
  if (present) {
    describe(name, define);
  } else {
    console.warn(`SKIPPED: ${name}, because there is no ${fileURLToPath(shared)}`);
    describe(name, () => test.skip('needs the vocabularies and goldens beside the repository'));
  }
}
