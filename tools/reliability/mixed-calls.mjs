// One call of every kind that the library has, each with a check of what it gives.

import { pipeline as streamPipeline } from 'node:stream/promises';
import { AutoModel, AutoTokenizer, embedStream, embedTransform, VectorIndex } from '../../dist/index.js';
import {
  expectBits,
  expectClose,
  expectEqual,
  expectIds,
  expectRows,
  expectSimilarities,
  expectThat,
  expectVectors,
  labels,
  makeKnownTexts,
  masked,
  padded,
  query,
  question,
  textsOf,
} from './known-texts.mjs';

/** @typedef {{ name: string, weight: number, call: () => Promise<unknown> }} Kind */

/**
 * @param {Awaited<ReturnType<import('./small-models.mjs').makeSmallModels>>} parts
 * @param {(limit: number) => number} random
 * @returns {Promise<{ kinds: Kind[], dispose(): void }>}
 */
export async function mixedCalls(parts, random) {
  const { tokenizer, model, models, graph, sentences, pipelines, folders } = parts;
  const { hidden_size } = model;

  const { all, filled } = await makeKnownTexts(parts, random);
  const pick = (count) => Array.from({ length: count }, () => all[random(all.length)]);
  const some = (most) => pick(1 + random(most));
  const encode = (picked) => tokenizer(textsOf(picked), padded);

  const rows = Array.from({ length: 500 }, () => new Float32Array(hidden_size).map(() => random(1000) / 500 - 1));
  const index = new VectorIndex(rows);
  const hits = await index.search(rows.slice(0, 4), { top_k: 5 });
  expectEqual(
    hits.map(([first]) => first.corpus_id),
    [0, 1, 2, 3],
    'a search for what is there',
  );

  /** @type {Kind[]} */
  const kinds = [
    kind('tokenizer', 10, async () => {
      const picked = some(8);
      expectIds(encode(picked), picked);
    }),
    kind('tokenizer, with offsets', 4, async () => {
      const [{ text, offsets }] = pick(1);
      const { offset_mapping } = tokenizer(text, { ...padded, return_offsets_mapping: true });
      expectEqual([...offset_mapping.data].map(Number), offsets, 'offsets');
    }),
    kind('tokenizer, async', 6, async () => {
      const picked = some(16);
      expectIds(await tokenizer.encode_async(textsOf(picked), padded), picked);
    }),
    kind('tokenizer, rows', 4, async () => {
      const picked = some(16);
      const encoded = await tokenizer.encode_rows(textsOf(picked), { truncation: true });
      expectThat(encoded.size === picked.length, 'the number of rows');
      picked.forEach(({ ids }, row) => {
        expectEqual([...encoded.ids(row)], ids, 'the ids of a row');
      });
    }),
    kind('tokenizer, decode', 3, async () => {
      const [{ ids, decoded }] = pick(1);
      expectThat(tokenizer.decode(ids) === decoded, 'a decoded text');
    }),
    kind('embed', 12, async () => {
      const picked = some(8);
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
      await model.embed(encode(picked), { out });
      expectVectors({ data: out }, picked);
    }),
    kind('embed, rows of tokens', 4, async () => {
      const picked = some(16);
      expectVectors(await model.embed(await tokenizer.encode_rows(textsOf(picked), { truncation: true })), picked);
    }),
    kind('model', 8, async () => {
      const picked = some(3);
      const { last_hidden_state, pooler_output } = await model(encode(picked));
      expectRows(last_hidden_state, picked, 'states', hidden_size);
      expectVectors(pooler_output, picked, 'pooled');
    }),
    kind('model, all outputs', 3, async () => {
      const picked = some(2);
      const output = await model({ ...encode(picked), output_hidden_states: true, output_attentions: true });
      expectThat(output.hidden_states.length === 3 && output.attentions.length === 2, 'the number of layers');
      expectRows(output.hidden_states[2], picked, 'states', hidden_size);
      const [, , , keys] = output.attentions[1].dims;
      const sum = output.attentions[1].data.subarray(0, keys).reduce((total, value) => total + value, 0);
      expectThat(Math.abs(sum - 1) < 1e-5, 'the sum of attention');
    }),
    kind('model with a head', 4, async () => {
      const picked = some(4);
      expectRows((await models.tagger(encode(picked))).logits, picked, 'logits', 3);
    }),
    kind('pipeline: feature-extraction', 3, async () => {
      const picked = some(4);
      expectVectors(await pipelines.features(textsOf(picked), { pooling: 'mean' }), picked);
    }),
    kind('pipeline: text-classification', 3, async () => {
      const picked = some(6);
      expectEqual(
        await pipelines.classify(textsOf(picked)),
        picked.map(({ classified }) => classified),
        'a classification',
      );
    }),
    kind('pipeline: token-classification', 2, async () => {
      const [{ text, tags }] = pick(1);
      expectEqual(await pipelines.tag(text, { aggregation_strategy: 'simple' }), tags, 'tags');
    }),
    kind('pipeline: question-answering', 2, async () => {
      const [{ text, answer }] = pick(1);
      expectEqual(await pipelines.answer({ question, context: text }), answer, 'an answer');
    }),
    kind('pipeline: fill-mask', 1, async () => {
      expectEqual(await pipelines.fillMask(masked), filled, 'what fills a mask');
    }),
    kind('pipeline: zero-shot-classification', 1, async () => {
      const [{ text, zeroShot }] = pick(1);
      expectEqual(await pipelines.zeroShot(text, labels), zeroShot, 'a zero-shot classification');
    }),
    kind('pipeline: text-ranking', 1, async () => {
      const picked = some(4);
      const ranked = await pipelines.rank({ query, documents: textsOf(picked) });
      expectThat(ranked.length === picked.length, 'the number of documents');
      expectThat(
        ranked.every(({ corpus_id, score }) => score === picked[corpus_id].rank),
        'a rank',
      );
    }),
    kind('pipeline: sentence-similarity', 1, async () => {
      const [source, ...picked] = pick(2 + random(4));
      const scores = await pipelines.similarity({ source_sentence: source.text, sentences: textsOf(picked) });
      expectSimilarities(scores, source, picked);
    }),
    kind('SentenceTransformer', 3, async () => {
      const picked = some(8);
      expectVectors(await sentences.encode(textsOf(picked)), picked);
    }),
    kind('stream', 1, async () => {
      const picked = pick(20 + random(20));
      let i = 0;
      for await (const vector of embedStream(textsOf(picked), { model, tokenizer })) {
        expectBits(vector, picked[i].vector, picked[i]);
        i++;
      }
      expectThat(i === picked.length, 'the length of a stream');
    }),
    kind('stream, left early', 1, async () => {
      const picked = pick(40);
      for await (const vector of embedStream(textsOf(picked), { model, tokenizer, window: 8 })) {
        expectBits(vector, picked[0].vector, picked[0]);
        break;
      }
    }),
    kind('stream, a Transform', 1, async () => {
      let i = 0;
      const picked = some(20);
      await streamPipeline(textsOf(picked), embedTransform({ model, tokenizer }), async (vectors) => {
        for await (const vector of vectors) {
          expectBits(vector, picked[i].vector, picked[i]);
          i++;
        }
      });
      expectThat(i === picked.length, 'the length of a stream');
    }),
    kind('VectorIndex, search', 4, async () => {
      const count = 1 + random(4);
      expectEqual(await index.search(rows.slice(0, count), { top_k: 5 }), hits.slice(0, count), 'a search');
    }),
    kind('VectorIndex, made and disposed of', 0.5, async () => {
      const own = new VectorIndex(rows.slice(0, 100));
      expectThat((await own.search([rows[7]], { top_k: 1 }))[0][0].corpus_id === 7, 'a search');
      own.dispose();
    }),
    kind('aborted at any time', 6, async () => {
      const controller = new AbortController();
      const picked = some(4);
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
      const picked = some(2);
      expectIds(own(textsOf(picked), padded), picked);
    }),
  ];
  if (graph !== null) kinds.push(...graphCalls());

  function graphCalls() {
    return [
      kind('ONNX Runtime, embed', 6, async () => {
        const picked = some(8);
        expectCloseVectors(await graph.embed(encode(picked)), picked);
      }),
      kind('ONNX Runtime, model', 2, async () => {
        const [each] = pick(1);
        expectClose((await graph(encode([each]))).last_hidden_state.data, each.states);
      }),
      kind('ONNX Runtime, aborted at any time', 2, async () => {
        const controller = new AbortController();
        const picked = some(4);
        const call = graph.embed(encode(picked), { signal: controller.signal });
        setImmediate(() => controller.abort());
        await call.then((result) => expectCloseVectors(result, picked), allow('ERR_ABORTED'));
      }),
      kind('ONNX Runtime, loaded and disposed of', 0.03, async () => {
        const own = await AutoModel.from_pretrained(folders.graphs, { engine: 'onnxruntime' });
        const picked = pick(2);
        expectCloseVectors(await own.embed(encode(picked)), picked);
        own.dispose();
      }),
    ];
  }

  function expectCloseVectors({ data }, picked) {
    expectThat(data.length === picked.length * hidden_size, 'the number of vectors');
    picked.forEach(({ vector }, row) => {
      expectClose(data.subarray(row * hidden_size, (row + 1) * hidden_size), vector);
    });
  }

  return { kinds, dispose: () => index.dispose() };
}

function kind(name, weight, call) {
  return { name, weight, call };
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
