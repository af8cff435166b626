/** bert-native, as its README shows it: tokenizer with padding and truncation, then `embed`. */

/** @import { InitOptions } from 'bert-native' */
/** @import { ContenderJob, LoadedContender } from '../types.ts' */

/** @param {ContenderJob} job @returns {Promise<LoadedContender>} */
export async function load({ folder, threads, options }) {
  const { engine, dtype, fp32_precision } = /** @type {InitOptions} */ (options);
  const { session_options } = options;
  const before = performance.now();
  const { AutoModel, AutoTokenizer, env } = await import('bert-native');
  const import_ms = performance.now() - before;
  const runsOnThreads = engine !== 'reference';
  if (runsOnThreads) env.numThreads = threads;
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const model = await AutoModel.from_pretrained(folder, {
    engine,
    dtype,
    fp32_precision,
    strict: true,
    ...(session_options && { session_options: JSON.parse(session_options) }),
  });
  return {
    import_ms,
    facts: {
      threads: runsOnThreads ? env.numThreads : 1,
      dtype: model.dtype,
      fp32_precision: model.fp32_precision,
    },
    async run(texts) {
      const vectors = await model.embed(tokenizer(texts, { padding: true, truncation: true }), { pooling: 'mean' });
      return vectors.data;
    },
    tokenize: (text) => tokenizer(text, { truncation: true }).input_ids.data,
  };
}
