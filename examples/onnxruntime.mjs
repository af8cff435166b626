// A model as an ONNX graph, run by ONNX Runtime (npm install onnxruntime-node): the same classes and the same vectors.
//
// node examples/onnxruntime.mjs [model] [folder] [texts…]

import { AutoModel, AutoTokenizer, pipeline } from 'bert-native';

const [source = 'beomi/kcbert-base', folder = 'onnx-model', ...given] = process.argv.slice(2);
const dtypes = /** @type {const} */ (['fp32', 'fp16', 'q8']);
const texts = given.length > 0 ? given : ['오늘 날씨가 좋네요', '밖에 해가 나서 화창해요', '어제 본 영화는 지루했다'];

const tokenizer = await AutoTokenizer.from_pretrained(source);
const native = await AutoModel.from_pretrained(source);
const features = tokenizer(texts, { padding: true, truncation: true });
const expected = await native.embed(features, { normalize: true });

// Graphs and a tokenizer, as models are on the hub that are ONNX alone. Such a folder needs no option to be loaded.
for (const dtype of dtypes) await native.save_pretrained(folder, { format: 'onnx', dtype });
await tokenizer.save_pretrained(folder);

for (const dtype of dtypes) {
  const model = await AutoModel.from_pretrained(folder, { dtype });
  const vectors = await model.embed(features, { normalize: true });
  let difference = 0;
  for (const [i, value] of vectors.data.entries())
    difference = Math.max(difference, Math.abs(value - expected.data[i]));
  const providers = model.execution_providers.join(', ');
  console.log(`${model.engine}, ${model.dtype}, on ${providers}: ${difference.toExponential(1)} off at most`);
  model.dispose();
}

// Pipelines take the folder, or the graph itself. What a session is made with goes through them.
const extract = await pipeline('feature-extraction', folder, { session_options: { intraOpNumThreads: 1 } });
const vectors = await extract(texts, { pooling: 'mean', normalize: true });
console.log(`pipeline: [${vectors.dims.join(', ')}]`);
for (const [i, text] of texts.entries()) {
  const numbers = [...vectors[i].data.subarray(0, 4)].map((value) => value.toFixed(5));
  console.log(`${text}: ${numbers.join(' ')} …`);
}

await extract.dispose();
native.dispose();
