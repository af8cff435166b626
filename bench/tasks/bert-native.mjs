/** bert-native's pipelines. */

import { asContender } from './tasks.mjs';

/** @import { InitOptions, PipelineTask } from 'bert-native' */
/** @import { ContenderJob } from '../types.ts' */

/** @param {ContenderJob} job */
export async function load({ folder, threads, options }) {
  const { engine, dtype } = /** @type {InitOptions} */ (options);
  const before = performance.now();
  const { env, pipeline } = await import('bert-native');
  const import_ms = performance.now() - before;
  if (engine === 'native') env.numThreads = threads;
  const pipe = await pipeline(/** @type {PipelineTask} */ (options.task), folder, { engine, dtype });
  const facts = { threads: engine === 'native' ? env.numThreads : 1, dtype: pipe.model.dtype };
  return { import_ms, facts, ...asContender(options.task, /** @type {any} */ (pipe), true) };
}
