/** @import { Contender } from './types.ts' */

/** What every way of running this library has in common, unless it says otherwise. */
const ownContender = /** @type {const} */ ({
  module: './contenders/bert-native.mjs',
  options: { engine: 'native', dtype: 'fp32' },
  feeding: 'one-by-one',
  arithmetic: 'fp32',
});

/** This library over the ONNX files that the peer runs. */
const graphContender = /** @type {const} */ ({
  ...ownContender,
  options: { engine: 'onnxruntime', dtype: 'fp32' },
});

const peerContender = /** @type {const} */ ({
  module: './contenders/transformers-js.mjs',
  options: { dtype: 'fp32', api: 'model' },
  feeding: 'one-by-one',
  arithmetic: 'fp32',
});

/**
 * Everything that can be measured, in the order of the first round: the slowest first, whose speed decides how many
 * batches all are given.
 *
 * @type {readonly Contender[]}
 */
export const contenders = [
  { ...peerContender, name: 'transformers.js-fp32', label: 'transformers.js fp32' },
  {
    ...peerContender,
    name: 'transformers.js-fp32-pipeline',
    label: 'transformers.js fp32, pipeline()',
    options: { dtype: 'fp32', api: 'pipeline' },
  },
  {
    ...peerContender,
    name: 'transformers.js-q8',
    label: 'transformers.js q8',
    options: { dtype: 'q8', api: 'model' },
    arithmetic: 'q8',
  },
  { ...ownContender, name: 'native', label: 'bert-native fp32' },
  {
    ...ownContender,
    name: 'native-fp32-high',
    label: 'bert-native fp32, high',
    options: { engine: 'native', dtype: 'fp32', fp32_precision: 'high' },
    arithmetic: 'fp32-high',
  },
  {
    ...ownContender,
    name: 'native-fp16',
    label: 'bert-native fp16',
    options: { engine: 'native', dtype: 'fp16' },
    arithmetic: 'fp16',
  },
  {
    ...ownContender,
    name: 'native-bf16',
    label: 'bert-native bf16',
    options: { engine: 'native', dtype: 'bf16' },
    arithmetic: 'bf16',
  },
  {
    ...ownContender,
    name: 'native-q8',
    label: 'bert-native q8',
    options: { engine: 'native', dtype: 'q8' },
    arithmetic: 'q8',
  },
  {
    ...ownContender,
    name: 'native-overlapped',
    label: 'bert-native fp32, two in flight',
    feeding: 'two-in-flight',
  },
  {
    ...ownContender,
    name: 'native-all-at-once',
    label: 'bert-native fp32, all in one call',
    feeding: 'all-at-once',
  },
  { ...graphContender, name: 'onnxruntime', label: 'bert-native over ONNX Runtime fp32' },
  {
    ...graphContender,
    name: 'onnxruntime-q8',
    label: 'bert-native over ONNX Runtime q8',
    options: { engine: 'onnxruntime', dtype: 'q8' },
    arithmetic: 'q8',
  },
  {
    ...graphContender,
    name: 'onnxruntime-overlapped',
    label: 'bert-native over ONNX Runtime fp32, two in flight',
    feeding: 'two-in-flight',
  },
  {
    ...graphContender,
    name: 'onnxruntime-all-at-once',
    label: 'bert-native over ONNX Runtime fp32, all in one call',
    feeding: 'all-at-once',
  },
  {
    ...ownContender,
    name: 'reference',
    label: 'bert-native reference (TypeScript)',
    options: { engine: 'reference', dtype: 'fp32' },
    batch_size: 1,
    slow: true,
  },
];

export const defaultContenders = [
  'transformers.js-fp32',
  'transformers.js-q8',
  'native',
  'native-fp16',
  'native-bf16',
  'native-q8',
  'reference',
];

/** Of `--families`, which are many: without what says little more of them than of BERT. */
export const familyContenders = defaultContenders.filter((name) => !['native-fp16', 'reference'].includes(name));

/** Whether a contender is this library on an engine that is meant to be fast, in whatever arithmetic. @param {string} name */
export const isOwn = (name) => /^(native|onnxruntime)(-|$)/.test(name);

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
