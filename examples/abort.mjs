// Work that somebody gave up on: an AbortSignal ends a call or a stream at once.
//
// node examples/abort.mjs [model]

import { AutoModel, AutoTokenizer, BertNativeError, embedStream } from 'bert-native';

const [source = 'beomi/kcbert-base'] = process.argv.slice(2);
const tokenizer = await AutoTokenizer.from_pretrained(source);
const model = await AutoModel.from_pretrained(source);

/** What an aborted call or stream ends with; anything else is an error here, too. */
function expectAborted(error) {
  if (!(error instanceof BertNativeError) || error.code !== 'ERR_ABORTED') throw error;
  return `${error.code}, because of ${error.cause}`;
}

// A call. It would not be done within a moment, whose texts are many; the engine drops them.
const many = tokenizer(Array(4096).fill('안녕하세요, 오늘 날씨가 좋네요'), { padding: true });
const controller = new AbortController();
const call = model.embed(many, { signal: controller.signal });
controller.abort();
await call.catch((error) => console.log(`the call: ${expectAborted(error)}`));

// A stream without an end, and a time limit.
function* forever() {
  for (let i = 0; ; i++) yield `text ${i}`;
}
let vectors = 0;
try {
  for await (const _ of embedStream(forever(), { model, tokenizer, signal: AbortSignal.timeout(500) })) vectors++;
} catch (error) {
  console.log(`the stream, after ${vectors} vectors: ${expectAborted(error)}`);
}

// The model is as it was.
const { dims } = await model.embed(tokenizer('안녕하세요'));
console.log(`afterwards: [${dims.join(', ')}]`);

model.dispose();
