/** @import { Contender } from './types.ts' */

/**
 * Everything that can be measured, in the order of the first round: the slowest first, whose speed decides how many
 * batches all are given.
 *
 * @type {readonly Contender[]}
 */
export const contenders = [
  {
    name: 'transformers.js-fp32',
    label: 'transformers.js fp32',
    module: './contenders/transformers-js.mjs',
    options: { dtype: 'fp32', api: 'model' },
    feeding: 'one-by-one',
    fp32: true,
  },
  {
    name: 'transformers.js-fp32-pipeline',
    label: 'transformers.js fp32, pipeline()',
    module: './contenders/transformers-js.mjs',
    options: { dtype: 'fp32', api: 'pipeline' },
    feeding: 'one-by-one',
    fp32: true,
  },
  {
    name: 'transformers.js-q8',
    label: 'transformers.js q8',
    module: './contenders/transformers-js.mjs',
    options: { dtype: 'q8', api: 'model' },
    feeding: 'one-by-one',
    fp32: false,
  },
  {
    name: 'native',
    label: 'bert-native',
    module: './contenders/bert-native.mjs',
    options: { engine: 'native' },
    feeding: 'one-by-one',
    fp32: true,
  },
  {
    name: 'native-overlapped',
    label: 'bert-native, two batches in flight',
    module: './contenders/bert-native.mjs',
    options: { engine: 'native' },
    feeding: 'two-in-flight',
    fp32: true,
  },
  {
    name: 'native-all-at-once',
    label: 'bert-native, one call for all texts',
    module: './contenders/bert-native.mjs',
    options: { engine: 'native' },
    feeding: 'all-at-once',
    fp32: true,
  },
  {
    name: 'reference',
    label: 'bert-native reference (TypeScript)',
    module: './contenders/bert-native.mjs',
    options: { engine: 'reference' },
    feeding: 'one-by-one',
    batch_size: 1,
    slow: true,
    fp32: true,
  },
];

export const defaultContenders = ['transformers.js-fp32', 'transformers.js-q8', 'native', 'reference'];

/** @param {readonly string[]} names @returns {Contender[]} in the order of the list */
export function selectContenders(names) {
  const unknown = names.find((name) => !contenders.some((contender) => contender.name === name));
  if (unknown !== undefined) {
    throw new Error(
      `there is no contender '${unknown}': expected some of ${contenders.map(({ name }) => name).join(', ')}`,
    );
  }
  return contenders.filter(({ name }) => names.includes(name));
}
