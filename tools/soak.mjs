#!/usr/bin/env node
// Calls a model over and over, in mixed sizes and ways, and tells whether resident memory stays flat.
// Usage: npm run soak -- [calls, default 100000]      Fails where memory grew by 2% or more after the warm-up.

import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BertConfig, BertModel, BertTokenizer } from '../dist/index.js';
import { makeRandom } from './random.mjs';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const calls = Number(process.argv[2] ?? 100_000);
if (!Number.isInteger(calls) || calls < 1000) {
  console.error('soak: expected a number of calls, at least 1000');
  process.exit(2);
}
// The heap and the allocator's arenas reach their size in this time; counted calls come after it.
const warmUpCalls = 60_000;
const concurrency = 16;
const samples = 50;
const allowedGrowth = 0.02;

// ---------- what is called ----------

const seed = 20_240_229;
const random = makeRandom(seed);

const tokenizer = await BertTokenizer.from_pretrained(
  fileURLToPath(new URL('../examples/demo-model', import.meta.url)),
);
const config = new BertConfig({
  vocab_size: tokenizer.vocab_size,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  max_position_embeddings: 128,
});
const model = new BertModel(config, { seed });
const words = ['안녕하세요', '오늘', '날씨가', '좋네요', 'the', 'weather', 'is', 'nice', 'today', '!'];
const text = () => Array.from({ length: 1 + random(40) }, () => words[random(words.length)]).join(' ');
const options = { padding: true, truncation: true, max_length: 128 };

const kinds = [
  async () => model.embed(tokenizer(text(), options)),
  async () => model.embed(tokenizer(Array.from({ length: 1 + random(16) }, text), options), { normalize: true }),
  async () => model.embed(await tokenizer.encode_async([text(), text()], options), { pooling: 'max' }),
  async () => model(tokenizer([text(), text(), text()], options)),
  async () => model({ ...tokenizer(text(), options), output_hidden_states: true, output_attentions: true }),
  async () => model.embed(tokenizer(text(), options), { out: new Float32Array(64) }),
  async () => model.embed(tokenizer(text(), options), { out: new Float32Array(new SharedArrayBuffer(256)) }),
  async () => {
    const controller = new AbortController();
    const call = model.embed(tokenizer(text(), options), { signal: controller.signal });
    if (random(2) === 0) setImmediate(() => controller.abort());
    return call.catch((error) => {
      if (error.code !== 'ERR_ABORTED') throw error;
    });
  },
  // Node keeps a composite signal for as long as somebody listens to it. (Its sources must not live long here: Node 20 and
  // 22 never forget the signals made of one.)
  async () => model.embed(tokenizer(text(), options), { signal: AbortSignal.any([new AbortController().signal]) }),
  async () =>
    model([[config.vocab_size]]).then(
      () => {
        throw new Error('an id outside the vocabulary was accepted');
      },
      (error) => {
        if (error.code !== 'ERR_TOKEN_ID') throw error;
      },
    ),
];

// ---------- the run ----------

let started = -warmUpCalls;
const rss = [];

async function caller() {
  while (started < calls) {
    started++;
    if (started > 0 && started % Math.ceil(calls / samples) === 0) {
      collectGarbage();
      rss.push(process.memoryUsage.rss());
      if (process.stderr.isTTY) process.stderr.write(`\r${started} calls, ${megabytes(rss.at(-1))} resident `);
    }
    await kinds[random(kinds.length)]();
  }
}

const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const start = performance.now();
await Promise.all(Array.from({ length: concurrency }, caller));
const seconds = (performance.now() - start) / 1000;
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');

const part = Math.max(1, Math.floor(rss.length / 4));
const [before, after] = [median(rss.slice(0, part)), median(rss.slice(-part))];
const growth = after / before - 1;
const { finished_calls, computed_tokens, queued_calls, running_calls } = model.stats();
console.log(
  `${warmUpCalls} and ${calls} calls in ${seconds.toFixed(0)} s, ${finished_calls} reached the model: ${computed_tokens} tokens`,
);
console.log(
  `resident in the first quarter after the warm-up ${megabytes(before)}, in the last ${megabytes(after)}: ${(100 * growth).toFixed(2)}%`,
);
if (queued_calls !== 0 || running_calls !== 0) {
  console.error(`soak: ${queued_calls} calls still wait and ${running_calls} still run`);
  process.exitCode = 1;
}
if (growth >= allowedGrowth) {
  console.error(`soak: resident memory grew by ${(100 * growth).toFixed(2)}%: expected less than 2%`);
  process.exitCode = 1;
}
model.dispose();
