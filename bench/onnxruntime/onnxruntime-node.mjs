/** onnxruntime-node alone on rows of token ids: `session.run`, the least that a library over it has to do. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { padded, pooledByHand } from './rows.mjs';

/** @import { ContenderJob, LoadedContender } from '../types.ts' */
/** @import { TokenizedText } from './types.ts' */

/** @type {Readonly<Record<string, string>>} */
const files = { fp32: 'model.onnx', q8: 'model_quantized.onnx' };

/** @param {ContenderJob} job @returns {Promise<LoadedContender<TokenizedText, unknown>>} */
export async function load({ folder, threads, options }) {
  const path = join(folder, 'onnx', files[options.dtype ?? 'fp32'] ?? '');
  if (!existsSync(path)) throw new Error(`there is no ${path}`);
  const before = performance.now();
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const import_ms = performance.now() - before;
  const session = await InferenceSession.create(path, { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const run = async (/** @type {TokenizedText[]} */ items) => {
    const { ids, mask, dims } = padded(items, BigInt64Array);
    const tensor = (/** @type {BigInt64Array} */ data) => new Tensor('int64', data, dims);
    const all = { input_ids: tensor(ids), attention_mask: tensor(mask), token_type_ids: tensor(mask.map(() => 0n)) };
    const feeds = Object.fromEntries(Object.entries(all).filter(([name]) => session.inputNames.includes(name)));
    return (await session.run(feeds)).last_hidden_state;
  };
  const compared = async (/** @type {TokenizedText[]} */ items) =>
    pooledByHand(items, /** @type {{ data: Float32Array, dims: readonly number[] }} */ (await run(items)));
  return { import_ms, facts: { threads, dtype: options.dtype ?? 'fp32' }, run, compared };
}
