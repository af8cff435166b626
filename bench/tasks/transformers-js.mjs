/** The pipelines of @huggingface/transformers over onnxruntime-node, with the same number of threads. */

import { asContender } from './tasks.mjs';

/** @import { ContenderJob } from '../types.ts' */

/** @param {ContenderJob} job */
export async function load({ folder, threads, options }) {
  const before = performance.now();
  const { env, pipeline } = await import('@huggingface/transformers');
  const import_ms = performance.now() - before;
  env.allowRemoteModels = false;
  const dtype = /** @type {'fp32' | 'q8'} */ (options.dtype);
  const session_options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
  const settings = { dtype, device: /** @type {const} */ ('cpu'), session_options, local_files_only: true };
  const pipe = await pipeline(/** @type {any} */ (options.task), folder, settings);
  return { import_ms, facts: { threads, dtype }, ...asContender(options.task, /** @type {any} */ (pipe), false) };
}
