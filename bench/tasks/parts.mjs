import { partsMatching } from '../parts.mjs';
import { tasks } from './tasks.mjs';

/** @import { TaskName, TaskPart } from './types.ts' */

const taskModels = ['distilbert-base', 'bert-base', 'tiny', 'tiny-distilbert'];

/** @type {readonly TaskPart[]} */
export const taskParts = taskModels.flatMap((model) =>
  /** @type {TaskName[]} */ (Object.keys(tasks)).map((task) => ({ name: `${model}/${task}`, model, task })),
);

/** What `npm run bench:tasks` measures when it is told nothing else. */
export const quickTaskParts = selectTaskParts(['distilbert-base/*']);

/** @param {readonly string[]} patterns names of parts; `*` stands for either half @returns {TaskPart[]} */
export function selectTaskParts(patterns) {
  return partsMatching(patterns, taskParts);
}
