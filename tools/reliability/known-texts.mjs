// Texts with what the small models make of each alone. Whatever a call is mixed with, it has to give the same.

import { isDeepStrictEqual } from 'node:util';
import { randomText } from './small-models.mjs';

const count = 64;
/** How texts become padded rows. */
export const padded = { padding: true, truncation: true, max_length: 128 };
export const question = 'what is nice?';
export const query = 'nice weather';
export const labels = ['weather', 'food', '인사'];
export const masked = 'the [MASK] is nice';

/**
 * @param {Awaited<ReturnType<import('./small-models.mjs').makeSmallModels>>} parts
 * @param {(limit: number) => number} random
 */
export async function makeKnownTexts({ tokenizer, model, models, pipelines }, random) {
  const all = [];
  for (let i = 0; i < count; i++) {
    const text = randomText(random);
    const inputs = tokenizer(text, padded);
    const ids = [...inputs.input_ids.data].map(Number);
    const { last_hidden_state, pooler_output } = await model(inputs);
    all.push({
      text,
      ids,
      offsets: [...tokenizer(text, { ...padded, return_offsets_mapping: true }).offset_mapping.data].map(Number),
      decoded: tokenizer.decode(ids),
      vector: (await model.embed(inputs)).data,
      states: last_hidden_state.data,
      pooled: pooler_output.data,
      logits: (await models.tagger(inputs)).logits.data,
      classified: (await pipelines.classify([text]))[0],
      tags: await pipelines.tag(text, { aggregation_strategy: 'simple' }),
      answer: await pipelines.answer({ question, context: text }),
      zeroShot: await pipelines.zeroShot(text, labels),
      rank: (await pipelines.rank({ query, documents: [text] }))[0].score,
    });
  }
  return { all, filled: await pipelines.fillMask(masked) };
}

export const textsOf = (picked) => picked.map(({ text }) => text);

export function expectThat(holds, what = 'a result') {
  if (!holds) throw new Error(`${what} is not what it has to be`);
}

export function expectEqual(actual, expected, what) {
  expectThat(isDeepStrictEqual(actual, expected), what);
}

/** A row of numbers, bit for bit. */
export function expectBits(actual, expected, { text }) {
  expectThat(actual.length === expected.length, 'the length of a result');
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) throw new Error(`'${text}' gives something else than alone`);
  }
}

/** `[texts, tokens of the longest, width]` against the rows of each text alone: what stands behind them is padding. */
export function expectRows({ data, dims }, picked, name, width) {
  const longest = Math.max(...picked.map(({ ids }) => ids.length));
  expectEqual(dims, [picked.length, longest, width], 'the shape of a result');
  picked.forEach((each, row) => {
    const begin = row * longest * width;
    expectBits(data.subarray(begin, begin + each.ids.length * width), each[name], each);
  });
}

/** One vector for each text. */
export function expectVectors({ data }, picked, name = 'vector') {
  const width = picked[0][name].length;
  expectThat(data.length === picked.length * width, 'the number of vectors');
  picked.forEach((each, row) => {
    expectBits(data.subarray(row * width, (row + 1) * width), each[name], each);
  });
}

/** The same where another engine computes: within the tolerance of the goldens. */
export function expectClose(data, expected) {
  expectThat(data.length === expected.length, 'the length of a result');
  for (let i = 0; i < expected.length; i++) {
    expectThat(Math.abs(data[i] - expected[i]) <= 2e-5 + 2e-5 * Math.abs(expected[i]), 'a number of the graph');
  }
}

/** Padded ids and their mask. */
export function expectIds({ input_ids, attention_mask }, picked) {
  const longest = Math.max(...picked.map(({ ids }) => ids.length));
  expectEqual(input_ids.dims, [picked.length, longest], 'the shape of ids');
  picked.forEach(({ ids, text }, row) => {
    for (let i = 0; i < longest; i++) {
      const at = row * longest + i;
      const isText = i < ids.length;
      if (Number(attention_mask.data[at]) !== Number(isText) || (isText && Number(input_ids.data[at]) !== ids[i])) {
        throw new Error(`'${text}' has other tokens than alone`);
      }
    }
  });
}

/** How similar sentences are to another: the cosine of their vectors. */
export function expectSimilarities(scores, source, picked) {
  expectClose(
    scores,
    picked.map(
      ({ vector }) => dot(source.vector, vector) / Math.sqrt(dot(source.vector, source.vector) * dot(vector, vector)),
    ),
  );
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
