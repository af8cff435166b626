/** bert-native, as its README shows it: tokenizer with padding and truncation, then `embed`. */

/** @import { ContenderJob, LoadedContender } from '../types.ts' */

/** @param {ContenderJob} job @returns {Promise<LoadedContender>} */
export async function load({ folder, threads, options }) {
  const engine = /** @type {'native' | 'reference'} */ (options.engine);
  const before = performance.now();
  const { AutoModel, AutoTokenizer, env } = await import('bert-native');
  const import_ms = performance.now() - before;
  if (engine === 'native') env.numThreads = threads;
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const model = await AutoModel.from_pretrained(folder, { engine, strict: true });
  return {
    import_ms,
    facts: engine === 'native' ? { threads: env.numThreads } : { threads: 1 },
    async embed(texts) {
      const vectors = await model.embed(tokenizer(texts, { padding: true, truncation: true }), { pooling: 'mean' });
      return vectors.data;
    },
    tokenize: (text) => tokenizer(text, { truncation: true }).input_ids.data,
  };
}
