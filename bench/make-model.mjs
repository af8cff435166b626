/**
 * Makes the folder of one model: seeded random weights, the benchmark's vocabulary, and the same exported for
 * transformers.js. Random weights take as long as trained ones. In a process of its own, whose memory goes with it.
 *
 * Usage: node bench/make-model.mjs <model> <folder>
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as library from 'bert-native';
import { configurationOf } from './families.mjs';
import { modelNamed, modelSeed } from './parts.mjs';
import { taskNamed } from './tasks/tasks.mjs';
import { maxTokens, TextMaker } from './text/texts.mjs';
import { makeVocabulary } from './text/vocabulary.mjs';

const [name = '', folder = ''] = process.argv.slice(2);
const { size, task } = modelNamed(name);
if (size === undefined || folder === '') throw new Error('usage: node bench/make-model.mjs <model> <folder>');

const vocabulary = makeVocabulary();
const { head, settings } = task === undefined ? { head: 'Model', settings: {} } : taskNamed(task);
const { config_class, model_class, values } = configurationOf(size, head);
const { [config_class]: Config, [model_class]: Model } = /** @type {Record<string, any>} */ (library);
const config = new Config({ ...values, ...settings, vocab_size: vocabulary.length });
/** @type {library.PreTrainedModel} */
const model = new Model(config, { seed: modelSeed });
await model.save_pretrained(folder);
await model.save_pretrained(folder, { format: 'onnx', dtype: 'fp32' });
await model.save_pretrained(folder, { format: 'onnx', dtype: 'q8' });
model.dispose();

writeFileSync(join(folder, 'vocab.txt'), `${vocabulary.join('\n')}\n`);
// Accents stay: removing them would take Hangul syllables apart into letters.
const lowerCase = { do_lower_case: true, strip_accents: false, model_max_length: maxTokens };
writeFileSync(
  join(folder, 'tokenizer_config.json'),
  JSON.stringify({ ...lowerCase, tokenizer_class: 'BertTokenizer' }, null, 2),
);
const tokenizer = await library.AutoTokenizer.from_pretrained(folder);
await tokenizer.save_pretrained(folder); // tokenizer.json, which transformers.js reads
if (task === 'token-classification') await nameCommonLabel();

/** In real texts most tokens are no entity's: of random weights, the label that is the most frequent one. */
async function nameCommonLabel() {
  const pipe = await library.pipeline('token-classification', folder);
  const texts = new TextMaker('en', vocabulary).make('mixed', 16).map(({ text }) => text);
  const found = (await pipe(texts, { ignore_labels: [] })).flat();
  await pipe.dispose();
  const labels = found.map(({ entity }) => entity);
  const count = (/** @type {string} */ label) => labels.filter((other) => other === label).length;
  const common = [...new Set(labels)].reduce((a, b) => (count(b) > count(a) ? b : a));
  const path = join(folder, 'config.json');
  const { id2label, ...others } = JSON.parse(readFileSync(path, 'utf8'));
  const exchanged = /** @type {Record<string, string>} */ ({ O: common, [common]: 'O' });
  const names = Object.entries(/** @type {Record<string, string>} */ (id2label)).map(([id, label]) => [
    id,
    exchanged[label] ?? label,
  ]);
  const label2id = Object.fromEntries(names.map(([id, label]) => [label, Number(id)]));
  writeFileSync(path, JSON.stringify({ ...others, id2label: Object.fromEntries(names), label2id }, null, 2));
}
