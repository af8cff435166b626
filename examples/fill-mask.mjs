// The likeliest words for a gap. [MASK] stands for the tokenizer's own mask, whatever it looks like.
//
// node examples/fill-mask.mjs [model] [texts…]

import { pipeline } from 'bert-native';

const [model = 'google-bert/bert-base-multilingual-cased', ...given] = process.argv.slice(2);
const texts = given.length > 0 ? given : ['대한민국의 수도는 [MASK]이다.', 'The capital of France is [MASK].'];

const fill = await pipeline('fill-mask', model);
const mask = String(fill.tokenizer.mask_token); // <mask> of RoBERTa's family

// A text with several masks has an array of results for each.
for (const text of texts) {
  const results = await fill(text.replaceAll('[MASK]', mask), { top_k: 3 });
  console.log(text);
  for (const { token_str, token, score, sequence } of results.flat()) {
    console.log(`  ${score.toFixed(5)} ${token_str} (${token}): ${sequence}`);
  }
}

await fill.dispose();
