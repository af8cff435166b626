import { expect, test } from 'vitest';
import { BertNativeError } from '../../lib/errors.ts';
import { fileMark, mutate } from '../../tools/fuzz/parsers/mutate.mjs';
import { makeRandom } from '../../tools/random.mjs';
import type { FuzzTarget } from './targets/target.ts';
import { check } from './targets.ts';

// Whether the fuzzer of the parsers finds faults that were put there for it.

const inputs = 3000;

/** How many inputs it takes to find the fault; undefined: it is not found. */
async function firstFinding(target: FuzzTarget, ...seeds: readonly string[]): Promise<number | undefined> {
  const corpus = seeds.map((text) => new Uint8Array(Buffer.from(text)));
  const random = makeRandom(1);
  for (let i = 0; i < inputs; i++) {
    const found = await check(target, mutate(target, corpus, random)).then(
      () => false,
      () => true,
    );
    if (found) return i;
  }
  return undefined;
}

const jsonOf = (bytes: Uint8Array) => {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return null;
  }
};

const shape = JSON.stringify({ a: { dtype: 'F32', shape: [2, 2] }, b: { dtype: 'I8', shape: [] } });

test.each<[string, FuzzTarget['kind'], string, (bytes: Uint8Array) => boolean]>([
  ['a length above 2^32 in JSON', 'json', shape, (bytes) => jsonOf(bytes)?.a?.shape?.[1] > 2 ** 32],
  ['an inner value of another kind', 'json', shape, (bytes) => typeof jsonOf(bytes)?.b?.shape === 'string'],
  ['a key that is special', 'json', shape, (bytes) => Object.hasOwn(jsonOf(bytes)?.a ?? {}, '__proto__')],
  ['a byte behind others', 'binary', 'PK\x03\x04abcd', (bytes) => bytes[3] === 4 && bytes[6] === 0xff],
  ['a word twice', 'text', 'a b', (bytes) => /\(\?i:.*\(\?i:/.test(Buffer.from(bytes).toString())],
  [
    'the inside of the second file',
    'files',
    `=== a.json\n{}\n=== b.json\n{"x":{"y":[1]}}\n`,
    (bytes) =>
      jsonOf(Buffer.from(Buffer.from(bytes).toString().split(`${fileMark}b.json\n`)[1] ?? ''))?.x?.y?.length > 2,
  ],
])('finds %s', async (_, kind, seed, isFault) => {
  const target: FuzzTarget = {
    kind,
    codes: ['ERR_FILE_FORMAT'],
    words: ['"__proto__"', '(?i:'],
    run(bytes) {
      if (isFault(bytes)) throw new TypeError('the fault');
      throw new BertNativeError('ERR_FILE_FORMAT', 'refused, as it may be');
    },
  };
  expect(await firstFinding(target, seed)).toBeDefined();
});

test('a refusal with a code that the target does not have is a finding', async () => {
  const run = () => {
    throw new BertNativeError('ERR_MEMORY', 'not of this parser');
  };
  expect(await firstFinding({ kind: 'binary', codes: ['ERR_FILE_FORMAT'], run }, 'a')).toBe(0);
});
