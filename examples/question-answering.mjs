// Answers that stand in a text.
//
// node examples/question-answering.mjs [model] [question context]

import { pipeline } from 'bert-native';

const [model = 'timpal0l/mdeberta-v3-base-squad2', ...given] = process.argv.slice(2);
const questions =
  given.length === 2
    ? [{ question: given[0], context: given[1] }]
    : [
        {
          question: '한글은 누가 만들었나요?',
          context: '한글은 조선의 제4대 왕 세종이 1443년에 만들어 1446년에 반포한 문자이다.',
        },
        {
          question: 'Where is Gyeongbokgung?',
          context: 'Gyeongbokgung is a palace in northern Seoul. It was built in 1395.',
        },
      ];

const ask = await pipeline('question-answering', model);

for (const { question, context } of questions) {
  const answers = await ask({ question, context }, { top_k: 3 });
  console.log(question);
  for (const { answer, score, start, end } of answers) {
    console.log(`  ${score.toFixed(5)} [${start}, ${end}) ${answer}`);
  }
}

await ask.dispose();
