// The process whose memory runs out: does one thing after the other, each under the limit that its parent sets when it asks
// for one. Started by tools/memory-limits.mjs with folders and headrooms, and the names of its steps.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { AutoModel, AutoTokenizer, BertConfig, BertModel, Tensor, VectorIndex } from '../../dist/index.js';
import { demoFolder } from './small-models.mjs';

const { base, graph, small_graph, headrooms } = JSON.parse(process.argv[2]);
const megabyte = 2 ** 20;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

/** Has the parent limit this process's address space to so much more than it has now; Infinity takes the limit away. */
async function limit(more_bytes) {
  collectGarbage();
  const now = Number(/VmSize:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  process.send({ limit: Number.isFinite(more_bytes) ? Math.floor(now + more_bytes) : 'unlimited' });
  await once(process, 'message');
}

const tokenizer = await AutoTokenizer.from_pretrained(demoFolder);
const model = await AutoModel.from_pretrained(demoFolder);
const small = tokenizer('오늘 날씨가 좋네요');
const expected = (await model.embed(small)).data;
const wideConfig = { vocab_size: 100, num_hidden_layers: 1, intermediate_size: 64 }; // else as BERT-base
const wide = new BertModel(new BertConfig(wideConfig), { seed: 1 });
await wide.embed([[1]]);
// Opens the library, whose code takes address space, too.
const graphModel = small_graph && (await AutoModel.from_pretrained(small_graph, { engine: 'onnxruntime' }));
const rows = Array(128).fill(Array(512).fill(7));
const texts = Array(20_000).fill('the weather is nice today '.repeat(40));
const longText = 'the weather is nice today '.repeat(400_000);
const vectors = new Tensor('float32', new Float32Array(new SharedArrayBuffer(200 * megabyte)).fill(1), [51_200, 1024]);
const plainVectors = new Tensor('float32', new Float32Array(vectors.data), vectors.dims);
const query = new Tensor('float32', new Float32Array(1024 * 1024).fill(1), [1024, 1024]);
const graphRows = rows.slice(0, 32).map((row) => row.slice(0, 128));
const uncut = { truncation: false, verbose: false };

/** Each gives a number, the same whenever it succeeds. */
const steps = {
  'load: a checkpoint': async () => useOnce(await AutoModel.from_pretrained(base)),
  'load: a checkpoint, as bf16': async () => useOnce(await AutoModel.from_pretrained(base, { dtype: 'bf16' })),
  'load: weights at random': () => useOnce(new BertModel(new BertConfig({ vocab_size: 100_000 }), { seed: 1 })),
  'forward: 200 MB of states': async () => sum((await wide(rows)).last_hidden_state.data),
  'forward: states of every layer': async () =>
    sum((await wide({ input_ids: rows, output_hidden_states: true })).hidden_states.at(-1).data),
  'forward: attention of 1.6 GB': async () =>
    sum((await wide({ input_ids: rows, output_attentions: true })).attentions[0].data.subarray(0, 512)),
  'forward: vectors alone': async () => sum((await wide.embed(rows)).data),
  'tokenize: rows': async () => (await tokenizer.encode_rows(texts, uncut)).lengths[0],
  'tokenize: padded': async () => (await tokenizer.encode_async(texts, { ...uncut, padding: true })).input_ids.dims[1],
  'tokenize: padded, on this thread': async () => tokenizer(texts, { ...uncut, padding: true }).input_ids.dims[1],
  'tokenize: a long text': async () => (await tokenizer.encode_async([longText], uncut)).input_ids.dims[1],
  'tokenize: a long text, with offsets': async () =>
    (await tokenizer.encode_async([longText], { ...uncut, return_offsets_mapping: true })).offset_mapping.dims[1],
  'index: 200 MB of vectors, copied': async () => searchOnce(new VectorIndex(plainVectors), 10),
  'load: a graph': async () => useOnce(await AutoModel.from_pretrained(graph, { engine: 'onnxruntime' })),
  'forward: a graph': async () => sum((await graphModel.embed(graphRows)).data),
};

async function useOnce(loaded) {
  const { data } = await loaded.embed([[101, 2000, 102]]);
  loaded.dispose();
  return sum(data);
}

async function searchOnce(index, top_k) {
  const hits = await index.search(query, { top_k });
  index.dispose();
  return hits.length;
}

function sum(numbers) {
  let total = 0;
  for (let i = 0; i < numbers.length; i++) total += numbers[i];
  return total;
}

/** Calls of another model, which are under way meanwhile: each has to be settled with its own bits or for want of memory. */
async function bystander() {
  const { data } = await model.embed(small);
  if (data.some((value, i) => !Object.is(value, expected[i]))) throw new Error('a call beside it has a wrong result');
}

/** 'memory' or the step's number. */
async function outcomeOf(step) {
  const beside = Array.from({ length: 8 }, () => bystander().catch(forMemory));
  const result = await step().catch(forMemory);
  await Promise.all(beside);
  return result;
}

function forMemory(error) {
  if (error.code === 'ERR_MEMORY') return 'memory';
  throw error;
}

for (const name of JSON.parse(process.argv[3])) {
  const results = [];
  for (const more_bytes of headrooms) {
    await limit(more_bytes);
    results.push(await outcomeOf(steps[name]));
    await limit(Number.POSITIVE_INFINITY);
    await bystander(); // the process goes on
    process.send({ name, more_bytes, result: results.at(-1) });
  }
  const unlimited = await outcomeOf(steps[name]);
  const other = results.find((result) => result !== 'memory' && result !== unlimited);
  if (unlimited === 'memory' || other !== undefined)
    throw new Error(`${name}: ${other}, and without a limit ${unlimited}`);
  process.send({ name, done: true });
}
process.disconnect();
