// Labels that nobody trained: a model of inference says which of them a text entails.
//
// node examples/zero-shot.mjs [model] [text labels…]

import { pipeline } from 'bert-native';

const [model = 'MoritzLaurer/mDeBERTa-v3-base-xnli-multilingual-nli-2mil7', ...given] = process.argv.slice(2);
const [text = '주문한 지 일주일이 지났는데 아직도 도착하지 않았어요.', ...named] = given;
const labels = named.length > 0 ? named : ['배송', '환불', '결제', '회원 가입'];
const hypothesis_template = '이 글은 {}에 관한 것이다.';

const classify = await pipeline('zero-shot-classification', model);

// One of the labels: their scores add up to 1.
const one = await classify(text, labels, { hypothesis_template });
console.log(one.sequence);
for (const [i, label] of one.labels.entries()) console.log(`  ${one.scores[i].toFixed(5)} ${label}`);

// Any number of them: each has a score of its own.
const several = await classify(text, labels, { hypothesis_template, multi_label: true });
console.log('each by itself:');
for (const [i, label] of several.labels.entries()) console.log(`  ${several.scores[i].toFixed(5)} ${label}`);

await classify.dispose();
