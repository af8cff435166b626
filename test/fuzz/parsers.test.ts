import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { mutate } from '../../tools/fuzz/parsers/mutate.mjs';
import { makeRandom } from '../../tools/random.mjs';
import { check, targets } from './targets.ts';

/** What fuzzing begins with, and what it has found: see CONTRIBUTING.md. */
function inputsOf(kind: 'corpus' | 'found', target: string): [name: string, bytes: Uint8Array][] {
  const folder = join(import.meta.dirname, kind, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => [`${kind}/${target}/${name}`, readFileSync(join(folder, name))]);
}

const mutations = 400;
/** Seconds are enough; a busy machine takes longer, and what never ends is stopped. */
const limit_ms = 120_000;

describe.each(Object.entries(targets))('%s', (name, target) => {
  const seeds = inputsOf('corpus', name);

  test('takes what fuzzing begins with', async () => {
    expect(seeds.length).toBeGreaterThan(0);
    for (const [seed, bytes] of seeds) expect(await check(target, bytes), seed).toBe('accepted');
  });

  test('refuses what was found', async () => {
    for (const [found, bytes] of inputsOf('found', name))
      expect(target.codes, found).toContain(await check(target, bytes));
  });

  test('takes changed inputs, or refuses them with a code that it may give', { timeout: limit_ms }, async () => {
    const random = makeRandom(7);
    const corpus = seeds.map(([, bytes]) => bytes);
    for (let i = 0; i < mutations; i++) {
      const bytes = mutate(target, corpus, random);
      await check(target, bytes).catch((error) => {
        expect.fail(
          `input ${i}, ${JSON.stringify(Buffer.from(bytes).toString('latin1').slice(0, 2000))}: ${error.stack}`,
        );
      });
    }
  });
});
