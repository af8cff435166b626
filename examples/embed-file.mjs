// Vectors for every line of a file, of any size: lines are read, computed and written as they come.
//
// node examples/embed-file.mjs texts.txt vectors.jsonl [model]

import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AutoModel, AutoTokenizer, embedStream } from 'bert-native';

const [input, output, source = 'sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2'] = process.argv.slice(2);
if (output === undefined) {
  console.error('usage: node examples/embed-file.mjs texts.txt vectors.jsonl [model]');
  process.exit(2);
}

const tokenizer = await AutoTokenizer.from_pretrained(source);
const model = await AutoModel.from_pretrained(source);

/** The lines of the file that hold anything, with their numbers. */
async function* numberedLines() {
  let number = 0;
  for await (const text of createInterface({ input: createReadStream(input), crlfDelay: Infinity })) {
    number++;
    if (text.trim() !== '') yield { number, text };
  }
}

let lines = 0;
let tokens = 0;
let cut = 0;

/** A line of JSON for each text, in the order of the file. */
async function* rows() {
  const vectors = embedStream(numberedLines(), {
    model,
    tokenizer,
    pooling: 'mean',
    normalize: true,
    text: (item) => item.text,
  });
  for await (const { item, vector, tokens: read, truncated } of vectors) {
    lines++;
    tokens += read;
    if (truncated) cut++;
    yield `${JSON.stringify({ line: item.number, text: item.text, vector: [...vector] })}\n`;
  }
}

await pipeline(Readable.from(rows()), createWriteStream(output));
console.log(`${lines} texts, ${tokens} tokens, ${cut} texts cut to what the model takes: ${output}`);

model.dispose();
