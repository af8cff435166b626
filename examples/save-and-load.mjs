// A model and its tokenizer as a folder of your own: as a checkpoint, and as ONNX for other runtimes.
//
// node examples/save-and-load.mjs [model] [folder]

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AutoModel, AutoTokenizer } from 'bert-native';

const [source = 'beomi/kcbert-base', folder = 'saved-model'] = process.argv.slice(2);
const text = '오늘 날씨가 좋네요';

const tokenizer = await AutoTokenizer.from_pretrained(source);
const model = await AutoModel.from_pretrained(source);
const vector = await model.embed(tokenizer(text), { pooling: 'mean' });

// config.json, model.safetensors, vocabulary: bit for bit what was loaded.
await model.save_pretrained(folder);
await tokenizer.save_pretrained(folder);

// onnx/model.onnx and onnx/model_quantized.onnx: for transformers.js, onnxruntime and others.
await model.save_pretrained(folder, { format: 'onnx', dtype: 'fp32' });
await model.save_pretrained(folder, { format: 'onnx', dtype: 'q8' });

for (const name of (await readdir(folder, { recursive: true })).sort()) {
  const file = await stat(join(folder, name));
  if (file.isFile()) console.log(`${String(file.size).padStart(10)} bytes  ${join(folder, name)}`);
}

const loadedTokenizer = await AutoTokenizer.from_pretrained(folder);
const loaded = await AutoModel.from_pretrained(folder);
const again = await loaded.embed(loadedTokenizer(text), { pooling: 'mean' });
console.log(`the same vector when loaded: ${again.data.every((value, i) => value === vector.data[i])}`);

// A quarter of the memory: any dtype can be asked for when a checkpoint is loaded.
const small = await AutoModel.from_pretrained(folder, { dtype: 'q8' });
console.log(
  `bytes in memory: fp32 ${loaded.stats().memory.weights_size_bytes}, q8 ${small.stats().memory.weights_size_bytes}`,
);

for (const used of [model, loaded, small]) used.dispose();
