/**
 * @huggingface/transformers over onnxruntime-node, with the same number of threads. `pipeline` is how its documentation
 * makes vectors. `model` is the faster way: the same tokenizer and model, but the vectors are averaged here row by row,
 * where the pipeline's own helper walks down the columns and converts the mask's bigints again for each.
 */

/** @import { ContenderJob, LoadedContender } from '../types.ts' */

/** @param {ContenderJob} job @returns {Promise<LoadedContender>} */
export async function load({ folder, threads, options }) {
  const before = performance.now();
  const { AutoModel, AutoTokenizer, env, pipeline } = await import('@huggingface/transformers');
  const import_ms = performance.now() - before;
  env.allowRemoteModels = false;
  const dtype = /** @type {'fp32' | 'q8'} */ (options.dtype);
  // Batches run one after another: one operator at a time, on all the threads.
  const session_options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
  const settings = { dtype, device: /** @type {const} */ ('cpu'), session_options, local_files_only: true };
  const facts = { threads, dtype };

  if (options.api === 'pipeline') {
    const extractor = await pipeline('feature-extraction', folder, settings);
    return {
      import_ms,
      facts,
      run: async (texts) => /** @type {Float32Array} */ ((await extractor(texts, { pooling: 'mean' })).data),
      tokenize: (text) => extractor.tokenizer(text, { truncation: true }).input_ids.data,
    };
  }
  const tokenizer = await AutoTokenizer.from_pretrained(folder, { local_files_only: true });
  const model = await AutoModel.from_pretrained(folder, settings);
  return {
    import_ms,
    facts,
    async run(texts) {
      const features = tokenizer(texts, { padding: true, truncation: true });
      const { last_hidden_state } = await model(features);
      return meanPool(last_hidden_state.data, last_hidden_state.dims, features.attention_mask.data);
    },
    tokenize: (text) => tokenizer(text, { truncation: true }).input_ids.data,
  };
}

/**
 * @param {Float32Array} states `[B, S, H]`
 * @param {readonly number[]} dims
 * @param {BigInt64Array} mask `[B, S]`
 * @returns {Float32Array} `[B, H]`
 */
function meanPool(states, dims, mask) {
  const [B, S, H] = dims;
  const pooled = new Float32Array(B * H);
  const sums = new Float64Array(H);
  for (let b = 0; b < B; b++) {
    let count = 0;
    sums.fill(0);
    for (let s = 0; s < S; s++) {
      if (mask[b * S + s] === 0n) continue;
      count++;
      const row = (b * S + s) * H;
      for (let h = 0; h < H; h++) sums[h] += states[row + h];
    }
    for (let h = 0; h < H; h++) pooled[b * H + h] = sums[h] / count;
  }
  return pooled;
}
