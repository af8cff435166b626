import { contenders } from '../contenders.mjs';

/** @import { Contender } from '../types.ts' */
/** @import { TaskName } from './types.ts' */

/** Those of the embeddings that differ in the weights alone, in the same order. */
const names = [
  'transformers.js-fp32',
  'transformers.js-q8',
  'native',
  'native-fp16',
  'native-bf16',
  'native-q8',
  'reference',
];

export const taskContenderNames = names.filter((name) => name !== 'reference');

export const defaultTaskContenders = taskContenderNames.filter((name) => name !== 'native-fp16');

/** @param {readonly string[]} chosen @param {TaskName} task @returns {Contender[]} */
export function taskContenders(chosen, task) {
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Error(`there is no contender '${unknown}': expected some of ${taskContenderNames.join(', ')}`);
  }
  return contenders
    .filter(({ name }) => chosen.includes(name))
    .map((contender) => ({
      ...contender,
      module: contender.module.replace('/contenders/', '/tasks/'),
      options: { ...contender.options, task },
    }));
}
