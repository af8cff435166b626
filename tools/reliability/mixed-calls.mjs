// One call of every kind that the library has, each with a check of what it gives.

import { pipeline as streamPipeline } from 'node:stream/promises';
import { AutoModel, AutoTokenizer, embedStream, embedTransform, VectorIndex } from '../../dist/index.js';
import { randomText } from './small-models.mjs';

const knownTexts = 64;
const length = { padding: true, truncation: true, max_length: 128 };

/** @typedef {{ name: string, weight: number, call: () => Promise<unknown> }} Kind */

/**
 * @param {Awaited<ReturnType<import('./small-models.mjs').makeSmallModels>>} parts
 * @param {(limit: number) => number} random
 * @returns {Promise<{ kinds: Kind[], dispose(): void }>}
 */
export async function mixedCalls(parts, random) {
  const { tokenizer, model, models, graph, sentences, pipelines, folders } = parts;
  const { hidden_size } = model;

  // Texts whose vectors are known: whatever a call is mixed with, it gives the bits that the text alone gives.
  const known = [];
  for (let i = 0; i < knownTexts; i++) {
    const text = randomText(random);
    known.push({ text, vector: (await model.embed(tokenizer(text, length))).data });
  }
  const pick = (count) => Array.from({ length: count }, () => known[random(known.length)]);
  const one = () => randomText(random);
  const some = (most) => Array.from({ length: 1 + random(most) }, one);
  const encode = (picked) => tokenizer(textsOf(picked), length);

  const rows = Array.from({ length: 500 }, () => new Float32Array(hidden_size).map(() => random(1000) / 500 - 1));
  const index = new VectorIndex(rows);

  /** @type {Kind[]} */
  const kinds = [
    kind('tokenizer', 10, async () => expectThat(tokenizer(some(8), length).input_ids.dims[0] >= 1)),
    kind('tokenizer, with offsets', 4, async () => {
      const text = one();
      const { offset_mapping } = tokenizer(text, { return_offsets_mapping: true });
      expectThat(offset_mapping.dims[2] === 2 && offset_mapping.data.at(-4) <= text.length);
    }),
    kind('tokenizer, async', 6, async () => {
      const texts = some(16);
      expectThat((await tokenizer.encode_async(texts, length)).input_ids.dims[0] === texts.length);
    }),
    kind('tokenizer, rows', 4, async () => {
      const texts = some(16);
      expectThat((await tokenizer.encode_rows(texts, { truncation: true })).lengths.length === texts.length);
    }),
    kind('tokenizer, decode', 3, async () => {
      const { data } = tokenizer(one()).input_ids;
      expectThat(typeof tokenizer.decode([...data].map(Number)) === 'string');
    }),
    kind('embed', 12, async () => {
      const picked = pick(1 + random(8));
      expectVectors(await model.embed(encode(picked)), picked);
    }),
    kind('embed, many', 3, async () => {
      const picked = pick(16 + random(32));
      expectVectors(await model.embed(encode(picked)), picked);
    }),
    kind('embed, into memory of the caller', 6, async () => {
      const picked = pick(1);
      const bytes = 4 * hidden_size;
      const out = new Float32Array(random(2) ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
      expectVectors(await model.embed(encode(picked), { out }), picked);
    }),
    kind('embed, rows of tokens', 4, async () => {
      const picked = pick(1 + random(16));
      expectVectors(await model.embed(await tokenizer.encode_rows(textsOf(picked), { truncation: true })), picked);
    }),
    kind('model', 8, async () => {
      const { last_hidden_state, pooler_output } = await model(tokenizer(some(3), length));
      expectThat(last_hidden_state.dims[2] === hidden_size && pooler_output.dims[1] === hidden_size);
    }),
    kind('model, all outputs', 3, async () => {
      const output = await model({
        ...tokenizer(some(2), length),
        output_hidden_states: true,
        output_attentions: true,
      });
      expectThat(output.hidden_states.length === 3 && output.attentions.length === 2);
    }),
    kind('model with a head', 4, async () => {
      const { logits } = await models.tagger(tokenizer(some(4), length));
      expectThat(logits.dims[2] === 3);
    }),
    kind('pipeline: feature-extraction', 3, async () => {
      expectThat((await pipelines.features(some(4), { pooling: 'mean' })).dims[1] === hidden_size);
    }),
    kind('pipeline: text-classification', 3, async () => {
      const texts = some(6);
      expectThat((await pipelines.classify(texts)).length === texts.length);
    }),
    kind('pipeline: token-classification', 2, async () => {
      expectThat(Array.isArray(await pipelines.tag(one(), { aggregation_strategy: 'simple' })));
    }),
    kind('pipeline: question-answering', 2, async () => {
      const answer = await pipelines.answer({ question: 'what is nice?', context: one() });
      expectThat(typeof answer.answer === 'string');
    }),
    kind('pipeline: fill-mask', 1, async () => {
      expectThat((await pipelines.fillMask('the [MASK] is nice')).length === 5);
    }),
    kind('pipeline: zero-shot-classification', 1, async () => {
      expectThat((await pipelines.zeroShot(one(), ['weather', 'food', '인사'])).labels.length === 3);
    }),
    kind('pipeline: text-ranking', 1, async () => {
      const documents = some(4);
      const ranked = await pipelines.rank({ query: 'nice weather', documents });
      expectThat(ranked.length === documents.length);
    }),
    kind('pipeline: sentence-similarity', 1, async () => {
      const sentences_ = some(4);
      const scores = await pipelines.similarity({ source_sentence: one(), sentences: sentences_ });
      expectThat(scores.length === sentences_.length);
    }),
    kind('SentenceTransformer', 3, async () => {
      const picked = pick(1 + random(8));
      expectVectors(await sentences.encode(textsOf(picked)), picked);
    }),
    kind('stream', 1, async () => {
      const picked = pick(20 + random(20));
      let i = 0;
      for await (const vector of embedStream(textsOf(picked), { model, tokenizer })) expectBits(vector, picked[i++]);
      expectThat(i === picked.length);
    }),
    kind('stream, left early', 1, async () => {
      const picked = pick(40);
      for await (const vector of embedStream(textsOf(picked), { model, tokenizer, window: 8 })) {
        expectBits(vector, picked[0]);
        break;
      }
    }),
    kind('stream, a Transform', 1, async () => {
      let count = 0;
      const texts = some(20);
      await streamPipeline(texts, embedTransform({ model, tokenizer }), async (results) => {
        for await (const _ of results) count++;
      });
      expectThat(count === texts.length);
    }),
    kind('VectorIndex, search', 4, async () => {
      const hits = await index.search(rows.slice(0, 1 + random(4)), { top_k: 5 });
      expectThat(hits[0].length === 5 && hits[0][0].corpus_id === 0);
    }),
    kind('VectorIndex, made and disposed of', 0.5, async () => {
      const own = new VectorIndex(rows.slice(0, 100));
      expectThat((await own.search([rows[7]], { top_k: 1 }))[0][0].corpus_id === 7);
      own.dispose();
    }),
    kind('aborted at any time', 6, async () => {
      const controller = new AbortController();
      const picked = pick(1 + random(4));
      const call = model.embed(encode(picked), { signal: controller.signal });
      if (random(2) === 0) setImmediate(() => controller.abort());
      await call.then((result) => expectVectors(result, picked), allow('ERR_ABORTED'));
    }),
    // Node keeps a composite signal for as long as somebody listens to it. (Its sources must not live long here: Node 20
    // and 22 never forget the signals made of one.)
    kind('with a composite signal', 3, async () => {
      const picked = pick(1);
      const signal = AbortSignal.any([new AbortController().signal]);
      expectVectors(await model.embed(encode(picked), { signal }), picked);
    }),
    kind('refused', 4, async () => expectCode(model([[model.config.vocab_size]]), 'ERR_TOKEN_ID')),
    kind('model, loaded and disposed of', 0.3, async () => {
      const own = await AutoModel.from_pretrained(folders.checkpoint);
      const picked = pick(2);
      const call = own.embed(encode(picked));
      own.dispose(); // what was called before is still answered
      expectVectors(await call, picked);
    }),
    kind('tokenizer, loaded', 0.1, async () => {
      const own = await AutoTokenizer.from_pretrained(folders.checkpoint);
      expectThat(own('the weather').input_ids.dims[1] >= 3);
    }),
  ];
  if (graph !== null) kinds.push(...graphCalls());

  function graphCalls() {
    return [
      kind('ONNX Runtime, embed', 6, async () => {
        const picked = pick(1 + random(8));
        expectClose(await graph.embed(encode(picked)), picked);
      }),
      kind('ONNX Runtime, model', 2, async () => {
        expectThat((await graph(tokenizer(some(3), length))).last_hidden_state.dims[2] === hidden_size);
      }),
      kind('ONNX Runtime, aborted at any time', 2, async () => {
        const controller = new AbortController();
        const picked = pick(1 + random(4));
        const call = graph.embed(encode(picked), { signal: controller.signal });
        setImmediate(() => controller.abort());
        await call.then((result) => expectClose(result, picked), allow('ERR_ABORTED'));
      }),
      kind('ONNX Runtime, loaded and disposed of', 0.03, async () => {
        const own = await AutoModel.from_pretrained(folders.graphs, { engine: 'onnxruntime' });
        const picked = pick(2);
        expectClose(await own.embed(encode(picked)), picked);
        own.dispose();
      }),
    ];
  }

  function expectVectors({ data }, picked) {
    expectThat(data.length === picked.length * hidden_size);
    for (const [row, each] of picked.entries()) {
      expectBits(data.subarray(row * hidden_size, (row + 1) * hidden_size), each);
    }
  }

  function expectClose({ data }, picked) {
    expectThat(data.length === picked.length * hidden_size);
    picked.forEach(({ vector }, row) => {
      for (let i = 0; i < hidden_size; i++) {
        const difference = Math.abs(data[row * hidden_size + i] - vector[i]);
        expectThat(difference <= 2e-5 + 2e-5 * Math.abs(vector[i]));
      }
    });
  }

  return { kinds, dispose: () => index.dispose() };
}

const textsOf = (picked) => picked.map(({ text }) => text);

function kind(name, weight, call) {
  return { name, weight, call };
}

function expectThat(holds) {
  if (!holds) throw new Error('a result is not what it has to be');
}

function expectBits(actual, { text, vector }) {
  for (let i = 0; i < vector.length; i++) {
    if (!Object.is(actual[i], vector[i])) throw new Error(`'${text}' has another vector than alone`);
  }
}

function allow(code) {
  return (error) => {
    if (error.code !== code) throw error;
  };
}

async function expectCode(call, code) {
  await call.then(() => {
    throw new Error(`a call that had to be refused with ${code} resolved`);
  }, allow(code));
}
