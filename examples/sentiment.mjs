// Is a text positive or negative? By a pipeline.
//
// node examples/sentiment.mjs [model] [texts…]

import { pipeline } from 'bert-native';

const [model = 'nlptown/bert-base-multilingual-uncased-sentiment', ...given] = process.argv.slice(2);
const texts =
  given.length > 0
    ? given
    : ['영화 정말 재미있네요! 배우 연기 최고', '스토리도 없고 지루했다', 'We are very happy to show you this library.'];

const classify = await pipeline('sentiment-analysis', model);

// The likeliest label of each text.
const results = await classify(texts);
for (const [i, { label, score }] of results.entries()) console.log(`${label} ${score.toFixed(5)}  ${texts[i]}`);

// All labels of the first, best first.
const all = await classify(texts[0], { top_k: null });
console.log(`\n${texts[0]}`);
for (const { label, score } of all) console.log(`  ${label} ${score.toFixed(5)}`);

await classify.dispose();
