// Who and where: entities of a text, token by token and as they stand in the text.
//
// node examples/named-entities.mjs [model] [texts…]

import { pipeline } from 'bert-native';

const [model = 'Leo97/KoELECTRA-small-v3-modu-ner', ...given] = process.argv.slice(2);
const texts = given.length > 0 ? given : ['김민수는 서울에서 태어나 부산의 대학교를 다녔다.'];

const ner = await pipeline('ner', model);

for (const text of texts) {
  console.log(text);
  for (const { entity, score, word, index } of await ner(text)) {
    console.log(`  ${index} ${word}: ${entity} ${score.toFixed(4)}`);
  }
  // Joined: 'simple' leaves a Korean particle out, 'first' would label whole words.
  for (const { entity_group, score, start, end } of await ner(text, { aggregation_strategy: 'simple' })) {
    console.log(`  [${start}, ${end}) ${text.slice(start, end)}: ${entity_group} ${score.toFixed(4)}`);
  }
}

await ner.dispose();
