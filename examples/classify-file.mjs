// A label for every line of a file, or of standard input: pipelines take whatever can be iterated over.
//
// node examples/classify-file.mjs texts.txt [model]          - stands for standard input

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline } from 'bert-native';

const [input = '-', model = 'nlptown/bert-base-multilingual-uncased-sentiment'] = process.argv.slice(2);

const classify = await pipeline('text-classification', model);
// Made only now: lines that come before anybody iterates would be lost.
const lines = createInterface({ input: input === '-' ? process.stdin : createReadStream(input), crlfDelay: Infinity });
const counts = new Map();
for await (const { label, score } of classify(lines)) {
  console.log(`${label}\t${score.toFixed(5)}`);
  counts.set(label, (counts.get(label) ?? 0) + 1);
}
console.log([...counts].map(([label, count]) => `${label}: ${count}`).join(', '));

await classify.dispose();
