// What a sanitizer watches through Node: one process that uses the addon in every way at once, worker threads that are
// terminated in mid-run, and ONNX Runtime where it is installed. Says at its end how much it did.
// Usage: node smoke.mjs <seconds>

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { AutoModel, AutoTokenizer, BertNativeError, env, VectorIndex } from '../../dist/index.js';
import { makeRandom } from '../random.mjs';

const demo = fileURLToPath(new URL('../../examples/demo-model', import.meta.url));
const random = makeRandom(isMainThread ? 1 : workerData.seed);
const words = ['안녕하세요', '오늘', 'weather', 'is', 'naïve', '😀', '[MASK]', '\ud800', '!'];
const text = () => Array.from({ length: 1 + random(40) }, () => words[random(words.length)]).join(' ');
const allowed = new Set(['ERR_ABORTED', 'ERR_DISPOSED', 'ERR_QUEUE_FULL', 'ERR_TOKEN_ID']);
let calls = 0;

/** Settles one way or the other; what is no error of the library's ends the process. */
async function settled(call) {
  calls++;
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof BertNativeError && allowed.has(error.code))) throw error;
  }
}

const tokenizer = await AutoTokenizer.from_pretrained(demo);
const options = { padding: true, truncation: true, max_length: 64 };

/** Calls of a model on texts, some of them aborted, until the time is over. Graphs have no `states` of single layers. */
async function callUntil(model, until, { states = true } = {}) {
  while (Date.now() < until) {
    const controller = new AbortController();
    const texts = Array.from({ length: 1 + random(12) }, text);
    const inputs = random(2) === 0 ? tokenizer(texts, options) : await tokenizer.encode_async(texts, options);
    const kind = random(5);
    if (kind === 0) setImmediate(() => controller.abort());
    if (kind === 1) setTimeout(() => controller.abort(), random(10));
    if (kind === 2) inputs.input_ids.data[0] = 1_000_000n;
    await settled(model.embed(inputs, { signal: controller.signal }));
    if (kind === 3 && states) await settled(model({ ...inputs, output_hidden_states: true, output_attentions: true }));
    await sleep(random(3));
  }
}

if (!isMainThread) {
  const model = await AutoModel.from_pretrained(demo);
  parentPort.postMessage('ready');
  await callUntil(model, Date.now() + 60_000);
  process.exit(1); // was to be terminated
}

// The addon that was to be looked at is the one that runs.
const wanted = process.env.BERT_NATIVE_ADDON ?? '';
if (!readFileSync('/proc/self/maps', 'utf8').includes(wanted)) throw new Error(`${wanted} is not loaded`);

const until = Date.now() + 1000 * Number(process.argv[2] ?? 30);
const model = await AutoModel.from_pretrained(demo);
const first = (await model.embed(tokenizer(['안녕하세요'], options))).data;

async function workersUntil() {
  let terminated = 0;
  while (Date.now() < until || terminated === 0) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { seed: 2 + random(1000) } });
    let problem;
    worker.on('error', (error) => {
      problem = error;
    });
    if (random(3) > 0) await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
    await sleep(random(400));
    await worker.terminate();
    if (problem !== undefined) throw problem;
    terminated++;
  }
  return terminated;
}

async function modelsUntil() {
  let loaded = 0;
  while (Date.now() < until) {
    const dtype = ['fp32', 'bf16', 'q8'][random(3)];
    const other = await AutoModel.from_pretrained(demo, { dtype });
    const running = Array.from({ length: 4 }, () => settled(other.embed(tokenizer([text(), text()], options))));
    if (random(2) === 0) await Promise.all(running);
    other.dispose();
    await Promise.all(running);
    env.numThreads = 1 + random(4);
    loaded++;
  }
  return loaded;
}

async function searchesUntil() {
  while (Date.now() < until) {
    const size = 1 + random(400);
    const row = () => Float32Array.from({ length: 24 }, () => random(1000) / 500 - 1);
    const vectors = Array.from({ length: size }, row);
    const index = new VectorIndex(vectors);
    await Promise.all([1, 5].map((top_k) => settled(index.search(vectors.slice(0, 2), { top_k }))));
    index.dispose();
  }
}

async function onnxUntil() {
  const folder = mkdtempSync(join(tmpdir(), 'bert-native-sanitize-'));
  try {
    await model.save_pretrained(folder, { format: 'onnx' });
    const graph = await AutoModel.from_pretrained(folder, { engine: 'onnxruntime' }).catch((error) => {
      if (error.code !== 'ERR_ENGINE') throw error;
      console.warn(`SKIPPED: ONNX Runtime: ${error.message}`);
    });
    if (graph === undefined) return;
    await Promise.all([1, 2, 3].map(() => callUntil(graph, until, { states: false })));
    graph.dispose();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [terminated, loaded] = await Promise.all([
  workersUntil(),
  modelsUntil(),
  searchesUntil(),
  onnxUntil(),
  ...Array.from({ length: 12 }, () => callUntil(model, until)),
]);
const again = (await model.embed(tokenizer(['안녕하세요'], options))).data;
if (!again.every((value, i) => Object.is(value, first[i]))) throw new Error('the same text has another vector');
model.dispose();
console.log(`${calls} calls, ${loaded} models, ${terminated} workers terminated`);
