// Vectors of sentences, and how alike they are: the mean of the tokens' states, by hand and in one call.
//
// node examples/sentence-embeddings.mjs [model] [texts…]

import { AutoModel, AutoTokenizer, cos_sim, mean_pooling } from 'bert-native';

const [source = 'sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2', ...given] = process.argv.slice(2);
const texts =
  given.length > 0
    ? given
    : ['오늘 날씨가 정말 좋네요', '밖에 해가 나서 화창해요', 'The weather is lovely today', '어제 본 영화는 지루했다'];

const tokenizer = await AutoTokenizer.from_pretrained(source);
const model = await AutoModel.from_pretrained(source);
const inputs = tokenizer(texts, { padding: true, truncation: true });

// By hand: all states, then the mean of those that are no padding, then length 1.
const { last_hidden_state } = await model(inputs);
const byHand = mean_pooling(last_hidden_state, inputs.attention_mask).normalize(2, -1);

// In one call, which computes and returns no more than that.
const vectors = await model.embed(inputs, { pooling: 'mean', normalize: true });
console.log(`vectors: [${vectors.dims.join(', ')}]`);

let difference = 0;
for (const [i, value] of vectors.data.entries()) difference = Math.max(difference, Math.abs(value - byHand.data[i]));
console.log(`largest difference of the two ways: ${difference.toExponential(1)}`);

console.log('\ncosine similarity');
for (const [i, text] of texts.entries()) {
  const row = texts.map((_, j) => cos_sim(vectors[i].data, vectors[j].data).toFixed(5).padStart(8));
  console.log(`${row.join(' ')}  ${text}`);
}

model.dispose();
