// One model in several worker threads: its weights are in memory once, and the threads of the engine are shared.
//
// node examples/worker-threads.mjs [model] [texts…]

import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { AutoModel, AutoTokenizer } from 'bert-native';

if (isMainThread) {
  const [source = 'beomi/kcbert-base', ...given] = process.argv.slice(2);
  const texts = given.length > 0 ? given : ['안녕하세요', '오늘 날씨가 좋네요', 'hello world', 'The weather is nice'];
  const workers = 2;

  const answers = Array.from({ length: workers }, async (_, index) => {
    const own = texts.filter((_, i) => i % workers === index);
    const worker = new Worker(new URL(import.meta.url), { workerData: { source, texts: own } });
    const [answer] = await once(worker, 'message'); // rejects when the worker fails
    return answer;
  });
  const all = await Promise.all(answers);

  for (const [i, text] of texts.entries()) {
    const { vectors, size } = all[i % workers];
    const row = Math.floor(i / workers);
    const first = [...vectors.slice(row * size, row * size + 3)].map((value) => value.toFixed(5));
    console.log(`worker ${i % workers}: ${first.join(' ')} …  ${text}`);
  }
} else {
  const { source, texts } = workerData;
  const tokenizer = await AutoTokenizer.from_pretrained(source);
  const model = await AutoModel.from_pretrained(source);
  const vectors = await model.embed(tokenizer(texts, { padding: true, truncation: true }), { pooling: 'mean' });
  // The array is the caller's own: it changes threads without being copied.
  const memory = /** @type {ArrayBuffer} */ (vectors.data.buffer);
  parentPort?.postMessage({ vectors: vectors.data, size: vectors.dims[1] }, [memory]);
  model.dispose();
}
