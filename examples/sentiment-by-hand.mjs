// What a pipeline for sentiment does: text → ids → logits → softmax → label.
//
// node examples/sentiment-by-hand.mjs [model] [texts…]

import { AutoModelForSequenceClassification, AutoTokenizer } from 'bert-native';

const [source = 'nlptown/bert-base-multilingual-uncased-sentiment', ...given] = process.argv.slice(2);
const texts = given.length > 0 ? given : ['영화 정말 재미있네요!', '지루했다', 'What a film!'];

const tokenizer = await AutoTokenizer.from_pretrained(source);
const model = await AutoModelForSequenceClassification.from_pretrained(source);

const inputs = tokenizer(texts, { padding: true, truncation: true });
const { logits } = await model(inputs); // [texts, labels]
const probabilities = logits.softmax(-1);

const show = (values) => values.map((value) => value.toFixed(5)).join(' ');
for (const [i, text] of texts.entries()) {
  const ofText = [...probabilities[i].data];
  const best = ofText.indexOf(Math.max(...ofText));
  console.log(text);
  console.log(`  logits: ${show([...logits[i].data])}`);
  console.log(`  probabilities: ${show(ofText)}`);
  console.log(`  label: ${model.config.id2label[best]}`);
}

model.dispose();
