// Vectors of a word in its context: the same letters, other meanings.
//
// node examples/word-embeddings.mjs [model] [word sentences…]

import { AutoModel, AutoTokenizer, cos_sim } from 'bert-native';

const [source = 'google-bert/bert-base-multilingual-cased', ...given] = process.argv.slice(2);
const groups =
  given.length > 1
    ? [given]
    : [
        ['배', '배를 타고 섬에 갔다', '항구에서 배를 기다렸다', '과일 가게에서 배를 샀다'],
        ['bank', 'He took money from the bank.', 'The bank raised its rates.', 'They sat on the bank of the river.'],
      ];

const tokenizer = await AutoTokenizer.from_pretrained(source);
const model = await AutoModel.from_pretrained(source);

/** The mean of the states of the tokens that the word's first occurrence touches. */
async function wordVector(word, sentence) {
  const start = sentence.indexOf(word);
  if (start < 0) throw new Error(`there is no '${word}' in '${sentence}'`);
  const inputs = tokenizer(sentence, { truncation: true });
  const { last_hidden_state } = await model(inputs);
  const places = Array.from({ length: word.length }, (_, i) => inputs.char_to_token(0, start + i));
  const touched = new Set(places.filter((token) => token !== null));
  if (touched.size === 0) throw new Error(`'${word}' lies behind what the model reads of '${sentence}'`);
  const [states] = last_hidden_state;
  const sum = new Float64Array(states.dims[1]);
  for (const token of touched) for (const [i, value] of states[token].data.entries()) sum[i] += value;
  return Array.from(sum, (value) => value / touched.size);
}

for (const [word, ...sentences] of groups) {
  const vectors = await Promise.all(sentences.map((sentence) => wordVector(word, sentence)));
  console.log(`${word}: cosine similarity in`);
  for (const [i, sentence] of sentences.entries()) {
    const row = vectors.map((vector) => cos_sim(vectors[i], vector).toFixed(5).padStart(8));
    console.log(`${row.join(' ')}  ${sentence}`);
  }
}

model.dispose();
