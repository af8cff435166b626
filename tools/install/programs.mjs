// What a user of the package writes; tools/test-install.mjs runs these in folders that have it installed.

/** Texts to vectors with the model that the package carries, by both engines, and compares. */
const embedAndCompare = `
async function embedAndCompare({ AutoModel, AutoTokenizer }, folder) {
  const texts = ['안녕하세요, 오늘 날씨가 정말 좋네요!', 'The weather is really nice today!', ''];
  const inputs = (await AutoTokenizer.from_pretrained(folder))(texts, { padding: true });
  const results = [];
  for (const engine of ['native', 'reference']) {
    const model = await AutoModel.from_pretrained(folder, { engine });
    const { data, dims } = await model.embed(inputs, { pooling: 'mean' });
    results.push(data);
    if (dims.join() !== '3,48') throw new Error('dims ' + dims);
    model.dispose();
  }
  const [a, b] = results;
  const far = a.findIndex((value, i) => !(Math.abs(value - b[i]) <= 2e-5 + 2e-5 * Math.abs(b[i])));
  if (far >= 0) throw new Error('value ' + far + ' is ' + a[far] + ', the reference engine has ' + b[far]);
  return 'ok';
}
`;

/** By `import`. The first argument is the model's folder. */
export const importing = `
import * as library from 'bert-native';
${embedAndCompare}
console.log(await embedAndCompare(library, process.argv[2]));
`;

/** By `require()`, which takes ECMAScript modules since Node 20.19 and 22.12. */
export const requiring = `
${embedAndCompare}
embedAndCompare(require('bert-native'), process.argv[2]).then(console.log);
`;

/** Only the import: nothing native is loaded before it is needed. */
export const importingAlone = `
import { BertNativeError } from 'bert-native';
if (typeof BertNativeError !== 'function') throw new Error('no BertNativeError');
console.log('ok');
`;

/** In a worker of its own file, which ends by itself. */
export const inWorker = `
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as library from 'bert-native';
${embedAndCompare}
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: process.argv[2] });
  const ended = once(worker, 'exit');
  const [answer] = await once(worker, 'message');
  const [status] = await ended;
  if (status !== 0) throw new Error('the worker ended with status ' + status);
  console.log(answer);
} else {
  parentPort.postMessage(await embedAndCompare(library, workerData));
}
`;

/** On the main thread and in a worker; a large vocabulary, which the library parses in a worker of its own. */
export const application = `
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import * as library from 'bert-native';
${embedAndCompare}
const [, , folder, largeVocabulary, parseWorkers] = process.argv;
await embedAndCompare(library, folder);
let started = 0;
process.on('worker', () => started++);
const tokenizer = await library.AutoTokenizer.from_pretrained(largeVocabulary);
const { input_ids } = tokenizer('hello', { return_tensor: false, add_special_tokens: false });
if (tokenizer.convert_ids_to_tokens(input_ids).join('').replaceAll('##', '') !== 'hello') throw new Error('tokens');
if (started !== Number(parseWorkers)) throw new Error(started + ' workers parsed, not ' + parseWorkers);
const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData: folder });
const [answer] = await once(worker, 'message');
console.log(answer);
`;

export const applicationWorker = `
import { parentPort, workerData } from 'node:worker_threads';
import * as library from 'bert-native';
${embedAndCompare}
parentPort.postMessage(await embedAndCompare(library, workerData));
`;

/** Compiled with strict settings and the library's declarations checked, too. */
export const typed = `
import { AutoTokenizer, BertModel, BertNativeError, pipeline, type Tensor } from 'bert-native';

export async function vectors(folder: string, texts: string[]): Promise<Float32Array> {
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const model = await BertModel.from_pretrained(folder, { dtype: 'q8' });
  const result: Tensor<'float32'> = await model.embed(tokenizer(texts, { padding: true }), { pooling: 'mean' });
  // @ts-expect-error no such element type
  await BertModel.from_pretrained(folder, { dtype: 'fp17' });
  return result.data;
}
export const isOurs = (error: unknown): boolean => error instanceof BertNativeError && error.code === 'ERR_ADDON';
export const classify = () => pipeline('text-classification', './model');
`;
