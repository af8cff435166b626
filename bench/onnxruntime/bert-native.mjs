/** bert-native on rows of token ids, by one of its functions: `model(inputs)`, `model.embed` or `embedStream`. */

import { padded, pooledByHand } from './rows.mjs';

/** @import { BertConfig, InitOptions } from 'bert-native' */
/** @import { ContenderJob, LoadedContender } from '../types.ts' */
/** @import { TokenizedText } from './types.ts' */

/** @param {ContenderJob} job @returns {Promise<LoadedContender<TokenizedText, unknown>>} */
export async function load({ folder, threads, options }) {
  const { engine, dtype } = /** @type {InitOptions} */ (options);
  const { session_options } = options;
  const before = performance.now();
  const { AutoModel, AutoTokenizer, embedStream, env, Tensor } = await import('bert-native');
  const import_ms = performance.now() - before;
  env.numThreads = threads;
  const model = await AutoModel.from_pretrained(folder, {
    engine,
    dtype,
    strict: true,
    ...(session_options && { session_options: JSON.parse(session_options) }),
  });
  const tokenizer = await AutoTokenizer.from_pretrained(folder);

  const { hidden_size: width } = /** @type {BertConfig} */ (model.config);

  const inputsOf = (/** @type {TokenizedText[]} */ items) => {
    const { ids, mask, dims } = padded(items, Int32Array);
    return { input_ids: new Tensor('int32', ids, dims), attention_mask: new Tensor('int32', mask, dims) };
  };
  const states = async (/** @type {TokenizedText[]} */ items) => (await model(inputsOf(items))).last_hidden_state;
  const embed = async (/** @type {TokenizedText[]} */ items) =>
    (await model.embed(inputsOf(items), { pooling: 'mean' })).data;
  const stream = async (/** @type {TokenizedText[]} */ items) => {
    const texts = items.map(({ text }) => text);
    const vectors = new Float32Array(items.length * width);
    let at = 0;
    for await (const vector of embedStream(texts, { model, tokenizer, pooling: 'mean' })) {
      vectors.set(vector, at);
      at += vector.length;
    }
    return vectors;
  };
  /** @type {Record<string, Pick<LoadedContender<TokenizedText, unknown>, 'run' | 'compared'>>} */
  const functions = {
    model: { run: states, compared: async (items) => pooledByHand(items, await states(items)) },
    embed: { run: embed },
    stream: { run: stream },
  };
  return { import_ms, facts: { threads: env.numThreads, dtype: model.dtype }, ...functions[options.api ?? 'embed'] };
}
