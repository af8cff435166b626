/** @huggingface/transformers on rows of token ids: `model(inputs)`. */

import { padded, pooledByHand } from './rows.mjs';

/** @import { ContenderJob, LoadedContender } from '../types.ts' */
/** @import { TokenizedText } from './types.ts' */

/** @param {ContenderJob} job @returns {Promise<LoadedContender<TokenizedText, unknown>>} */
export async function load({ folder, threads, options }) {
  const before = performance.now();
  const { AutoModel, env, Tensor } = await import('@huggingface/transformers');
  const import_ms = performance.now() - before;
  env.allowRemoteModels = false;
  const dtype = /** @type {'fp32' | 'q8'} */ (options.dtype);
  const model = await AutoModel.from_pretrained(folder, {
    dtype,
    device: 'cpu',
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
    local_files_only: true,
  });
  const run = async (/** @type {TokenizedText[]} */ items) => {
    const { ids, mask, dims } = padded(items, BigInt64Array);
    const tensor = (/** @type {BigInt64Array} */ data) => new Tensor('int64', data, dims);
    const inputs = { input_ids: tensor(ids), attention_mask: tensor(mask), token_type_ids: tensor(mask.map(() => 0n)) };
    return (await model(inputs)).last_hidden_state;
  };
  return {
    import_ms,
    facts: { threads, dtype },
    run,
    compared: async (items) => pooledByHand(items, await run(items)),
  };
}
